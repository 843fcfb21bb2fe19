package appliance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// TestAlarmsBetweenPeers: the alarms that peers raise about each other.
func TestAlarmsBetweenPeers(t *testing.T) {
	t.Parallel()
	a := &between{t: t, peers: appliancetest.Cluster(t, 84, 3)}
	a.settings()
	a.primaryNumber()
	a.killed()
	a.paused()
	a.release()
	a.stuck()
}

type between struct {
	t     *testing.T
	peers []*appliancetest.Peer
}

// trouble is one fault between peers: the alarms that it raises on whom, what
// their details say, and how it ends.
type trouble struct {
	on     []*appliancetest.Peer
	ids    []int
	begin  func()
	within time.Duration
	says   map[int][]string // parts of an alarm's text
	end    func()
	over   time.Duration
}

func (a *between) suffer(x trouble) {
	a.t.Helper()
	m := mark(a.peers)
	began := time.Now()
	x.begin()
	for _, p := range x.on {
		for _, id := range x.ids {
			p.AwaitAlarm(id, true, max(time.Until(began.Add(x.within)), 50*time.Millisecond))
			for _, part := range x.says[id] {
				if d := p.Detail(id); !strings.Contains(d, part) {
					a.t.Errorf("%s: alarm %d says %q, not %q", p.Name, id, d, part)
				}
			}
		}
	}
	x.end()
	ended := time.Now()
	for _, p := range x.on {
		for _, id := range x.ids {
			p.AwaitAlarm(id, false, max(time.Until(ended.Add(x.over)), 50*time.Millisecond))
		}
		m.once(a.t, p, x.ids...)
	}
	for _, p := range a.peers {
		p.Calm(10 * time.Second)
	}
}

// settings: a subordinate's page differs from the primary's.
func (a *between) settings() {
	all := appliancetest.Addresses(a.peers)
	last := a.peers[2]
	for _, c := range []struct{ differs, line, back, says string }{
		{"order", appliancetest.Page(all[0], all[2], all[1]), appliancetest.Page(all...), "peer list differs"},
		{"name", `xCommand ClusterSave Name: "other.example"`, fmt.Sprintf(`xCommand ClusterSave Name: "%s"`, appliancetest.ClusterName), "other.example"},
	} {
		a.suffer(trouble{on: []*appliancetest.Peer{last}, ids: []int{20012}, within: silent, over: over, says: map[int][]string{20012: {c.says}},
			begin: func() { last.Exec("%s", c.line) }, end: func() { last.Exec("%s", c.back) }})
	}
}

// primaryNumber: one peer's page names another primary than the others'.
func (a *between) primaryNumber() {
	second := a.peers[1]
	a.suffer(trouble{on: a.peers, ids: []int{20017}, within: silent, over: over,
		begin: func() { second.Exec("xCommand ClusterSave Primary: 3") }, end: func() { second.Exec("xCommand ClusterSave Primary: 1") }})
}

// killed: the primary's connections are reset.
func (a *between) killed() {
	primary := a.peers[0]
	a.suffer(trouble{on: a.peers[1:], ids: []int{20004, 20006, 20016, 20021}, within: plain, over: over,
		says:  map[int][]string{20004: {primary.Address}, 20006: {primary.Address}, 20016: {primary.Address}, 20021: {primary.Address, "4371"}},
		begin: primary.Kill, end: func() { primary.Up(); appliancetest.Meet(a.t, a.peers) }})
}

// paused: a peer keeps its connections and says nothing.
func (a *between) paused() {
	last := a.peers[2]
	a.suffer(trouble{on: a.peers[:2], ids: []int{20004, 20006}, within: silent, over: over,
		says:  map[int][]string{20004: {last.Address}, 20006: {last.Address}},
		begin: last.Pause, end: last.Resume})
}

// again restarts a peer as another program or with other flags.
func (a *between) again(p *appliancetest.Peer, v appliancetest.Variant, args ...string) {
	a.t.Helper()
	appliancetest.Program(a.t, v) // built before the peer is gone
	p.Stop()
	usual := p.Args
	p.Variant, p.Args = v, append(usual[:len(usual):len(usual)], args...)
	p.Up()
	p.Args = usual
}

// release: one peer was upgraded before the others.
func (a *between) release() {
	last := a.peers[2]
	a.suffer(trouble{on: a.peers, ids: []int{20008}, within: 10 * time.Second, over: 10 * time.Second,
		says:  map[int][]string{20008: {"1.0.1"}},
		begin: func() { a.again(last, appliancetest.Variant{Release: "1.0.1"}) },
		end: func() {
			a.peers[0].Exec(`xCommand ZoneAdd ZoneName: "while upgrading" Type: Neighbor`)
			a.again(last, appliancetest.Variant{})
		}})
	if got := zones(last); !strings.Contains(got, "while upgrading") {
		a.t.Errorf("the upgraded peer has %s", got)
	}
}

// stuck: the others cannot reach a peer's database, so that its copy stands
// still while it hears that the primary's moves.
func (a *between) stuck() {
	last := a.peers[2]
	m := mark(a.peers)
	a.again(last, appliancetest.Variant{}, "--database-port", "5372")
	a.peers[0].Exec(`xCommand ZoneAdd ZoneName: "beyond" Type: Neighbor`)
	for _, p := range a.peers[:2] {
		p.AwaitAlarm(20006, true, silent)
		p.Await("names the port", silent, func() string {
			if d := p.Detail(20021); !strings.Contains(d, last.Address) || !strings.Contains(d, "4372") || strings.Contains(d, "4371") {
				return "20021 says " + d
			}
			return ""
		})
		if d := p.Detail(20006); !strings.Contains(d, last.Address) {
			a.t.Errorf("%s: 20006 says %s", p.Name, d)
		}
	}
	last.AwaitAlarm(20025, true, 25*time.Second)
	if d := last.Detail(20025); !strings.Contains(d, last.Address) {
		a.t.Errorf("20025 says %s", d)
	}
	a.again(last, appliancetest.Variant{})
	appliancetest.Ready(a.t, a.peers)
	last.AwaitAlarm(20025, false, over)
	m.once(a.t, last, 20025)
	for _, p := range a.peers {
		p.Calm(10 * time.Second)
	}
}
