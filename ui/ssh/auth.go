package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/ui/signin"
)

// What the sign-in hands to the session, in the names of ssh.Permissions.
const (
	extHash = "hexad-hash" // digest of the password's hash, so that a new one ends the session
	extRole = "hexad-role"
	extKey  = "hexad-key" // fingerprint of the key that was used, "" for a password
)

// configure is the configuration of one connection.
func (s *Server) configure(ctx context.Context, in *guest) *ssh.ServerConfig {
	c := s.config
	c.PasswordCallback = func(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		return s.byPassword(ctx, conn, string(password))
	}
	c.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		return s.byKey(ctx, conn, key)
	}
	return &c
}

// byPassword decides about a password with the guard of all faces.
func (s *Server) byPassword(ctx context.Context, conn ssh.ConnMetadata, password string) (*ssh.Permissions, error) {
	from := conn.RemoteAddr()
	a, err := s.options.Guard.Try(ctx, s.options.Accounts, conn.User(), password, hostOf(from))
	switch {
	case err != nil:
		s.options.Log.Warn("sign-in not decided", "module", "ssh", "source", from.String(), "err", err)
		return nil, &ssh.BannerError{Err: err, Message: "The system cannot check passwords now. Try again in a moment.\r\n"}
	case a.Wait > 0:
		s.door.refused(s.options.Log, "too many wrong passwords", from)
		return nil, &ssh.BannerError{Err: errRefused, Message: fmt.Sprintf("Too many wrong passwords. Wait %d seconds.\r\n", int(math.Ceil(a.Wait.Seconds())))}
	case !a.OK:
		s.options.OnSession(signin.SessionLoginFailure, printable(conn.User()), from.String(), "wrong account or password")
		return nil, errRefused
	}
	return granted(a.Account, ""), nil
}

// byKey decides about a key. A key cannot be guessed, so it is not slowed down:
// a client offers every one that it has.
func (s *Server) byKey(ctx context.Context, conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if !accepted(key) {
		return nil, errRefused
	}
	account, err := s.options.Accounts.Account(ctx, conn.User())
	if err != nil {
		return nil, errRefused
	}
	fingerprint := ssh.FingerprintSHA256(key)
	trusted, err := s.options.Accounts.Trusted(ctx, account.Name, fingerprint)
	if err != nil || !trusted {
		return nil, errRefused
	}
	return granted(account, fingerprint), nil
}

var errRefused = engine.Errorf(engine.Denied, "the account, the password or the key is wrong")

func granted(a signin.Account, key string) *ssh.Permissions {
	return &ssh.Permissions{Extensions: map[string]string{extHash: digest(a.Hash), extRole: string(a.Role), extKey: key}}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// maxShown is how much of a name that a stranger gave is written down.
const maxShown = 64

// printable is a stranger's text as it may stand in the event log.
func printable(text string) string {
	quoted := fmt.Sprintf("%+q", text[:min(len(text), maxShown)])
	return quoted[1 : len(quoted)-1]
}

// current reports whether the session's account is still as it was when it
// signed in. Errors: Denied, and those of the store.
func (v *session) current(ctx context.Context) error {
	gone := engine.Errorf(engine.Denied, "the account was changed since this session began").With("", "sign in again")
	account, err := v.server.options.Accounts.Account(ctx, v.account.Name)
	if engine.CodeOf(err) == engine.NotFound {
		return gone
	}
	if err != nil {
		return err
	}
	if digest(account.Hash) != v.hash || account.Role != v.account.Role {
		return gone
	}
	if v.fingerprint != "" {
		trusted, err := v.server.options.Accounts.Trusted(ctx, account.Name, v.fingerprint)
		if err != nil {
			return err
		}
		if !trusted {
			return gone
		}
	}
	return nil
}

// ends is how long a session may go on: until it was idle for too long, or
// was there for too long.
func (v *session) ends() time.Time {
	return v.started.Add(min(time.Duration(v.used.Load())+idleTime, absoluteTime))
}
