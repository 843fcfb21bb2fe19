// Package sqlstoretest starts real stores for tests: clusters of peers in one
// process whose links can be cut, and local databases.
package sqlstoretest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

// Timers make elections quick enough for tests.
var Timers = sqlstore.Timers{Heartbeat: 300 * time.Millisecond, Election: 300 * time.Millisecond, Lease: 200 * time.Millisecond}

// Release is what the peers of a Group say they run.
const Release = "1.0.0"

// Group is a cluster of peers in this process, each with its own copy of
// cluster.db. The first peer founds it and is the primary.
type Group struct {
	Board      *Board
	Generation engine.Generation
	Peers      []*Peer

	t    testing.TB
	opts []func(*sqlstore.ClusterOptions)
	mu   sync.RWMutex // the Clusters of Peers: Restart replaces them
}

// Peer is one peer of a Group.
type Peer struct {
	*sqlstore.Cluster
	Node string
	Dir  string
	// Changed is what OnChange does.
	Changed atomic.Pointer[func(sqlstore.ChangeNotice)]
	// Mute keeps this peer from telling the others how far its copy is.
	Mute atomic.Bool
}

// Member is the row that describes peer number i, counted from 1.
func Member(i int) engine.Member {
	return engine.Member{
		Node: fmt.Sprintf("node%d", i), Address: fmt.Sprintf("peer%d.example.test", i),
		Fingerprint: fmt.Sprintf("%064x", i), Release: Release,
	}
}

// Peers makes n peers without a store: Found, Follow or Open gives them one.
func Peers(t testing.TB, n int, opts ...func(*sqlstore.ClusterOptions)) *Group {
	t.Helper()
	board, err := NewBoard()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { board.Close() })
	g := &Group{Board: board, Generation: engine.Generation{Number: 1, ID: "first"}, t: t, opts: opts}
	dir := t.TempDir()
	for i := 1; i <= n; i++ {
		p := &Peer{Node: Member(i).Node, Dir: filepath.Join(dir, Member(i).Node)}
		g.Peers = append(g.Peers, p)
	}
	for _, p := range g.Peers {
		g.connect(p)
		t.Cleanup(func() { p.Close() })
	}
	return g
}

// Start makes n peers that form a cluster in the shape of its size, every copy
// up to date.
func Start(t testing.TB, n int, opts ...func(*sqlstore.ClusterOptions)) *Group {
	t.Helper()
	g := Peers(t, n, opts...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	first := g.Peers[0]
	if err := first.Found(ctx, g.Generation, "cluster1", Member(1)); err != nil {
		t.Fatalf("found: %v", err)
	}
	for i, p := range g.Peers[1:] {
		if err := p.Follow(ctx, g.Generation); err != nil {
			t.Fatalf("%s: follow: %v", p.Node, err)
		}
		if err := first.PutMember(ctx, Member(i+2)); err != nil {
			t.Fatalf("%s: member: %v", p.Node, err)
		}
	}
	g.Reconcile()
	g.Equal()
	for _, p := range g.Peers {
		if _, err := p.Upkeep(ctx); err != nil {
			t.Fatalf("%s: upkeep: %v", p.Node, err)
		}
	}
	g.Equal()
	return g
}

// Reconcile moves the group to the shape that its members should have.
func (g *Group) Reconcile() {
	g.t.Helper()
	quiet := 0
	g.Until("the group has its shape", func() error {
		leader := g.Leader()
		if leader == nil {
			return errors.New("no leader")
		}
		a, err := leader.Agreed(g.t.Context())
		if err != nil {
			return err
		}
		var members []string
		for _, m := range a.Members {
			members = append(members, m.Node)
		}
		done, err := leader.Reconcile(g.t.Context(), members, a.Primary, func(n string) bool { return g.Board.Linked(leader.Node, n) })
		switch {
		case err != nil:
			return err
		case done != "":
			quiet = 0
			return errors.New(done)
		}
		if quiet++; quiet < 2 {
			return errors.New("once more")
		}
		return nil
	})
}

// Leader is the peer that leads, nil when none does.
func (g *Group) Leader() *Peer {
	for _, p := range g.Peers {
		if p.Status().LeaderHere {
			return p
		}
	}
	return nil
}

// Equal waits until every peer has all changes that the first has now.
func (g *Group) Equal() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	index := g.Peers[0].Status().Applied
	for _, p := range g.Peers {
		if err := p.WaitApplied(ctx, index); err != nil {
			g.t.Fatalf("%s: %v; status %+v", p.Node, err, p.Status())
		}
	}
}

// Restart closes p and opens its store again, as a restart of its process does.
func (g *Group) Restart(p *Peer) {
	g.t.Helper()
	generation := p.Generation()
	if err := p.Close(); err != nil {
		g.t.Fatalf("%s: close: %v", p.Node, err)
	}
	g.Reopen(p, generation)
}

// Reopen opens the store of a peer that was closed.
func (g *Group) Reopen(p *Peer, generation engine.Generation) {
	g.t.Helper()
	g.connect(p)
	if err := p.Open(g.t.Context(), generation); err != nil {
		g.t.Fatalf("%s: open: %v", p.Node, err)
	}
}

// Until waits until what stands: f returns nil.
func (g *Group) Until(what string, f func() error) {
	g.t.Helper()
	Until(g.t, what, f)
}

// Until waits up to 20 s until f returns nil.
func Until(t testing.TB, what string, f func() error) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: still %v", what, err)
		}
		<-tick.C
	}
}

// Connect gives a peer that was closed a Cluster without a store.
func (g *Group) Connect(p *Peer) { g.connect(p) }

// connect gives p a fresh Cluster without a store.
func (g *Group) connect(p *Peer) {
	o := sqlstore.ClusterOptions{
		Dir: p.Dir, Node: p.Node, Release: Release, Timers: Timers,
		Layer: func(gen engine.Generation) sqlstore.Layer { return g.Board.Layer(p.Node, gen) },
		Forward: func(ctx context.Context, leader string, batch []byte) ([]byte, error) {
			return g.forward(ctx, p, leader, batch)
		},
		OnApplied: func(index uint64) { g.applied(p, index) },
		OnChange: func(n sqlstore.ChangeNotice) {
			if f := p.Changed.Load(); f != nil {
				(*f)(n)
			}
		},
	}
	for _, f := range g.opts {
		f(&o)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p.Cluster = sqlstore.NewCluster(o)
}

// cluster is the present Cluster of node, nil when there is none.
func (g *Group) cluster(node string) *sqlstore.Cluster {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, p := range g.Peers {
		if p.Node == node {
			return p.Cluster
		}
	}
	return nil
}

// forward stands in for the peer link.
func (g *Group) forward(ctx context.Context, from *Peer, leader string, batch []byte) ([]byte, error) {
	if !g.Board.Linked(from.Node, leader) {
		return nil, errCut
	}
	if c := g.cluster(leader); c != nil {
		return c.ApplyForwarded(ctx, batch)
	}
	return nil, fmt.Errorf("no peer %s", leader)
}

// applied reports p's index to every peer that it reaches, as the peer link does.
func (g *Group) applied(p *Peer, index uint64) {
	for _, other := range g.Peers {
		if other == p || p.Mute.Load() || !g.Board.Linked(p.Node, other.Node) {
			continue
		}
		if c := g.cluster(other.Node); c != nil {
			c.FollowerApplied(p.Node, index)
		}
	}
}
