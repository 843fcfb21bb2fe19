package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hexad/engine"
)

// askCapacity asks the rules what the cluster carries when anything that it
// follows from became another: the peers, whether they answer, their sizes,
// the licences, or the rules themselves.
func (s *Service) askCapacity(ctx context.Context) {
	if s.o.Group.Servers().State == stateFailed {
		return // without the configuration the keys of this peer are not known
	}
	in := s.capacityRequest()
	asked := fmt.Sprint(in.Peers, in.Licences) // maps are written in the order of their keys
	s.mu.Lock()
	same := s.capacity.asked == asked
	s.capacity.asked = asked
	s.mu.Unlock()
	if same {
		return
	}
	in.PolicyContext = s.policyContext(s.records(s.Running().Peers))
	a := s.o.Rules.Capacity(context.WithoutCancel(ctx), in)
	s.mu.Lock()
	s.capacity.view = &engine.CapacityView{
		Calls: a.Calls, Registrations: a.Registrations, CountedPeers: a.CountedPeers, Reason: a.Reason, Licences: in.Licences,
		Decision: a.Decision, Script: a.Script, Degraded: a.Degraded != nil, At: time.Now().UTC(),
	}
	s.mu.Unlock()
	s.notify()
}

// capacity is what the cluster carries, nil before the rules were asked, and
// what they were asked then.
type capacity struct {
	asked string
	view  *engine.CapacityView
}

// Capacity is what the cluster carries, as the rules last said; nil before they
// were asked.
func (s *Service) Capacity() *engine.CapacityView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capacity.view
}

// lately is what this peer said of itself with the last beat; it is put
// together anew when nobody was told for a while.
func (s *Service) lately() engine.Facts {
	s.mu.Lock()
	now := s.said
	s.mu.Unlock()
	if now.version != "" && time.Since(now.at) < 2*s.o.Beat {
		return now.still
	}
	return s.Facts()
}

// capacityRequest is what each peer of the running list carries, this system
// alone without a list, and the pool of their licences. A peer that was never
// heard counts as one of this system's size: peers are equal.
func (s *Service) capacityRequest() engine.CapacityRequest {
	self := s.lately()
	in := engine.CapacityRequest{Licences: map[string]int{}}
	add := func(address string, f engine.Facts, reachable, keys bool) {
		if f.Size == "" {
			f.Size = self.Size
		}
		calls, registrations := engine.CapacityOf(f.Size)
		in.Peers = append(in.Peers, engine.CapacityPeer{
			Address: address, Size: f.Size, CallsCapacity: calls, RegistrationsCapacity: registrations, Reachable: reachable,
		})
		for _, k := range f.Keys {
			if keys && k.Count > 0 && slices.Contains(engine.PooledLicences, k.Family) {
				in.Licences[k.Family] += k.Count
			}
		}
	}
	list := s.Running().Peers
	own := s.indexOf(list)
	if own == 0 {
		add(self.Address, self, true, true)
	}
	for i, address := range list {
		if i+1 == own {
			add(address, self, true, true)
			continue
		}
		p := s.peerAt(address)
		if p == nil || p.member() == "" {
			continue // not a member yet
		}
		snap := p.snapshot()
		lost := snap.state != engine.PeerActive
		add(address, snap.facts, !lost, !lost || time.Since(snap.since) < engine.LostLicencesKept)
	}
	return in
}
