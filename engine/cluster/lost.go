package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Alarms of the licences of lost peers: one peer, several. Source: reference 3.3.
const (
	alarmLostHours   = 30012
	alarmLostDays    = 30014
	alarmLostRemoved = 30016
	lastLostAlarm    = 30017
)

// hoursLeft is how long before their end the licences of a lost peer are said
// to be left for hours and not for days.
const hoursLeft = 24 * time.Hour

// Lost keeps what this system knows of the peers that do not answer, so that a
// restart does not begin their fortnight anew.
type Lost interface {
	Lost(ctx context.Context) (map[string]engine.LostPeer, error)
	PutLost(ctx context.Context, lost map[string]engine.LostPeer) error
}

// loadLost reads what was known before the restart.
func (s *Service) loadLost(ctx context.Context) {
	if s.o.Lost == nil {
		return
	}
	lost, err := s.o.Lost.Lost(ctx)
	if err != nil {
		s.o.Log.Warn("since when peers are lost is not known", "module", "cluster", "err", err)
		return
	}
	s.mu.Lock()
	s.lost = lost
	s.mu.Unlock()
}

// followLost notes who is lost and since when. A peer was last seen when any
// member that answers saw it last: all of them so come to the same time.
func (s *Service) followLost(ctx context.Context) {
	list := s.Running().Peers
	var told []engine.Told // asked for only when somebody is lost
	s.mu.Lock()
	old := maps.Clone(s.lost)
	s.mu.Unlock()
	now := map[string]engine.LostPeer{}
	for _, address := range list {
		p := s.peerAt(address)
		if p == nil || p.member() == "" {
			continue
		}
		snap := p.snapshot()
		l, known := old[snap.node]
		if snap.state == engine.PeerActive || !known && snap.state != engine.PeerFailed {
			continue
		}
		if !known {
			l.Seen = time.Now().Unix()
			if !snap.since.IsZero() {
				l.Seen = snap.since.Unix()
			}
		}
		if snap.facts.Node != "" {
			l.Size, l.Keys = snap.facts.Size, pooled(snap.facts.Keys)
		}
		if told == nil {
			told = s.Told()
		}
		for _, t := range told {
			if t.Reachable && !t.Here {
				l.Seen = max(l.Seen, t.Facts.Lost[snap.node])
			}
		}
		now[snap.node] = l
	}
	same := maps.EqualFunc(old, now, func(a, b engine.LostPeer) bool {
		return a.Seen == b.Seen && a.Size == b.Size && slices.EqualFunc(a.Keys, b.Keys, func(x, y engine.Key) bool { return x == y })
	})
	if same {
		return
	}
	s.mu.Lock()
	s.lost = now
	s.mu.Unlock()
	s.restate()
	if s.o.Lost != nil {
		if err := s.o.Lost.PutLost(context.WithoutCancel(ctx), now); err != nil {
			s.o.Log.Warn("since when peers are lost is not kept", "module", "cluster", "err", err)
		}
	}
}

// pooled are the keys whose licences the cluster shares, without their text.
func pooled(keys []engine.Key) []engine.Key {
	var out []engine.Key
	for _, k := range keys {
		if k.Count > 0 && slices.Contains(engine.PooledLicences, k.Family) {
			out = append(out, engine.Key{Family: k.Family, Count: k.Count})
		}
	}
	return out
}

// lostFacts is what the others are told: since when which node is lost.
func lostFacts(lost map[string]engine.LostPeer) map[string]int64 {
	if len(lost) == 0 {
		return nil
	}
	out := map[string]int64{}
	for node, l := range lost {
		out[node] = l.Seen
	}
	return out
}

// lostLicences is what the rules said of the licences of lost peers, with the
// time when each leaves the pool.
func lostLicences(in engine.CapacityRequest, a engine.Capacity, seen map[string]int64) []engine.LostLicences {
	var out []engine.LostLicences
	for _, p := range in.Peers {
		i := slices.IndexFunc(a.Lost, func(l engine.LostLeft) bool { return l.Peer == p.Address })
		if p.Reachable || i < 0 || len(p.Licences) == 0 {
			continue
		}
		last := time.Unix(seen[p.Address], 0).UTC()
		out = append(out, engine.LostLicences{Address: p.Address, Seen: last, Until: last.Add(time.Duration(p.UnseenS+a.Lost[i].LeftS) * time.Second), Counted: a.Lost[i].LeftS > 0,
			Warned: a.Lost[i].Warn})
	}
	return out
}

// lostConditions are the alarms of the ladder: days, hours, gone.
func (s *Service) lostConditions() []Condition {
	c := s.Capacity()
	if c == nil {
		return nil
	}
	steps := map[int][]engine.LostLicences{}
	for _, l := range c.Lost {
		switch left := time.Until(l.Until); {
		case !l.Counted:
			steps[alarmLostRemoved] = append(steps[alarmLostRemoved], l)
		case !l.Warned:
		case left <= hoursLeft:
			steps[alarmLostHours] = append(steps[alarmLostHours], l)
		default:
			steps[alarmLostDays] = append(steps[alarmLostDays], l)
		}
	}
	var out []Condition
	for _, id := range []int{alarmLostHours, alarmLostDays, alarmLostRemoved} {
		list := steps[id]
		if len(list) == 0 {
			continue
		}
		var names []string
		until := list[0].Until
		for _, l := range list {
			names = append(names, l.Address)
			if l.Until.Before(until) {
				until = l.Until
			}
		}
		if len(list) > 1 {
			id++ // of several peers
		}
		out = append(out, Condition{ID: id, Params: map[string]string{"peers": strings.Join(names, " "), "date": until.Format("2006-01-02 15:04 UTC")}})
	}
	return out
}
