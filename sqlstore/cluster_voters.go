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

// voterCount is how many of n peers vote: an even number tolerates no more
// losses than the odd one below it, and of two peers the primary alone can save
// while the other is down.
func voterCount(n int) int {
	switch {
	case n <= 2:
		return min(n, 1)
	case n%2 == 0:
		return n - 1
	default:
		return n
	}
}

// VotersFor tells which members should vote; members come in the order of
// preference, and the primary always votes.
//
// As long as the primary is reachable, only reachable members count: when all
// but one or two are lost the primary remains alone, so that a further loss
// does not stop saving. Without the primary the group keeps the size that its
// members ask for and prefers those that are reachable.
//
// Source: design 3.
func VotersFor(members []string, primary string, reachable func(node string) bool) []string {
	var near, far []string
	for _, m := range members {
		switch {
		case m == primary || slices.Contains(near, m) || slices.Contains(far, m):
		case reachable(m):
			near = append(near, m)
		default:
			far = append(far, m)
		}
	}
	if !slices.Contains(members, primary) {
		return nil
	}
	others, count := near, voterCount(1+len(near))
	if !reachable(primary) {
		others, count = append(near, far...), voterCount(1+len(near)+len(far))
	}
	return append([]string{primary}, others[:count-1]...)
}

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
	p := plan{self: c.o.Node, primary: primary, members: members, servers: servers, near: near, behind: c.behind(s)}
	p.want = VotersFor(p.byPreference(), primary, func(n string) bool { return near[n] })
	verb, node := p.next()
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

// plan decides the next step of a group.
type plan struct {
	self, primary string
	members       []string
	servers       []server
	near          map[string]bool
	behind        func(node string) bool
	want          []string
}

// byPreference orders the members: those that vote now first, so that a peer
// coming back does not make others change places.
func (p plan) byPreference() []string {
	ordered := slices.Sorted(slices.Values(p.members))
	slices.SortStableFunc(ordered, func(a, b string) int {
		return btoi(p.votes(b)) - btoi(p.votes(a))
	})
	return ordered
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p plan) votes(node string) bool {
	return slices.Contains(p.servers, server{node: node, voter: true})
}

func (p plan) listed(node string) bool {
	return slices.ContainsFunc(p.servers, func(s server) bool { return s.node == node })
}

// next is the step that is to be done: what loses a dead vote first, then what
// gains a living one, then what is surplus.
func (p plan) next() (verb, node string) {
	if len(p.want) == 0 {
		return "", "" // the primary is no member yet: nothing to aim for
	}
	for _, m := range p.members {
		if !p.listed(m) {
			return "add", m
		}
	}
	for _, s := range p.servers {
		if s.voter && !p.near[s.node] && p.surplus(s.node) {
			return "demote", s.node
		}
	}
	for _, n := range p.want {
		if !p.votes(n) && p.near[n] && !p.behind(n) {
			return "promote", n
		}
	}
	if p.self != p.primary && p.votes(p.primary) && p.near[p.primary] && !p.behind(p.primary) {
		return "lead", p.primary
	}
	for _, s := range p.servers {
		if s.voter && p.surplus(s.node) && p.replaced() {
			return "demote", s.node
		}
	}
	for _, s := range p.servers {
		if s.node != p.self && !slices.Contains(p.members, s.node) {
			return "remove", s.node
		}
	}
	return "", ""
}

// surplus reports whether node votes and should not; the leader steps down
// before it stops voting.
func (p plan) surplus(node string) bool {
	return node != p.self && !slices.Contains(p.want, node)
}

// replaced reports whether every reachable wanted voter votes: until then a
// surplus one is kept.
func (p plan) replaced() bool {
	return !slices.ContainsFunc(p.want, func(n string) bool { return p.near[n] && !p.votes(n) })
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
	if !slices.Contains(servers, server{node: node, voter: true}) {
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
