package sqlstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

func TestReconcileShrinksAndGrows(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	save(t, g.Peers[0], "Zones Zone 1 Name", "a")
	g.Board.Isolate("node3")
	g.Reconcile()
	if st := g.Peers[0].Status(); !slices.Equal(st.Voters, []string{"node1"}) {
		t.Fatalf("voters %v with one of three lost, want the primary alone", st.Voters)
	}
	g.Board.Isolate("node2") // a further loss does not stop saving
	save(t, g.Peers[0], "Zones Zone 1 Name", "b")
	g.Board.Heal()
	g.Reconcile()
	if st := g.Peers[0].Status(); len(st.Voters) != 3 {
		t.Errorf("voters %v, want all three again", st.Voters)
	}
	g.Equal()
}

func TestRemovedMemberLeavesTheGroup(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 4)
	if err := g.Peers[0].RemoveMember(t.Context(), "node1"); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("the primary: %v", err)
	}
	if err := g.Peers[0].RemoveMember(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	g.Reconcile()
	st := g.Peers[0].Status()
	if !slices.Equal(st.Voters, []string{"node1", "node3", "node4"}) || len(st.Nonvoters) != 0 {
		t.Errorf("group %v and %v after the removal of node2", st.Voters, st.Nonvoters)
	}
}

func TestLeadershipGoesToVotersOnly(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 4)
	nonvoter := g.Peers[0].Status().Nonvoters[0]
	if err := g.Peers[0].TransferLeadership(t.Context(), nonvoter); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("to a nonvoter: %v", err)
	}
	if err := g.Peers[1].Promote(t.Context(), nonvoter); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("a change by a follower: %v", err)
	}
	if err := g.Peers[0].TransferLeadership(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	g.Until("node2 leads", func() error {
		if l := g.Leader(); l == nil || l.Node != "node2" {
			return fmt.Errorf("leader %v", l)
		}
		return nil
	})
	g.Reconcile() // and back to the primary
	if l := g.Leader(); l == nil || l.Node != "node1" {
		t.Errorf("leader %v, want the primary", l)
	}
}

// Leadership is not handed to a primary that does not answer now, though it was
// there a moment ago: nothing could be written while the leader waits for it.
func TestLeadershipWaitsForThePrimary(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	p := g.Leader()
	members := []string{"node1", "node2", "node3"}
	lead := func() string {
		step, err := p.Reconcile(t.Context(), members, "node2", func(string) bool { return true })
		if err != nil {
			return err.Error()
		}
		return step
	}
	g.Board.Isolate("node2")
	g.Until("the leader knows that node2 is away", func() error {
		if got := lead(); got != "" {
			return errors.New(got)
		}
		return nil
	})
	for i := range 20 {
		if got := lead(); got != "" {
			t.Fatalf("it did %q", got)
		}
		if err := p.PutMember(t.Context(), sqlstoretest.Member(10+i)); err != nil {
			t.Fatalf("not written: %v", err)
		}
	}
	g.Board.Heal()
	g.Until("node2 leads", func() error {
		if l := g.Leader(); l == p {
			return errors.New(lead())
		} else if l == nil || l.Node != "node2" {
			return errors.New("not yet")
		}
		return nil
	})
}
