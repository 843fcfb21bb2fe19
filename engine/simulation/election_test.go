package simulation_test

import (
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// The times of a group: those of sqlstore, with heartbeats that are looked at
// and not sent.
const (
	look  = 250 * time.Millisecond
	lease = time.Second
)

// patience is how long a voter hears no leader before it asks for votes.
func (w *world) patience() time.Duration {
	return lease + 250*time.Millisecond + time.Duration(w.dice.Int64N(int64(lease)))
}

// talk reports whether messages pass both ways between two copies now.
func (w *world) talk(a, b *replica) bool {
	if a == nil || b == nil || a.closed || b.closed || a == b || a.p.standing() != nil || b.p.standing() != nil {
		return false
	}
	return w.passes(a.p.m, b.p.m) && w.passes(b.p.m, a.p.m) && w.allowed(a.p, b.p)
}

// allowed is what the fence says, kept until something changes.
func (w *world) allowed(a, b *process) bool {
	v := &w.verdicts[a.m.i][b.m.i]
	if v.epoch != w.epoch {
		_, err := w.meet(a, b, link.PurposeRaft)
		*v = fenceVerdict{w.epoch, err == nil}
	}
	return v.let
}

type fenceVerdict struct {
	epoch int
	let   bool
}

// changed says that something below the groups is not as it was: from now on
// they are looked at until they are calm. w.mu is held.
func (w *world) changed() {
	w.epoch++
	w.sights()
	if !w.calm {
		return
	}
	w.calm = false
	now := time.Now()
	for _, r := range w.replicas() { // so far everybody heard everybody
		r.heard = now
		for node := range r.acked {
			r.acked[node] = now
		}
	}
	w.wake()
}

func (w *world) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// follow looks at the groups until the run is over.
func (w *world) followGroups() {
	for {
		w.mu.Lock()
		calm, over := w.calm, w.over
		if !calm && !over {
			w.calm = w.lookAtGroups()
		}
		w.mu.Unlock()
		switch {
		case over:
			return
		case calm:
			<-w.woken
		default:
			time.Sleep(look)
		}
	}
}

func (w *world) replicas() []*replica {
	var out []*replica
	for _, m := range w.machines {
		if m.proc != nil && m.proc.replica != nil && !m.proc.replica.closed {
			out = append(out, m.proc.replica)
		}
	}
	return out
}

func (w *world) replicaOf(node string) *replica {
	for _, m := range w.machines {
		if m.proc != nil && m.proc.node == node {
			return m.proc.replica
		}
	}
	return nil
}

// lookAtGroups is one moment of all groups: heartbeats, leases, elections. It
// reports whether nothing will happen until something changes.
func (w *world) lookAtGroups() (calm bool) {
	now, calm := time.Now(), true
	for _, r := range w.replicas() {
		if r.p.standing() == nil && r.role == leading {
			calm = r.keepLead(now) && calm
		}
	}
	for _, r := range w.replicas() {
		if r.p.standing() != nil || r.role == leading || r.closed {
			continue
		}
		if r.leader != "" && r.heard.Equal(now) {
			continue
		}
		waits := now.Sub(r.heard) < r.patient
		if waits || r.votes(r.p.node) { // without a vote it waits to be found
			calm = false
		}
		if waits {
			continue
		}
		if r.leader != "" {
			r.leader = ""
			r.show()
		}
		if r.votes(r.p.node) {
			r.campaign(now, false)
		}
	}
	return calm
}

// keepLead is one round of heartbeats; without most voters for the time of the
// lease the leader steps down.
func (r *replica) keepLead(now time.Time) (calm bool) {
	calm = true
	voters, near := 0, 0
	for _, s := range r.dir.servers {
		f := r.w.replicaOf(s.Node)
		if r.w.talk(r, f) {
			if f.dir.term > r.dir.term {
				r.follow(f.dir.term, "")
				return false
			}
			r.acked[s.Node] = now
			if f.leader != r.p.node || f.role == leading || f.dir.term < r.dir.term {
				f.follow(r.dir.term, r.p.node)
			}
			f.heard = now
			if r.needs(s.Node) {
				calm = false
				r.push(s.Node)
			}
		}
		if s.Voter {
			voters++
			if s.Node == r.p.node || now.Sub(r.acked[s.Node]) < lease {
				near++
			} else {
				calm = false
			}
		}
	}
	if voters > 0 && near <= voters/2 {
		r.w.seen("lease expired")
		r.follow(r.dir.term, "")
		r.heard, r.patient = now, r.w.patience()
		return false
	}
	return calm && r.commit == r.dir.last()
}

// campaign asks the voters for their votes: first whether they would give
// them, so that a peer that was cut off disturbs no term. transfer: the leader
// asked for it.
func (r *replica) campaign(now time.Time, transfer bool) {
	r.heard, r.patient = now, r.w.patience()
	var granted []*replica
	voters, mine := 0, 0
	for _, s := range r.dir.servers {
		if !s.Voter {
			continue
		}
		voters++
		if s.Node == r.p.node {
			mine++
			continue
		}
		f := r.w.replicaOf(s.Node)
		if !r.w.talk(r, f) {
			continue
		}
		if f.dir.term > r.dir.term {
			r.dir.term, r.dir.voted = f.dir.term, ""
		}
		if f.wouldVote(r, now, transfer) {
			granted = append(granted, f)
		}
	}
	if mine+len(granted) <= voters/2 || r.p.m.disk.trouble() != nil {
		return
	}
	r.dir.term++
	r.dir.voted = r.p.node
	for _, f := range granted {
		f.follow(r.dir.term, r.p.node)
		f.dir.voted, f.heard = r.p.node, now
	}
	r.role, r.leader = leading, r.p.node
	acked := map[string]time.Time{}
	for _, s := range r.dir.servers {
		acked[s.Node] = now
	}
	r.lead(acked)
	r.show()
	r.w.leaderOf(r)
	r.propose(command{verb: noop})
	r.p.notice()
}

// wouldVote is the vote of a follower. One that hears a leader keeps it, unless
// the leader wants to be followed by the candidate.
func (f *replica) wouldVote(r *replica, now time.Time, transfer bool) bool {
	if f.p.m.disk.trouble() != nil || f.dir.term > r.dir.term {
		return false
	}
	if !transfer && (f.role == leading || f.leader != "" && f.leader != r.p.node && now.Sub(f.heard) < f.patient) {
		return false
	}
	mine, theirs := f.dir.termAt(f.dir.last()), r.dir.termAt(r.dir.last())
	return theirs > mine || theirs == mine && r.dir.last() >= f.dir.last()
}

// leaderOf checks that nobody else leads in this term of this generation.
func (w *world) leaderOf(r *replica) {
	w.seen("leader changed")
	key := term{r.dir.generation.ID, r.dir.term}
	if other := w.leaders[key]; other != "" && other != r.p.node {
		w.fail("I4", "two leaders in term %d of %s: %s and %s", key.number, name(r.dir.generation), other, r.p.node)
	}
	w.leaders[key] = r.p.node
}

type term struct {
	generation string
	number     uint64
}

func name(g engine.Generation) string { return "generation " + g.ID }
