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

// watch tells OnChange of every change of s until s closes; c.mu is held.
func (c *Cluster) watch(s *raftStore) {
	s.watched = make(chan struct{})
	go c.keepCopies(s)
	go c.keepJournal(s)
	go func() {
		defer close(s.watched)
		var last uint64
		if s.copy != nil {
			last = s.copy.index
			c.changed(s, last)
		}
		s.report()
		for s.awaitChange(last + 1) {
			last = s.store.DBAppliedIndex()
			c.changed(s, last)
			s.soil()
			s.report()
		}
	}()
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
