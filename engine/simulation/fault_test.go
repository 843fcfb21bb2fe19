package simulation_test

import (
	"fmt"
	"slices"
	"time"
)

// kind is one sort of fault. do brings it about and returns what undoes it, nil
// when it is over by itself.
type kind struct {
	name   string
	weight int
	do     func(w *world, f fault) (undo func())
}

// kinds are all faults. A machine that is drawn stands for one of the cluster:
// see member.
var kinds = []kind{
	{"kill", 6, func(w *world, f fault) func() { return w.down(f, false, w.member(f.a)) }},
	{"kill two", 3, func(w *world, f fault) func() { return w.down(f, false, w.member(f.a), w.member(f.b)) }},
	{"kill all", 2, func(w *world, f fault) func() { return w.down(f, false, w.members()...) }},
	{"power cut", 4, func(w *world, f fault) func() { return w.down(f, true, w.member(f.a)) }},
	{"power cut of all", 2, func(w *world, f fault) func() { return w.down(f, true, w.members()...) }},
	{"kill the primary", 3, func(w *world, f fault) func() { return w.down(f, false, w.machines[w.primaryNow()]) }},
	{"shut down", 3, func(w *world, f fault) func() { m := w.member(f.a); m.shut(); return m.start }},
	{"restart", 3, func(w *world, f fault) func() { w.member(f.a).restart(); return nil }},
	{"crash", 3, func(w *world, f fault) func() { // its parent starts it again
		m := w.member(f.a)
		m.kill(false)
		time.Sleep(time.Duration(100+f.amount) * time.Millisecond)
		m.start()
		return nil
	}},
	{"stop", 6, func(w *world, f fault) func() { return w.stopped(w.member(f.a)) }},
	{"stop the primary", 3, func(w *world, f fault) func() { return w.stopped(w.machines[w.primaryNow()]) }},
	{"isolate", 6, func(w *world, f fault) func() { return w.split([]*machine{w.member(f.a)}) }},
	{"isolate the primary", 3, func(w *world, f fault) func() { return w.split([]*machine{w.machines[w.primaryNow()]}) }},
	{"halves", 5, func(w *world, f fault) func() { all := w.members(); return w.split(all[:len(all)/2]) }},
	{"minority", 3, func(w *world, f fault) func() { all := w.members(); return w.split(all[:(len(all)-1)/2]) }},
	{"cut a pair", 3, func(w *world, f fault) func() { return w.cut(w.member(f.a), w.member(f.b), true) }},
	{"cut one way", 4, func(w *world, f fault) func() { return w.cut(w.member(f.a), w.member(f.b), false) }},
	{"mute", 2, func(w *world, f fault) func() { return w.each(w.member(f.a), true, func(l *way) { l.cut = true }) }},
	{"deaf", 2, func(w *world, f fault) func() { return w.each(w.member(f.a), false, func(l *way) { l.cut = true }) }},
	{"delay", 4, func(w *world, f fault) func() {
		return w.links(func(l *way) { l.delay = []time.Duration{20, 40, 100}[f.amount%3] * time.Millisecond })
	}},
	{"loss", 4, func(w *world, f fault) func() {
		return w.links(func(l *way) { l.loss = []int{1, 5, 20, 50}[f.amount%4] })
	}},
	{"delay of one", 2, func(w *world, f fault) func() {
		return w.each(w.member(f.a), true, func(l *way) { l.delay = time.Duration(f.amount%200) * time.Millisecond })
	}},
	{"swizzle", 3, (*world).swizzle},
	{"disk full", 4, func(w *world, f fault) func() {
		return w.onDisk(w.member(f.a), func(d *disk) { d.full = true }, func(d *disk) { d.full = false })
	}},
	{"disk full at the primary", 2, func(w *world, f fault) func() {
		return w.onDisk(w.machines[w.primaryNow()], func(d *disk) { d.full = true }, func(d *disk) { d.full = false })
	}},
	{"slow disk", 3, func(w *world, f fault) func() {
		return w.onDisk(w.member(f.a), func(d *disk) { d.slow = 200 * time.Millisecond }, func(d *disk) { d.slow = 0 })
	}},
	{"disk error", 3, func(w *world, f fault) func() { // the database ends the process; the disk is well again at the next start
		m := w.member(f.a)
		w.onDisk(m, func(d *disk) { d.broken = true }, nil)
		m.kill(true)
		return func() {
			w.onDisk(m, func(d *disk) { d.broken = false }, nil)
			m.start()
		}
	}},
	{"snapshot", 6, func(w *world, f fault) func() { w.compact(w.member(f.a)); return nil }},
	{"snapshot at the primary", 4, func(w *world, f fault) func() { w.compact(w.machines[w.primaryNow()]); return nil }},
	{"clock", 2, func(w *world, f fault) func() { m := w.member(f.a); m.clock(true); return func() { m.clock(false) } }},
	{"two saves at once", 5, (*world).twoSaves},
	{"another primary", 6, (*world).anotherPrimary},
	{"another list", 3, (*world).anotherList},
	{"remove a peer", 3, (*world).removePeer},
	{"add a peer", 5, (*world).addPeer},
	{"reset walk", 5, (*world).resetWalk},
	{"primary by force", 6, (*world).forcePrimary},
}

