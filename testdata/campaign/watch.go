package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hexad/engine"
)

// look is how often every peer is looked at. Source: reference/faults.md 2.1, I4.
const look = 100 * time.Millisecond

// watch looks at every peer all the time: who says that it is the primary,
// who takes saves, who leads, and what that says of the invariants.
type watch struct {
	bed  *bed
	load *load
	seen *seen
	logs *logs

	mu     sync.Mutex
	views  [peerCount]sight
	leader string
	twice  map[string]time.Time // pairs that take saves in one generation, and since when
}

// sight is what one peer last said, and when it was asked.
type sight struct {
	view engine.ClusterView
	at   time.Time
	err  error
}

func newWatch(b *bed, l *load, s *seen) *watch {
	return &watch{bed: b, load: l, seen: s, twice: map[string]time.Time{}}
}

// run looks until ctx ends.
func (w *watch) run(ctx context.Context) {
	var all sync.WaitGroup
	for i := range w.bed.peers {
		all.Go(func() { w.follow(ctx, i) })
	}
	all.Go(func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.judge()
			}
		}
	})
	all.Wait()
}

func (w *watch) follow(ctx context.Context, i int) {
	a := w.bed.peers[i].administrator(2 * time.Second)
	defer a.close()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		at := time.Now()
		v, err := a.view(ctx)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		w.views[i] = sight{v, at, err}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// judge compares what the peers said last.
func (w *watch) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	var takers []int
	for i, s := range w.views {
		if s.err != nil || now.Sub(s.at) > 4*look {
			continue
		}
		if s.view.Writable && s.view.PrimaryHere {
			takers = append(takers, i)
		}
		if s.view.PrimaryHere && !s.view.Writable {
			w.seen.count("primary refuses")
		}
	}
	if len(takers) == 1 {
		if leader := w.views[takers[0]].view.Leader; leader != "" && leader != w.leader {
			if w.leader != "" {
				w.seen.count("leader changed")
			}
			w.leader = leader
		}
		w.load.primary.Store(int32(takers[0] + 1))
	}
	w.two(takers, now)
}

// two reports peers of one generation that both take saves for longer than the
// one that lost its group may need to notice: the limit of I4.
func (w *watch) two(takers []int, now time.Time) {
	const refusal = time.Second
	still := map[string]time.Time{}
	for x, a := range takers {
		for _, b := range takers[x+1:] {
			if w.views[a].view.Generation.ID != w.views[b].view.Generation.ID {
				continue
			}
			pair := fmt.Sprintf("peers %d and %d", a+1, b+1)
			since, known := w.twice[pair]
			if !known {
				since = now
			}
			if limit := w.bed.hunger.stretch(refusal); !known || now.Sub(since) < limit {
				still[pair] = since
			} else if !since.IsZero() {
				w.bed.run.Fail("I4: %s both say for %v that they take saves in generation %d", pair, limit, w.views[a].view.Generation.Number)
				still[pair] = now.Add(time.Hour) // said once
			}
		}
	}
	w.twice = still
}

// sight is what peer n (1 to 6) last said.
func (w *watch) sight(n int) sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.views[n-1]
}

// primary is the number of the peer that takes saves now, 0 when none does.
func (w *watch) primary() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.views {
		if s.err == nil && s.view.PrimaryHere && s.view.Writable {
			return i + 1
		}
	}
	return 0
}
