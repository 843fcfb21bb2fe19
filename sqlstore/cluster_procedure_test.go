package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

// One procedure is open at a time, and of two peers that change it at once one wins.
func TestProcedures(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	a, b := g.Peers[0], g.Peers[1]
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := engine.Procedure{ID: "p1", Kind: "Restart", State: engine.ProcedureRunning, Owner: a.Node, Seq: 1, Started: at, Updated: at,
		Steps: []engine.ProcedureStep{{Do: "restart", Node: a.Node, Peer: "192.0.2.1"}}}
	if err := a.PutProcedure(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := b.PutProcedure(t.Context(), p); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("the same change from elsewhere: %v", err)
	}
	other := p
	other.ID = "p2"
	if err := b.PutProcedure(t.Context(), other); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("a second one that is open: %v", err)
	}
	p.Seq, p.Owner = 2, b.Node
	if err := b.PutProcedure(t.Context(), p); err != nil { // forwarded
		t.Fatal(err)
	}
	late := p
	late.Owner = a.Node
	if err := a.PutProcedure(t.Context(), late); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("a change that came too late: %v", err)
	}
	p.Seq, p.State = 3, engine.ProcedureDone
	if err := b.PutProcedure(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		q := p
		q.ID, q.Seq, q.Started = fmt.Sprintf("q%d", i), 1, at.Add(time.Duration(i+1)*time.Minute)
		if err := a.PutProcedure(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	g.Equal()
	list, err := b.Procedures(t.Context())
	if err != nil || len(list) != 50 || list[0].ID != "q59" || list[49].ID != "q10" {
		t.Errorf("%d procedures, %v", len(list), err)
	}
}
