package cluster

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// heldTime is how long a member that empties its copy has no vote: a voter
// that forgot its log could help to elect a leader without what it once
// confirmed. leaveTime is how long one that is about to reset itself waits for
// its vote to be taken; groupAgain is when it asks anew.
const (
	heldTime   = time.Minute
	leaveTime  = 5 * time.Second
	groupAgain = 200 * time.Millisecond
)

// giveVote asks the primary of this generation to take this system's vote. It
// returns when that is done.
func (s *Service) giveVote(ctx context.Context, primary string) error {
	return s.ask(ctx, primary, "/v1/hold", struct{ Generation string }{s.o.Identity().Generation.ID}, &struct{}{})
}

// leaveGroup gives this system's vote back before it forgets everything: of
// two voters the other one could not save any more, not even that this one is
// no member now. The reset does not depend on it.
func (s *Service) leaveGroup(ctx context.Context) {
	primary := s.Agreed().Primary
	if primary == "" || primary == s.o.Node || s.o.Recovery == nil || !slices.Contains(s.o.Group.Servers().Voters, s.o.Node) {
		return
	}
	ctx, stop := context.WithTimeout(ctx, leaveTime)
	defer stop()
	tick := time.NewTicker(groupAgain)
	defer tick.Stop()
	for {
		err := s.giveVote(ctx, primary)
		if err == nil {
			engine.Staged(ctx, "vote", "given back", "to %s", s.addressOf(primary))
			return
		}
		if engine.CodeOf(err) != engine.Conflict {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
			}
		}
		s.o.Log.Warn("this system is reset without giving its vote back: if the others cannot save then, name a primary by force", "module", "cluster", "peer", s.addressOf(primary), "err", err)
		return
	}
}

// hold takes the vote from a member that is about to empty its copy of this
// generation. It answers when the vote is gone.
func (s *Service) hold(ctx context.Context, node, generation string) error {
	servers := s.o.Group.Servers()
	switch {
	case generation != s.o.Identity().Generation.ID || s.Agreed().Primary != s.o.Node:
		return engine.Errorf(engine.Conflict, "this system is not the primary of that generation")
	case !servers.LeaderHere:
		return engine.Errorf(engine.Unavailable, "the configuration primary does not lead the cluster database now").With("", "repeat this in some seconds")
	}
	s.mu.Lock()
	s.voteless[node] = time.Now().Add(heldTime)
	s.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, recoveryTime-time.Second)
	defer stop()
	tick := time.NewTicker(groupSoon)
	defer tick.Stop()
	for slices.Contains(s.o.Group.Servers().Voters, node) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return engine.Errorf(engine.Unavailable, "the vote of that peer could not be taken: too few voters answer")
		}
	}
	return nil
}

// isHeld reports whether a member has no vote for now.
func (s *Service) isHeld(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, held := s.voteless[node]
	if held && time.Now().After(until) {
		delete(s.voteless, node)
		return false
	}
	return held
}

// leaves reports whether a subordinate's next restart is a factory reset.
func (s *Service) leaves(node string) bool {
	if p := s.peerOf(node); p != nil && node != s.Agreed().Primary {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.facts.ResetArmed
	}
	return false
}
