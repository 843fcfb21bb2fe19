package sqlstore_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	sealer := func(fill byte) *sqlstore.Sealer {
		s, err := sqlstore.NewSealer(bytes.Repeat([]byte{fill}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	l := sealer(1)
	for _, plain := range []string{"", "secret", strings.Repeat("x", 1<<16), "\x00\xff"} {
		sealed := l.Seal("domain", []byte(plain))
		if !strings.HasPrefix(sealed, "{cipher}") || (len(plain) > 2 && strings.Contains(sealed, plain)) {
			t.Errorf("sealed %.10q = %.40q", plain, sealed)
		}
		if again := l.Seal("domain", []byte(plain)); again == sealed {
			t.Errorf("sealing %.10q twice gave the same text", plain)
		}
		got, err := l.Open("domain", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("open %.10q: %.10q, %v", plain, got, err)
		}
	}
	sealed := l.Seal("domain", []byte("secret"))
	other := sealer(2)
	cases := []struct {
		name   string
		open   func() ([]byte, error)
		code   engine.Code
		system bool // an error about the system key
	}{
		{"another domain", func() ([]byte, error) { return l.Open("other", sealed) }, engine.Unavailable, true},
		{"another peer", func() ([]byte, error) { return other.Open("domain", sealed) }, engine.Unavailable, true},
		{"altered", func() ([]byte, error) { return l.Open("domain", sealed[:20]+"AAAA"+sealed[24:]) }, engine.Unavailable, true},
		{"cut off", func() ([]byte, error) { return l.Open("domain", "{cipher}AAAA") }, engine.Unavailable, true},
		{"not sealed", func() ([]byte, error) { return l.Open("domain", "secret") }, engine.Invalid, false},
		{"not base64", func() ([]byte, error) { return l.Open("domain", "{cipher}!") }, engine.Invalid, false},
	}
	for _, c := range cases {
		got, err := c.open()
		if engine.CodeOf(err) != c.code || errors.Is(err, sqlstore.ErrKey) != c.system || got != nil {
			t.Errorf("%s: %q, %v (%s)", c.name, got, err, engine.CodeOf(err))
		}
	}
	if _, err := sqlstore.NewSealer(make([]byte, 16)); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a short key: %v", err)
	}
}

// FuzzOpenSealed: whatever is opened, it opens only as what was sealed.
func FuzzOpenSealed(f *testing.F) {
	s, err := sqlstore.NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	good := s.Seal("d", []byte("plain"))
	f.Add(good)
	f.Add("{cipher}")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := s.Open("d", text); err == nil && string(got) != "plain" {
			t.Errorf("%q opened as %q", text, got)
		}
	})
}
