package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"hexad/sqlstore/sqlstoretest"
)

// When all of a group start at once the primary leads: the others leave it the
// first try, so that nobody has to hand leadership to it.
func TestThePrimaryStandsFirst(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	for round := range 4 {
		generation := g.Peers[0].Generation()
		for _, p := range g.Peers {
			if err := p.Close(); err != nil { // which keeps the copy that says who the primary is
				t.Fatal(err)
			}
		}
		for _, p := range g.Peers {
			g.Connect(p)
		}
		var all sync.WaitGroup
		for _, p := range g.Peers {
			all.Go(func() {
				if err := p.Open(t.Context(), generation); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		leads := ""
		g.Until("somebody leads", func() error {
			if leads = g.Peers[2].Status().Leader; leads == "" {
				return errors.New("nobody does")
			}
			return nil
		})
		if leads != g.Peers[0].Node {
			t.Errorf("round %d: %s leads before the primary", round, leads)
		}
	}
	// One that has yielded does so no longer, and stands for election when the leader is gone.
	for _, p := range g.Peers[1:] {
		g.Until(p.Node+" has its own times", func() error {
			if got := p.HeartbeatTimeout(); got != sqlstoretest.Timers.Heartbeat {
				return fmt.Errorf("it waits %v for a leader", got)
			}
			return nil
		})
	}
	if err := g.Peers[0].Close(); err != nil {
		t.Fatal(err)
	}
	g.Until("another one leads", func() error {
		if leads := g.Peers[2].Status().Leader; leads == "" || leads == g.Peers[0].Node {
			return fmt.Errorf("%q leads", leads)
		}
		return nil
	})
}
