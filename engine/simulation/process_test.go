package simulation_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/cluster"
)

const release = "12.7.0"

// grace is engine/appliance's time for alarms of the run before.
const grace = 6 * time.Second

// machine is one host: its address, its disk, and the process on it.
type machine struct {
	w      *world
	i      int
	ip     string
	name   string
	disk   disk
	proc   *process      // nil: it does not run
	stands chan struct{} // closed when the process goes on; nil: it is not stopped
	runs   int
	astray atomic.Bool // its clock jumped
	// refusal is what its administrator was last told about taking over another copy.
	refusal string
}

func (m *machine) addr() netip.Addr { return netip.MustParseAddr(m.ip) }

// process is one run of hexad on a machine.
type process struct {
	w       *world
	m       *machine
	node    string
	ctx     context.Context
	stop    context.CancelFunc
	gone    chan struct{}
	dead    bool // w.mu
	open    bool // its ports are listened to; w.mu
	free    atomic.Bool
	wg      sync.WaitGroup
	cluster *cluster.Service
	tracker *alarm.Tracker
	handler http.Handler
	recover http.Handler // for members of any generation
	replica *replica
	servers atomic.Pointer[cluster.Servers]
	targets map[string]engine.Member // w.mu
	news    chan struct{}
	started time.Time
	tripped atomic.Bool // a restart was asked for

	published bool // the last publication of alarms ended well; the tracker's goroutine alone
}

// standing is the end of a stop (SIGSTOP), nil when the process runs. w.mu is held.
func (p *process) standing() <-chan struct{} {
	if p.m.stands == nil {
		return nil
	}
	return p.m.stands
}

// gate holds whoever passes while the process is stopped; false: it is gone.
func (p *process) gate() bool {
	if p.free.Load() {
		return true
	}
	for {
		p.w.mu.Lock()
		dead, standing := p.dead, p.standing()
		p.w.mu.Unlock()
		switch {
		case dead:
			return false
		case standing == nil:
			return true
		}
		select {
		case <-standing:
		case <-p.gone:
		}
	}
}

