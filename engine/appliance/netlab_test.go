package appliance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// Forms of the addresses of the lab's peers.
const (
	lab4 = "198.51.100.1%d"
	lab6 = "2001:db8:100::1%d"
)

// TestNetlab runs peers in network namespaces of their own and lets the
// network between them fail in the ways that only a network can.
func TestNetlab(t *testing.T) {
	if testing.Short() {
		t.Skip("the network laboratory takes two minutes")
	}
	needNetlab(t)
	t.Run("six peers", sixPeers)
	t.Run("two peers", twoPeers)
	t.Run("cuts", cuts)
	t.Run("distance", distance)
	t.Run("IPv6", overIPv6)
	t.Run("names", names)
}

// sixPeers: a cluster of six forms, saves, loses a whole machine and gets it back.
func sixPeers(t *testing.T) {
	peers := labPeers(t, 6, lab4)
	appliancetest.Form(t, peers)
	addZone(peers[0])
	revision := peers[0].View().Revision
	for _, p := range peers {
		p.AwaitRevision(revision)
	}
	lost := peers[3]
	rest := slices.Concat(peers[:3], peers[4:])
	var after []int
	for _, p := range rest {
		after = append(after, p.Mark(20004, 20006))
	}
	netlab(t, "kill", "4")
	for _, p := range rest {
		p.AwaitAlarm(20004, true, 3*time.Second)
		p.AwaitAlarm(20006, true, 3*time.Second)
	}
	if answer := addZone(peers[0]); !strings.Contains(answer, string(engine.Replicated)) {
		t.Errorf("saved with one of six gone: %s", answer)
	}
	lost.Up()
	appliancetest.Ready(t, peers)
	for i, p := range rest {
		p.AwaitAlarm(20004, false, 5*time.Second)
		p.AwaitAlarm(20006, false, 5*time.Second)
		once(t, p, after[i], 20004, 20006)
	}
}

// once reports alarms that were not raised and lowered exactly once.
func once(t *testing.T, p *appliancetest.Peer, after int, ids ...int) {
	t.Helper()
	for _, id := range ids {
		p.Await(fmt.Sprintf("line of alarm %d", id), 2*time.Second, func() string {
			if raised, lowered := p.Counted(id, after); raised != 1 || lowered != 1 {
				return fmt.Sprintf("raised %d times and lowered %d times", raised, lowered)
			}
			return ""
		})
	}
}

// twoPeers: of two, the primary alone is the voter; it saves while the other is down.
func twoPeers(t *testing.T) {
	peers := labPeers(t, 2, lab4)
	appliancetest.Form(t, peers)
	if answer := addZone(peers[0]); !strings.Contains(answer, string(engine.Replicated)) {
		t.Errorf("saved with both there: %s", answer)
	}
	netlab(t, "kill", "2")
	if answer := addZone(peers[0]); !strings.Contains(answer, string(engine.NotReplicated)) {
		t.Errorf("saved with the subordinate down: %s", answer)
	}
	peers[1].Up()
	appliancetest.Ready(t, peers)
	if e := peers[1].Refused(`xCommand ZoneAdd ZoneName: "elsewhere" Type: Neighbor`); e.Code != engine.Denied {
		t.Errorf("a save on the subordinate: %v", e)
	}
}

