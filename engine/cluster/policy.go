package cluster

import (
	"time"

	"hexad/engine"
)

// Told lists the members, this system among them, with their facts.
func (s *Service) Told() []engine.Told {
	own := s.Facts()
	out := []engine.Told{{Node: own.Node, Address: own.Address, Here: true, Reachable: true, Facts: own}}
	for _, snap := range s.snapshots() {
		if snap.node == "" || snap.node == own.Node {
			continue
		}
		out = append(out, engine.Told{
			Node: snap.node, Address: snap.address, Reachable: snap.state == engine.PeerActive, Facts: snap.facts,
		})
	}
	return out
}

// Situation is what the inputs of call hooks say of this peer and its cluster.
func (s *Service) Situation() engine.Situation {
	c := s.policyContext(s.records(s.Running().Peers))
	return engine.Situation{Self: c.Self, Cluster: c.Cluster}
}

// primaryAway is how long the primary must have been out of reach before the
// others do without it: it may be restarting.
const primaryAway = 10 * time.Second

// PrimaryHere reports whether this system is the agreed primary.
func (s *Service) PrimaryHere() bool { return s.Agreed().Primary == s.o.Node }

// PrimaryAway reports whether this system is in a cluster whose primary is
// another one that has been out of reach for a while.
func (s *Service) PrimaryAway() bool {
	agreed := s.Agreed()
	if agreed.Primary == "" || agreed.Primary == s.o.Node {
		return false
	}
	p := s.peerOf(agreed.Primary)
	if p == nil {
		return false
	}
	snap := p.snapshot()
	return snap.state != engine.PeerActive && time.Since(snap.since) > primaryAway
}

// RulesChanged makes the periodic run of the rules come now, and the question
// what the cluster carries.
func (s *Service) RulesChanged() {
	s.mu.Lock()
	s.capacity.asked = ""
	s.mu.Unlock()
	signal(s.kick)
}
