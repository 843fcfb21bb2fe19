package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/sqlstore"
	"hexad/ui/command"
	"hexad/ui/console"
	"hexad/ui/signin"
)

// administrator is the account that every system has. There is no default password.
const administrator = "admin"

// shortest is the least length of a password that is set by hand.
const shortest = 8

// firstAccount makes the administrator's account at the first start: with the
// password of a file, or with one of its own that is printed once.
func (a *appliance) firstAccount(ctx context.Context) error {
	_, err := a.local.Account(ctx, administrator)
	if engine.CodeOf(err) != engine.NotFound {
		return err
	}
	password, made := "", true
	if a.o.AdminPasswordFile != "" {
		raw, err := os.ReadFile(a.o.AdminPasswordFile)
		if err != nil {
			return engine.Errorf(engine.Invalid, "the administrator's password was not read: %w", err).With("--admin-password-file", "name a file that this user can read")
		}
		password, made = strings.TrimRight(string(raw), "\r\n"), false
	} else {
		password = strings.ToLower(base32.StdEncoding.EncodeToString(randomBytes(10)))
	}
	if err := a.setPassword(ctx, administrator, password); err != nil {
		return err
	}
	if made {
		fmt.Fprintf(a.stdout, "The administrator's account is %q, its password %s\nIt is shown only this once; change it with: xCommand AccountPasswordSet\n", administrator, password)
	}
	return nil
}

func (a *appliance) setPassword(ctx context.Context, account, password string) error {
	if len(password) < shortest {
		return engine.Errorf(engine.Invalid, "the password has %d characters", len(password)).
			With("Password", fmt.Sprintf("use at least %d", shortest))
	}
	hash, err := signin.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	stored, err := a.local.Account(ctx, account)
	if engine.CodeOf(err) == engine.NotFound {
		stored = sqlstore.Account{Name: account, Role: string(command.Administrator), Created: time.Now().UTC()}
	} else if err != nil {
		return err
	}
	stored.Hash, stored.Changed = hash, time.Now().UTC()
	return a.local.PutAccount(ctx, stored)
}

// accounts are the administrators' accounts and their sessions.
type accounts struct{ a *appliance }

func (c accounts) SetPassword(ctx context.Context, actor engine.Actor, account, password string) error {
	if _, err := c.a.local.Account(ctx, account); err != nil && (account != superuser || engine.CodeOf(err) != engine.NotFound) {
		return err
	}
	err := c.a.setPassword(ctx, account, password)
	c.a.accountChanged(ctx)
	return err
}

// Account is an account that may sign in at the console.
func (c accounts) Account(ctx context.Context, name string) (signin.Account, error) {
	if name == superuser {
		return signin.Account{}, engine.Errorf(engine.NotFound, "the account %s signs in over SSH only", name)
	}
	return c.a.enabled(ctx, name)
}

// enabled is an account that may sign in somewhere. Errors: NotFound.
func (a *appliance) enabled(ctx context.Context, name string) (signin.Account, error) {
	stored, err := a.local.Account(ctx, name)
	if err == nil && stored.Disabled {
		err = engine.Errorf(engine.NotFound, "account %s is disabled", name)
	}
	return signin.Account{Name: stored.Name, Hash: stored.Hash, Role: command.Role(stored.Role)}, err
}

// Times of a session. Source: reference 5.5, Management Session.
const (
	sessionIdle     = 30 * time.Minute
	sessionAbsolute = 12 * time.Hour
)

func (c accounts) PutSession(ctx context.Context, s console.Session) error {
	return c.a.local.PutSession(ctx, s.ID, sqlstore.Session{
		Account: s.User, Via: "web", Source: s.Source, Created: s.Started, Used: s.Seen,
		Idle: s.Seen.Add(sessionIdle), Absolute: s.Started.Add(sessionAbsolute),
	})
}

func (c accounts) Session(ctx context.Context, id string) (console.Session, error) {
	s, err := c.a.local.Session(ctx, id, time.Now())
	if err != nil {
		return console.Session{}, err
	}
	// local.db ends an account's sessions together with its password, so a
	// session that is there belongs to the present one.
	account, err := c.a.local.Account(ctx, s.Account)
	sum := sha256.Sum256([]byte(account.Hash))
	return console.Session{ID: id, User: s.Account, Password: hex.EncodeToString(sum[:]), Source: s.Source, Started: s.Created, Seen: s.Used}, err
}

func (c accounts) DeleteSession(ctx context.Context, id string) error {
	err := c.a.local.DeleteSession(ctx, id)
	if engine.CodeOf(err) == engine.NotFound {
		return nil
	}
	return err
}

// onSession writes the line of a sign-in.
func (a *appliance) onSession(kind console.SessionEvent, user, source string) {
	a.journal.Emit(event.By(engine.Actor{User: user, Via: "web", Source: source}, string(kind), ""))
}

// isLocalDamage reports whether local.db cannot be used.
func isLocalDamage(err error) bool {
	return errors.Is(err, sqlstore.ErrDamaged) || errors.Is(err, sqlstore.ErrKey) || errors.Is(err, sqlstore.ErrNewer)
}