// start runs the machine's process: what is between two children, then the
// parts, connected as in engine/appliance.
func (m *machine) start() {
	w := m.w
	w.mu.Lock()
	if m.proc != nil || m.disk.broken {
		w.mu.Unlock()
		return
	}
	m.betweenChildren()
	m.runs++
	p := &process{w: w, m: m, node: m.disk.identity.Node, gone: make(chan struct{}), news: make(chan struct{}, 1),
		targets: map[string]engine.Member{}, started: time.Now()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.free.Store(m.stands == nil)
	m.proc = p
	w.all = append(w.all, p)
	p.servers.Store(&cluster.Servers{State: "Inactive"})
	p.replica = w.openReplica(p, m.disk.dirs[m.disk.identity.Generation.ID])
	p.replica.show()
	w.changed()
	w.mu.Unlock()

	log := slog.New(slog.DiscardHandler)
	s := store{p}
	rules, _ := builtin() // the test has looked at the error
	p.tracker = alarm.New(alarm.Options{
		Node: func() string { return p.node }, Peer: func() string { return m.ip }, Store: alarmRows{p}, Board: s,
		Emit: p.emit, Log: log, Grace: grace,
	})
	p.cluster = cluster.New(cluster.Options{
		Node: p.node, Release: release, Pages: pages{p}, Store: s, Group: s, Link: peerLink{p}, Rules: rules, Config: items{p},
		Alarms: alarms{p}, Emit: func(engine.Event) {}, Log: log, Host: p.host, Names: names{}, Adopt: p.adopt, Generations: generations{p}, Recovery: p.recovery, Identity: p.identity,
		Restart: func(engine.Actor) { p.tripped.Store(true) }, ResetImage: func() bool { w.mu.Lock(); defer w.mu.Unlock(); return m.disk.image },
		KeepMembers: p.keepMembers, Departed: p.departed, Remedy: func(int) string { return "" }, Lines: lines{},
		Beat: w.beat, Timeout: timeout, Periodic: w.periodic,
	})
	remote := func(ctx context.Context) (string, string) {
		from := ctx.Value(remoteKey{}).(*process)
		return from.node, from.m.ip
	}
	p.handler, p.recover = p.cluster.Handler(remote), p.cluster.RecoveryHandler(remote)
	if err := p.tracker.Open(p.ctx); err != nil {
		w.fail("I12", "%s: alarms of the last run: %v", m.name, err)
	}
	if err := p.cluster.Open(p.ctx); err != nil { // its disk was full: the parent starts it again
		m.kill(false)
		return
	}
	for _, loop := range []func(context.Context) error{p.cluster.Run, p.tracker.Run} {
		p.wg.Go(func() { _ = loop(p.ctx) })
	}
	p.wg.Go(p.follow)
	w.mu.Lock()
	p.open = true
	w.changed()
	w.mu.Unlock()
}

// end takes the process off the machine; what it had not synced stays, but for
// a power cut.
func (m *machine) end(p *process, power bool) {
	w := m.w
	w.mu.Lock()
	if p == nil || p.dead {
		w.mu.Unlock()
		return
	}
	p.dead, p.open = true, false
	p.free.Store(false)
	close(p.gone)
	p.replica.close()
	if m.proc == p {
		m.proc = nil
	}
	if m.stands != nil {
		close(m.stands)
		m.stands = nil
	}
	if power {
		m.disk.powerCut()
	}
	w.changed()
	w.reset(p)
	w.mu.Unlock()
	p.stop()
}

// kill is kill -9, or with power a power cut.
func (m *machine) kill(power bool) { m.end(m.process(), power) }

// shut ends the process in good order.
func (m *machine) shut() {
	p := m.process()
	if p == nil {
		return
	}
	p.stop()
	ended := make(chan struct{})
	go func() { p.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
	}
	m.end(p, false)
}

// restart is the restart that an administrator asks for.
func (m *machine) restart() {
	m.shut()
	time.Sleep(100 * time.Millisecond)
	m.start()
}

func (m *machine) process() *process {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.proc
}

// notice says that the copy moved. w.mu is held.
func (p *process) notice() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// follow reads anew what the copy holds, each time that it moved.
func (p *process) follow() {
	var had map[string]string
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.news:
		}
		if !p.gate() {
			return
		}
		p.cluster.StoreChanged(p.ctx)
		p.w.mu.Lock()
		now := p.replica.dir.state.items
		var changes []engine.Change
		for path, value := range now {
			if had[path] != value {
				changes = append(changes, engine.Change{Path: path, Value: value})
			}
		}
		if len(changes) > 0 {
			had = maps.Clone(now)
		}
		index := p.replica.dir.applied
		p.w.mu.Unlock()
		if len(changes) > 0 {
			p.cluster.ConfigurationChanged(p.ctx, changes)
		}
		p.cluster.ReportApplied(p.ctx, index)
	}
}

// host is what the machine says of itself.
func (p *process) host() engine.Facts {
	p.gate()
	ntp := "Synchronized"
	if p.m.astray.Load() {
		ntp = "Unsynchronized"
	}
	return engine.Facts{
		Address: p.m.ip, Addresses: []string{p.m.ip}, Product: "expressway", Role: engine.Core, Size: "medium", Hardware: "virtual",
		NICs: 1, ClusterNIC: "single", SystemName: p.m.name, HostName: p.m.name, Domain: "example.com",
		DNS: engine.DNSFacts{OK: true, Servers: []string{"192.0.2.53"}}, NTP: engine.NTPFacts{Servers: []string{"192.0.2.123"}, State: ntp},
		Certificate: engine.CertFacts{Valid: true, Chain: true, Fingerprint: p.node, SANs: []string{p.m.ip}},
	}
}

func (p *process) identity() cluster.Identity {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	id := p.m.disk.identity
	return cluster.Identity{Cluster: id.Cluster, Generation: id.Generation, Standalone: id.Standalone}
}

func (p *process) keepMembers(_ context.Context, _ string, members []engine.Member) error {
	return p.write(func(d *disk) {
		d.members = slices.Clone(members)
		if len(members) >= 2 {
			d.identity.Standalone = false
		}
	})
}

func (p *process) departed(_ context.Context, m engine.Member) {
	_ = p.write(func(d *disk) { d.removed[m.Node] = m }) // a disk that is full forgets it; the fence then refuses by the member list
}

