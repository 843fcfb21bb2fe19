package appliance

import (
	"context"
	"encoding/json"
	"time"

	"hexad/sqlstore"
	"hexad/ui/command"
)

// Times and room of the audit. Commands that are given within auditEvery are
// written together: nobody waits for these rows.
const (
	auditEvery = 50 * time.Millisecond
	auditTime  = 5 * time.Second
	auditRoom  = 4096
	auditMost  = 256 // in one write
)

// audit keeps who ran which command. Without a group that can commit the
// command is in the event log all the same.
type audit struct {
	a       *appliance
	waiting chan sqlstore.AuditEntry
}

func newAudit(a *appliance) *audit {
	return &audit{a: a, waiting: make(chan sqlstore.AuditEntry, auditRoom)}
}

func (u *audit) add(_ context.Context, c command.Audited) {
	args, err := json.Marshal(c.Args)
	if err != nil {
		args = []byte("{}")
	}
	e := sqlstore.AuditEntry{Time: time.Now().UTC(), Actor: c.Actor, Peer: u.a.identity.now().Node, Command: c.Command, Arguments: string(args), Result: c.Result}
	select {
	case u.waiting <- e:
	default:
		u.lost(e, nil)
	}
}

func (u *audit) lost(e sqlstore.AuditEntry, err error) {
	u.a.log.Warn("command not kept in the cluster's audit", "module", "management", "command", e.Command, "user", e.Actor.User, "result", e.Result, "err", err)
}

// run writes the entries until ctx ends, and then what is still waiting.
func (u *audit) run(ctx context.Context) error {
	for {
		select {
		case e := <-u.waiting:
			u.write(ctx, u.gather(ctx, e))
		case <-ctx.Done():
			select {
			case e := <-u.waiting:
				u.write(ctx, u.gather(ctx, e))
			default:
			}
			return nil
		}
	}
}

// gather collects what is added within auditEvery of the first.
func (u *audit) gather(ctx context.Context, first sqlstore.AuditEntry) []sqlstore.AuditEntry {
	list := []sqlstore.AuditEntry{first}
	end := time.NewTimer(auditEvery)
	defer end.Stop()
	for done := ctx.Done(); len(list) < auditMost; {
		select {
		case e := <-u.waiting:
			list = append(list, e)
		case <-end.C:
			return list
		case <-done:
			done = nil
			end.Reset(0)
		}
	}
	return list
}

func (u *audit) write(ctx context.Context, list []sqlstore.AuditEntry) {
	patience := auditTime
	if ctx.Err() != nil {
		patience = time.Second // the end waits for nobody long
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer stop()
	if err := u.a.store.AppendAudit(ctx, list...); err != nil {
		for _, e := range list {
			u.lost(e, err)
		}
	}
}