// cuts: what a peer says of each way in which the network to another can fail.
func cuts(t *testing.T) {
	peers := labPeers(t, 3, lab4)
	appliancetest.Form(t, peers)
	for _, tt := range []struct {
		name string
		cut  []string
		// raised is for each peer what it must raise within three seconds and
		// lower within three seconds of healing, once.
		raised [3][]int
		// never may not be raised anywhere.
		never []int
		saves bool // the primary saves meanwhile
	}{
		{"silent partition", []string{"partition", "1,2", "3"}, [3][]int{{20004, 20006}, {20004, 20006}, {20004, 20006}}, nil, true},
		{"database port alone", []string{"isolate", "3", "tcp:4372"}, [3][]int{{20006}, {20006}, {20006}}, []int{20004}, true},
		{"peer link alone", []string{"isolate", "3", "tcp:4371"}, [3][]int{{20004}, {20004}, {20004}}, []int{20006}, true},
		{"mute", []string{"mute", "3"}, [3][]int{{20004, 20006}, {20004, 20006}, {20004, 20006}}, nil, true},
		{"deaf", []string{"deaf", "2"}, [3][]int{{20004, 20006}, {20004, 20006}, {20004, 20006}}, nil, true},
		{"cable pulled", []string{"link", "3", "down"}, [3][]int{{20004, 20006}, {20004, 20006}, {20004, 20006}}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var after [3]int
			for i, p := range peers {
				p.Calm(20 * time.Second)
				after[i] = p.Mark(20004, 20006)
			}
			netlab(t, tt.cut...)
			began := time.Now()
			awaitEach(t, peers, tt.raised, true, began.Add(3*time.Second))
			if tt.saves {
				addZone(peers[0])
			}
			netlab(t, "heal")
			awaitEach(t, peers, tt.raised, false, time.Now().Add(3*time.Second))
			appliancetest.Ready(t, peers)
			for i, p := range peers {
				once(t, p, after[i], tt.raised[i]...)
				for _, id := range tt.never {
					if raised, _ := p.Counted(id, after[i]); raised > 0 {
						t.Errorf("%s raised %d", p.Name, id)
					}
				}
			}
		})
	}
}

// looking is what it takes to look at the alarms of three peers, one after the
// other, on a busy host.
const looking = 300 * time.Millisecond

// awaitEach waits until each peer has raised, or lowered, what it must, and
// reports those that had not by the deadline.
func awaitEach(t *testing.T, peers []*appliancetest.Peer, want [3][]int, holds bool, deadline time.Time) {
	t.Helper()
	for i, p := range peers {
		for _, id := range want[i] {
			p.AwaitAlarm(id, holds, 20*time.Second)
			if late := time.Since(deadline); late > looking {
				t.Errorf("%s: alarm %d, raised %v, came %v late", p.Name, id, holds, late.Round(10*time.Millisecond))
			}
		}
	}
}

// distance: at 80 ms the cluster forms and saves without an election, and at 90
// ms the rule says that it is too far.
func distance(t *testing.T) {
	peers := labPeers(t, 3, lab4)
	netlab(t, "delay", "all", "all", "40")
	appliancetest.Form(t, peers)
	before := elections(peers)
	for range 20 {
		if answer := addZone(peers[0]); !strings.Contains(answer, string(engine.Replicated)) {
			t.Errorf("saved at 80 ms: %s", answer)
		}
	}
	for _, p := range peers {
		p.Await("measures all round trips", 20*time.Second, func() string {
			for _, other := range p.View().Peers {
				if other.State == engine.PeerActive && (other.RTTMS < 79 || other.RTTMS > 90) {
					return fmt.Sprintf("%s is %v ms away", other.Address, other.RTTMS)
				}
			}
			return ""
		})
		p.AwaitAlarm(70013, false, time.Second)
		if raised, _ := p.Counted(70013, 0); raised > 0 {
			t.Errorf("%s raised 70013 at 80 ms: %s", p.Name, p.Detail(70013))
		}
	}
	if now := elections(peers); now != before {
		t.Errorf("%d elections at 80 ms", now-before)
	}
	netlab(t, "delay", "all", "all", "45")
	for _, p := range peers {
		p.AwaitAlarm(70013, true, 25*time.Second)
	}
	addZone(peers[0])
	netlab(t, "heal")
	for _, p := range peers {
		p.AwaitAlarm(70013, false, 15*time.Second)
	}
}

// page is the command that saves a whole page.
func page(version string, addresses ...string) string {
	return strings.Replace(appliancetest.Page(addresses...), "IPVersion: IPv4", "IPVersion: "+version, 1)
}

