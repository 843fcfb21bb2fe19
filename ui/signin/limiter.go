package signin

import (
	"sync"
	"time"
)

// limiter slows down guessing. Each key (an address, an account) may fail free
// times; each failure after that doubles a wait, from one second to ceiling.
// A key is forgotten forget after its last failure.
//
// An attempt counts as failed until Succeeded, so that many at the same moment
// gain nothing. At most maxKeys keys are kept; the one that failed longest ago
// goes first. Safe for concurrent use.
type limiter struct {
	free    int
	ceiling time.Duration

	mu   sync.Mutex
	keys map[string]attempts
}

type attempts struct {
	failed int
	until  time.Time // no attempt before
	last   time.Time
}

const (
	maxKeys = 4096
	forget  = time.Hour
)

func newLimiter(free int, ceiling time.Duration) *limiter {
	return &limiter{free: free, ceiling: ceiling, keys: make(map[string]attempts)}
}

// Attempt returns how long key has to wait, 0 when it may try now; only then
// the attempt is counted.
func (l *limiter) Attempt(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	a := l.keys[key]
	if now.Sub(a.last) > forget {
		a = attempts{}
	}
	if wait := a.until.Sub(now); wait > 0 {
		return wait
	}
	a.failed++
	a.last = now
	if over := a.failed - l.free; over >= 0 {
		a.until = now.Add(min(l.ceiling, time.Second<<min(over, 20)))
	}
	if _, known := l.keys[key]; !known && len(l.keys) >= maxKeys {
		l.evict()
	}
	l.keys[key] = a
	return 0
}

// Succeeded forgets the failures of key.
func (l *limiter) Succeeded(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

func (l *limiter) evict() {
	var oldest string
	var at time.Time
	for k, a := range l.keys {
		if oldest == "" || a.last.Before(at) {
			oldest, at = k, a.last
		}
	}
	delete(l.keys, oldest)
}
