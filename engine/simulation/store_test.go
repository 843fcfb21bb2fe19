package simulation_test

import (
	"context"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// What sqlstore gives a write. Source: sqlstore/cluster.go.
const (
	writeTime     = 5 * time.Second
	followerGrace = time.Second
	groupTime     = 5 * time.Second
)

var errGone = errors.New("the process is gone")

// store is cluster.db as one process uses it: sqlstore's promises over the
// model. What it shows is the copy of this machine.
type store struct{ p *process }

func (s store) Agreed(context.Context) (engine.Agreed, error) {
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	r := s.p.replica
	if r == nil {
		return engine.Agreed{}, &engine.Error{Code: engine.Unavailable, Message: "the cluster database is not open"}
	}
	agreed := r.dir.state.agreed
	if agreed.Cluster == "" {
		id := s.p.m.disk.identity
		return engine.Agreed{Cluster: id.Cluster, Generation: id.Generation, Members: s.p.m.disk.members}, nil
	}
	if !r.caught && len(s.p.m.disk.members) > 0 {
		agreed.Members = s.p.m.disk.members
	}
	return agreed, nil
}

// result is an outcome with the index up to which this copy then has it.
type result struct {
	outcome outcome
	index   uint64
	inVain  bool // this copy did not get it in time
}

// apply brings a command about as sqlstore does: here when this copy leads,
// else through the leader, again and again under one operation id.
func (s store) apply(ctx context.Context, c command) (result, error) {
	p, w := s.p, s.p.w
	if c.op == 0 {
		c.op = w.operation(c)
	}
	ctx, stop := context.WithTimeout(ctx, writeTime)
	defer stop()
	doubtful, wait := false, 20*time.Millisecond
	for {
		if !p.gate() {
			return result{outcome: unknown}, errGone
		}
		out := s.attempt(ctx, c)
		switch out.outcome {
		case applied, before, refused:
			if reads {
				out.inVain = !p.await(ctx, out.index)
			}
			return out, nil
		case unknown:
			doubtful = true
		}
		if !pause(ctx, wait) || p.ctx.Err() != nil {
			message := "the change was not written: the cluster database has no leader that can be reached"
			if doubtful {
				message = "it is not known whether the change was written"
			}
			return result{outcome: map[bool]outcome{true: unknown, false: notLeader}[doubtful]}, &engine.Error{Code: engine.Unavailable, Message: message}
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

func (s store) attempt(ctx context.Context, c command) result {
	p, w := s.p, s.p.w
	servers := p.servers.Load()
	if !servers.LeaderHere {
		if servers.Leader == "" {
			return result{outcome: notLeader}
		}
		var op [8]byte
		binary.BigEndian.PutUint64(op[:], c.op)
		reply, err := p.cluster.Forward(ctx, servers.Leader, op[:])
		if err != nil {
			return result{outcome: unknown}
		}
		return result{outcome: outcome(reply[8:]), index: binary.BigEndian.Uint64(reply)}
	}
	w.mu.Lock()
	var done chan outcome
	if r := p.replica; r != nil {
		done = r.propose(c)
	}
	w.mu.Unlock()
	if done == nil {
		return result{outcome: notLeader}
	}
	select {
	case out := <-done:
		w.mu.Lock()
		defer w.mu.Unlock()
		return result{outcome: out, index: p.replica.dir.applied}
	case <-ctx.Done():
		return result{outcome: unknown}
	}
}

// ApplyForwarded is the other end of Forward: a command travels as its
// operation id, since encoding is not what is looked at here.
func (s store) ApplyForwarded(ctx context.Context, batch []byte) ([]byte, error) {
	if !s.p.gate() {
		return nil, errGone
	}
	c, ok := s.p.w.commandOf(binary.BigEndian.Uint64(batch))
	if !ok {
		return nil, engine.Errorf(engine.Invalid, "no such operation")
	}
	out := result{outcome: notLeader}
	if s.p.servers.Load().LeaderHere {
		out = s.attempt(ctx, c)
	}
	if !s.p.gate() {
		return nil, errGone
	}
	return append(binary.BigEndian.AppendUint64(nil, out.index), out.outcome...), nil
}

// await waits until this copy has what the leader had, as a read after a write does.
func (p *process) await(ctx context.Context, index uint64) bool {
	for p.servers.Load().Applied < index && pause(ctx, 20*time.Millisecond) && p.ctx.Err() == nil {
	}
	return p.servers.Load().Applied >= index
}

func (s store) SetPrimary(ctx context.Context, from, to string) error {
	out, err := s.apply(ctx, command{verb: primary, node: to, from: from})
	if err == nil && out.outcome == refused {
		return engine.Errorf(engine.Conflict, "the primary is another one meanwhile")
	}
	return err
}

func (s store) PutMember(ctx context.Context, m engine.Member) error {
	_, err := s.apply(ctx, command{verb: join, node: m.Node, member: m})
	return err
}

func (s store) RenameMember(ctx context.Context, node, address string) error {
	_, err := s.apply(ctx, command{verb: rename, node: node, value: address})
	return err
}

func (s store) RemoveMember(ctx context.Context, node string) error {
	out, err := s.apply(ctx, command{verb: leave, node: node})
	if err == nil && out.outcome == refused {
		return engine.Errorf(engine.Conflict, "the primary cannot be removed")
	}
	return err
}

func (s store) PublishAlarms(ctx context.Context, node string, own []engine.RaisedAlarm) error {
	if s.p.servers.Load().Leader == "" {
		return engine.Errorf(engine.Unavailable, "no leader") // what the retries of apply would find out
	}
	s.p.w.mu.Lock()
	same := s.p.published && s.p.replica != nil && reflect.DeepEqual(s.p.replica.dir.state.alarms[node], own)
	s.p.w.mu.Unlock()
	if same {
		return nil
	}
	_, err := s.apply(ctx, command{verb: publish, node: node, alarms: own})
	s.p.published = err == nil
	return err
}

func (s store) PublishedAlarms(context.Context) ([]engine.RaisedAlarm, error) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	var out []engine.RaisedAlarm
	if s.p.replica != nil {
		for _, list := range s.p.replica.dir.state.alarms {
			out = append(out, list...)
		}
	}
	return out, nil
}

// saved is the answer to a configuration save.
type saved struct {
	op, index  uint64
	base       int64
	revision   int64
	generation string
	replicated bool
	inVain     bool
}

// save is one configuration save with its guard, as sqlstore's SaveConfiguration.
func (s store) save(ctx context.Context, path, value string, base int64, generation string) (saved, outcome, error) {
	c := command{verb: save, node: s.p.node, base: base, generation: generation, path: path, value: value}
	c.op = s.p.w.operation(c)
	out := saved{op: c.op, base: base, generation: generation}
	r, err := s.apply(ctx, c)
	if err != nil {
		return out, r.outcome, err
	}
	if r.outcome == refused {
		return out, refused, engine.Errorf(engine.Conflict, "the configuration changed since revision %d", base)
	}
	out.index, out.inVain = r.index, r.inVain
	out.revision, out.replicated = base+1, s.replicated(ctx, r.index)
	return out, applied, nil
}

// replicated tells whether a save is on more than one machine: with a sole
// voter it waits a moment for a follower.
func (s store) replicated(ctx context.Context, index uint64) bool {
	servers := s.p.servers.Load()
	if len(servers.Voters) != 1 || servers.Voters[0] != s.p.node {
		return len(servers.Voters) > 0
	}
	if len(servers.Nonvoters) == 0 {
		return false
	}
	until := time.Now().Add(followerGrace)
	for time.Now().Before(until) && s.p.ctx.Err() == nil {
		if s.p.reported(index) {
			return true
		}
		if !pause(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return s.p.reported(index)
}

func (p *process) reported(index uint64) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.replica == nil {
		return false
	}
	for _, at := range p.replica.applied {
		if at >= index {
			return true
		}
	}
	return false
}

func (s store) Servers() cluster.Servers { return *s.p.servers.Load() }

func (s store) FollowerApplied(node string, index uint64) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	if r := s.p.replica; r != nil {
		r.applied[node] = max(r.applied[node], index)
	}
}

func (s store) AddNonvoter(ctx context.Context, node string) error {
	return s.regroup(ctx, "add", node)
}

func (s store) RemoveServer(ctx context.Context, node string) error {
	return s.regroup(ctx, "remove", node)
}

// Reconcile does the step that engine decides, as sqlstore does.
func (s store) Reconcile(ctx context.Context, members []string, primary string, reachable func(string) bool) (string, error) {
	servers := s.p.servers.Load()
	if !servers.LeaderHere || !s.p.gate() {
		return "", nil
	}
	near := map[string]bool{s.p.node: true}
	for _, m := range members {
		near[m] = near[m] || reachable(m)
	}
	s.p.w.mu.Lock()
	list := slices.Clone(s.p.replica.dir.servers)
	answers := map[string]bool{}
	for _, server := range list {
		answers[server.Node] = s.p.w.talk(s.p.replica, s.p.w.replicaOf(server.Node))
	}
	s.p.w.mu.Unlock()
	plan := engine.GroupPlan{Self: s.p.node, Primary: primary, Members: members, Servers: list, Near: near,
		Answers: func(node string) bool { return answers[node] }, Behind: func(string) bool { return false }}
	verb, node := plan.Next()
	if verb == "" {
		return "", nil
	}
	return verb + " " + node, s.regroup(ctx, verb, node)
}

// regroup changes one server of the group, as the leader.
func (s store) regroup(ctx context.Context, verb, node string) error {
	w := s.p.w
	w.mu.Lock()
	r := s.p.replica
	if r == nil || r.role != leading || s.p.dead {
		w.mu.Unlock()
		return engine.Errorf(engine.Unavailable, "the Raft group is changed by its leader only")
	}
	if verb == "lead" {
		defer w.mu.Unlock()
		f := w.replicaOf(node)
		if !w.talk(r, f) || r.match[node] < r.dir.last() {
			return engine.Errorf(engine.Unavailable, "leadership was not taken over")
		}
		f.campaign(time.Now(), true)
		w.changed()
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(r.dir.servers), func(x engine.Server) bool { return x.Node == node })
	known := len(list) < len(r.dir.servers)
	switch {
	case verb == "add" && known, verb == "remove" && !known:
		w.mu.Unlock()
		return nil
	case verb != "remove":
		list = append(list, engine.Server{Node: node, Voter: verb == "promote"})
		slices.SortFunc(list, func(a, b engine.Server) int { return slices.Compare([]byte(a.Node), []byte(b.Node)) })
	}
	if !slices.ContainsFunc(list, func(x engine.Server) bool { return x.Voter }) {
		w.mu.Unlock()
		return engine.Errorf(engine.Conflict, "the last voter keeps its vote")
	}
	// Raft changes one server at a time, and only once it has committed in its own term.
	for i := r.commit + 1; i <= r.dir.last(); i++ {
		if r.dir.at(i).verb == group || r.dir.at(i).verb == noop {
			w.mu.Unlock()
			return engine.Errorf(engine.Unavailable, "another change of the group is under way")
		}
	}
	done := r.propose(command{verb: group, servers: list})
	w.changed()
	w.seen("group " + verb)
	w.mu.Unlock()
	select {
	case out := <-done:
		if out == applied {
			return nil
		}
	case <-ctx.Done():
	case <-time.After(groupTime):
	}
	return engine.Errorf(engine.Unavailable, "could not %s node %s in the Raft group", verb, node)
}
