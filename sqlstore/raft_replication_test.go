package sqlstore_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// counting counts the connections that are tried to node.
type counting struct {
	sqlstore.Layer
	node  string
	tries *atomic.Int64
}

func (l counting) Dial(address string, timeout time.Duration) (net.Conn, error) {
	if address == l.node {
		l.tries.Add(1)
	}
	return l.Layer.Dial(address, timeout)
}

// A follower that was away has what the others have soon after it is back,
// however often it was looked for meanwhile. With Raft's own pauses the next try
// would be seconds away after this many.
func TestBackSoon(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	g := sqlstoretest.Start(t, 3, func(o *sqlstore.ClusterOptions) {
		layer := o.Layer
		o.Layer = func(g engine.Generation) sqlstore.Layer { return counting{layer(g), "node3", &tries} }
	})
	p, away := g.Leader(), g.Peers[2]
	g.Board.Isolate("node3")
	begin := tries.Load()
	g.Until("it was tried often", func() error {
		if n := tries.Load() - begin; n < 40 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	if err := p.PutMember(t.Context(), sqlstoretest.Member(10)); err != nil {
		t.Fatal(err)
	}
	index := p.Status().Applied
	back := time.Now()
	g.Board.Heal()
	g.Until("it has what was changed", func() error {
		if at := away.Status().Applied; at < index {
			return fmt.Errorf("it is at %d of %d", at, index)
		}
		return nil
	})
	if took := time.Since(back); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
