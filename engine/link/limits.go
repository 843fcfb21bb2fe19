package link

import (
	"net/netip"
	"sync"
	"time"
)

// slots bounds the connections that are not authenticated yet. The last
// places are kept for listed addresses, so that strangers, however many
// addresses they have, do not keep peers out.
type slots struct {
	mu    sync.Mutex
	total int
	perIP map[netip.Addr]int
}

func (s *slots) take(ip netip.Addr, listed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := MaxPending
	if !listed {
		most -= reservedPending
	}
	if s.total >= most || s.perIP[ip] >= MaxPendingPerIP {
		return false
	}
	s.total++
	s.perIP[ip]++
	return true
}

func (s *slots) release(ip netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.perIP[ip]--; s.perIP[ip] <= 0 {
		delete(s.perIP, ip)
	}
}

// limiter lets one report of a kind through in each period and counts the rest.
type limiter struct {
	mu   sync.Mutex
	last map[string]*reported
}

type reported struct {
	at      time.Time
	skipped int
}

const (
	reportPeriod = 10 * time.Second
	maxReported  = 1024
)

func (l *limiter) allow(key string, now time.Time) (ok bool, skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.last[key]
	if r != nil && now.Sub(r.at) < reportPeriod {
		r.skipped++
		return false, 0
	}
	if r == nil {
		if len(l.last) >= maxReported {
			l.forget(now)
		}
		if len(l.last) >= maxReported {
			return false, 0
		}
		r = &reported{}
		l.last[key] = r
	}
	skipped, r.skipped, r.at = r.skipped, 0, now
	return true, skipped
}

func (l *limiter) forget(now time.Time) {
	for k, r := range l.last {
		if now.Sub(r.at) >= reportPeriod {
			delete(l.last, k)
		}
	}
}
