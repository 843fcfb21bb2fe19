package appliance

import (
	"context"
	"regexp"
	"slices"
	"time"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/sqlstore"
	"hexad/ui/command"
	"hexad/ui/signin"
)

// roster keeps the accounts of this peer in local.db.
type roster struct{ a *appliance }

// accountName is the form of the names that accounts may be given; reserved
// are those that mean something else in events and histories.
var (
	accountName = regexp.MustCompile(`^[a-z][a-z0-9._-]{0,31}$`)
	reserved    = []string{superuser, engine.System.User, "hexad"}
)

func (r roster) List(ctx context.Context) ([]command.Account, error) {
	stored, err := r.a.local.Accounts(ctx)
	out := make([]command.Account, 0, len(stored))
	for _, s := range stored {
		out = append(out, command.Account{Name: s.Name, Role: command.Role(s.Role), Created: s.Created, Changed: s.Changed})
	}
	return out, err
}

func (r roster) Add(ctx context.Context, actor engine.Actor, name, password string, role command.Role) error {
	if !accountName.MatchString(name) || slices.Contains(reserved, name) {
		return engine.Errorf(engine.Invalid, "%q is no name for an account", name).With("Account", "use lower-case letters, digits, dots and hyphens, a letter first; not root or system")
	}
	if _, err := r.a.local.Account(ctx, name); err == nil {
		return engine.Errorf(engine.Conflict, "there is an account %q already", name).With("Account", "change its password with AccountPasswordSet, or delete it first")
	}
	if len(password) < shortest {
		return engine.Errorf(engine.Invalid, "the password has %d characters", len(password)).With("Password", "use at least 8")
	}
	hash, err := signin.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	err = r.a.local.PutAccount(ctx, sqlstore.Account{Name: name, Role: string(role), Hash: hash, Created: now, Changed: now})
	if err == nil {
		r.a.journal.Emit(event.By(actor, "Account Change", "account "+name+" added with the role "+string(role)))
	}
	return err
}

func (r roster) Delete(ctx context.Context, actor engine.Actor, name string) error {
	if name == administrator || slices.Contains(reserved, name) && name != superuser {
		return engine.Errorf(engine.Invalid, "the account %q stays", name).With("Account", "delete another one")
	}
	err := r.a.local.DeleteAccount(ctx, name)
	if err == nil {
		r.a.journal.Emit(event.By(actor, "Account Change", "account "+name+" deleted"))
		r.a.accountChanged(ctx)
	}
	return err
}