// form is appliancetest.Form for other addresses than the peers' own literals.
func form(t *testing.T, peers []*appliancetest.Peer, version string, addresses []string, before func(*appliancetest.Peer)) {
	t.Helper()
	for _, p := range peers {
		p.Up()
		p.Prepare()
		before(p)
	}
	peers[0].Exec("%s", page(version, addresses[0]))
	peers[0].Restart()
	appliancetest.Ready(t, peers[:1])
	peers[0].Exec("%s", page(version, addresses...))
	for _, p := range peers[1:] {
		p.Exec("%s", page(version, addresses...))
		p.Restart()
	}
	appliancetest.Ready(t, peers)
}

// overIPv6: a cluster without an IPv4 address anywhere, with its console.
func overIPv6(t *testing.T) {
	peers := labPeers(t, 3, lab6)
	form(t, peers, "IPv6", appliancetest.Addresses(peers), func(*appliancetest.Peer) {})
	if answer := addZone(peers[0]); !strings.Contains(answer, string(engine.Replicated)) {
		t.Errorf("saved over IPv6: %s", answer)
	}
	revision := peers[0].View().Revision
	for _, p := range peers {
		p.AwaitRevision(revision)
		for _, other := range p.View().Peers {
			if !strings.HasPrefix(other.Address, "2001:db8:") {
				t.Errorf("%s lists %s", p.Name, other.Address)
			}
		}
		out := helper(t, "mgmt", "get", "HEXAD_NETLAB_URL=https://["+p.Address+"]:8443/")
		if text := out.String(); !strings.Contains(text, "answer 200") || !strings.Contains(text, "<form") {
			t.Errorf("console of %s over IPv6: %.400s", p.Name, text)
		}
	}
	after := len(peers[0].Log())
	netlab(t, "kill", "3")
	peers[0].AwaitAlarm(20004, true, 3*time.Second)
	peers[2].Up()
	appliancetest.Ready(t, peers)
	peers[0].AwaitAlarm(20004, false, 3*time.Second)
	once(t, peers[0], after, 20004)
}

// names: peers that are listed by name find each other by DNS, and one that the
// address mapping names is never asked for.
func names(t *testing.T) {
	peers := labPeers(t, 3, lab4)
	asked := filepath.Join(t.TempDir(), "asked")
	var zone, fqdns []string
	for _, p := range peers {
		fqdns = append(fqdns, p.FQDN())
		if p != peers[2] { // DNS has another opinion of the third
			zone = append(zone, p.FQDN()+"="+p.Address)
		}
	}
	zone = append(zone, peers[2].FQDN()+"=198.51.100.77")
	helper(t, "mgmt", "dns", "HEXAD_NETLAB_ZONE="+strings.Join(zone, " "), "HEXAD_NETLAB_ASKED="+asked)
	mapping := func(p *appliancetest.Peer) {
		p.Exec(`xConfiguration ClusterConfiguration AddressMapping 1 FQDN: "%s"`, peers[2].FQDN())
		p.Exec(`xConfiguration ClusterConfiguration AddressMapping 1 IPAddress: "%s"`, peers[2].Address)
		p.Exec(`xConfiguration ClusterConfiguration AddressMapping Mode: On`)
	}
	form(t, peers, "IPv4", fqdns, func(p *appliancetest.Peer) {
		p.Exec(`xConfiguration DNS Server 1 Address: "198.51.100.9"`)
		mapping(p)
	})
	addZone(peers[0])
	for _, p := range peers {
		p.AwaitRevision(peers[0].View().Revision)
		for i, other := range p.View().Peers {
			if other.Address != fqdns[i] {
				t.Errorf("%s lists %s as %s", p.Name, fqdns[i], other.Address)
			}
		}
	}
	text, err := os.ReadFile(asked)
	if err != nil || !strings.Contains(string(text), "A "+peers[1].FQDN()) {
		t.Errorf("DNS was not asked for %s: %v\n%s", peers[1].FQDN(), err, text)
	}
	if strings.Contains(string(text), "A "+peers[2].FQDN()) {
		t.Errorf("DNS was asked for %s, which is mapped:\n%s", peers[2].FQDN(), text)
	}
}
