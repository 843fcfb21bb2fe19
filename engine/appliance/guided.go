package appliance

import (
	"context"
	"encoding/json"
	"fmt"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/engine/procedure"
)

// stateProcedure is, in local.db, the guided procedure that this peer carries out.
const stateProcedure = "procedure"

// newProcedures makes the runner of the guided procedures.
func (a *appliance) newProcedures() *procedure.Runner {
	return procedure.New(procedure.Options{
		Node: a.identity.now().Node, Address: func() string { return a.o.Address },
		Cluster: a.cluster, Records: procedureRecords{a}, Keeper: procedureKeeper{a}, Alarms: func(ctx context.Context) ([]engine.RaisedAlarm, error) { return a.tracker.List(ctx) },
		Resolve: func(ctx context.Context, name string) ([]string, error) {
			found, err := a.resolver.Lookup(ctx, name)
			var out []string
			for _, ip := range found {
				out = append(out, ip.String())
			}
			return out, err
		},
		Tell: func(actor engine.Actor, detail string) { a.journal.Emit(event.By(actor, "Procedure", detail)) },
		Log:  a.log,
	})
}

// procedureRecords are those of cluster.db. While this copy is being filled, or
// carries out its log after a start, it shows procedures of long ago as if they
// ran now: they are not to be read, and least of all carried out.
type procedureRecords struct{ a *appliance }

func (r procedureRecords) Procedures(ctx context.Context) ([]engine.Procedure, error) {
	if !r.a.store.Status().Caught {
		return nil, engine.Errorf(engine.Unavailable, "this system is catching up with the cluster database").With("", "repeat this in some seconds")
	}
	return r.a.store.Procedures(ctx)
}

func (r procedureRecords) PutProcedure(ctx context.Context, p engine.Procedure) error {
	return r.a.store.PutProcedure(ctx, p)
}

// procedureKeeper keeps it in local.db.
type procedureKeeper struct{ a *appliance }

func (k procedureKeeper) Kept(ctx context.Context) (*engine.Procedure, error) {
	text, err := k.a.local.State(ctx, stateProcedure)
	if err != nil || text == "" {
		return nil, err
	}
	var p engine.Procedure
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, fmt.Errorf("kept procedure: %w", err)
	}
	return &p, nil
}

func (k procedureKeeper) Keep(ctx context.Context, p *engine.Procedure) error {
	text := ""
	if p != nil {
		raw, err := json.Marshal(p)
		if err != nil {
			return err
		}
		text = string(raw)
	}
	return k.a.local.PutState(ctx, stateProcedure, text)
}
