package policy

import (
	"sync"
	"time"
)

// lineLimit lets each script write 10 log lines a second.
type lineLimit struct {
	mu     sync.Mutex
	second int64
	lines  map[string]int
}

func (l *lineLimit) allow(script string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second || l.lines == nil {
		l.second, l.lines = s, map[string]int{}
	}
	l.lines[script]++
	return l.lines[script] <= 10
}
