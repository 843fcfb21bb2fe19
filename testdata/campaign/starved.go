package main

import (
	"context"
	"crypto/sha256"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Deadlines of the invariants are those of an unhurried machine. How long the
// machine keeps work waiting is measured all the time, and deadlines are
// multiplied by that; every summary line that depends on it says so.

// starved is how many times its processor time a short piece of work takes
// now: 1 on a machine with a free core.
func starved() float64 {
	const work = 3 * time.Millisecond // of processor time
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, used := time.Now(), threadTime()
	var block [4096]byte
	for threadTime()-used < work {
		_ = sha256.Sum256(block[:])
	}
	return max(1, float64(time.Since(began))/float64(threadTime()-used))
}

// threadTime is the processor time of this thread so far.
func threadTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// hunger watches how starved the machine is.
type hunger struct {
	mu   sync.Mutex
	last []float64 // of the last seconds
	all  []float64
}

// run measures until ctx ends.
func (h *hunger) run(ctx context.Context) {
	const pace, remembered = 250 * time.Millisecond, 20
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		f := starved()
		h.mu.Lock()
		h.all = append(h.all, f)
		if h.last = append(h.last, f); len(h.last) > remembered {
			h.last = h.last[1:]
		}
		h.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// factor is how starved the machine was over the last seconds: 1 to 10.
func (h *hunger) factor() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := 0.0
	for _, f := range h.last {
		sum += f
	}
	if len(h.last) == 0 {
		return 1
	}
	return min(10, sum/float64(len(h.last)))
}

// stretch is a deadline on this machine now.
func (h *hunger) stretch(d time.Duration) time.Duration {
	return time.Duration(float64(d) * h.factor())
}

// middle is the median and the 99th percentile of the whole run.
func (h *hunger) middle() (p50, p99 float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sorted := slices.Sorted(slices.Values(h.all))
	if len(sorted) == 0 {
		return 1, 1
	}
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100]
}

// stretchBy is a deadline on a machine that is so starved.
func (*hunger) stretchBy(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * min(10, max(1, factor)))
}
