package cluster

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"hexad/engine"
)

// beat is the body of the exchange that keeps contact, in both directions. The
// facts of a peer seldom change: they travel when the other side does not hold
// them, their live part always.
type beat struct {
	Version string        `json:"version"`           // of the sender's facts
	Facts   *engine.Facts `json:"facts,omitempty"`   // nil: the receiver has this version
	Live    live          `json:"live"`              // what they measure and count now
	Known   string        `json:"known,omitempty"`   // version of the receiver's facts that the sender holds
	SeenAs  string        `json:"seen_as,omitempty"` // in answers: the address the other side came from
}

// live is the part of the facts that moves by itself. It is no reason to ask
// the rules anew: a judgement counts decisions, and so would cause the next.
type live struct {
	Node     string             `json:"node"`
	Store    engine.StoreFacts  `json:"store"`
	Policy   engine.PolicyFacts `json:"policy"`
	RTTs     map[string]float64 `json:"rtts,omitempty"`
	OffsetMS float64            `json:"offset_ms,omitempty"`
	// Unequal are the tables in which a member's copy differs from the
	// sender's, by node, where the sender is the primary and sure of it.
	Unequal map[string][]string `json:"unequal,omitempty"`
}

// cutFacts takes the live part out of facts.
func cutFacts(f engine.Facts) (engine.Facts, live) {
	l := live{Node: f.Node, Store: f.Store, Policy: f.Policy, RTTs: f.RTTs, OffsetMS: f.NTP.OffsetMS}
	f.Store, f.Policy, f.RTTs, f.NTP.OffsetMS = engine.StoreFacts{}, engine.PolicyFacts{}, nil, 0
	return f, l
}

// joinFacts puts facts together again.
func joinFacts(f engine.Facts, l live) engine.Facts {
	f.Store, f.Policy, f.RTTs, f.NTP.OffsetMS = l.Store, l.Policy, l.RTTs, l.OffsetMS
	return f
}

// versionOf tells one state of facts, without their live part, from another.
// It never leaves the question whether they changed to the receiver.
func versionOf(still engine.Facts) string {
	text, _ := json.Marshal(still)
	h := fnv.New64a()
	h.Write(text)
	return fmt.Sprintf("%016x", h.Sum64())
}

// said is what this peer says of itself, put together once a beat for all peers.
type said struct {
	still   engine.Facts
	live    live
	version string
	at      time.Time
	// host is this machine as it was at hostAt, for what is asked many times a
	// second and changes with the configuration only.
	host   *engine.Facts
	hostAt time.Time
}

// host is this machine as it was within the last beat.
func (s *Service) host() engine.Facts {
	s.mu.Lock()
	known, at := s.said.host, s.said.hostAt
	s.mu.Unlock()
	if known != nil && time.Since(at) < s.o.Beat {
		return *known
	}
	now := s.o.Host()
	s.mu.Lock()
	s.said.host, s.said.hostAt = &now, time.Now()
	s.mu.Unlock()
	return now
}

// say returns a beat for a peer that holds version told of this peer's facts.
func (s *Service) say(told, known string) beat {
	s.mu.Lock()
	now := s.said
	s.mu.Unlock()
	if now.version == "" || time.Since(now.at) >= s.o.Beat {
		now = said{at: time.Now(), host: now.host, hostAt: now.hostAt}
		now.still, now.live = cutFacts(s.Facts())
		now.version = versionOf(now.still)
		s.mu.Lock()
		s.said = now
		s.mu.Unlock()
	}
	b := beat{Version: now.version, Live: now.live, Known: known}
	b.Live.Store = s.storeFacts(s.o.Group.Servers()) // a save waits for nobody's next beat
	b.Live.Unequal = s.unequal()
	if told != now.version {
		b.Facts = &now.still
	}
	return b
}

// restate makes the next beat say what is true now.
func (s *Service) restate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.version, s.said.host = "", nil
}

// heard takes what a peer said, on either side of an exchange.
func (s *Service) heard(p *peer, b beat) {
	if s.Agreed().Primary == b.Live.Node {
		own := s.o.Group.Servers().Applied
		s.mu.Lock()
		s.applied.follow(own, b.Live.Store.Applied, time.Now())
		if b.Live.Store.Applied <= own {
			s.synced = time.Now()
		}
		s.inDoubt = b.Live.Unequal[s.o.Node]
		s.mu.Unlock()
	}
	if p.hear(b, s.o.Node, time.Now()) {
		signal(s.kick)
	}
	s.notify()
}
