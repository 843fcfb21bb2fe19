package cluster

import "hexad/engine"

// Told is a member with what it last said of itself.
type Told struct {
	Node      string
	Address   string
	Here      bool
	Reachable bool
	Facts     engine.Facts
}

// Told lists the members, this system among them, with their facts.
func (s *Service) Told() []Told {
	own := s.Facts()
	out := []Told{{Node: own.Node, Address: own.Address, Here: true, Reachable: true, Facts: own}}
	for _, snap := range s.snapshots() {
		if snap.node == "" || snap.node == own.Node {
			continue
		}
		out = append(out, Told{
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

// RulesChanged makes the periodic run of the rules come now, and the question
// what the cluster carries.
func (s *Service) RulesChanged() {
	s.mu.Lock()
	s.capacity.asked = ""
	s.mu.Unlock()
	signal(s.kick)
}
