package cluster

import (
	"time"

	"hexad/engine"
)

// progress is how far this peer's copy was at recent moments; it turns an
// index that a peer has reached into the time by which it is behind.
type progress struct {
	marks   [512]mark // ring, oldest overwritten
	next    int
	led     time.Time // when a leader was last known
	behind  time.Time // since when this copy stands still behind the primary's
	stoodAt uint64
}

type mark struct {
	index uint64
	at    time.Time
}

func (p *progress) note(index uint64, at time.Time) {
	last := p.marks[(p.next+len(p.marks)-1)%len(p.marks)]
	if index <= last.index {
		return
	}
	p.marks[p.next] = mark{index, at}
	p.next = (p.next + 1) % len(p.marks)
}

// lag is how long ago this copy passed index, 0 when it has not: the peer that
// reported index is not behind this one.
func (p *progress) lag(index uint64, now time.Time) time.Duration {
	var passed time.Time
	for _, m := range p.marks {
		if m.index > index && (passed.IsZero() || m.at.Before(passed)) {
			passed = m.at
		}
	}
	if passed.IsZero() {
		return 0
	}
	return now.Sub(passed)
}

// follow compares this copy with the primary's as it was reported.
func (p *progress) follow(own, primary uint64, now time.Time) {
	switch {
	case own >= primary:
		p.behind = time.Time{}
	case p.behind.IsZero() || own != p.stoodAt:
		p.behind, p.stoodAt = now, own
	}
}

// stuck reports whether this copy has stood still behind the primary's for
// longer than Raft's own retries take.
func (s *Service) stuck() bool {
	s.mu.Lock()
	primary := s.agreed.Primary
	behind := s.applied.behind
	s.mu.Unlock()
	if behind.IsZero() || time.Since(behind) < stuckAfter {
		return false
	}
	p := s.peerOf(primary)
	return p != nil && p.state() == engine.PeerActive
}

// leaderless reports whether no leader has been known for longer than an
// election takes.
func (s *Service) leaderless(servers Servers) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if servers.Leader != "" || s.applied.led.IsZero() {
		s.applied.led = time.Now()
		return false
	}
	return time.Since(s.applied.led) > settle
}
