package cluster

import (
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// introduction is what a member says of who the members are.
type introduction struct {
	Cluster    string          `json:"cluster"`
	Generation string          `json:"generation"`
	Members    []engine.Member `json:"members"`
}

// askAgain is how long after one question the next is put at the earliest.
const askAgain = 2 * time.Second

// askMembers asks a member who the members are now, when nobody leads this
// system's copy and that member is further. The leader may have joined while this
// system was away: it would be refused here as a stranger, and the log that says who
// it is could never come. A member may say so, for any member may write to that log.
func (s *Service) askMembers(ctx context.Context, p *peer, applied uint64) {
	servers, now := s.o.Group.Servers(), time.Now()
	if servers.Leader != "" || applied <= servers.Applied {
		return
	}
	s.mu.Lock()
	early := now.Sub(s.introduced) < askAgain
	if !early {
		s.introduced = now
	}
	s.mu.Unlock()
	if early {
		return
	}
	ctx, stop := context.WithTimeout(ctx, s.o.Timeout)
	defer stop()
	var in introduction
	if err := s.call(ctx, p.member(), "/v1/members", struct{}{}, &in, nil); err != nil {
		s.o.Log.Debug("members not asked for", "module", "cluster", "peer", p.address, "err", err)
		return
	}
	s.mu.Lock()
	former := s.agreed.Members
	if in.Cluster != s.agreed.Cluster || in.Generation != s.agreed.Generation.ID || len(in.Members) > engine.MaxPeers ||
		!isMember(in.Members, s.o.Node) || slices.Equal(former, in.Members) {
		s.mu.Unlock()
		return
	}
	s.agreed.Members = in.Members
	s.mu.Unlock()
	s.o.Log.Info("members as another one knows them, until this copy follows the group", "module", "cluster", "peer", p.address, "members", len(in.Members))
	s.followMembers(ctx, in.Cluster, former, in.Members)
	signal(s.kick)
	s.notify()
}
