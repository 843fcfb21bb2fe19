package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
)

// The alarms of contact: peers silent, their database, the primary, ports.
var contactAlarms = []int{20004, 20006, 20016, 20021}

// The limits. A peer that vanished is noticed with the next beat and its
// time-out; one that is back with the next beat, after a try that was under way.
func (w *world) raisedWithin() time.Duration  { return w.beat + timeout + 2*time.Second }
func (w *world) loweredWithin() time.Duration { return w.beat + timeout + 3*time.Second }

// equalWithin is I6: from the heal until all copies are equal.
const equalWithin = 5 * time.Second

// sight is since when one machine has been able to reach another, and since
// when not at all; zero when neither is so: under loss, and as long as the copy
// of the other lacks the row of the one. A peer refuses a member that it does
// not know, rightly: who was added while that peer was cut off from its leader
// cannot reach it before the heal has brought it the row, however well the
// packets between the two travel.
type sight struct{ good, bad time.Time }

// sights looks anew at who reaches whom, after a change; w.mu is held.
func (w *world) sights() {
	now := time.Now()
	for _, a := range w.machines {
		for _, b := range w.machines {
			s, ab, ba := &w.sight[a.i][b.i], w.net[a.i][b.i], w.net[b.i][a.i]
			up := func(m *machine) bool { return m.proc != nil && m.proc.open && m.stands == nil }
			switch {
			case !up(b) || ab.cut || ba.cut:
				s.good = time.Time{}
				if s.bad.IsZero() {
					s.bad = now
				}
			case !up(a) || !b.proc.replica.dir.holds(a.disk.identity.Node) || ab.loss > 0 || ba.loss > 0 || ab.delay > 50*time.Millisecond || ba.delay > 50*time.Millisecond:
				*s = sight{}
			default:
				s.bad = time.Time{}
				if s.good.IsZero() {
					s.good = now
				}
			}
		}
	}
}

// place of each copy: the same entries lead to the same contents. w.mu is held.
func (w *world) compare(r *replica, index uint64) {
	key := place{r.dir.state.agreed.Generation.ID, index}
	digest, known := w.digests[key]
	if known && digest != r.dir.state.digest {
		w.fail("I6", "%s has another content than others at index %d of %s", r.p.m.name, index, key.generation)
	}
	w.digests[key] = r.dir.state.digest
}

// alarmChanged judges each raise and each lowering of the alarms of contact
// by what really was. It is told by the tracker of p.
func (w *world) alarmChanged(p *process, id int, raised bool) {
	peers := ""
	for _, a := range p.tracker.Own() {
		if a.ID == id {
			peers = a.Params["peers"]
		}
	}
	if !slices.Contains(contactAlarms, id) || !engine.SamePeers(p.cluster.Running().Peers, w.list().Peers) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if p.dead || p.standing() != nil || now.Sub(p.started) < w.raisedWithin()+grace || now.Sub(w.turmoil) < w.loweredWithin()+grace || !w.together(p) {
		return
	}
	w.seen(map[bool]string{true: "alarm raised", false: "alarm lowered"}[raised])
	var reached, lost []string
	others := 0
	for _, i := range w.intended {
		if i == p.m.i {
			continue
		}
		others++
		s := w.sight[p.m.i][i]
		if !s.good.IsZero() && now.Sub(s.good) > w.raisedWithin() {
			reached = append(reached, w.machines[i].name)
		}
		if !s.bad.IsZero() && now.Sub(s.bad) > w.loweredWithin() && (id != 20016 || i == w.chief) {
			lost = append(lost, w.machines[i].name)
		}
	}
	switch {
	case raised && len(reached) == others && slices.Contains(w.intended, p.m.i):
		w.fail("I8", "%s raised %d (%s) although it has reached %s all the time; running for %s", p.m.name, id, peers, strings.Join(reached, " "), now.Sub(p.started))
	case !raised && len(lost) > 0 && slices.Contains(w.intended, p.m.i) && id != 20021:
		w.fail("I8", "%s lowered %d although it does not reach %s", p.m.name, id, strings.Join(lost, " "))
	}
}