// suffer goes through the plan.
func (w *world) suffer() {
	for i, s := range w.plan.steps {
		w.mu.Lock()
		w.step = fmt.Sprintf("[step %d] ", i)
		w.mu.Unlock()
		var undo []func()
		for i, f := range s.faults {
			if i > 0 {
				time.Sleep(time.Duration(f.amount) * time.Millisecond)
			}
			if u := w.bring(f); u != nil {
				undo = append(undo, u)
			}
		}
		time.Sleep(s.hold)
		w.look()
		for _, u := range undo {
			u()
		}
		for _, m := range w.machines { // whatever two faults at once have left
			m.start()
		}
		w.healNetwork()
		healed := time.Now()
		w.awaitEqual()
		time.Sleep(s.calm - time.Since(healed))
		w.look()
		w.mu.Lock()
		enough := len(w.found) > 0
		w.mu.Unlock()
		if enough {
			return // what follows would only follow from it
		}
	}
}

func (w *world) bring(f fault) func() {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == f.kind })
	w.count("fault " + f.kind)
	undo := kinds[i].do(w, f)
	return undo
}

// member is the machine of the cluster that a drawn one stands for.
func (w *world) member(i int) *machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.machines[w.intended[i%len(w.intended)]]
}

func (w *world) members() []*machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*machine
	for _, i := range w.intended {
		out = append(out, w.machines[i])
	}
	return out
}

func (w *world) primaryNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chief
}

// down ends processes at once; undoing starts them again.
func (w *world) down(f fault, power bool, list ...*machine) func() {
	for _, m := range list {
		m.kill(power)
	}
	if f.amount%3 == 0 { // at once
		for _, m := range list {
			m.start()
		}
		return nil
	}
	return func() {
		for _, m := range list {
			m.start()
		}
	}
}

// stopped is SIGSTOP, undone by SIGCONT.
func (w *world) stopped(m *machine) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := m.proc
	if p == nil || m.stands != nil {
		return nil
	}
	ch := make(chan struct{})
	m.stands = ch
	p.free.Store(false)
	w.changed()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if m.stands != ch {
			return // it was killed meanwhile
		}
		m.stands = nil
		p.free.Store(true)
		if p.replica.role == leading && w.calm == false {
			w.seen("leader went on")
		}
		close(ch)
		w.changed()
	}
}

// change edits directions of the network; all of it is healed together.
func (w *world) change(which func(from, to *machine) bool, edit func(*way)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, from := range w.machines {
		for _, to := range w.machines {
			if from != to && which(from, to) {
				edit(&w.net[from.i][to.i])
			}
		}
	}
	w.changed()
	w.later(probeTime, w.probe)
	return w.healNetwork
}

func (w *world) split(one []*machine) func() {
	return w.change(func(a, b *machine) bool { return slices.Contains(one, a) != slices.Contains(one, b) }, func(l *way) { l.cut = true })
}

func (w *world) cut(a, b *machine, both bool) func() {
	return w.change(func(x, y *machine) bool { return x == a && y == b || both && x == b && y == a }, func(l *way) { l.cut = true })
}

// each changes all that one machine sends, or all that it receives.
func (w *world) each(m *machine, sends bool, edit func(*way)) func() {
	return w.change(func(x, y *machine) bool { return sends && x == m || !sends && y == m }, edit)
}

func (w *world) links(edit func(*way)) func() {
	return w.change(func(_, _ *machine) bool { return true }, edit)
}

// swizzle cuts machines off one by one and heals them in another order.
func (w *world) swizzle(f fault) func() {
	all := w.members()
	for i := range all {
		w.split([]*machine{all[(i+f.a)%len(all)]})
		time.Sleep(time.Duration(f.amount) * time.Millisecond)
	}
	for i := range all {
		m := all[(i*5+f.b)%len(all)]
		w.change(func(a, b *machine) bool { return a == m || b == m }, func(l *way) { l.cut = false })
		time.Sleep(time.Duration(f.amount) * time.Millisecond)
	}
	return w.healNetwork
}

func (w *world) healNetwork() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.net {
		for j := range w.net[i] {
			w.net[i][j] = way{delay: w.plan.distance}
		}
	}
	w.changed()
	w.later(probeTime, w.probe)
}

func (w *world) onDisk(m *machine, spoil, mend func(*disk)) func() {
	do := func(edit func(*disk)) {
		w.mu.Lock()
		defer w.mu.Unlock()
		edit(&m.disk)
		w.changed()
	}
	do(spoil)
	if mend == nil {
		return nil
	}
	return func() { do(mend) }
}

// compact takes a snapshot, so that who lags behind needs all of it.
func (w *world) compact(m *machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.proc != nil && m.disk.trouble() == nil && m.proc.replica.dir.compact() {
		w.seen("snapshot taken")
	}
}

// clock moves the wall clock, as far as that can be seen in a bubble.
func (m *machine) clock(astray bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.astray.Store(astray)
}
