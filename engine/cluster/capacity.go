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
	in, seen := s.capacityRequest()
	asked := fmt.Sprint(in.Peers, in.Licences, seen) // maps are written in the order of their keys
	s.mu.Lock()
	same := s.capacity.asked == asked
	s.capacity.asked = asked
	s.mu.Unlock()
	if same {
		return
	}
	in.PolicyContext = s.policyContext(s.records(s.Running().Peers))
	a := s.o.Rules.Capacity(context.WithoutCancel(ctx), in)
	pool, lost := map[string]int{}, lostLicences(in, a, seen)
	for _, p := range in.Peers {
		gone := slices.ContainsFunc(lost, func(l engine.LostLicences) bool { return l.Address == p.Address && !l.Counted })
		for family, n := range p.Licences {
			if gone {
				n = 0 // limited still
			}
			pool[family] += n
		}
	}
	s.mu.Lock()
	s.capacity.view = &engine.CapacityView{
		Calls: a.Calls, Registrations: a.Registrations, CountedPeers: a.CountedPeers, Reason: a.Reason, Licences: pool, Lost: lost,
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
// alone without a list, and their licences; and by address when each lost peer
// was last seen, in unix seconds. A peer that was never heard counts as one of
// this system's size: peers are equal.
func (s *Service) capacityRequest() (engine.CapacityRequest, map[string]int64) {
	self := s.lately()
	in, seen := engine.CapacityRequest{Licences: map[string]int{}}, map[string]int64{}
	s.mu.Lock()
	gone := s.lost
	s.mu.Unlock()
	add := func(address, size string, keys []engine.Key, reachable bool, unseen time.Duration) {
		if size == "" {
			size = self.Size
		}
		calls, registrations := engine.CapacityOf(size)
		p := engine.CapacityPeer{Address: address, Size: size, CallsCapacity: calls, RegistrationsCapacity: registrations, Reachable: reachable,
			UnseenS: int(max(0, unseen).Truncate(time.Minute).Seconds()), Licences: map[string]int{}}
		for _, k := range pooled(keys) {
			p.Licences[k.Family] += k.Count
			in.Licences[k.Family] += k.Count
		}
		in.Peers = append(in.Peers, p)
	}
	list := s.Running().Peers
	own := s.indexOf(list)
	if own == 0 {
		add(self.Address, self.Size, self.Keys, true, 0)
	}
	for i, address := range list {
		if i+1 == own {
			add(address, self.Size, self.Keys, true, 0)
			continue
		}
		p := s.peerAt(address)
		if p == nil || p.member() == "" {
			continue // not a member yet
		}
		snap := p.snapshot()
		l, lost := gone[snap.node]
		switch {
		case lost:
			seen[address] = l.Seen
			add(address, l.Size, l.Keys, false, time.Since(time.Unix(l.Seen, 0)))
		default:
			add(address, snap.facts.Size, snap.facts.Keys, snap.state == engine.PeerActive, 0)
		}
	}
	return in, seen
}
