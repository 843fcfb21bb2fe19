package cluster

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// Steps of the group: soon while something moves, calm when nothing does.
const (
	groupSoon = 100 * time.Millisecond
	groupCalm = time.Second
	handOver  = 10 * time.Second // how long a new leader looks often whether the primary can take over
	// lostVoter is how long a voter may be silent before another takes its
	// place: longer than any restart. Source: design 3.
	lostVoter = 30 * time.Second
)

// followGroup makes the Raft group what members and primary demand, one step
// at a time, while this peer leads it.
func (s *Service) followGroup(ctx context.Context) {
	silent := map[string]time.Time{}
	var led time.Time // since when this peer leads
	for {
		wait := groupCalm
		if servers := s.o.Group.Servers(); servers.LeaderHere {
			moved, err := s.groupStep(ctx, servers, silent)
			if moved || err == nil && s.leadsInstead() && time.Since(led) < handOver {
				wait = groupSoon
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.leads:
			led = time.Now()
		case <-time.After(wait):
		}
	}
}

// Leads says that this peer leads the group now.
func (s *Service) Leads() { signal(s.leads) }

// leadsInstead reports whether this peer leads in the place of a primary that
// answers: nobody can save until it has taken over.
func (s *Service) leadsInstead() bool {
	primary := s.Agreed().Primary
	return primary != "" && primary != s.o.Node && s.reachable(primary)
}

// groupStep reports whether something moved, and the error of what could not.
func (s *Service) groupStep(ctx context.Context, servers Servers, silent map[string]time.Time) (moved bool, err error) {
	agreed := s.Agreed()
	if s.joining() || agreed.Primary == "" {
		return false, nil
	}
	var members []string
	for _, m := range agreed.Members {
		members = append(members, m.Node)
	}
	step, err := s.o.Group.Reconcile(ctx, members, agreed.Primary, func(node string) bool { return s.counted(node, servers, silent) })
	if step == "" && err == nil {
		return s.dropLeft(ctx) || s.renameMembers(ctx, agreed), nil
	}
	return s.done(err, step, ""), err
}

// counted tells the reconciler whether to count on a server: a voter until it
// was silent for long, any other only while it answers, and none that is about
// to forget what it confirmed.
func (s *Service) counted(node string, servers Servers, silent map[string]time.Time) bool {
	if s.isHeld(node) || s.leaves(node) {
		return false
	}
	if s.reachable(node) {
		delete(silent, node)
		return true
	}
	if silent[node].IsZero() {
		silent[node] = time.Now()
	}
	return slices.Contains(servers.Voters, node) && time.Since(silent[node]) < lostVoter
}

// renameMembers follows a changed entry (an IP that became an FQDN): the
// member's row takes the address that the primary's list has for it.
func (s *Service) renameMembers(ctx context.Context, agreed engine.Agreed) bool {
	if agreed.Primary != s.o.Node {
		return false
	}
	for _, m := range agreed.Members {
		if listed := s.asListed(m, s.Running().Peers); listed != m {
			return s.done(s.o.Store.RenameMember(ctx, m.Node, listed.Address), "member renamed", m.Node)
		}
	}
	return false
}

func (s *Service) done(err error, step, node string) bool {
	if err != nil {
		s.o.Log.Warn("cluster database group not changed", "module", "cluster", "step", step, "node", node, "err", err)
		return false
	}
	s.o.Log.Info("cluster database group changed", "module", "cluster", "step", step, "node", node)
	return true
}
