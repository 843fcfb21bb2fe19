package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Generations is this peer's copy of cluster.db as a thing that can be put in
// the place of another one. All of it works alone.
type Generations interface {
	// Take describes all that this peer has: what reading shows and the end of its
	// log; with its items, secrets sealed as they rest. It costs a copy of the database.
	Take(ctx context.Context) (engine.CopyState, map[string]string, error)
	// State is the copy as reading shows it; its History covers what came up to revision.
	State(ctx context.Context, revision int64) (engine.CopyState, error)
	// Founding is how the present generation began when it was founded here.
	Founding() *engine.Founding
	// Items are those that reading shows.
	Items(ctx context.Context) (map[string]string, error)
	// Compare tells how two copies' items differ, in the order of their paths.
	Compare(own, other map[string]string) []engine.Difference
	// Refound founds the next generation on this copy, with this peer as its
	// only voter and primary. Identity and page change in the same moment: a
	// crash leaves the old generation with the old page, or the new ones.
	Refound(ctx context.Context, p Page) error
	// SaveAside keeps a copy in a file of its own, on disk when it returns.
	SaveAside(ctx context.Context, why string) (engine.SavedCopy, error)
	// Follow gives this peer an empty copy of a generation, which the leader of
	// that generation fills. The copy that was here stays where it was, unless
	// it is of the same generation.
	Follow(ctx context.Context, g engine.Generation) error
}

// SaveForced is Save where the administrator has agreed to what ForcePlan
// says: this system becomes the primary although the group cannot commit.
//
// Errors: those of Save and ForcePlan.
func (s *Service) SaveForced(ctx context.Context, actor engine.Actor, c engine.Clustering) (engine.ClusteringSaved, error) {
	return s.staged(ctx, actor, c, true)
}

// ForcePlan says what naming this system the primary by force would do. The
// primary itself goes on by force when the other voters are gone for good.
//
// Errors: Denied when there is nothing to force (no cluster of several peers);
// Conflict when the group can commit: the primary is then named by saving the
// page; Unavailable when that is not known yet, or when this peer has no copy
// to go on with.
//
// Source: design 3.
func (s *Service) ForcePlan(ctx context.Context) (engine.ForcePlan, error) {
	agreed, servers := s.Agreed(), s.o.Group.Servers()
	switch {
	case s.o.Generations == nil:
		return engine.ForcePlan{}, engine.Errorf(engine.Unavailable, "this system cannot found a generation")
	case len(s.Running().Peers) == 0 || s.joining() || s.o.Identity().Standalone:
		return engine.ForcePlan{}, engine.Errorf(engine.Denied, "this system is not a member of a cluster of several peers").With("Primary", "")
	case servers.State == stateFailed:
		return engine.ForcePlan{}, engine.Errorf(engine.Unavailable, "this system's own copy of the cluster database cannot be used: %s", servers.Err).
			With("Primary", "name another peer, whose copy is sound")
	}
	if f := s.Fenced(); f != nil && f.Superseded {
		return engine.ForcePlan{}, engine.Errorf(engine.Conflict, "another primary was named by force already: %s has generation %d", f.Peer, f.Other.Number).
			With("Primary", "choose that primary here, or run xCommand ForceConfigUpdate")
	}
	if err := s.cannotCommit(servers); err != nil {
		return engine.ForcePlan{}, err
	}
	copied, _, err := s.o.Generations.Take(ctx)
	if err != nil {
		return engine.ForcePlan{}, &engine.Error{Code: engine.Unavailable, Err: err, Item: "Primary",
			Message: "this system has no copy of the configuration to go on with: " + messageOf(err), Remedy: "name another peer, which has one"}
	}
	plan := engine.ForcePlan{Copy: copied, Next: s.o.Identity().Generation.Number + 1, Primary: s.addressOf(agreed.Primary), Here: agreed.Primary == s.o.Node}
	for _, snap := range s.snapshots() {
		if snap.node == "" {
			continue
		}
		p := engine.ForcePeer{Address: snap.address, Primary: snap.node == agreed.Primary, Voter: slices.Contains(servers.Voters, snap.node),
			Since: snap.since, Revision: snap.facts.Store.Revision}
		p.Ahead = p.Revision > copied.Revision || snap.facts.Store.Applied > copied.Index && copied.Index > 0
		if snap.state == engine.PeerActive {
			plan.Reached = append(plan.Reached, p)
		} else {
			plan.Unreached = append(plan.Unreached, p)
		}
	}
	return plan, nil
}

