package sqlstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"hexad/engine"
)

// groupTime bounds one change of the Raft group; promoteLag is how many entries
// a follower may be behind when it becomes a voter.
const (
	groupTime  = 5 * time.Second
	promoteLag = 1024
)

// Reconcile moves one server one step towards the group that members should
// form, and leadership to the primary. It does something on the Raft leader
// only, and says what it has done; "" when there was nothing to do.
//
// reachable is asked once for each member and should answer with some
// hysteresis: half a minute of silence, not one lost packet.
func (c *Cluster) Reconcile(ctx context.Context, members []string, primary string, reachable func(node string) bool) (string, error) {
	s, err := c.current()
	if err != nil || !s.store.IsLeader() {
		return "", err
	}
	servers, err := s.servers()
	if err != nil {
		return "", err
	}
	near := map[string]bool{c.o.Node: true}
	for _, m := range members {
		near[m] = near[m] || reachable(m)
	}
	plan := engine.GroupPlan{Self: c.o.Node, Primary: primary, Members: members, Servers: servers, Near: near, Answers: s.replications.answers, Behind: c.behind(s)}
	verb, node := plan.Next()
	switch verb {
	case "":
		return "", nil
	case "add":
		err = c.AddNonvoter(ctx, node)
	case "remove":
		err = c.RemoveServer(ctx, node)
	case "promote":
		err = c.Promote(ctx, node)
	case "demote":
		err = c.Demote(ctx, node)
	case "lead":
		err = c.TransferLeadership(ctx, node)
	}
	if err != nil {
		return "", err
	}
	return verb + " " + node, nil
}

// behind tells whether a follower is known to be too far behind to vote.
func (c *Cluster) behind(s *raftStore) func(node string) bool {
	return func(node string) bool {
		at := c.followers.of(node)
		return at != 0 && at+promoteLag < s.store.DBAppliedIndex()
	}
}

// AddNonvoter adds a peer to the group; it gets a copy and does not vote. One
// that is in the group already stays as it is.
//
// Errors of this and the following: Unavailable when this peer does not lead or
// the group cannot commit; Conflict when the group may not be changed so.
func (c *Cluster) AddNonvoter(ctx context.Context, node string) error {
	return c.regroup(ctx, "add", node, func(r *raft.Raft) error {
		return r.AddNonvoter(raft.ServerID(node), raft.ServerAddress(node), 0, groupTime).Error()
	})
}

// Promote lets a peer of the group vote.
func (c *Cluster) Promote(ctx context.Context, node string) error {
	return c.regroup(ctx, "promote", node, func(r *raft.Raft) error {
		return r.AddVoter(raft.ServerID(node), raft.ServerAddress(node), 0, groupTime).Error()
	})
}

// Demote takes the vote from a peer; it keeps its copy. The last voter keeps its vote.
func (c *Cluster) Demote(ctx context.Context, node string) error {
	return c.regroup(ctx, "demote", node, func(r *raft.Raft) error {
		return r.DemoteVoter(raft.ServerID(node), 0, groupTime).Error()
	})
}

// RemoveServer takes a peer out of the group. The peer is not told: it goes on
// reading its copy until the fence refuses it.
func (c *Cluster) RemoveServer(ctx context.Context, node string) error {
	return c.regroup(ctx, "remove", node, func(r *raft.Raft) error {
		return r.RemoveServer(raft.ServerID(node), 0, groupTime).Error()
	})
}

// TransferLeadership makes another voter the leader. Raft would take a
// nonvoter too, and nobody would lead for a while.
func (c *Cluster) TransferLeadership(ctx context.Context, node string) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	servers, err := s.servers()
	if err != nil {
		return err
	}
	if !slices.Contains(servers, engine.Server{Node: node, Voter: true}) {
		return engine.Errorf(engine.Conflict, "node %s does not vote and cannot lead", node)
	}
	if _, leader := s.raft.LeaderWithID(); string(leader) == node {
		return nil
	}
	return c.regroup(ctx, "move leadership to", node, func(*raft.Raft) error { return s.store.Stepdown(true, node) })
}

// regroup does one change of the group on the leader.
func (c *Cluster) regroup(ctx context.Context, verb, node string, do func(*raft.Raft) error) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	if !s.store.IsLeader() {
		_, leader := s.raft.LeaderWithID()
		return engine.Errorf(engine.Unavailable, "the Raft group is changed by its leader only (%s)", leader)
	}
	done := make(chan error, 1)
	go func() { done <- do(s.raft) }() // ends at the latest when the lease does
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return nil
	case failure(err) == notLeader, errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrRaftShutdown), ctx.Err() != nil:
		return &engine.Error{Code: engine.Unavailable, Message: "could not " + verb + " node " + node + " in the Raft group", Err: err}
	default:
		return &engine.Error{Code: engine.Conflict, Message: "could not " + verb + " node " + node + " in the Raft group: " + err.Error(), Err: err}
	}
}
