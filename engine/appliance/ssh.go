package appliance

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/sqlstore"
	"hexad/ui/command"
	"hexad/ui/signin"
	"hexad/ui/ssh"
)

// superuser is the account that is the person at the machine. It signs in over
// SSH alone, once it has a password.
const superuser = "root"

// overSSH are the accounts that may sign in over SSH. Source: design 7.
var overSSH = []string{administrator, superuser}

// openSSH opens the shell over SSH, unless its port is 0 or the configuration of
// this peer has it off. The host key is made at the first start; a factory reset
// keeps it when the rules say so.
func (a *appliance) openSSH(ctx context.Context) error {
	key, err := a.hostKey(ctx)
	if err != nil {
		return err
	}
	a.hostKeyPrint = ssh.Fingerprint(key.Public)
	if a.o.SSHPort == 0 || (clusterConfig{a}).Get("Administration SSH Mode") == "Off" {
		return nil
	}
	server, err := ssh.New(ssh.Options{
		Address: a.o.Address, Port: a.o.SSHPort, HostKey: key.Private, Release: a.o.Release, Commands: a.table, Accounts: sshAccounts{a}, Guard: a.guard,
		Name: a.systemName, Changed: a.changes.next, OnSession: a.onSSH, Log: a.log.With("module", "ssh"),
	})
	if err != nil {
		return err
	}
	if err := server.Open(ctx); err != nil {
		return err
	}
	a.closers = append(a.closers, server.Close)
	a.ssh = server
	return nil
}

// systemName is what people call this system.
func (a *appliance) systemName() string {
	return cmp.Or(clusterConfig{a}.Get("SystemUnit Name"), a.hostName())
}

// hostKey is this peer's own, made when there is none.
func (a *appliance) hostKey(ctx context.Context) (sqlstore.HostKey, error) {
	keys, err := a.local.HostKeys(ctx)
	if err != nil {
		return sqlstore.HostKey{}, err
	}
	for _, k := range keys {
		if k.Algorithm == ssh.HostKeyAlgorithm && ssh.Fingerprint(k.Public) != "" && len(k.Private) > 0 {
			return k, nil
		}
	}
	k := sqlstore.HostKey{Algorithm: ssh.HostKeyAlgorithm}
	if k.Private, k.Public, err = ssh.MakeHostKey(); err != nil {
		return sqlstore.HostKey{}, err
	}
	if a.local.LostKey() { // as the certificate's
		a.spare.hostKeys = []sqlstore.HostKey{k}
	} else if err := a.local.PutHostKeys(ctx, []sqlstore.HostKey{k}); err != nil {
		return sqlstore.HostKey{}, err
	}
	a.journal.Emit(event.Named("ssh", "SSH Host Key Made", ssh.HostKeyAlgorithm+" "+ssh.Fingerprint(k.Public)))
	return k, nil
}

// runSSH serves the shell over SSH, when there is one.
func (a *appliance) runSSH(ctx context.Context) error {
	if a.ssh == nil {
		return nil
	}
	return a.ssh.Run(ctx)
}

// accountChanged ends the sessions over SSH that were begun before.
func (a *appliance) accountChanged(ctx context.Context) {
	if a.ssh != nil {
		a.ssh.Recheck(ctx)
	}
}

// onSSH writes the line of a sign-in, and keeps it in the audit.
func (a *appliance) onSSH(kind signin.Event, user, source, detail string) {
	actor := engine.Actor{User: user, Via: "ssh", Source: source}
	a.journal.Emit(event.By(actor, string(kind), detail))
	if kind == signin.SessionFinish {
		return
	}
	result := "OK"
	if kind == signin.SessionLoginFailure {
		result = string(engine.Denied) + ": " + detail
	}
	a.audits.add(context.Background(), command.Audited{Actor: actor, Command: "SSHSignIn", Args: map[string]string{"Account": user}, Result: result})
}

// sshAccounts are the accounts that may sign in over SSH.
type sshAccounts struct{ a *appliance }

func (s sshAccounts) Account(ctx context.Context, name string) (signin.Account, error) {
	if !slices.Contains(overSSH, name) {
		return signin.Account{}, engine.Errorf(engine.NotFound, "the account %s does not sign in over SSH", name)
	}
	return s.a.enabled(ctx, name)
}

func (s sshAccounts) Trusted(ctx context.Context, account, fingerprint string) (bool, error) {
	return s.a.local.Authorized(ctx, account, fingerprint)
}

// sshPart is the shell over SSH as the commands see it.
type sshPart struct{ a *appliance }

func (s sshPart) Status(context.Context) command.SSHStatus {
	out := command.SSHStatus{Algorithm: ssh.HostKeyAlgorithm, Fingerprint: s.a.hostKeyPrint, Sessions: []command.SSHSession{}}
	if s.a.ssh != nil {
		out.Active, out.Address = true, net.JoinHostPort(s.a.o.Address, strconv.Itoa(s.a.o.SSHPort))
		out.Sessions = append(out.Sessions, s.a.ssh.Sessions()...)
	}
	return out
}

func (s sshPart) Keys(ctx context.Context) ([]command.SSHKey, error) {
	stored, err := s.a.local.AuthorizedKeys(ctx)
	out := make([]command.SSHKey, 0, len(stored))
	for _, k := range stored {
		out = append(out, command.SSHKey{Account: k.Account, Key: k.Line, Fingerprint: k.Fingerprint, Comment: k.Comment, Added: k.Added, AddedBy: k.AddedBy})
	}
	return out, err
}

func (s sshPart) AddKey(ctx context.Context, actor engine.Actor, account, text string) (command.SSHKey, error) {
	parsed, err := ssh.ParseKey(text)
	if err != nil {
		return command.SSHKey{}, err
	}
	if _, err := s.a.local.Account(ctx, account); engine.CodeOf(err) == engine.NotFound {
		return command.SSHKey{}, engine.Errorf(engine.NotFound, "the account %s has no password yet", account).
			With("Account", "set one first: xCommand AccountPasswordSet Account: "+account+" Password: …")
	}
	k := sqlstore.AuthorizedKey{Account: account, Fingerprint: parsed.Fingerprint, Line: parsed.Line, Comment: parsed.Comment, Added: time.Now().UTC(), AddedBy: actor.User}
	if err := s.a.local.AddAuthorizedKey(ctx, k); err != nil {
		return command.SSHKey{}, err
	}
	s.a.journal.Emit(event.By(actor, "Account Change", "key "+k.Fingerprint+" may sign in over SSH as "+account))
	return command.SSHKey{Account: account, Key: k.Line, Fingerprint: k.Fingerprint, Comment: k.Comment, Added: k.Added, AddedBy: k.AddedBy}, nil
}

func (s sshPart) DeleteKey(ctx context.Context, actor engine.Actor, account, fingerprint string) error {
	if err := s.a.local.DeleteAuthorizedKey(ctx, account, fingerprint); err != nil {
		return err
	}
	s.a.journal.Emit(event.By(actor, "Account Change", "key "+fingerprint+" may no longer sign in over SSH as "+account))
	s.a.accountChanged(ctx)
	return nil
}
