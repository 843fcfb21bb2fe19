package appliance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/engine/event"
	"hexad/engine/link"
	"hexad/sqlstore"
	"hexad/ui/command"
	"hexad/ui/console"
	"hexad/ui/shell"
	"hexad/ui/signin"
)

// openFaces opens what administrators use: the shell's socket and the console.
// Both run the one table of commands.
func (a *appliance) openFaces(ctx context.Context) error {
	a.audits, a.guard = newAudit(a), signin.NewGuard()
	a.table = command.New(command.Parts{
		Cluster: a.cluster, Forcing: a.cluster, Procedures: a.procedures, Copies: generations{a}, Contents: a.cluster, Trust: trust{a}, Certificates: certificates{a}, Configuration: edited{a.config, a}, Registry: a.registry, History: history{a},
		Alarms: a.tracker, Catalogue: kind, Diagnostics: diagnostics{a}, Host: hostPart{a}, Accounts: accounts{a},
		Backups: a.backups, Resets: resets{a}, Purges: purges{a}, Journal: journal{a}, Policies: a.lifecycle, Roster: roster{a}, SSH: sshPart{a}, Keys: a.keys, Gate: a.gate, Audit: a.audits.add,
	})
	a.shell = shell.New(a.o.DataDir, a.table, a.log.With("module", "shell"))
	if err := a.shell.Open(ctx); err != nil {
		return err
	}
	a.closers = append(a.closers, a.shell.Close)
	var err error
	a.console, err = console.New(console.Options{
		Certificate: a.serverCertificate, Address: a.o.Address, Port: a.o.HTTPSPort, Release: a.o.Release,
		Runner: a.table, Cluster: a.cluster, Alarms: a.tracker, Configuration: browser{a}, Events: journal{a}, History: history{a},
		Diagnostics: diagnostics{a}, Accounts: accounts{a}, Guard: a.guard, Catalogue: kind, Changed: a.changes.next, Ready: a.notReady,
		OnSession: a.onSession, HostKey: func() string { return a.hostKeyPrint }, Logger: a.log.With("module", "web"),
	})
	if err != nil {
		return err
	}
	if err := a.console.Open(ctx); err != nil {
		return err
	}
	a.closers = append(a.closers, a.console.Close)
	if err := a.openSSH(ctx); err != nil {
		return err
	}
	a.watch = a.newWatch()
	if err := a.watch.Open(ctx); err != nil {
		return err
	}
	a.closers = append(a.closers, a.watch.Close)
	return nil
}

// gate asks whether a procedure that concerns this system may begin.
func (a *appliance) gate(ctx context.Context, procedure, step string) ([]engine.Finding, error) {
	return a.cluster.Gate(ctx, procedure, step, a.cluster.Facts().Address)
}

// notReady says why this peer does not serve yet.
func (a *appliance) notReady() []string {
	var out []string
	if e := a.storeErr.Load(); e != nil {
		out = append(out, e.Message)
	}
	if s := a.group(); s.Leader == "" && a.storeErr.Load() == nil {
		out = append(out, "the cluster database has no leader")
	}
	return out
}

// trust is how peers come to know each other.
type trust struct{ a *appliance }

func (t trust) AcceptKey(ctx context.Context, actor engine.Actor, address, fingerprint string) error {
	for _, m := range t.a.cluster.Agreed().Members {
		if !t.a.cluster.SameAddress(m.Address, address) {
			continue
		}
		key, ok := t.a.offered(m.Address)
		if !ok {
			return engine.Errorf(engine.NotFound, "%s shows no other key than the pinned one", address).With("Peer", "nothing needs to be accepted")
		}
		if fingerprint != "" && !strings.EqualFold(fingerprint, key) {
			return engine.Errorf(engine.Conflict, "%s shows another key by now: %s", address, key).With("Fingerprint", "compare that one with the peer's own, or find out who answers there")
		}
		m.Fingerprint = key
		if err := t.a.store.PutMember(ctx, m); err != nil {
			return err
		}
		t.a.link.Drop(m.Node)
		t.a.cluster.StoreChanged(ctx)
		t.a.journal.Emit(event.By(actor, "Certificate Management", "key of peer "+address+" accepted: "+key))
		return nil
	}
	return engine.Errorf(engine.NotFound, "%s is not a member", address).With("Peer", "give the address of a peer as the clustering page shows it")
}