// together reports whether the members that a process knows are those that the
// administrators want, none kept apart by the fence. Else its alarms tell of
// more than of the network. w.mu is held.
func (w *world) together(p *process) bool {
	agreed := p.replica.dir.state.agreed
	if len(agreed.Members) != len(w.intended) || !slices.Contains(w.intended, p.m.i) {
		return false
	}
	for _, i := range w.intended {
		id := w.machines[i].disk.identity
		if id.Generation.ID != p.m.disk.identity.Generation.ID || !slices.ContainsFunc(agreed.Members, func(x engine.Member) bool { return x.Node == id.Node }) {
			return false
		}
	}
	return true
}

// look checks what each member shows against what is: the alarms of every peer
// that it has not reached for long enough, and none where it has reached all.
func (w *world) look() {
	for _, m := range w.members() {
		w.mu.Lock()
		p, now := m.proc, time.Now()
		quiet := p != nil && p.open && m.stands == nil && now.Sub(p.started) > w.raisedWithin()+grace && now.Sub(w.turmoil) > w.loweredWithin()+grace
		w.mu.Unlock()
		if !quiet {
			continue
		}
		w.lookAt(p)
	}
}

func (w *world) lookAt(p *process) {
	if !engine.SamePeers(p.cluster.Running().Peers, w.list().Peers) {
		return // it did not answer when the list was changed
	}
	var lost, reached []string
	others := 0
	w.mu.Lock()
	now := time.Now()
	if !w.together(p) {
		w.mu.Unlock()
		return
	}
	for _, i := range w.intended {
		if i == p.m.i {
			continue
		}
		others++
		s := w.sight[p.m.i][i]
		if !s.bad.IsZero() && now.Sub(s.bad) > w.raisedWithin() {
			lost = append(lost, w.machines[i].ip)
		}
		if !s.good.IsZero() && now.Sub(s.good) > w.loweredWithin() {
			reached = append(reached, w.machines[i].ip)
		}
	}
	w.mu.Unlock()
	raised := map[int]string{}
	for _, a := range p.tracker.Own() {
		raised[a.ID] = a.Params["peers"]
	}
	for _, ip := range lost {
		for _, id := range []int{20004, 20006} {
			if peers, ok := raised[id]; !ok || !slices.Contains(strings.Fields(peers), ip) {
				w.broken("I7", "%s has not reached %s for %s and does not say so: %d names %q", p.m.name, ip, w.raisedWithin(), id, peers)
			}
		}
		w.count("alarm seen")
	}
	if others > 0 && len(reached) == others {
		for _, id := range contactAlarms {
			if peers, ok := raised[id]; ok {
				w.broken("I8", "%s still shows %d (%s) although it has reached everybody for %s: %s", p.m.name, id, peers, w.loweredWithin(), p.causes())
			}
		}
	}
}

// causes are what the page of a process says of the peers that it does not reach.
func (p *process) causes() string {
	var out []string
	for _, peer := range p.cluster.View(context.Background()).Peers {
		if peer.State != engine.ThisSystem && (peer.State != engine.PeerActive || peer.Cause != "") {
			out = append(out, fmt.Sprintf("%s %s %s since %s: %s", peer.Address, peer.Node, peer.State, peer.Since.Sub(p.w.began).Round(time.Second), peer.Cause))
		}
	}
	return strings.Join(out, ", ")
}

// everybody tells what each machine is, for a run that failed.
func (w *world) everybody() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := fmt.Sprintf("; wanted %v, primary %d", w.intended, w.chief+1)
	for _, m := range w.machines {
		id := m.disk.identity
		out += fmt.Sprintf("\n  %s: node %s, generation %s, stand-alone %v, page %v primary %d", m.name, id.Node, id.Generation.ID, id.Standalone,
			m.disk.page.Entered.Peers, m.disk.page.Entered.Primary)
		if m.refusal != "" {
			out += ", last told " + strconv.Quote(m.refusal)
		}
		if p := m.proc; p != nil {
			d := p.replica.dir
			out += fmt.Sprintf(", leader %q, term %d, log %d to %d, applied %d, group %v, agreed %s of %v", p.replica.leader, d.term, d.base, d.last(), d.applied, d.servers,
				d.state.agreed.Primary, len(d.state.agreed.Members))
		}
	}
	return out
}

// resets is what an armed factory reset must be, by the saves that reached the
// disk and nothing else.
type resets struct{ armed map[*machine][]string }

