package appliance

import (
	"context"
	"sync/atomic"
	"time"
)

// How a stall is noticed: a tick that comes much later than it should.
const (
	stallTick = 100 * time.Millisecond
	stallGap  = 400 * time.Millisecond
	stallPast = 2 * time.Second // how long after a stall its effects are still met
)

// stall knows when this process did not run: a paused machine, a starved one.
// Time limits that end then say nothing about what was limited. Times are unix
// nanoseconds.
type stall struct{ ticked, stalled atomic.Int64 }

// run watches until ctx ends.
func (s *stall) run(ctx context.Context) error {
	tick := time.NewTicker(stallTick)
	defer tick.Stop()
	s.ticked.Store(time.Now().UnixNano())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now().UnixNano()
		if time.Duration(now-s.ticked.Swap(now)) > stallGap {
			s.stalled.Store(now)
		}
	}
}

// recent reports whether the process stood still a moment ago.
func (s *stall) recent() bool {
	now, ticked := time.Now().UnixNano(), s.ticked.Load()
	return ticked != 0 && time.Duration(now-ticked) > stallGap || time.Duration(now-s.stalled.Load()) < stallPast
}
