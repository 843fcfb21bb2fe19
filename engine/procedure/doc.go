// Package procedure carries out guided procedures: what an administrator would
// do by hand on each peer, as one run that any peer shows, continues or aborts.
//
// A procedure is planned as a list of steps when it is started (plan.go); who
// asks for it in a wrong situation is told what to do first. Each step looks
// whether it is done already, and does it otherwise (step.go): so it can be
// repeated after a crash, and it does not matter who did it. The record is kept
// in cluster.db, and in local.db of the peer that carries it out: that one goes
// on with it after a restart, which many procedures ask of it (run.go).
//
// Source: design 6; reference 2; reference/console.md 1.3.
package procedure

import (
	"context"
	"log/slog"

	"hexad/engine"
)

// Cluster is what a procedure sees of the cluster and does in it.
type Cluster interface {
	View(ctx context.Context) engine.ClusterView
	// Told lists the members, this system among them, with their facts.
	Told() []engine.Told
	SameAddress(a, b string) bool
	// Administer carries out an order on a member; it may be repeated.
	Administer(ctx context.Context, node string, o engine.Order) error
	// Gate asks the rules whether a step may begin.
	// Errors: Denied; Unavailable when they want it later.
	Gate(ctx context.Context, procedure, step, peer string) ([]engine.Finding, error)
	// Explain tells the rules what is being done, so that alarms are expected.
	Explain(ctx context.Context, procedure, step, peer string)
	// DigestList compares the contents of the copies. Errors: Unavailable.
	DigestList(ctx context.Context, all bool) ([]engine.DigestComparison, error)
}

// Records keeps procedures in cluster.db.
type Records interface {
	// Procedures are the newest first, from this peer's copy.
	Procedures(ctx context.Context) ([]engine.Procedure, error)
	// PutProcedure stores p if what is there is older.
	// Errors: Conflict when it is not, or when another one is open; Unavailable.
	PutProcedure(ctx context.Context, p engine.Procedure) error
}

// Keeper keeps the procedure that this peer carries out in local.db, so that a
// restart does not end it although cluster.db cannot be written.
type Keeper interface {
	// Kept is what was kept, nil for nothing.
	Kept(ctx context.Context) (*engine.Procedure, error)
	// Keep replaces it; nil forgets it. It is on disk when it returns.
	Keep(ctx context.Context, p *engine.Procedure) error
}

// Options are what a Runner is made of.
type Options struct {
	Node    string
	Address func() string
	Cluster Cluster
	Records Records
	Keeper  Keeper
	Alarms  func(ctx context.Context) ([]engine.RaisedAlarm, error)
	// Resolve gives the addresses of a name, mapping first.
	Resolve func(ctx context.Context, name string) ([]string, error)
	// Tell writes a line of the event log.
	Tell func(actor engine.Actor, detail string)
	Log  *slog.Logger
}
