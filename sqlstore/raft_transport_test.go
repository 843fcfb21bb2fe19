package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// refusing makes answers that came from node look like refusals, one for each
// that refuse is raised by.
type refusing struct {
	sqlstore.Layer
	node   string
	refuse *atomic.Int64
}

func (l refusing) Dial(address string, timeout time.Duration) (net.Conn, error) {
	conn, err := l.Layer.Dial(address, timeout)
	if err != nil || address != l.node {
		return conn, err
	}
	return refusingConn{conn, l.refuse}, nil
}

type refusingConn struct {
	net.Conn
	refuse *atomic.Int64
}

// Read changes the value of the field Success in Raft's answers, which are msgpack.
func (c refusingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	at := bytes.Index(b[:n], []byte("Success\xc3"))
	if at < 0 {
		return n, err
	}
	for left := c.refuse.Load(); left > 0; left = c.refuse.Load() {
		if c.refuse.CompareAndSwap(left, left-1) {
			b[at+len("Success")] = 0xc2
			break
		}
	}
	return n, err
}

// A follower that refuses what it is sent, as one whose disk takes nothing
// does, gets everything as soon as it does not any more, however much
// was on its way.
func TestRefusalsEnd(t *testing.T) {
	t.Parallel()
	const last = "node3"
	var refuse atomic.Int64
	g := sqlstoretest.Start(t, 3, func(o *sqlstore.ClusterOptions) {
		layer := o.Layer
		o.Layer = func(g engine.Generation) sqlstore.Layer { return refusing{layer(g), last, &refuse} }
	})
	p := g.Leader()
	end := make(chan struct{})
	var savers sync.WaitGroup
	for i := range 4 {
		savers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				if err := p.PutMember(t.Context(), sqlstoretest.Member(10+i)); err != nil {
					t.Errorf("saver %d: %v", i, err)
					return
				}
			}
		})
	}
	defer savers.Wait()
	defer close(end)
	for n := range 40 {
		refuse.Add(1)
		var index uint64
		g.Until(fmt.Sprintf("%s has what was there after refusal %d", last, n+1), func() error {
			if refuse.Load() > 0 {
				return errors.New("not refused yet")
			}
			if index == 0 {
				index = p.Status().Applied
			}
			if at := g.Peers[2].Status().Applied; at < index {
				return fmt.Errorf("it is at %d of %d", at, index)
			}
			return nil
		})
	}
}

// A follower that refused for long, as one whose disk was full, is served again
// within a second: the leader's pauses do not grow with the refusals.
func TestRefusalsForLong(t *testing.T) {
	t.Parallel()
	const last, many = "node3", 1 << 30
	var refuse atomic.Int64
	g := sqlstoretest.Start(t, 3, func(o *sqlstore.ClusterOptions) {
		layer := o.Layer
		o.Layer = func(g engine.Generation) sqlstore.Layer { return refusing{layer(g), last, &refuse} }
	})
	p := g.Leader()
	refuse.Store(many)
	g.Until("it refused often", func() error {
		if err := p.PutMember(t.Context(), sqlstoretest.Member(10)); err != nil {
			return err
		}
		if n := many - refuse.Load(); n < 80 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	index := p.Status().Applied
	back := time.Now()
	refuse.Store(0)
	g.Until("it has what was changed", func() error {
		if at := g.Peers[2].Status().Applied; at < index {
			return fmt.Errorf("it is at %d of %d", at, index)
		}
		return nil
	})
	if took := time.Since(back); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