func (t trust) JoinToken(ctx context.Context, actor engine.Actor) (string, time.Time, error) {
	if agreed := t.a.cluster.Agreed(); agreed.Primary != t.a.identity.now().Node {
		return "", time.Time{}, engine.Errorf(engine.Denied, "join tokens are made on the configuration primary").With("", "run the command there")
	}
	token, err := t.a.link.Tokens().Issue(t.a.link.Credentials().Fingerprint())
	if err != nil {
		return "", time.Time{}, err
	}
	t.a.journal.Emit(event.By(actor, "Certificate Management", "join token issued"))
	return token.Text, token.Expires, nil
}

func (t trust) UseToken(ctx context.Context, actor engine.Actor, token string) error {
	if err := link.CheckToken(token); err != nil {
		return err
	}
	return t.a.peers.useToken(ctx, token)
}

func (t trust) OpenWindow(ctx context.Context, actor engine.Actor) (time.Time, error) {
	t.a.cluster.OpenWindow()
	t.a.journal.Emit(event.By(actor, "Certificate Management", "first contact of listed peers allowed for ten minutes"))
	return time.Now().Add(link.JoinWindow), nil
}

// diagnostics answers reading statements on either database.
type diagnostics struct{ a *appliance }

func (d diagnostics) path(database string) (string, error) {
	switch database {
	case "", "cluster":
		if e := d.a.storeErr.Load(); e != nil {
			return "", e
		}
		return d.a.store.Path(), nil
	case "local":
		return d.a.local.Path(), nil
	}
	return "", engine.Errorf(engine.Invalid, "there is no database %q", database).With("Database", "use cluster or local")
}

func (d diagnostics) Query(ctx context.Context, database, statement string, limit int) (command.Rows, error) {
	path, err := d.path(database)
	if err != nil {
		return command.Rows{}, err
	}
	out, err := sqlstore.NewDiagnostics().Query(ctx, sqlstore.DiagnoseRequest{Path: path, SQL: statement, MaxRows: limit})
	return command.Rows{Columns: out.Columns, Rows: out.Rows, Truncated: out.Truncated}, err
}

func (d diagnostics) Views(ctx context.Context, database string) ([]string, error) {
	rows, err := d.Query(ctx, database, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name LIKE 'diag_%' ORDER BY name", 200)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows.Rows {
		out = append(out, fmt.Sprint(r[0]))
	}
	return out, nil
}

// history is the history of the replicated configuration.
type history struct{ a *appliance }

func (h history) History(ctx context.Context, after, before int64, limit int) ([]engine.HistoryEntry, error) {
	return h.a.store.History(ctx, sqlstore.RevisionFilter{After: after, Before: before, Limit: limit})
}

// journal is this peer's event log.
type journal struct{ a *appliance }

func (j journal) Events(ctx context.Context, limit int) ([]engine.Event, error) {
	stored, err := j.a.local.Events(ctx, sqlstore.EventFilter{Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]engine.Event, 0, len(stored))
	for i := len(stored) - 1; i >= 0; i-- {
		out = append(out, stored[i].Event)
	}
	return out, nil
}

// browser shows the configuration as the console browses it.
type browser struct{ a *appliance }

func (b browser) Areas(ctx context.Context) ([]console.Area, error) {
	children, err := b.a.registry.Children("")
	if err != nil {
		return nil, err
	}
	view := b.a.config.Current()
	var out []console.Area
	for _, c := range children {
		items, err := view.All(c.Word)
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			out = append(out, console.Area{Name: c.Word, Count: len(items)})
		}
	}
	return out, nil
}

func (b browser) Items(ctx context.Context, q console.ItemQuery) (console.Items, error) {
	view := b.a.config.Current()
	var values []config.ItemValue
	if len(q.Paths) > 0 {
		for _, path := range q.Paths {
			found, err := view.All(path)
			if err != nil {
				return console.Items{}, err
			}
			values = append(values, found...)
		}
	} else {
		all, err := view.All(q.Area)
		if err != nil {
			return console.Items{}, err
		}
		values = all
	}
	out := console.Items{Revision: view.Revision}
	for _, v := range values {
		if !matches(v, q.Search) {
			continue
		}
		out.Total++
		if out.Total > q.Offset && (q.Limit == 0 || len(out.Items) < q.Limit) {
			out.Items = append(out.Items, consoleItem(v))
		}
	}
	return out, nil
}
