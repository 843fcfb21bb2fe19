package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"hexad/engine"
)

// machines is how many there are; a cluster has two to six of them.
const machines = engine.MaxPeers

// timeout is engine/cluster's own.
const timeout = 2 * time.Second

// world is one run of one seed.
type world struct {
	seed     uint64
	plan     plan
	beat     time.Duration
	periodic time.Duration
	began    time.Time
	machines [machines]*machine

	mu       sync.Mutex // guards what follows, and the state below the interfaces
	net      network
	dice     *rand.Rand // chance below the interfaces; the plan has its own
	idles    map[*idle]bool
	verdicts [machines][machines]fenceVerdict
	epoch    int
	calm     bool
	over     bool
	woken    chan struct{}
	leaders  map[term]string
	commands map[uint64]command
	digests  map[place]uint64
	sight    [machines][machines]sight
	turmoil  time.Time // when pages, members or identities were last changed by somebody
	intended []int     // machines in the list that the administrators want, in its order
	chief    int       // the machine that they named primary
	edits    []edit
	wiped    map[uint64]bool // operations whose copies aside went with a factory reset
	resets   resets
	all      []*process
	found    []violation
	step     string // of the plan, for people
	counts   map[string]int
	equal    []int // ms from each heal until all copies were equal

	writers sync.WaitGroup
}

// place is one index of one generation.
type place struct {
	generation string
	index      uint64
}

// violation is an invariant that did not hold.
type violation struct {
	invariant string
	text      string
	at        time.Duration
}

func (v violation) String() string {
	return fmt.Sprintf("%s at %s: %s", v.invariant, v.at.Round(time.Millisecond), v.text)
}

// maxFound bounds what one run reports.
const maxFound = 8

// fail notes a violation. w.mu is held.
func (w *world) fail(invariant, format string, args ...any) {
	if len(w.found) < maxFound {
		w.found = append(w.found, violation{invariant, w.step + fmt.Sprintf(format, args...), time.Since(w.began)})
	}
}

// broken is fail for whoever does not hold w.mu.
func (w *world) broken(invariant, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(invariant, format, args...)
}

// seen counts something that a run is meant to come to; w.mu is held.
func (w *world) seen(what string) { w.counts[what]++ }

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen(what)
}

// later does something with w.mu held after a time; at once for none.
func (w *world) later(d time.Duration, do func()) {
	if d <= 0 {
		do()
		return
	}
	time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.over {
			do()
		}
	})
}

// at is the machine of an address.
func (w *world) at(address string) *machine {
	i := slices.IndexFunc(w.machines[:], func(m *machine) bool { return m.ip == address })
	if i < 0 {
		panic("an address outside this world: " + address)
	}
	return w.machines[i]
}

// operation gives a command its id and keeps it for whoever is handed it.
func (w *world) operation(c command) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.op = uint64(len(w.commands) + 1)
	w.commands[c.op] = c
	return c.op
}

func (w *world) commandOf(op uint64) (command, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.commands[op]
	return c, ok
}

// newWorld makes six machines that were never started.
func newWorld(p plan) *world {
	w := &world{
		seed: p.seed, plan: p, beat: p.beat, periodic: time.Minute, began: time.Now(),
		dice: rand.New(rand.NewPCG(p.seed, 0x6865786164)), idles: map[*idle]bool{}, woken: make(chan struct{}, 1),
		leaders: map[term]string{}, commands: map[uint64]command{}, digests: map[place]uint64{}, counts: map[string]int{}, wiped: map[uint64]bool{},
	}
	w.resets.armed = map[*machine][]string{}
	for i := range w.machines {
		n := strconv.Itoa(i + 1)
		w.machines[i] = &machine{w: w, i: i, ip: "192.0.2." + n, name: "peer" + n, disk: disk{image: true}}
		w.machines[i].manufacture()
	}
	for i := range w.net {
		for j := range w.net[i] {
			w.net[i][j].delay = p.distance
		}
	}
	return w
}

// manufacture makes the machine a stand-alone system that was never part of a
// cluster: a first start, and what a factory reset leads to.
func (m *machine) manufacture() {
	m.disk.resets++
	id := m.name + "." + strconv.Itoa(m.disk.resets)
	page := engine.Clustering{Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive}
	g := engine.Generation{Number: 1, ID: "g-" + id}
	d := disk{
		full: m.disk.full, broken: m.disk.broken, slow: m.disk.slow, image: m.disk.image, resets: m.disk.resets,
		identity: identity{Node: "n-" + id, Cluster: "c-" + id, Generation: g, Standalone: true},
		removed:  map[string]engine.Member{}, alarms: map[alarmKey]engine.RaisedAlarm{}, synced: map[alarmKey]engine.RaisedAlarm{}, dirs: map[string]*directory{},
	}
	d.page.Entered, d.page.Running = page, page
	dir := newDirectory(g)
	self := engine.Member{Node: d.identity.Node, Address: m.ip, Fingerprint: d.identity.Node, Release: release}
	dir.append(
		entry{1, command{verb: group, servers: []engine.Server{{Node: self.Node, Voter: true}}}},
		entry{1, command{op: founding(id), verb: found, agreed: engine.Agreed{Cluster: d.identity.Cluster, Generation: g, Primary: self.Node, Members: []engine.Member{self}, Revision: 1}}},
	)
	dir.term, dir.synced = 1, dir.last()
	d.dirs[g.ID], d.members = dir, []engine.Member{self}
	m.disk = d
}

// founding is an operation id outside those of the run.
func founding(id string) uint64 {
	h := uint64(1 << 63)
	for _, c := range id {
		h = h*31 + uint64(c)
	}
	return h | 1<<63
}

// run is the whole of one seed, inside a bubble.
func (w *world) run() {
	for _, m := range w.machines {
		m.start()
	}
	stuck := time.AfterFunc(4*time.Duration(w.plan.minutes)*time.Minute, func() { panic(fmt.Sprintf("seed %d does not end: %s", w.seed, w.step)) })
	defer stuck.Stop()
	done := make(chan struct{})
	go func() { w.followGroups(); close(done) }()
	w.form(w.plan.peers)
	for i := range administrators {
		w.writers.Go(func() { w.administrate(i) })
	}
	w.suffer()
	w.heal()
	w.mu.Lock()
	w.over = true
	w.wake()
	w.mu.Unlock()
	w.writers.Wait()
	for _, m := range w.machines {
		m.shut()
	}
	<-done
	for _, p := range w.all {
		p.wg.Wait()
	}
}
