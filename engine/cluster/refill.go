package cluster

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// Refill is a copy that was lost and has to be filled anew by the group.
type Refill interface {
	// Lost reports whether the copy is empty and takes no part in the group yet.
	Lost() bool
	// Readmitted lets it take part.
	Readmitted() error
}

// readmitEvery is how often a peer that lost its copy asks to be taken in again.
const readmitEvery = time.Second

// askReadmission asks the members to take this peer out of the group and in
// again while its copy is lost: the leader among them does it.
//
// A voter that lost its log could confirm what contradicts what it confirmed
// before. So nothing of Raft reaches it until its vote is gone for good.
func (s *Service) askReadmission(ctx context.Context) {
	if s.o.Refill == nil {
		return
	}
	tick := time.NewTicker(readmitEvery)
	defer tick.Stop()
	for {
		if s.o.Refill.Lost() {
			s.readmission(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) readmission(ctx context.Context) {
	for _, m := range s.Targets() {
		if m.Node == "" || m.Node == s.o.Node || !s.reachable(m.Node) {
			continue
		}
		in := struct{ Generation string }{s.o.Identity().Generation.ID}
		if err := s.call(ctx, m.Node, "/v1/readmit", in, nil, nil); err != nil {
			s.o.Log.Debug("not taken in again", "module", "cluster", "peer", m.Address, "err", err)
			continue
		}
		err := s.o.Refill.Readmitted()
		s.o.Log.Warn("this system's copy of the cluster database is filled again", "module", "cluster", "peer", m.Address, "err", err)
		return
	}
}

// readmit takes a member that lost its copy out of the group, and in again
// without a vote; the reconciler gives it one later. It answers when both are
// confirmed by the voters that remain.
//
// Errors: Conflict for another generation and for who is no member;
// Unavailable where this peer does not lead, or the group cannot commit.
func (s *Service) readmit(ctx context.Context, node, generation string) error {
	known := slices.ContainsFunc(s.Agreed().Members, func(m engine.Member) bool { return m.Node == node })
	switch {
	case generation != s.o.Identity().Generation.ID:
		return engine.Errorf(engine.Conflict, "this system is of another generation")
	case !known:
		return engine.Errorf(engine.Conflict, "node %.8s is no member", node)
	case !s.o.Group.Servers().LeaderHere:
		return engine.Errorf(engine.Unavailable, "this system does not lead the cluster database")
	}
	s.mu.Lock()
	s.voteless[node] = time.Now().Add(heldTime)
	s.mu.Unlock()
	if err := s.o.Group.RemoveServer(ctx, node); err != nil {
		return err
	}
	if err := s.o.Group.AddNonvoter(ctx, node); err != nil {
		return err
	}
	s.o.Log.Warn("a peer lost its copy of the cluster database and was taken in again", "module", "cluster", "node", node)
	return nil
}