// landed follows a saved page; w.mu is held.
func (r *resets) landed(m *machine, old, now cluster.Page) {
	was, is := old.Entered.Peers, now.Entered.Peers
	switch from, armed := r.armed[m]; {
	case armed && len(is) > 0 && engine.SamePeers(from, is):
		delete(r.armed, m)
		m.w.seen("reset cancelled")
	case !armed && len(was) > 0 && len(is) == 0:
		r.armed[m] = slices.Clone(was)
	}
	if _, armed := r.armed[m]; armed != (now.Reset != nil) {
		m.w.fail("I11", "%s: the list went from %v to %v and a factory reset is armed: %v", m.name, was, is, now.Reset != nil)
	}
}

// betweenChildren carries out an armed factory reset. w.mu is held.
func (m *machine) betweenChildren() {
	from, armed := m.w.resets.armed[m]
	if armed != (m.disk.page.Reset != nil) {
		m.w.fail("I11", "%s starts with a reset armed: %v, by what was saved %v (%v)", m.name, m.disk.page.Reset != nil, armed, from)
	}
	if m.disk.page.Reset == nil || !m.disk.image || m.disk.trouble() != nil {
		return
	}
	delete(m.w.resets.armed, m)
	m.w.seen("factory reset")
	for _, d := range m.disk.dirs { // the copies of other generations go with it, as the administrators wanted
		if d.generation.ID != m.w.machines[m.w.chief].disk.identity.Generation.ID {
			m.disk.aside = append(m.disk.aside, d.whole())
		}
	}
	for _, s := range m.disk.aside {
		for op := range s.ops {
			m.w.wiped[op] = true
		}
	}
	m.manufacture()
}

// heal ends every fault, lets the administrators repair their pages, and shows
// that the cluster is whole and has lost nothing.
func (w *world) heal() {
	w.healNetwork()
	for _, m := range w.machines {
		w.mu.Lock()
		m.disk.full, m.disk.slow, m.disk.broken, m.disk.image = false, 0, false, true
		m.astray.Store(false)
		stands := m.stands
		w.mu.Unlock()
		if stands != nil {
			w.broken("I12", "%s still stands", m.name) // the plan undoes what it does
		}
		m.start()
	}
	w.awaitEqual()
	until := time.Now().Add(healing)
	for round := 0; w.missing() != "" && time.Now().Before(until); round++ {
		if round%8 == 0 {
			w.findPrimary()
			w.repair()
		}
		time.Sleep(2 * time.Second)
	}
	if what := w.missing(); what != "" {
		w.broken("I12", "the cluster did not become whole after everything was healed and repaired: %s%s", what, w.everybody())
		return
	}
	w.awaitEqual()
	w.awaitSilence()
	w.awaitEqual() // alarms end with changes of their own, and so does what the administrators were about
	w.audit()
}

// findPrimary is how an administrator learns which primary is in effect.
func (w *world) findPrimary() {
	if !w.primaryLeading() && w.machines[w.primaryNow()].bare() {
		chief := w.furthest()
		w.mu.Lock()
		w.chief = chief
		w.mu.Unlock()
	}
}

// primaryLeading makes the primary of the newest group that has a leader the
// one that is wanted; false when there is no such group.
func (w *world) primaryLeading() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	var newest *replica
	for _, r := range w.replicas() {
		if r.role != leading || len(r.dir.servers) < 2 {
			continue
		}
		if newest == nil || r.dir.generation.Number > newest.dir.generation.Number ||
			r.dir.generation.Number == newest.dir.generation.Number && r.dir.generation.ID == w.machines[w.chief].disk.identity.Generation.ID {
			newest = r
		}
	}
	for _, i := range w.intended {
		if newest != nil && w.machines[i].disk.identity.Node == newest.dir.state.agreed.Primary {
			w.chief = i
		}
	}
	return newest != nil
}

// furthest is the member whose copy is the newest: the primary that took
// another's copy may have lost who was to send it.
func (w *world) furthest() int {
	best, of := w.primaryNow(), engine.Agreed{}
	for _, m := range w.members() {
		p := m.process()
		if p == nil || m.bare() {
			continue
		}
		a := p.cluster.Agreed()
		if a.Generation.Number > of.Generation.Number || a.Generation.Number == of.Generation.Number && a.Revision > of.Revision {
			best, of = m.i, a
		}
	}
	return best
}

