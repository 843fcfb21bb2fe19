package sqlstore_test

import (
	"errors"
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
