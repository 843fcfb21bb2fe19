package engine

import "slices"

// Server is one peer in the Raft group's own list.
type Server struct {
	Node  string
	Voter bool
}

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

// GroupPlan is what the next step of a Raft group is decided by, on its leader.
//
// Self is the leader, Servers the group's present list, Near the members that
// are counted on, the leader among them: one that restarts is, one that is
// about to leave is not. Answers reports a follower that can be reached at this
// moment, Behind one that is known to be too far behind to vote.
type GroupPlan struct {
	Self, Primary string
	Members       []string
	Servers       []Server
	Near          map[string]bool
	Answers       func(node string) bool
	Behind        func(node string) bool
}

// byPreference orders the members: those that vote now first, so that a peer
// coming back does not make others change places.
func (p GroupPlan) byPreference() []string {
	ordered := slices.Sorted(slices.Values(p.Members))
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

func (p GroupPlan) votes(node string) bool {
	return slices.Contains(p.Servers, Server{node, true})
}

func (p GroupPlan) listed(node string) bool {
	return slices.ContainsFunc(p.Servers, func(s Server) bool { return s.Node == node })
}

// Next is the step that is to be done, one of add, remove, promote, demote and
// lead, with the node that it is about; "" when there is nothing to do. What
// loses a dead vote comes first, then what gains a living one, then what is
// surplus.
func (p GroupPlan) Next() (verb, node string) {
	want := VotersFor(p.byPreference(), p.Primary, func(n string) bool { return p.Near[n] })
	if len(want) == 0 {
		return "", "" // the primary is no member yet: nothing to aim for
	}
	for _, m := range p.Members {
		if !p.listed(m) {
			return "add", m
		}
	}
	for _, s := range p.Servers {
		if s.Voter && !p.Near[s.Node] && p.surplus(want, s.Node) && p.decides(s.Node) {
			return "demote", s.Node
		}
	}
	for _, n := range want {
		if !p.votes(n) && p.Near[n] && !p.Behind(n) {
			return "promote", n
		}
	}
	// Near forgives a silence that Raft does not: nothing is written while it waits for the other.
	if p.Self != p.Primary && p.votes(p.Primary) && p.Near[p.Primary] && p.Answers(p.Primary) && !p.Behind(p.Primary) {
		return "lead", p.Primary
	}
	for _, s := range p.Servers {
		if s.Voter && p.surplus(want, s.Node) && p.replaced(want) && p.decides(s.Node) {
			return "demote", s.Node
		}
	}
	for _, s := range p.Servers {
		if s.Node != p.Self && !slices.Contains(p.Members, s.Node) && (!s.Voter || p.decides(s.Node)) {
			return "remove", s.Node
		}
	}
	return "", ""
}

// surplus reports whether node votes and should not; the leader steps down
// before it stops voting.
func (p GroupPlan) surplus(want []string, node string) bool {
	return node != p.Self && !slices.Contains(want, node)
}

// decides reports whether the voters that are left without node can agree at
// this moment: they confirm that it has no vote any more. Where they cannot, a
// silent one has to lose its vote before one that answers.
func (p GroupPlan) decides(node string) bool {
	left, here := 0, 0
	for _, s := range p.Servers {
		if s.Voter && s.Node != node {
			left++
			here += btoi(s.Node == p.Self || p.Answers(s.Node))
		}
	}
	return here > left/2
}

// replaced reports whether every reachable wanted voter votes: until then a
// surplus one is kept.
func (p GroupPlan) replaced(want []string) bool {
	return !slices.ContainsFunc(want, func(n string) bool { return p.Near[n] && !p.votes(n) })
}
