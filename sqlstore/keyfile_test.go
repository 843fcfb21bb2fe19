package sqlstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

const keyCopy, keyNext = "system.key.copy", "system.key.next"

// secretive is the data directory of a closed peer that has each kind of secret.
func secretive(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	l := sqlstoretest.LocalIn(t, dir)
	ctx := t.Context()
	id, err := l.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id.Cluster, id.Secret = "c1", []byte("the cluster secret")
	_, saveErr := l.SaveItems(ctx, []engine.Change{{Path: "Option 1 Key", Value: "116341E00-1-AAAA"}, {Path: "SystemUnit Name", Value: "mine"}}, engine.System, time.Now(), "")
	if err := errors.Join(saveErr, l.PutIdentity(ctx, id, nil), l.PutState(ctx, "join token", "a token"),
		l.PutCredentials(ctx, sqlstore.Credentials{Certificate: []byte("cert"), PrivateKey: []byte("server key")}),
		l.PutPendingKey(ctx, sqlstore.PendingKey{Request: []byte("request"), PrivateKey: []byte("waiting key")}),
		l.PutHostKeys(ctx, []sqlstore.HostKey{{Algorithm: "ssh-ed25519", Public: "host", Private: []byte("host key")}}), l.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// secrets are what l can open, as one text.
func secrets(t *testing.T, l *sqlstore.Local) string {
	t.Helper()
	ctx := t.Context()
	id, err := l.Identity(ctx)
	items, itemsErr := l.Items(ctx)
	c, credErr := l.Credentials(ctx)
	p, pendingErr := l.PendingKey(ctx)
	hosts, hostErr := l.HostKeys(ctx)
	state, stateErr := l.State(ctx, "join token")
	if err := errors.Join(err, itemsErr, credErr, pendingErr, hostErr, stateErr); err != nil {
		t.Fatal(err)
	}
	host := ""
	for _, k := range hosts {
		host += string(k.Private)
	}
	return strings.Join([]string{string(id.Secret), items["Option 1 Key"], items["SystemUnit Name"], string(c.PrivateKey), string(p.PrivateKey), host, state}, "|")
}

const allSecrets = "the cluster secret|116341E00-1-AAAA|mine|server key|waiting key|host key|a token"

func reopened(t *testing.T, dir string) *sqlstore.Local {
	t.Helper()
	l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir, WithoutKey: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func content(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

// damages of the key file.
var keyDamages = []struct {
	name string
	do   func(t *testing.T, dir string)
	text string
}{
	{"missing", func(t *testing.T, dir string) { remove(t, dir, "system.key") }, "is missing"},
	{"truncated", func(t *testing.T, dir string) { truncate(t, dir, "system.key", 7) }, "7 bytes"},
	{"other contents", func(t *testing.T, dir string) { write(t, dir, "system.key", strings.Repeat("k", 32)) }, "is not the one"},
}

// TestKeyFileDamage: one damaged file loses nothing, at the start or while the
// peer runs; a renewal ends it.
func TestKeyFileDamage(t *testing.T) {
	t.Parallel()
	for _, d := range keyDamages {
		for _, running := range []bool{false, true} {
			dir := secretive(t)
			before := content(t, dir, "system.key")
			if !running {
				d.do(t, dir)
			}
			l := reopened(t, dir)
			if running {
				if err := l.CheckKey(); err != nil {
					t.Fatal(err)
				}
				d.do(t, dir)
			}
			if err := l.CheckKey(); !errors.Is(err, sqlstore.ErrKey) || !strings.Contains(err.Error(), d.text) {
				t.Errorf("%s, running %v: %v, want %q", d.name, running, err, d.text)
			}
			if got := secrets(t, l); l.LostKey() || got != allSecrets {
				t.Errorf("%s, running %v: lost %v, secrets %s", d.name, running, l.LostKey(), got)
			}
			was := l.PublicKey()
			if err := l.RenewKey(t.Context(), sqlstore.KeyRenewal{}); err != nil {
				t.Fatal(err)
			}
			lost, err := l.LostSecrets(t.Context())
			if err := errors.Join(err, l.CheckKey()); err != nil || len(lost) != 0 || secrets(t, l) != allSecrets || l.PublicKey() == was {
				t.Errorf("%s, running %v, renewed: %v, lost %v, secrets %s", d.name, running, err, lost, secrets(t, l))
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			now := content(t, dir, "system.key")
			if bytes.Equal(now, before) || !bytes.Equal(now, content(t, dir, keyCopy)) || content(t, dir, keyNext) != nil {
				t.Errorf("%s, running %v: the files are not those of one new key", d.name, running)
			}
			if got := secrets(t, reopened(t, dir)); got != allSecrets {
				t.Errorf("%s, running %v, opened again: %s", d.name, running, got)
			}
		}
	}
}

// TestKeyLost: without any key the peer opens, keeps its sealed rows for whoever
// finds the key again, and takes no secrets. A renewal names what is lost.
func TestKeyLost(t *testing.T) {
	t.Parallel()
	dir := secretive(t)
	key := content(t, dir, "system.key")
	remove(t, dir, "system.key")
	remove(t, dir, keyCopy)
	if _, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir}); !errors.Is(err, sqlstore.ErrKey) {
		t.Fatalf("opened with all secrets closed: %v", err)
	}
	ctx := t.Context()
	l := reopened(t, dir)
	if !l.LostKey() || l.PublicKey() != "" || !errors.Is(l.CheckKey(), sqlstore.ErrKey) || !errors.Is(l.KeyTo(filepath.Join(dir, "copy")), sqlstore.ErrKey) {
		t.Errorf("lost %v, public %q, %v", l.LostKey(), l.PublicKey(), l.CheckKey())
	}
	if got := secrets(t, l); got != "||mine||||" {
		t.Errorf("it reads %s", got)
	}
	id, err := l.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.SaveItems(ctx, []engine.Change{{Path: "SystemUnit Name", Value: "still mine"}}, engine.System, time.Now(), ""); err != nil {
		t.Errorf("what is no secret is not saved: %v", err)
	}
	if err := l.PutIdentity(ctx, id, nil); err != nil {
		t.Errorf("the identity is not stored: %v", err)
	}
	_, itemErr := l.SaveItems(ctx, []engine.Change{{Path: "Option 1 Key", Value: "x"}}, engine.System, time.Now(), "")
	for _, err := range []error{itemErr, l.PutState(ctx, "join token", "x"), l.PutCredentials(ctx, sqlstore.Credentials{Certificate: []byte("c"), PrivateKey: []byte("k")})} {
		if !errors.Is(err, sqlstore.ErrKey) {
			t.Errorf("a secret was taken: %v", err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "system.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	l = reopened(t, dir)
	if got, want := secrets(t, l), strings.Replace(allSecrets, "mine", "still mine", 1); got != want {
		t.Errorf("with the key put back it reads %s", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "system.key")
	remove(t, dir, keyCopy)

	l = reopened(t, dir)
	r := sqlstore.KeyRenewal{Secret: []byte("another"), Credentials: sqlstore.Credentials{Certificate: []byte("cert 2"), PrivateKey: []byte("key 2")},
		HostKeys: []sqlstore.HostKey{{Algorithm: "ssh-ed25519", Public: "host 2", Private: []byte("host key 2")}}}
	if err := l.RenewKey(ctx, r); err != nil {
		t.Fatal(err)
	}
	lost, err := l.LostSecrets(ctx)
	want := []string{"cluster secret", "private key of the certificate request", "private key of the server certificate", "SSH host key ssh-ed25519", "Option 1 Key", "kept value: join token"}
	if err != nil || !slices.Equal(lost, want) {
		t.Errorf("lost %q, %v\nwant %q", lost, err, want)
	}
	history, err := l.History(ctx, sqlstore.HistoryFilter{Path: "Option 1 Key", Limit: 1})
	if err != nil || len(history) != 1 || history[0].Old != "********" || history[0].New != "" {
		t.Errorf("the history says %+v, %v", history, err)
	}
	for range 2 {
		if got := secrets(t, l); l.LostKey() || got != "another||still mine|key 2||host key 2|" {
			t.Errorf("renewed it reads %s", got)
		}
		if again, err := l.LostSecrets(ctx); err != nil || !slices.Equal(again, want) {
			t.Errorf("it forgot what was lost before anybody was told: %q, %v", again, err)
		}
		l.Close()
		l = reopened(t, dir)
	}
	if err := l.ForgetLost(ctx); err != nil {
		t.Fatal(err)
	}
	if again, err := l.LostSecrets(ctx); err != nil || len(again) != 0 {
		t.Errorf("after it was told: %q, %v", again, err)
	}
}

// TestResetWithoutKey: a peer that lost its key can be reset, and has a key then.
func TestResetWithoutKey(t *testing.T) {
	t.Parallel()
	dir := secretive(t)
	remove(t, dir, "system.key")
	remove(t, dir, keyCopy)
	l := reopened(t, dir)
	if err := l.Reset(t.Context(), []string{sqlstore.KeepHostKeys, sqlstore.KeepServerCertificate, sqlstore.KeepPrivateKey}); err != nil {
		t.Fatal(err)
	}
	if got := secrets(t, l); l.LostKey() || got != "||||||" {
		t.Errorf("lost %v, it reads %s", l.LostKey(), got)
	}
	l.Close()
	if got := secrets(t, sqlstoretest.LocalIn(t, dir)); got != "||||||" {
		t.Errorf("opened again it reads %s", got)
	}
}

// TestKeyChangeCut: a change of key that was cut off is finished or forgotten.
func TestKeyChangeCut(t *testing.T) {
	t.Parallel()
	put := func(dir, name string, key []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := secretive(t)
	old := content(t, dir, "system.key")
	put(dir, keyNext, bytes.Repeat([]byte{9}, 32)) // before local.db was sealed with it
	l := reopened(t, dir)
	if got := secrets(t, l); got != allSecrets || content(t, dir, keyNext) != nil || l.CheckKey() != nil {
		t.Errorf("before the change: %s, %v", got, l.CheckKey())
	}
	if err := l.RenewKey(t.Context(), sqlstore.KeyRenewal{State: map[string]string{"with it": "kept"}}); err != nil {
		t.Fatal(err)
	}
	if kept, err := l.State(t.Context(), "with it"); err != nil || kept != "kept" {
		t.Errorf("kept with the new key: %q, %v", kept, err)
	}
	l.Close()
	next := content(t, dir, "system.key")
	for _, cut := range []struct {
		name      string
		key, copy []byte
	}{{"local.db is sealed with it", old, old}, {"the file is placed", next, old}, {"the copy is placed", next, next}} {
		put(dir, "system.key", cut.key)
		put(dir, keyCopy, cut.copy)
		put(dir, keyNext, next)
		l := reopened(t, dir)
		if got := secrets(t, l); got != allSecrets || l.CheckKey() != nil || content(t, dir, keyNext) != nil ||
			!bytes.Equal(content(t, dir, "system.key"), next) || !bytes.Equal(content(t, dir, keyCopy), next) {
			t.Errorf("%s: %s, %v", cut.name, got, l.CheckKey())
		}
		l.Close()
	}
}

// TestWrap: a data key opens for the peer that it was wrapped for, under its number.
func TestWrap(t *testing.T) {
	t.Parallel()
	a, b := sqlstoretest.Local(t), sqlstoretest.Local(t)
	key := bytes.Repeat([]byte{3}, 32)
	wrapped, err := sqlstore.Wrap(7, a.PublicKey(), key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Unwrap(7, wrapped); err != nil || !bytes.Equal(got, key) {
		t.Errorf("%x, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another peer":   func() ([]byte, error) { return b.Unwrap(7, wrapped) },
		"another number": func() ([]byte, error) { return a.Unwrap(8, wrapped) },
		"altered":        func() ([]byte, error) { return a.Unwrap(7, wrapped[:60]+"AAAA"+wrapped[64:]) },
		"cut off":        func() ([]byte, error) { return a.Unwrap(7, wrapped[:20]) },
		"no base64":      func() ([]byte, error) { return a.Unwrap(7, "!") },
	} {
		if got, err := open(); !errors.Is(err, sqlstore.ErrKey) || got != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for _, public := range []string{"", "zz", "00", strings.Repeat("0", 64)} {
		if _, err := sqlstore.Wrap(7, public, key); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("wrapped for %q: %v", public, err)
		}
	}
	if err := a.RenewKey(t.Context(), sqlstore.KeyRenewal{}); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Unwrap(7, wrapped); !errors.Is(err, sqlstore.ErrKey) {
		t.Errorf("with a new system key: %x, %v", got, err)
	}
}

// TestDataSealer: a sealed text names its data key, and opens with no other.
func TestDataSealer(t *testing.T) {
	t.Parallel()
	sealer := func(number int64, fill byte) *sqlstore.Sealer {
		s, err := sqlstore.NewDataSealer(number, bytes.Repeat([]byte{fill}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	text := sealer(12, 1).Seal("d", []byte("plain"))
	if !strings.HasPrefix(text, "{cipher}k12:") {
		t.Errorf("sealed as %s", text)
	}
	if got, err := sealer(12, 1).Open("d", text); err != nil || string(got) != "plain" {
		t.Errorf("opened as %q, %v", got, err)
	}
	local, err := sqlstore.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*sqlstore.Sealer{"another number": sealer(1, 1), "another key": sealer(12, 2), "a system key": local} {
		if got, err := s.Open("d", text); !errors.Is(err, sqlstore.ErrKey) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for text, want := range map[string]int64{"{cipher}k12:AAAA": 12, "{cipher}AAAA": 0, "{cipher}k12AAA": 0, "{cipher}k:A": 0, "{cipher}k-1:A": 0, "{cipher}": 0} {
		if n, sealed := sqlstore.SealedWith(text); n != want || !sealed {
			t.Errorf("%s: key %d, sealed %v", text, n, sealed)
		}
	}
	if _, sealed := sqlstore.SealedWith("k12:AAAA"); sealed {
		t.Error("a text without the prefix passes for sealed")
	}
}
