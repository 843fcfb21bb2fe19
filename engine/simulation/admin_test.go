package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"hexad/engine"
)

// administrators is how many people edit the configuration at once.
const administrators = 2

var admin = engine.Actor{User: "admin", Via: "web", Source: "198.51.100.7:5000"}

// edit is one configuration save and what the administrator was told.
type edit struct {
	saved
	machine *machine
	node    string
	outcome outcome
	at      time.Time
}

// administrate saves something every few seconds, mostly on the primary.
func (w *world) administrate(who int) {
	r := rand.New(rand.NewPCG(w.seed, uint64(who)))
	for {
		time.Sleep(3*time.Second + time.Duration(r.Int64N(int64(8*time.Second))))
		w.mu.Lock()
		over, m := w.over, w.machines[w.chief]
		w.mu.Unlock()
		if over {
			return
		}
		if r.IntN(4) == 0 {
			m = w.machines[r.IntN(machines)]
		}
		w.save(m, "Zones Zone "+strconv.Itoa(1+r.IntN(20))+" Name", strconv.Itoa(who)+"."+strconv.FormatUint(r.Uint64(), 36))
	}
}

// save is one edit at one machine, by what its copy shows.
func (w *world) save(m *machine, path, value string) {
	p := m.process()
	if p == nil || !p.gate() || p.cluster.MayEdit() != nil || p.identity().Standalone && m.i != w.primaryNow() {
		return // a stand-alone system's configuration ends when it joins
	}
	base, err := store{p}.Agreed(p.ctx)
	if err != nil || base.Primary != p.node {
		return
	}
	out, what, err := store{p}.save(p.ctx, path, value, base.Revision, base.Generation.ID)
	if err == nil && !out.inVain && p.free.Load() {
		now, again := store{p}.Agreed(p.ctx)
		if again == nil && p.gate() && now.Generation.ID == out.generation && now.Revision < out.revision {
			w.broken("I3", "%s answered that revision %d was saved and then showed revision %d", m.name, out.revision, now.Revision)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen("save " + string(what))
	if what == notLeader {
		w.seen("save refused by a minority")
	}
	if what == applied && !out.replicated {
		w.seen("saved, not yet replicated")
	}
	w.edits = append(w.edits, edit{out, m, p.node, what, time.Now()})
	if what != applied {
		return
	}
	if led, ok := p.replica.dir.state.ops[out.op]; ok && led != out.revision {
		w.fail("I1", "guard: a save decided on revision %d became revision %d: what was saved between was not seen", out.base, led)
	}
}

// twoSaves are two administrators who press Save in one moment, on one machine.
func (w *world) twoSaves(f fault) func() {
	m := w.machines[w.primaryNow()]
	for i := range 2 {
		go w.save(m, "Zones Zone "+strconv.Itoa(f.amount%20+1)+" Name", strconv.Itoa(f.amount)+"."+strconv.Itoa(i))
	}
	return nil
}

// list is the clustering page that the administrators want.
func (w *world) list() engine.Clustering {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := engine.Clustering{Name: "c.example.com", IPVersion: "IPv4", TLSMode: engine.Permissive}
	for i, n := range w.intended {
		c.Peers = append(c.Peers, w.machines[n].ip)
		if n == w.chief {
			c.Primary = i + 1
		}
	}
	return c
}

// page saves the clustering page of one machine.
func (m *machine) page(c engine.Clustering) error {
	p := m.process()
	if p == nil || !p.free.Load() {
		return errGone // its console does not answer
	}
	m.w.stir()
	c.TLSMode = p.cluster.Entered().TLSMode
	_, err := p.cluster.Save(p.ctx, admin, c)
	m.w.stir()
	return err
}

// stir says that pages, members or identities are being changed.
func (w *world) stir() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turmoil = time.Now()
}

// everywhere saves the wanted page on the members, the primary first; who does
// not answer is left.
func (w *world) everywhere() {
	c := w.list()
	_ = w.machines[w.primaryNow()].page(c)
	for _, m := range w.members() {
		if m.i != w.primaryNow() {
			_ = m.page(c)
		}
	}
}

// form makes a cluster of the first n machines, as the seed describes it.
func (w *world) form(n int) {
	first := w.machines[0]
	w.intended, w.chief = []int{0}, 0
	if err := first.page(w.list()); err != nil {
		w.broken("I12", "create a cluster: %v", err)
	}
	first.restart()
	time.Sleep(3 * time.Second)
	w.mu.Lock()
	for i := 1; i < n; i++ {
		w.intended = append(w.intended, i)
	}
	w.mu.Unlock()
	w.everywhere()
	for _, m := range w.members()[1:] {
		m.restart()
	}
	until := time.Now().Add(forming)
	for w.missing() != "" && time.Now().Before(until) {
		time.Sleep(time.Second)
	}
	if what := w.missing(); what != "" {
		w.broken("I12", "the cluster was not formed: %s", what)
	}
}

// missing says what the cluster lacks to be the one that is wanted; "" nothing.
func (w *world) missing() string {
	c := w.list()
	var nodes []string
	for _, m := range w.members() {
		nodes = append(nodes, m.disk.identity.Node)
	}
	slices.Sort(nodes)
	for _, m := range w.members() {
		p := m.process()
		if p == nil || !p.open {
			return m.name + " does not run"
		}
		agreed, entered := p.cluster.Agreed(), p.cluster.Entered()
		var have []string
		for _, x := range agreed.Members {
			have = append(have, x.Node)
		}
		slices.Sort(have)
		switch {
		case !engine.SamePeers(p.cluster.Running().Peers, c.Peers) || !engine.SamePeers(entered.Peers, c.Peers):
			return m.name + " has another list in effect"
		case entered.Primary != c.Primary:
			return m.name + " names another primary"
		case !slices.Equal(have, nodes):
			return m.name + " sees other members"
		case p.servers.Load().Leader == "":
			return m.name + " sees no leader"
		case agreed.Primary != w.machines[w.primaryNow()].disk.identity.Node:
			return m.name + " agrees on another primary"
		}
	}
	return ""
}

// anotherPrimary names another member, on itself first.
func (w *world) anotherPrimary(f fault) func() {
	m := w.member(f.a)
	p := m.process()
	if p == nil {
		return nil
	}
	c := w.list()
	c.Primary = slices.Index(c.Peers, m.ip) + 1
	if err := m.page(c); err != nil {
		return nil
	}
	if p.cluster.Agreed().Primary != p.node {
		return nil // it is not the primary's to lose yet: joining
	}
	w.mu.Lock()
	if w.chief != m.i {
		w.seen("primary changed")
	}
	w.chief = m.i
	w.mu.Unlock()
	w.everywhere()
	return nil
}

// forcePrimary cuts a peer off from most others and names it primary by force;
// what is saved on both sides meanwhile is kept on both.
func (w *world) forcePrimary(f fault) func() {
	m, all := w.member(f.a), w.members()
	if m.i == w.primaryNow() {
		return nil
	}
	one := []*machine{m}
	for _, x := range all { // sometimes with others, as long as they are fewer than the rest
		if f.amount%2 == 0 && x != m && x.i != w.primaryNow() && 2*(len(one)+1) <= len(all) {
			one = append(one, x)
		}
	}
	if f.amount%3 == 0 {
		for _, x := range all {
			if !slices.Contains(one, x) {
				x.kill(f.amount%5 == 0)
			}
		}
	} else {
		w.split(one)
	}
	time.Sleep(w.raisedWithin() + 5*time.Second)
	c := w.list()
	c.Primary = slices.Index(c.Peers, m.ip) + 1
	if p := m.process(); p != nil && p.free.Load() {
		w.stir()
		_, err := p.cluster.SaveForced(p.ctx, admin, c)
		if err == nil {
			w.mu.Lock()
			w.seen("primary named by force")
			w.chief = m.i
			w.mu.Unlock()
			for _, x := range one[1:] {
				_ = x.page(c)
			}
		} else {
			w.count("force refused " + string(engine.CodeOf(err)))
		}
		w.stir()
	}
	return func() {
		w.healNetwork()
		for _, x := range all {
			x.start()
		}
		w.stir()
		if f.amount%7 < 4 { // else it stays so until something else is repaired
			time.Sleep(w.loweredWithin())
			w.everywhere()
			w.takeOver()
		}
	}
}

// takeOver is what the administrator of a fenced peer does: the new primary is
// entered there and its configuration taken, the own one being saved aside.
func (w *world) takeOver() {
	if w.machines[w.primaryNow()].bare() {
		return // it has nothing to give yet
	}
	c := w.list()
	for _, m := range w.members() {
		chief, p := w.machines[w.primaryNow()].process(), m.process()
		if chief == nil || p == nil || p == chief || !p.free.Load() {
			continue
		}
		own, other := p.identity(), chief.identity()
		if own.Standalone || own.Generation.ID == other.Generation.ID {
			continue
		}
		_ = m.page(c)
		plan, err := p.cluster.UpdatePlan(p.ctx)
		if err == nil {
			_, err = p.cluster.ForceConfigUpdate(p.ctx, admin, &plan)
		}
		m.refusal = fmt.Sprint(err)
		w.count("take over " + map[bool]string{true: "done", false: "refused"}[err == nil])
		if err != nil && (!knows(p, chief) || !knows(chief, p) || own.Generation.Number > other.Generation.Number) {
			// One of both was away when the other joined, or the new primary's machine was
			// reset and its generation with it: this one is reset and joins anew.
			w.count("reset to join again")
			w.dismiss(m)
		}
	}
}

// bare reports whether a machine of a cluster has no copy of its configuration.
func (m *machine) bare() bool {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.proc != nil && !m.disk.identity.Standalone && (m.proc.replica == nil || len(m.proc.replica.dir.state.agreed.Members) == 0)
}

// knows reports whether a process has another as a member.
func knows(p, other *process) bool {
	return slices.ContainsFunc(p.cluster.Agreed().Members, func(x engine.Member) bool { return x.Node == other.node })
}

// anotherList makes the page of a subordinate differ from the others for a while.
func (w *world) anotherList(f fault) func() {
	m := w.member(f.a)
	if m.i == w.primaryNow() {
		return nil
	}
	c := w.list()
	chief := c.PrimaryAddress()
	c.Peers = slices.Concat(c.Peers[1:], c.Peers[:1])
	c.Primary = slices.Index(c.Peers, chief) + 1
	_ = m.page(c)
	return func() { _ = m.page(w.list()) }
}

// removePeer takes a member out, and resets it as its administrator does.
func (w *world) removePeer(f fault) func() {
	m := w.member(f.a)
	chief := w.machines[w.primaryNow()]
	if m == chief || len(w.members()) < 3 || chief.process() == nil {
		return nil
	}
	c := w.list()
	c.Peers = slices.DeleteFunc(c.Peers, func(a string) bool { return a == m.ip })
	c.Primary = slices.Index(c.Peers, chief.ip) + 1
	if err := chief.page(c); err != nil {
		return nil
	}
	w.mu.Lock()
	w.intended = slices.DeleteFunc(slices.Clone(w.intended), func(i int) bool { return i == m.i })
	w.seen("peer removed")
	w.mu.Unlock()
	w.everywhere()
	w.dismiss(m)
	return nil
}

// dismiss makes a machine that is in no list a stand-alone system again.
func (w *world) dismiss(m *machine) {
	p := m.process()
	if p == nil || len(p.cluster.Entered().Peers) == 0 && len(p.cluster.Running().Peers) == 0 && p.identity().Standalone {
		return
	}
	if len(p.cluster.Entered().Peers) > 0 {
		c := p.cluster.Entered()
		c.Peers = nil
		if m.page(c) != nil {
			return
		}
	}
	m.restart()
}

// addPeer adds a machine that is in no cluster.
func (w *world) addPeer(f fault) func() {
	w.mu.Lock()
	i := slices.IndexFunc(w.machines[:], func(m *machine) bool {
		return !slices.Contains(w.intended, m.i) && m.proc != nil && m.disk.identity.Standalone && len(m.disk.page.Running.Peers) == 0
	})
	w.mu.Unlock()
	if i < 0 {
		return nil
	}
	w.mu.Lock()
	w.intended = append(slices.Clone(w.intended), i)
	w.mu.Unlock()
	if w.machines[w.primaryNow()].page(w.list()) != nil {
		w.mu.Lock()
		w.intended = w.intended[:len(w.intended)-1]
		w.mu.Unlock()
		return nil
	}
	w.everywhere()
	w.machines[i].restart()
	w.count("peer added")
	return nil
}

// resetWalk edits the list of one machine as somebody does who is not sure,
// with restarts and kills at every step.
func (w *world) resetWalk(f fault) func() {
	m := w.machines[f.a%machines]
	if m.i == w.primaryNow() {
		return nil
	}
	r := rand.New(rand.NewPCG(w.seed, uint64(f.amount)))
	for range 2 + r.IntN(5) {
		p := m.process()
		if p == nil {
			m.start()
			continue
		}
		c := p.cluster.Entered()
		switch r.IntN(8) {
		case 0, 1:
			c.Peers = nil
			_ = m.page(c)
		case 2, 3:
			if page, _ := (pages{p}).Page(context.Background()); page.Reset != nil {
				c.Peers = slices.Clone(page.Reset.From)
			}
			_ = m.page(c)
		case 4:
			slices.Reverse(c.Peers)
			c.Peers = slices.Clone(c.Peers)
			_ = m.page(c)
		case 5:
			m.restart()
		case 6:
			done := make(chan struct{})
			go func() { c.Peers = nil; _ = m.page(c); close(done) }()
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			m.kill(r.IntN(2) == 0)
			<-done
			m.start()
		case 7:
			w.mu.Lock()
			m.disk.image = !m.disk.image
			w.mu.Unlock()
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
	}
	w.mu.Lock()
	m.disk.image = true
	w.mu.Unlock()
	return func() { w.repair() }
}

// repair brings every page to what the administrators want, by hand, as they
// would: where a reset is armed by mistake the list comes back in its order
// first, and a machine that was reset is taken off the list and put back.
func (w *world) repair() {
	w.stir()
	chief := w.machines[w.primaryNow()]
	if p := chief.process(); p != nil {
		lost := map[string]bool{}
		for _, m := range w.members() {
			for _, x := range p.cluster.Agreed().Members {
				if x.Address == m.ip && x.Node != m.disk.identity.Node {
					lost[m.ip] = true
				}
			}
		}
		for _, x := range p.cluster.Agreed().Members { // removed where nothing could be committed, and forgotten with a restart
			if c := w.list(); !slices.Contains(c.Peers, x.Address) {
				w.count("removed again")
				c.Peers = append(c.Peers, x.Address)
				if len(c.Peers) <= machines && chief.page(c) == nil {
					_ = chief.page(w.list())
				}
			}
		}
		if len(lost) > 0 && p.free.Load() {
			if _, err := p.cluster.ForcePlan(p.ctx); err == nil { // voters were reset, and too few are left to take them out
				_, err = p.cluster.SaveForced(p.ctx, admin, p.cluster.Entered())
				w.count("primary went on by force " + map[bool]string{true: "done", false: "refused"}[err == nil])
			}
			c := w.list()
			c.Peers = slices.DeleteFunc(c.Peers, func(a string) bool { return lost[a] })
			c.Primary = slices.Index(c.Peers, chief.ip) + 1
			_ = chief.page(c)
		}
	}
	for _, m := range w.members() {
		p := m.process()
		if p == nil {
			continue
		}
		if page, _ := (pages{p}).Page(context.Background()); page.Reset != nil {
			c := page.Entered
			c.Peers = slices.Clone(page.Reset.From)
			_ = m.page(c)
		}
	}
	w.everywhere()
	w.takeOver()
	for _, m := range w.members() { // removed while it was away, and put back on the list: it was told, and has to be reset first
		p, first := m.process(), chief.process()
		if p == nil || first == nil || p == first || !p.free.Load() || !first.free.Load() {
			continue
		}
		own, theirs := p.identity(), first.identity()
		if !own.Standalone && !theirs.Standalone && own.Generation.ID == theirs.Generation.ID && len(first.cluster.Agreed().Members) > 0 && !knows(first, p) {
			w.count("reset after a removal")
			w.dismiss(m)
		}
	}
	for _, m := range w.members() {
		if p := m.process(); p != nil && len(p.cluster.RestartReasons()) > 0 {
			m.restart()
		}
	}
	for _, m := range w.machines {
		if !slices.Contains(w.members(), m) {
			w.dismiss(m)
		}
	}
	w.stir()
}
