package simulation_test

import (
	"hash/fnv"
	"maps"
	"slices"

	"hexad/engine"
)

// verb is what a command does.
type verb string

const (
	noop    verb = "noop"    // of a new leader
	group   verb = "group"   // the Raft group itself changes
	found   verb = "found"   // the first entry of a generation
	save    verb = "save"    // a configuration save, with its guard
	primary verb = "primary" // another primary, compared and set
	join    verb = "join"    // the row of a member
	rename  verb = "rename"  // a member has another address
	leave   verb = "leave"
	publish verb = "publish" // the alarms of a node
	refound verb = "refound" // the first entry of a generation founded on another
)

// command is one replicated change. Op makes sending it again harmless.
type command struct {
	op         uint64
	verb       verb
	node       string // who made it, or whom it is about
	base       int64
	generation string
	path       string
	value      string
	from       string
	member     engine.Member
	alarms     []engine.RaisedAlarm
	servers    []engine.Server
	agreed     engine.Agreed // of verb found
	restored   *state        // of verb refound
}

// outcome is what became of a command.
type outcome string

const (
	applied   outcome = "applied"
	before    outcome = "done before"
	refused   outcome = "refused"
	notLeader outcome = "not leader" // nothing was tried
	unknown   outcome = "unknown"    // it may be done, now or later
)

// state is one copy of cluster.db.
type state struct {
	agreed engine.Agreed
	items  map[string]string
	ops    map[uint64]int64 // operation to the revision that it led to
	alarms map[string][]engine.RaisedAlarm
	digest uint64
	// history holds, for each revision from 1 on, a digest of the changes up to it.
	history []uint64
}

func newState() *state {
	return &state{items: map[string]string{}, ops: map[uint64]int64{}, alarms: map[string][]engine.RaisedAlarm{}}
}

func (s *state) clone() *state {
	return &state{agreed: s.agreed, items: maps.Clone(s.items), ops: maps.Clone(s.ops), alarms: maps.Clone(s.alarms), digest: s.digest, history: slices.Clone(s.history)}
}

// apply carries out one command. It is a function of state and command alone.
func (s *state) apply(c command) outcome {
	if c.verb == noop || c.verb == group {
		return applied
	}
	if _, done := s.ops[c.op]; done {
		return before
	}
	out := s.change(c)
	if out == applied {
		s.ops[c.op] = s.agreed.Revision
	}
	h := fnv.New64a()
	var b [24]byte
	for i := range 8 {
		b[i], b[8+i], b[16+i] = byte(s.digest>>(8*i)), byte(c.op>>(8*i)), byte(uint64(s.agreed.Revision)>>(8*i))
	}
	h.Write(b[:])
	h.Write([]byte(c.path + "\x00" + c.value + "\x00" + string(out)))
	s.digest = h.Sum64()
	return out
}

// remember adds a revision to the history.
func (s *state) remember(c command) {
	last := uint64(0)
	if n := len(s.history); n > 0 {
		last = s.history[n-1]
	}
	s.history = append(s.history, last*1_000_003^c.op)
}

func (s *state) change(c command) outcome {
	at := func(node string) int {
		return slices.IndexFunc(s.agreed.Members, func(m engine.Member) bool { return m.Node == node })
	}
	switch c.verb {
	case refound:
		*s = *c.restored.clone()
	case found:
		s.agreed = c.agreed
		s.remember(c)
		maps.Copy(s.items, map[string]string{"ClusterConfiguration TLSVerify": "Permissive", "H323 Mode": "On"})
	case save:
		if guarded && (s.agreed.Revision != c.base || s.agreed.Primary != c.node || s.agreed.Generation.ID != c.generation) {
			return refused
		}
		s.agreed.Revision++
		s.items[c.path] = c.value
		s.remember(c)
	case primary:
		if s.agreed.Primary != c.from && s.agreed.Primary != c.node || at(c.node) < 0 {
			return refused
		}
		s.agreed.Primary = c.node
	case join:
		members := slices.Clone(s.agreed.Members)
		if i := at(c.member.Node); i >= 0 {
			members[i] = c.member
		} else {
			members = append(members, c.member)
		}
		s.agreed.Members = members
	case rename:
		s.agreed.Members = slices.Clone(s.agreed.Members)
		if i := at(c.node); i >= 0 {
			s.agreed.Members[i].Address = c.value
		}
	case leave:
		if s.agreed.Primary == c.node {
			return refused
		}
		s.agreed.Members = slices.DeleteFunc(slices.Clone(s.agreed.Members), func(m engine.Member) bool { return m.Node == c.node })
		delete(s.alarms, c.node)
	case publish:
		s.alarms[c.node] = c.alarms
	}
	return applied
}