// awaitEqual is I6: soon after the heal the copies of all members are equal.
func (w *world) awaitEqual() {
	healed := time.Now()
	for time.Since(healed) < equalWithin {
		if w.unequal() == "" {
			w.mu.Lock()
			w.equal = append(w.equal, int(time.Since(healed).Milliseconds()))
			w.mu.Unlock()
			return
		}
		time.Sleep(look)
	}
	w.broken("I6", "%s after everything was healed: %s", equalWithin, w.unequal())
}

// unequal says which copies differ from the leader's.
func (w *world) unequal() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, r := range w.replicas() {
		if r.role != leading {
			continue
		}
		for _, s := range r.dir.servers {
			f := w.replicaOf(s.Node)
			if f == nil || f == r || f.dir.generation.ID != r.dir.generation.ID || f.p.targets[r.p.node].Node == "" || r.p.targets[s.Node].Node == "" {
				continue
			}
			if f.dir.applied != r.dir.applied || f.dir.state.digest != r.dir.state.digest || f.leader != r.p.node {
				out = append(out, fmt.Sprintf("%s is at %d, its leader %s at %d", f.p.m.name, f.dir.applied, r.p.m.name, r.dir.applied))
			}
		}
	}
	if len(out) == 0 && len(w.intended) > 0 {
		for _, i := range w.intended {
			if p := w.machines[i].proc; p == nil || w.together(p) && p.replica.leader == "" {
				return w.machines[i].name + " sees no leader"
			}
		}
	}
	return strings.Join(out, ", ")
}

// awaitSilence is the end of I8: nothing is wrong and nothing is shown.
func (w *world) awaitSilence() {
	shown := func() string {
		var out []string
		for _, m := range w.members() {
			for _, a := range m.process().tracker.Own() {
				if a.ID == 40049 || a.ID == 70013 && w.beat > ownBeat { // Permissive is what they chose; 16 slow beats are a long time
					continue
				}
				out = append(out, fmt.Sprintf("%s shows %d %v", m.name, a.ID, a.Params))
			}
		}
		return strings.Join(out, "; ")
	}
	until := time.Now().Add(2*w.loweredWithin() + grace)
	for shown() != "" && time.Now().Before(until) {
		time.Sleep(time.Second)
	}
	if what := shown(); what != "" {
		w.broken("I8", "everything is well again, and %s", what)
	}
}

// audit is I1, I2 and I5: what was acknowledged is on every member, what was
// refused is nowhere, and what is not known is the same everywhere.
func (w *world) audit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var copies []*replica
	for _, i := range w.intended {
		copies = append(copies, w.machines[i].proc.replica)
	}
	revisions := map[place]uint64{}
	for _, e := range w.edits {
		there := 0
		for _, r := range copies {
			if _, ok := r.dir.state.ops[e.op]; ok {
				there++
			}
		}
		switch {
		case e.outcome == applied && there < len(copies) && !w.keptAside(e):
			w.fail("I1", "lost: revision %d of generation %s, saved on %s at %s and acknowledged, is on %d of %d members",
				e.revision, e.generation, e.machine.name, e.at.Sub(w.began).Round(time.Millisecond), there, len(copies))
		case (e.outcome == notLeader || e.outcome == refused) && there > 0:
			w.fail("I5", "a save on %s was refused (%s) and is there all the same", e.machine.name, e.outcome)
		case there != 0 && there != len(copies):
			w.fail("I2", "a save on %s with outcome %s is on %d of %d members", e.machine.name, e.outcome, there, len(copies))
		}
		if e.outcome == applied {
			at := place{e.generation, uint64(e.revision)}
			if other, taken := revisions[at]; taken && other != e.op {
				w.fail("I1", "guard: revision %d of %s was acknowledged to two administrators", e.revision, e.generation)
			}
			revisions[at] = e.op
		}
	}
	w.counts["acked"] = len(revisions)
}

// keptAside reports whether an acknowledged save of a generation that was
// superseded by force is kept in a directory of that generation.
func (w *world) keptAside(e edit) bool {
	present := w.machines[w.chief].disk.identity.Generation.ID
	if e.generation == present {
		return false
	}
	has := func(s *state) bool { _, ok := s.ops[e.op]; return ok }
	for _, m := range w.machines {
		if d := m.disk.dirs[e.generation]; d != nil && has(d.whole()) || slices.ContainsFunc(m.disk.aside, has) {
			w.seen("kept aside")
			return true
		}
	}
	return w.wiped[e.op]
}
