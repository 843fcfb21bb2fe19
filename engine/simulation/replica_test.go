package simulation_test

import (
	"maps"
	"slices"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// entry is one place of the log.
type entry struct {
	term uint64
	command
}

// directory is one generation of cluster.db on the disk of a machine.
//
// The log holds the entries after base; snapshot is the state at base. What is
// after synced is lost in a power cut; term and vote are synced at once.
type directory struct {
	generation engine.Generation
	term       uint64
	voted      string
	base       uint64
	baseTerm   uint64
	snapshot   *state
	settled    []engine.Server // the group at base
	log        []entry
	synced     uint64
	servers    []engine.Server // the newest in the log: Raft goes by it before it is committed
	state      *state
	applied    uint64
	founding   *engine.Founding
}

func newDirectory(g engine.Generation) *directory {
	return &directory{generation: g, snapshot: newState(), state: newState()}
}

// holds reports whether a node is a member by what is carried out here.
func (d *directory) holds(node string) bool {
	return slices.ContainsFunc(d.state.agreed.Members, func(m engine.Member) bool { return m.Node == node })
}

func (d *directory) last() uint64 { return d.base + uint64(len(d.log)) }

func (d *directory) at(i uint64) *entry { return &d.log[i-d.base-1] }

func (d *directory) termAt(i uint64) uint64 {
	switch {
	case i == d.base:
		return d.baseTerm
	case i < d.base || i > d.last():
		return 0
	}
	return d.at(i).term
}

func (d *directory) append(e ...entry) {
	d.log = append(d.log, e...)
	for _, x := range e {
		if x.verb == group {
			d.servers = x.command.servers
		}
	}
}

// truncate removes the entries from i on.
func (d *directory) truncate(i uint64) {
	d.log = slices.Clone(d.log[:i-d.base-1])
	d.synced = min(d.synced, i-1)
	d.regroup()
}

func (d *directory) regroup() {
	d.servers = d.settled
	for i := range d.log {
		if d.log[i].verb == group {
			d.servers = d.log[i].command.servers
		}
	}
}

func (d *directory) powerCut() {
	if d.synced < d.last() {
		d.truncate(d.synced + 1)
	}
}

// compact takes a snapshot of what is carried out and cuts the log.
func (d *directory) compact() bool {
	if d.applied <= d.base {
		return false
	}
	for i := d.base + 1; i <= d.applied; i++ {
		if d.at(i).verb == group {
			d.settled = d.at(i).command.servers
		}
	}
	d.baseTerm, d.log = d.termAt(d.applied), slices.Clone(d.log[d.applied-d.base:])
	d.base, d.snapshot = d.applied, d.state.clone()
	return true
}

// role is what a copy is in its group.
type role int

const (
	following role = iota
	leading
)

// waiter waits for an entry that it has put into the log.
type waiter struct {
	term uint64
	done chan outcome // buffered
}

// replica is an open copy of cluster.db in a running process. w.mu guards it.
type replica struct {
	p       *process
	w       *world
	dir     *directory
	role    role
	leader  string
	heard   time.Time
	patient time.Duration // until it asks for votes
	commit  uint64        // known here
	heardOf uint64        // the commit index that the leader told
	opened  uint64        // last index when it was opened
	caught  bool
	closed  bool
	acked   map[string]time.Time
	match   map[string]uint64
	told    map[string]uint64
	busy    map[string]bool
	waiting map[uint64]waiter
	applied map[string]uint64 // of followers, as they reported
	fallen  int               // times that it ceased to lead
}

func (w *world) openReplica(p *process, d *directory) *replica {
	r := &replica{p: p, w: w, dir: d, heard: time.Now(), commit: d.applied, opened: d.last(), waiting: map[uint64]waiter{}, applied: map[string]uint64{}}
	r.lead(nil)
	r.patient = w.patience()
	return r
}

// lead clears what a leader knows of its followers.
func (r *replica) lead(acked map[string]time.Time) {
	r.acked, r.match, r.told, r.busy = map[string]time.Time{}, map[string]uint64{}, map[string]uint64{}, map[string]bool{}
	maps.Copy(r.acked, acked)
}

func (r *replica) votes(node string) bool {
	return slices.Contains(r.dir.servers, engine.Server{Node: node, Voter: true})
}

// follow makes the copy a follower; who waits on it does not know the outcome.
func (r *replica) follow(term uint64, leader string) {
	if r.role == leading {
		r.fallen++
		r.w.seen("leader fell")
		for i, x := range r.waiting {
			x.done <- unknown
			delete(r.waiting, i)
		}
	}
	if term > r.dir.term {
		r.dir.term, r.dir.voted = term, ""
	}
	r.role, r.leader = following, leader
	r.show()
}

// close ends the copy with its process.
func (r *replica) close() {
	r.follow(r.dir.term, "")
	r.closed = true
}

// propose puts a command into the log of the leader. nil: it does not lead.
func (r *replica) propose(c command) chan outcome {
	if r.role != leading || r.closed {
		return nil
	}
	done := make(chan outcome, 1)
	if r.p.m.disk.trouble() != nil {
		r.follow(r.dir.term, "")
		r.heard = time.Now()
		r.w.changed()
		done <- unknown
		return done
	}
	r.w.calm = false
	r.dir.append(entry{r.dir.term, c})
	i, term := r.dir.last(), r.dir.term
	r.waiting[i] = waiter{term, done}
	r.w.later(r.p.m.disk.slow, func() {
		if r.closed || r.dir.term != term || r.dir.last() < i {
			return
		}
		r.dir.synced = max(r.dir.synced, i)
		r.advance()
	})
	r.pushAll()
	r.w.wake()
	return done
}

func (r *replica) pushAll() {
	for _, s := range r.dir.servers {
		if s.Node != r.p.node {
			r.push(s.Node)
		}
	}
}

func (r *replica) needs(node string) bool {
	return r.match[node] < r.dir.last() || r.told[node] < r.commit
}

// push sends a follower what it lacks, one message at a time.
func (r *replica) push(node string) {
	if r.role != leading || r.closed || r.busy[node] || !r.needs(node) {
		return
	}
	f := r.w.replicaOf(node)
	if !r.w.talk(r, f) {
		return
	}
	d, ok := r.w.trip(r.p.m, f.p.m)
	if !ok {
		return
	}
	r.busy[node] = true
	r.w.later(d, func() { r.deliver(node) })
}

func (r *replica) deliver(node string) {
	f := r.w.replicaOf(node)
	idle := func() { r.busy[node] = false }
	if r.role != leading || r.closed || !r.w.talk(r, f) {
		idle()
		return
	}
	if f.dir.term > r.dir.term {
		idle()
		r.follow(f.dir.term, "")
		return
	}
	if !f.accept(r) {
		idle()
		return
	}
	term, upto, told := r.dir.term, r.dir.last(), r.commit
	f.heardOf = told
	r.w.later(f.p.m.disk.slow, func() {
		if f.closed || f.dir.term != term || f.dir.last() < upto {
			idle()
			return
		}
		f.dir.synced = max(f.dir.synced, upto)
		f.learn(f.heardOf)
		d, ok := r.w.trip(f.p.m, r.p.m)
		if !ok {
			idle()
			return
		}
		r.w.later(d, func() {
			idle()
			if r.role != leading || r.closed || r.dir.term != term {
				return
			}
			r.match[node], r.told[node], r.acked[node] = max(r.match[node], upto), told, time.Now()
			r.advance()
			r.push(node)
		})
	})
}

// accept makes the log of a follower the leader's; false when its disk does not
// take it.
func (f *replica) accept(r *replica) bool {
	if f.role == leading || f.dir.term < r.dir.term || f.leader != r.p.node {
		f.follow(r.dir.term, r.p.node)
	}
	f.heard = time.Now()
	if f.dir.generation.ID != r.dir.generation.ID {
		f.w.fail("I5", "fence: %s, which is of %s, follows %s, which is of %s", f.p.m.name, name(f.dir.generation), r.p.m.name, name(r.dir.generation))
	}
	if f.p.m.disk.trouble() != nil {
		return false
	}
	common := min(f.dir.last(), r.dir.last())
	for common > 0 && common >= f.dir.base && common >= r.dir.base && f.dir.termAt(common) != r.dir.termAt(common) {
		common--
	}
	conflict := common < f.dir.last() && common < r.dir.last() || common < f.dir.base
	switch {
	case (conflict || common < r.dir.base) && max(common, r.dir.base) < f.dir.applied:
		f.w.fail("I1", "%s had carried out %d entries of %s; the log of its leader %s is another one from %d on",
			f.p.m.name, f.dir.applied, name(f.dir.generation), r.p.m.name, common+1)
		f.install(r)
	case common < r.dir.base:
		f.install(r)
	case conflict:
		f.dir.truncate(common + 1)
		f.w.seen("log truncated")
	}
	for i := f.dir.last() + 1; i <= r.dir.last(); i++ {
		f.dir.append(*r.dir.at(i))
	}
	return true
}

// install replaces the copy by the leader's snapshot.
func (f *replica) install(r *replica) {
	f.w.seen("snapshot installed")
	if f.dir.applied == 0 {
		f.w.seen("joined from empty disk")
	}
	f.dir.base, f.dir.baseTerm, f.dir.settled = r.dir.base, r.dir.baseTerm, r.dir.settled
	f.dir.snapshot, f.dir.state = r.dir.snapshot, r.dir.snapshot.clone()
	f.dir.log, f.dir.applied, f.dir.synced, f.commit = nil, r.dir.base, r.dir.base, r.dir.base
	f.dir.regroup()
	f.w.sights()
	f.show()
	f.p.notice()
}

// advance commits what most voters have on disk, of this term.
func (r *replica) advance() {
	if r.role != leading {
		return
	}
	var have []uint64
	for _, s := range r.dir.servers {
		switch {
		case !s.Voter:
		case s.Node == r.p.node:
			have = append(have, r.dir.synced)
		default:
			have = append(have, r.match[s.Node])
		}
	}
	if len(have) == 0 {
		return
	}
	slices.Sort(have)
	n := have[(len(have)-1)/2]
	if n > r.commit && r.dir.termAt(n) == r.dir.term {
		r.learn(n)
		if !slices.ContainsFunc(r.dir.servers, func(s engine.Server) bool { return s.Node == r.p.node }) {
			r.follow(r.dir.term, "") // it was taken out of the group
			return
		}
		r.pushAll()
	}
}

// learn carries out what is committed and on this disk.
func (r *replica) learn(commit uint64) {
	r.commit = max(r.commit, min(commit, r.dir.synced))
	moved := false
	for r.dir.applied < r.commit {
		i := r.dir.applied + 1
		e := r.dir.at(i)
		out := r.dir.state.apply(e.command)
		r.dir.applied, moved = i, true
		r.w.compare(r, i)
		if e.verb == join || e.verb == rename || e.verb == leave || e.verb == refound {
			r.w.sights()
		}
		if x, ok := r.waiting[i]; ok {
			if x.term != e.term {
				out = unknown
			}
			x.done <- out
			delete(r.waiting, i)
		}
	}
	if r.leader != "" && r.dir.applied >= r.opened {
		r.caught = true
	}
	if moved {
		r.show()
		r.p.notice()
	}
}

// show makes the view of the group that the process hands out.
func (r *replica) show() {
	s := &cluster.Servers{Leader: r.leader, LeaderHere: r.role == leading, Applied: r.dir.applied, State: "Active"}
	for _, x := range r.dir.servers {
		if x.Voter {
			s.Voters = append(s.Voters, x.Node)
		} else {
			s.Nonvoters = append(s.Nonvoters, x.Node)
		}
	}
	switch {
	case s.LeaderHere:
	case s.Leader == "":
		s.State = "Inactive"
	case s.Applied == 0:
		s.State = "Synchronizing"
	}
	r.p.servers.Store(s)
}