// cannotCommit is nil only when it is certain: nobody has led for a while, and
// most voters have been tried in vain.
func (s *Service) cannotCommit(servers Servers) error {
	agreed := s.Agreed()
	primary := s.addressOf(agreed.Primary)
	if servers.Leader != "" || s.canCommit() {
		if agreed.Primary == s.o.Node {
			return engine.Errorf(engine.Denied, "this system is the configuration primary, and its changes can be saved").With("Primary", "")
		}
		return engine.Errorf(engine.Conflict, "another primary is not named by force while the cluster database can commit: most of its voters answer").
			With("Primary", "save the page without force")
	}
	for _, node := range servers.Voters {
		if p := s.peerOf(node); p != nil && p.state() == engine.PeerUnknown {
			return engine.Errorf(engine.Unavailable, "whether %s answers is not known yet", s.addressOf(node)).With("Primary", "repeat this in some seconds")
		}
	}
	if !s.leaderless(servers) {
		return engine.Errorf(engine.Unavailable, "%s was in contact until a moment ago", primary).With("Primary", "repeat this in some seconds")
	}
	return nil
}

func messageOf(err error) string {
	if e, ok := err.(*engine.Error); ok {
		return e.Message
	}
	return err.Error()
}

// forceSummary says a plan in one sentence; the faces show all of it.
func forceSummary(p engine.ForcePlan) string {
	saved := "never"
	if !p.Copy.Saved.IsZero() {
		saved = p.Copy.Saved.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	var gone []string
	for _, q := range p.Unreached {
		gone = append(gone, q.Address)
	}
	if p.Here {
		return fmt.Sprintf("by force it goes on alone from revision %d (saved %s) as generation %d (not reached: %s)", p.Copy.Revision, saved, p.Next, strings.Join(gone, " "))
	}
	return fmt.Sprintf("by force it would go on from revision %d (saved %s) as generation %d, without what was saved later on %s (not reached: %s)",
		p.Copy.Revision, saved, p.Next, p.Primary, strings.Join(gone, " "))
}

// forcePrimary is namePrimary without a group that can commit.
func (s *Service) forcePrimary(ctx context.Context, page Page, c engine.Clustering) error {
	plan, err := s.ForcePlan(ctx)
	if err != nil {
		return err
	}
	page.Entered, page.SavedAt = c, time.Now()
	page.Running = s.inEffect(page.Running, c)
	if err := s.o.Generations.Refound(ctx, page); err != nil {
		return err
	}
	s.o.Log.Warn("configuration primary named by force", "module", "cluster", "generation", plan.Next, "revision", plan.Copy.Revision, "old", plan.Primary)
	engine.Staged(ctx, "primary", "forced", "%s instead of %s, generation %d from revision %d", s.addressOf(s.o.Node), plan.Primary, plan.Next, plan.Copy.Revision)
	s.setPage(page)
	s.regenerated(ctx)
	return nil
}

// regenerated follows a change of this peer's generation.
func (s *Service) regenerated(ctx context.Context) {
	s.mu.Lock()
	clear(s.refused)
	s.fenced = nil
	s.applied = progress{}
	s.mu.Unlock()
	s.StoreChanged(ctx)
	s.o.Link.Refresh()
	signal(s.wake)
	signal(s.kick)
	s.notify()
}
