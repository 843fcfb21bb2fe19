package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// TestCaughtWithoutWaiting: what the network asks of the store is answered while
// the store is being replaced, which waits for the network.
func TestCaughtWithoutWaiting(t *testing.T) {
	t.Parallel()
	var during atomic.Pointer[func()]
	g := sqlstoretest.Start(t, 1, func(o *sqlstore.ClusterOptions) {
		layer := o.Layer
		o.Layer = func(gen engine.Generation) sqlstore.Layer {
			if ask := during.Load(); ask != nil {
				(*ask)()
			}
			return layer(gen)
		}
	})
	p := g.Peers[0]
	g.Until("it has all", func() error {
		if !p.Status().Caught || !p.CaughtNow() {
			return errors.New("not yet")
		}
		return nil
	})
	asked := false
	ask := func() {
		answer := make(chan bool, 1)
		go func() { answer <- p.CaughtNow() }()
		select {
		case caught := <-answer:
			asked = !caught
		case <-time.After(5 * time.Second):
			t.Error("it waits for the store, which waits for the network")
		}
	}
	during.Store(&ask)
	if err := p.Open(t.Context(), p.Generation()); err != nil {
		t.Fatal(err)
	}
	if !asked {
		t.Error("a store that is being replaced has all")
	}
}

// TestCaughtWithACutLog: a leader that was cut off with entries that nobody else
// got, and is started again, has caught up when it has what the group has: those
// entries never come.
func TestCaughtWithACutLog(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	old := g.Leader()
	g.Board.Isolate(old.Node)
	for i := range 8 {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := old.PutMember(ctx, sqlstoretest.Member(10+i)); err == nil {
			t.Error("confirmed without the others")
		}
		stop()
	}
	g.Until("another leads", func() error {
		if p := g.Leader(); p == nil || p == old {
			return errors.New("not yet")
		}
		return nil
	})
	generation := old.Generation()
	old.Close()
	g.Board.Heal()
	g.Reopen(old, generation)
	g.Until("it has all that there is", func() error {
		if st := old.Status(); !st.Caught {
			return fmt.Errorf("at %d", st.Applied)
		}
		return nil
	})
}
