package signin_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/signin"
)

func TestPassword(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	hash, err := signin.HashPassword(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("hash = %q, want a PHC string", hash)
	}
	for _, tt := range []struct {
		name, hash, password string
		want                 bool
		code                 engine.Code
	}{
		{"right", hash, password, true, ""},
		{"wrong", hash, password + "!", false, ""},
		{"empty", hash, "", false, ""},
		{"too long", hash, strings.Repeat("x", 1025), false, ""},
		{"no hash", "", password, false, engine.Internal},
		{"another algorithm", "$2y$10$abcdefghijklmnopqrstuv", password, false, engine.Internal},
		{"all memory", strings.Replace(hash, "m=65536", "m=99999999", 1), password, false, engine.Internal},
		{"no lanes", strings.Replace(hash, "p=4", "p=0", 1), password, false, engine.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := signin.VerifyPassword(t.Context(), tt.hash, tt.password)
			if got != tt.want || engine.CodeOf(err) != tt.code {
				t.Errorf("VerifyPassword = %v, %v, want %v, code %q", got, err, tt.want, tt.code)
			}
		})
	}
	if _, err := signin.HashPassword(t.Context(), ""); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("an empty password: %v, want invalid", err)
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := signin.NewLimiter(3, 8*time.Second)
		for i := range 3 {
			if wait := l.Attempt("a"); wait != 0 {
				t.Errorf("attempt %d waits %s, want none", i+1, wait)
			}
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 8} {
			wait := l.Attempt("a")
			if wait != want*time.Second {
				t.Errorf("wait %s, want %s", wait, want*time.Second)
			}
			time.Sleep(wait)
			if again := l.Attempt("a"); again != 0 {
				t.Errorf("after its wait: wait %s, want none", again)
			}
		}
		if wait := l.Attempt("b"); wait != 0 {
			t.Errorf("another key waits %s", wait)
		}
		l.Succeeded("a")
		if wait := l.Attempt("a"); wait != 0 {
			t.Errorf("after a success: wait %s, want none", wait)
		}
	})
}

// accounts are those of one administrator.
type accounts struct{ hash string }

func (a accounts) Account(_ context.Context, name string) (signin.Account, error) {
	if name != "admin" {
		return signin.Account{}, engine.Errorf(engine.NotFound, "there is no account %s", name)
	}
	return signin.Account{Name: name, Hash: a.hash, Role: command.Administrator}, nil
}

// Who guesses from one address waits, whichever account it is; who knows the
// password is let in from elsewhere meanwhile.
func TestGuard(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	b := base64.RawStdEncoding // a hash that is made quickly: waits are seconds
	hash := "$argon2id$v=19$m=64,t=1,p=1$" + b.EncodeToString([]byte("saltsalt")) + "$" + b.EncodeToString(argon2.IDKey([]byte(password), []byte("saltsalt"), 1, 64, 1, 32))
	g, all := signin.NewGuard(), accounts{hash}
	try := func(name, password, ip string) signin.Attempt {
		t.Helper()
		a, err := g.Try(t.Context(), all, name, password, ip)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := try("admin", password, "192.0.2.1"); !a.OK || a.Account.Name != "admin" {
		t.Errorf("the right password: %+v", a)
	}
	for i, name := range []string{"nobody", "admin", "admin", "admin", "admin"} {
		if a := try(name, "guess", "192.0.2.1"); a.OK || a.Wait > 0 {
			t.Errorf("guess %d: %+v, want a plain no", i+1, a)
		}
	}
	if a := try("admin", password, "192.0.2.1"); a.OK || a.Wait <= 0 {
		t.Errorf("after five guesses: %+v, want a wait", a)
	}
	if a := try("admin", password, "192.0.2.2"); !a.OK {
		t.Errorf("from elsewhere: %+v", a)
	}
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "",
	} {
		if got := signin.AddressKey(ip); got != want {
			t.Errorf("AddressKey(%q) = %q, want %q", ip, got, want)
		}
	}
}
