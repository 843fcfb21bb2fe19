package sqlstore

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rqlite/rqlite/v8/command/proto"

	"hexad/engine"
)

// Timers are Raft's: how long a follower waits for a heartbeat, how long an
// election may take, how long a leader leads without hearing of most voters.
// Lease must not exceed Heartbeat.
type Timers struct {
	Heartbeat, Election, Lease time.Duration
}

// DefaultTimers stand five times the round trip that a cluster may have (80 ms);
// the loss of a leader costs a group about 0.6 s. Raft asks the others before it
// calls an election, so that one peer that was slow to run elects nobody.
var DefaultTimers = Timers{Heartbeat: 400 * time.Millisecond, Election: 400 * time.Millisecond, Lease: 400 * time.Millisecond}

// Layer carries Raft between the peers for one store. The address given to Dial
// is a node id. Connections are authenticated, past the fence and of the
// store's generation: package engine/link. Close ends them, and may be called twice.
type Layer interface {
	net.Listener
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

// ClusterOptions is what a Cluster is made of. Dir, Node and Layer are required.
type ClusterOptions struct {
	Dir     string // each generation lives in Dir/<number>-<id>
	Node    string // this peer's node id, which is its Raft id and address
	Release string // the release that runs here
	Logger  *slog.Logger
	Timers  Timers // zero: DefaultTimers

	// Layer makes the network of a store of generation g that is about to be
	// opened; the one before is closed by then.
	Layer func(g engine.Generation) Layer

	// Forward hands a batch to the leader over the peer link, which answers
	// with what ApplyForwarded returned there. Without it a peer that does not
	// lead cannot write.
	Forward func(ctx context.Context, leader string, batch []byte) ([]byte, error)

	// Journal is the file of this peer's configuration journal, outside Dir; ""
	// keeps none.
	Journal string

	// OnJournal is told when the journal begins to fail, with the cause, and nil
	// when it works again.
	OnJournal func(error)

	// OnBroken is told that the disk did not take a committed change: this copy
	// lacks it, and the process is to end at once (ErrFull, ErrDisk, ErrDamaged).
	// It is called before anybody learns of the change.
	OnBroken func(error)

	// OnLead is told that this peer leads the group now. It must not wait.
	OnLead func()

	// OnApplied is told at once how far this copy is. It must not wait.
	OnApplied func(index uint64)

	// OnChange is told that this copy has changed: from its own goroutine, one
	// call at a time, several changes at once when they come quickly.
	OnChange func(ChangeNotice)

	// WriteTimeout is how long a write at most goes on
	// trying to find a leader; zero: 5 s.
	WriteTimeout  time.Duration
	FollowerGrace time.Duration // how long a sole voter's save waits for a follower; zero: 1 s
}

// ChangeNotice tells how far this peer's copy is.
type ChangeNotice struct {
	Generation engine.Generation
	Index      uint64 // Raft index of the last change
	Revision   int64  // of the configuration; 0 before there is one
}

func (o ClusterOptions) withDefaults() ClusterOptions {
	if o.Timers == (Timers{}) {
		o.Timers = DefaultTimers
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 5 * time.Second
	}
	if o.FollowerGrace == 0 {
		o.FollowerGrace = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Cluster is this peer's copy of cluster.db: an embedded Raft store.
//
// Reading is local and works without a leader and while another store is being
// put in place; writing works when the group can commit. Every method is safe
// for concurrent use.
type Cluster struct {
	o         ClusterOptions
	followers *followers
	journal   *journal
	digesting sync.Mutex // one digest is made at a time

	generation atomic.Pointer[engine.Generation] // of the store that is open or being opened

	change sync.Mutex // held while the store is being replaced, from the first step to the last

	mu      sync.RWMutex // readers hold it, so that no store closes under them
	store   *raftStore
	failure error // why there is no store, when it should be open
	closed  bool
}

// errClosed is what every method answers when no store is open.
var errClosed = engine.Errorf(engine.Unavailable, "the cluster database is not open")

// NewCluster makes a Cluster without a store: Open, Found, Follow or Refound
// give it one.
func NewCluster(o ClusterOptions) *Cluster {
	o = o.withDefaults()
	return &Cluster{o: o, followers: newFollowers(), journal: newJournal(o.Journal, o.Logger, o.OnJournal)}
}

// Close closes the store and waits for the last OnChange, so it is not to be
// called from there. It may be called twice.
func (c *Cluster) Close() error {
	c.change.Lock()
	defer c.change.Unlock()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	s := c.store
	c.closed, c.store = true, nil
	c.generation.Store(nil)
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	err := s.close()
	<-s.watched
	c.journal.close()
	return err
}

// Generation is that of the store that is open or being opened; the zero
// Generation when there is none. It never waits.
func (c *Cluster) Generation() engine.Generation {
	if g := c.generation.Load(); g != nil {
		return *g
	}
	return engine.Generation{}
}

// Path is the database file of the open store, for read-only connections of
// this process; "" when none is open. It changes with the generation, and the
// file behind it when a follower takes a snapshot: open it for each use.
func (c *Cluster) Path() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.store == nil {
		return ""
	}
	return c.store.path()
}

// current returns the open store for work that does not mind its being closed.
func (c *Cluster) current() (*raftStore, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.currentLocked()
}

func (c *Cluster) currentLocked() (*raftStore, error) {
	if c.store != nil {
		return c.store, nil
	}
	if c.failure != nil && !c.closed {
		return nil, c.failure
	}
	return nil, errClosed
}

// query reads from the own copy; the store stays open meanwhile.
func (c *Cluster) query(ctx context.Context, statements ...statement) ([]*proto.QueryRows, error) {
	if err := ctx.Err(); err != nil {
		return nil, engine.Errorf(engine.Unavailable, "not read: %w", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, err := c.currentLocked()
	if err != nil {
		return nil, err
	}
	return s.query(statements...)
}

// WaitApplied waits until this copy has everything up to index.
// Errors: Unavailable when ctx ends first.
func (c *Cluster) WaitApplied(ctx context.Context, index uint64) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	return s.awaitApplied(ctx, index)
}
