package config_test

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// reversible stands for the real sealer, whose place is package main: it hides
// nothing, but it knows its key and domain again.
type reversible string

func (key reversible) Seal(domain string, plain []byte) (string, error) {
	if key == "" {
		return "", engine.Errorf(engine.Unavailable, "no key at hand")
	}
	return "{cipher}" + base64.StdEncoding.EncodeToString([]byte(string(key)+"|"+domain+"|"+string(plain))), nil
}

func (key reversible) Open(domain, sealed string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "{cipher}"))
	plain, ok := strings.CutPrefix(string(raw), string(key)+"|"+domain+"|")
	if err != nil || !ok {
		return nil, errors.New("another key")
	}
	return []byte(plain), nil
}

func TestSecretsRestSealed(t *testing.T) {
	t.Parallel()
	reg := load(t)
	s := &stores{config: engine.Configuration{Items: map[string]string{}}, own: map[string]string{}}
	open := func(key string) *config.Service {
		svc := config.New(reg, config.Sealed(reg, s, reversible(key), slog.New(slog.DiscardHandler)), s, s, nil, slog.New(slog.DiscardHandler))
		if _, err := svc.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		return svc
	}
	svc := open("k1")
	const path = "Authentication Password"
	out, err := svc.Set(t.Context(), admin, 0, []engine.Change{set(path, "swordfish"), set("Authentication UserName", "me")})
	if err != nil {
		t.Fatal(err)
	}
	if at := s.config.Items[path]; !strings.HasPrefix(at, "{cipher}") || strings.Contains(at, "swordfish") {
		t.Errorf("rests as %q", at)
	}
	for _, c := range out.Changed {
		if strings.Contains(c.Value, "swordfish") {
			t.Errorf("the answer shows the secret: %+v", c)
		}
	}
	if got := value(t, svc, path); got != "swordfish" {
		t.Errorf("reads %q", got)
	}
	if again, err := svc.Set(t.Context(), admin, 0, []engine.Change{set(path, "swordfish")}); err != nil || again.Saved != nil {
		t.Errorf("the same secret again: %+v, %v", again, err)
	}
	other := open("k2")
	if value(t, other, path) != "" || value(t, other, "Authentication UserName") != "me" {
		t.Error("with another key the secret is not set and the rest serves")
	}
	if _, err := open("").Set(t.Context(), admin, 0, []engine.Change{set(path, "another")}); engine.CodeOf(err) != engine.Unavailable || !strings.HasPrefix(s.config.Items[path], "{cipher}") {
		t.Errorf("without a key: %v, rests as %q; want unavailable and nothing saved", err, s.config.Items[path])
	}
	if _, err := svc.Set(t.Context(), admin, 0, []engine.Change{set(path, "{cipher}AAAA")}); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a sealed value as a password: %v, want invalid", err)
	}
}