// adopt makes a grant this machine's identity, with an empty copy.
func (p *process) adopt(_ context.Context, g cluster.Grant) error {
	err := p.write(func(d *disk) {
		d.identity.Cluster, d.identity.Generation, d.identity.Standalone = g.Cluster, g.Generation, false
		d.members = slices.Clone(g.Members)
		if d.dirs[g.Generation.ID] == nil {
			d.dirs[g.Generation.ID] = newDirectory(g.Generation)
		}
	})
	if err != nil {
		return err
	}
	p.w.mu.Lock()
	p.replica.close()
	p.replica = p.w.openReplica(p, p.m.disk.dirs[g.Generation.ID])
	p.replica.show()
	p.w.recheck()
	p.w.changed()
	p.w.mu.Unlock()
	p.tracker.Republish()
	p.w.seen("joined")
	return nil
}

// emit follows the alarms that the tracker lists.
func (p *process) emit(e engine.Event) {
	if e.Kind != "alarm.raised" && e.Kind != "alarm.lowered" {
		return
	}
	id := 0
	for _, f := range e.Fields {
		if f.Name == "Id" {
			fmt.Sscan(f.Value, &id)
		}
	}
	p.w.alarmChanged(p, id, e.Kind == "alarm.raised")
}

// alarms takes the conditions of clustering.
type alarms struct{ p *process }

func (a alarms) Reconcile(ctx context.Context, source string, conditions []cluster.Condition) {
	if !a.p.gate() {
		return
	}
	list := make([]alarm.Condition, len(conditions))
	for i, x := range conditions {
		list[i] = alarm.Condition{ID: x.ID, Key: x.Key, Params: x.Params}
	}
	a.p.tracker.Reconcile(ctx, source, list)
}

func (a alarms) Settle(ctx context.Context, ids []int) { a.p.tracker.Settle(ctx, ids) }

// items is the configuration as the copy has it.
type items struct{ p *process }

func (c items) Get(path string) string {
	c.p.w.mu.Lock()
	defer c.p.w.mu.Unlock()
	if value, ok := c.p.replica.dir.state.items[path]; ok {
		return value
	}
	return map[string]string{"H323 Mode": "On", cluster.ItemTLS: "Permissive", cluster.ItemMappingMode: "Off"}[path]
}

func (c items) Revision() int64 {
	c.p.w.mu.Lock()
	defer c.p.w.mu.Unlock()
	return c.p.replica.dir.state.agreed.Revision
}

func (c items) Neighbours() []engine.NeighbourRecord { return nil }

func (c items) SetReplicated(ctx context.Context, _ engine.Actor, changes []engine.Change) (engine.Saved, error) {
	agreed, err := store(c).Agreed(ctx)
	if err != nil {
		return engine.Saved{}, err
	}
	out, _, err := store(c).save(ctx, changes[0].Path, changes[0].Value, agreed.Revision, agreed.Generation.ID)
	return engine.Saved{Revision: out.revision}, err
}

// names resolves addresses: all of them are IP literals.
type names struct{}

func (names) Lookup(_ context.Context, address string) ([]netip.Addr, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil, engine.Errorf(engine.NotFound, "%s does not resolve", address)
	}
	return []netip.Addr{ip}, nil
}

func (names) Match(ip netip.Addr, addresses []string) (string, bool) {
	text := ip.String()
	i := slices.Index(addresses, text)
	if i < 0 {
		return "", false
	}
	return text, true
}

func (names) Same(a, b string) bool { return strings.EqualFold(a, b) }
func (names) Watch([]string)        {}

// lines are the log lines of clustering, which are looked at elsewhere.
type lines struct{}

func (lines) Synchronisation(bool, []string, int, int, bool) []engine.Event { return nil }

func (lines) PageChanged(engine.Actor, engine.Clustering, engine.Clustering) []engine.Event {
	return nil
}
func (lines) TLSChanged(_, _ engine.TLSMode, _ bool) []engine.Event { return nil }
func (lines) PeerDown(string, string) []engine.Event                { return nil }
func (lines) PeerUp(string) []engine.Event                          { return nil }
