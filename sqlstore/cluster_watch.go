package sqlstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// watchPatience is how long one wait for a change may last. A wait that times
// out leaves its subscription behind in rqlite until the next change; one that
// is under way when the store closes lasts so long.
const watchPatience = 5 * time.Minute

// tellAtMost is how long after OnChange the next call begins at the earliest:
// changes that come faster are told of together, once. What follows a change
// reads it back, on every peer; at each of two hundred a second it would take
// more of the processor than the change.
const tellAtMost = 10 * time.Millisecond

// watch tells OnApplied and OnChange of every change of s until s closes; c.mu is held.
func (c *Cluster) watch(s *raftStore) {
	s.watched = make(chan struct{})
	go c.keepCopies(s)
	go c.keepJournal(s)
	var both sync.WaitGroup
	changes := make(chan struct{}, 1)
	if s.copy != nil {
		changes <- struct{}{}
	}
	both.Go(func() {
		s.report()
		for last := s.began(); s.awaitChange(last + 1); {
			last = s.store.DBAppliedIndex()
			if c.o.OnApplied != nil {
				c.o.OnApplied(last)
			}
			s.soil()
			s.report()
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	})
	both.Go(func() { c.tell(s, changes) })
	go func() {
		both.Wait()
		close(s.watched)
	}()
}

// began is the index that the copy from before has, 0 when there is none.
func (s *raftStore) began() uint64 {
	if s.copy == nil {
		return 0
	}
	return s.copy.index
}

// tell passes the news of changes on until s closes.
func (c *Cluster) tell(s *raftStore, changes <-chan struct{}) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-rest.C:
		case <-s.closing:
			return
		}
		select {
		case <-changes:
			c.changed(s, max(s.began(), s.store.DBAppliedIndex()))
		case <-s.closing:
			return
		}
		rest.Reset(tellAtMost)
	}
}

// awaitChange waits until a change with index or a later one is applied; false
// when the store closes.
func (s *raftStore) awaitChange(index uint64) bool {
	for {
		reached := make(chan error, 1)
		go func() { reached <- s.store.WaitForAppliedIndex(index, watchPatience) }()
		select {
		case err := <-reached:
			if err == nil {
				return true
			}
		case <-s.closing:
			return false
		}
	}
}

// changed notes that the copy has arrived and passes the news on.
func (c *Cluster) changed(s *raftStore, index uint64) {
	agreed, err := s.readAgreed()
	if err != nil {
		return // the first entries only; or closing
	}
	s.agreed.Store(&agreedAt{index: index, Agreed: agreed})
	if s.behindCopy() != nil {
		// what is read is of the store before
	} else if err := s.arrived(c.o.Node); err != nil {
		c.o.Logger.Warn("cluster database not marked complete", "error", err)
	}
	if c.o.OnChange == nil {
		return
	}
	c.o.OnChange(ChangeNotice{Generation: s.generation, Index: index, Revision: agreed.Revision})
}

// arrived marks a following store complete: from now on an empty one there is
// a damaged one.
func (s *raftStore) arrived(node string) error {
	if s.whole {
		return nil
	}
	record, err := readRecord(s.dir)
	if err != nil {
		return err
	}
	if record.State == following {
		if err := errors.Join(s.keep(), s.mark(node, complete)); err != nil {
			return err
		}
	}
	s.whole = record.State != founding
	return nil
}

// FollowerApplied tells how far a follower's copy is: it has everything up to
// index. A report from beyond the end of this peer's log is of another
// generation, and is left out.
func (c *Cluster) FollowerApplied(node string, index uint64) {
	if s, err := c.current(); err == nil && index <= s.raft.LastIndex() {
		c.followers.report(node, index)
	}
}

// followers is how far the other peers' copies are known to be.
type followers struct {
	mu   sync.Mutex
	at   map[string]uint64
	news chan struct{} // closed and replaced at every report
}

func newFollowers() *followers {
	return &followers{at: map[string]uint64{}, news: make(chan struct{})}
}

func (f *followers) report(node string, index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index <= f.at[node] {
		return
	}
	f.at[node] = index
	close(f.news)
	f.news = make(chan struct{})
}

// reset forgets all: indexes of another generation mean nothing.
func (f *followers) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.at)
}

// of returns how far node is known to be, 0 when it never reported.
func (f *followers) of(node string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at[node]
}

// await waits until one of nodes has index; false when ctx ends first.
func (f *followers) await(ctx context.Context, nodes []string, index uint64) bool {
	for {
		f.mu.Lock()
		reached := slices.ContainsFunc(nodes, func(n string) bool { return f.at[n] >= index })
		news := f.news
		f.mu.Unlock()
		if reached {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}
