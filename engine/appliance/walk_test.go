package appliance_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// walkAll, when it is set, makes TestWalk go all its walks and not one alone.
const walkAll = "HEXAD_WALK"

// walkFigures names a file to which every walk adds what it measured.
const walkFigures = "HEXAD_WALK_FIGURES"

// TestWalk goes through the administrators' document by hand: peers in a
// network of their own, each page saved on each peer over HTTPS, and after each
// step a look at what the document says must be seen. Source: the seed.
func TestWalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count   int
		version string
		address string // with the number of the peer
		dns     string
	}{
		{2, "IPv4", walkNet4 + ".1%d", walkNet4 + ".9"},
		{2, "IPv6", walkNet6 + "::1%d", walkNet6 + "::9"},
		{4, "IPv4", walkNet4 + ".1%d", walkNet4 + ".9"},
		{4, "IPv6", walkNet6 + "::1%d", walkNet6 + "::9"},
	} {
		t.Run(fmt.Sprintf("%d peers %s", tt.count, tt.version), func(t *testing.T) {
			if (tt.count > 2 || tt.version != "IPv4") && os.Getenv(walkAll) == "" {
				t.Skipf("make walk goes this one too (%s=1)", walkAll)
			}
			w := &walk{walkLab: newWalkLab(t, tt.count), version: tt.version, dns: tt.dns, ca: appliancetest.NewAuthority(t)}
			for n := 1; n <= tt.count; n++ {
				p := appliancetest.New(t, n, fmt.Sprintf(tt.address, n))
				p.Within = w.within(fmt.Sprintf("p%d", n))
				w.peers = append(w.peers, p)
			}
			w.resolver = w.names(w.zone(""))
			w.through()
		})
	}
}

// walk is one way through the document.
type walk struct {
	*walkLab
	peers    []*appliancetest.Peer
	version  string
	dns      string
	list     []string // Peer N entries as they are now
	ca       *appliancetest.Authority
	resolver *walkNames
	clients  map[*appliancetest.Peer]*openSSH
	zones    int
}

// through takes the steps in the document's order. Two of its sections come
// before the one that names them as its condition: Enforce needs names in the
// address fields, and names in a network without public DNS need the mapping.
func (w *walk) through() {
	for _, s := range []struct {
		name string
		take func()
	}{
		{"creating a new cluster", w.create},
		{"adding peers", w.addPeers},
		{"log of a synchronisation", w.synchronisation},
		{"enforcing before its conditions hold", w.tooEarly},
		{"changing the cluster to use names", w.useNames},
		{"address mapping", w.mapping},
		{"enforcing TLS verification", w.enforce},
		{"changing the primary", w.changePrimary},
		{"changing the primary, the old one dead", w.deadPrimary},
		{"factory reset", w.factoryReset},
		{"restart sequence", w.restartSequence},
		{"replication errors", w.replicationErrors},
		{"H.323 mode", w.h323},
	} {
		began := time.Now()
		w.t.Logf("step: %s", s.name)
		s.take()
		if w.t.Failed() {
			w.t.Fatalf("step %q failed after %v", s.name, time.Since(began).Round(time.Millisecond))
		}
		w.t.Logf("step: %s took %v", s.name, time.Since(began).Round(time.Millisecond))
	}
}

// measured notes how long something took since began.
func (w *walk) measured(what string, began time.Time) {
	line := fmt.Sprintf("%d peers %s\t%s\t%d ms", len(w.peers), w.version, what, time.Since(began).Milliseconds())
	w.t.Log("figure: " + line)
	if path := os.Getenv(walkFigures); path != "" {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = fmt.Fprintln(file, line)
			file.Close()
		}
		if err != nil {
			w.t.Error(err)
		}
	}
}

// zone is what DNS knows of the peers: their addresses, or others that begin
// with elsewhere.
func (w *walk) zone(elsewhere string) map[string]string {
	out := map[string]string{}
	for i, p := range w.peers {
		out[p.FQDN()] = p.Address
		if elsewhere != "" {
			out[p.FQDN()] = elsewhere + strconv.Itoa(i+1)
		}
	}
	return out
}

// fields are those of a page; fill gives all of them for a list of peers.
type fields map[string]string

func (w *walk) fill(list ...string) fields {
	f := fields{"Name": appliancetest.ClusterName, "Primary": "1", "IPVersion": w.version}
	for i := range engine.MaxPeers {
		value := ""
		if i < len(list) {
			value = list[i]
		}
		f["Peer"+strconv.Itoa(i+1)] = value
	}
	return f
}

// save saves the clustering page of one peer, from its console's network.
func (w *walk) save(p *appliancetest.Peer, f fields) {
	w.t.Helper()
	if _, err := w.post(p, "ClusterSave", f); err != nil {
		w.t.Fatalf("%s: save %v: %v", p.Name, f, err)
	}
}

// index is the number of the entry that says "This system" on a peer's page.
func (w *walk) index(p *appliancetest.Peer) string {
	w.t.Helper()
	for _, v := range p.View().Peers {
		if v.State == engine.ThisSystem {
			return strconv.Itoa(v.Index)
		}
	}
	w.t.Fatalf("%s: no entry is this system: %+v", p.Name, p.View().Peers)
	return ""
}

// indicators waits until the page of a peer shows these words beside its
// entries: "This system", "Active", "Failed" and so on, with "/Valid" or
// "/Invalid" when the certificate counts too.
func (w *walk) indicators(p *appliancetest.Peer, within time.Duration, want ...string) {
	w.t.Helper()
	p.Await("shows "+strings.Join(want, ", "), within, func() string {
		var got []string
		for _, v := range p.View().Peers {
			text := string(v.State)
			if len(got) < len(want) && strings.Contains(want[len(got)], "/") {
				text += "/" + v.Certificate
			}
			got = append(got, text)
		}
		if !slices.Equal(got, want) {
			return strings.Join(got, ", ")
		}
		return ""
	})
}

// green waits until every entry on every page is green in both indicators.
func (w *walk) green(peers []*appliancetest.Peer) {
	w.t.Helper()
	for i, p := range peers {
		want := slices.Repeat([]string{"Active/Valid"}, len(peers))
		want[i] = "This system/Valid"
		w.indicators(p, 30*time.Second, want...)
	}
}

// active waits until the database of each peer is Active.
func (w *walk) active(peers []*appliancetest.Peer) {
	w.t.Helper()
	for _, p := range peers {
		p.Await("has an active cluster database", 20*time.Second, func() string {
			if d := p.View().Database; d != "Active" {
				return "database " + d
			}
			return ""
		})
	}
}

// replicated saves a zone on the primary and waits until it is on every peer.
func (w *walk) replicated(primary *appliancetest.Peer, peers []*appliancetest.Peer) {
	w.t.Helper()
	w.zones++
	name := fmt.Sprintf("zone%d", w.zones)
	primary.Exec(`xCommand ZoneAdd ZoneName: "%s" Type: Neighbor`, name)
	began := time.Now()
	for _, p := range peers {
		p.Await("has the zone "+name, 20*time.Second, func() string { return lacks(p, name) })
	}
	w.measured("a change saved on the primary is on every peer", began)
}

// calm waits until no peer has an alarm but the notice of the permissive mode.
func (w *walk) calm(peers []*appliancetest.Peer, within time.Duration) {
	w.t.Helper()
	for _, p := range peers {
		p.Calm(within)
	}
}

// prepare starts a peer and gives it what the document wants it to have first:
// names, DNS, H.323 mode, and a certificate of the test's authority.
func (w *walk) prepare(p *appliancetest.Peer, names ...string) {
	w.t.Helper()
	p.Prepare()
	p.Exec(`xCommand DNSServerAdd Address: "%s"`, w.dns)
	w.ca.Certify(p, append(names, appliancetest.ClusterName)...)
}

// create is "Creating a new cluster".
func (w *walk) create() {
	p := w.peers[0].Up()
	w.prepare(p, p.Address)
	p.Exec("xConfiguration H323 Mode: Off")
	_, err := w.post(p, "ClusterSave", w.fill(p.Address))
	if err == nil || !strings.Contains(err.Error(), "H.323") {
		w.t.Errorf("a cluster without H.323 is created: %v", err)
	}
	p.Exec("xConfiguration H323 Mode: On")
	m := mark(w.peers)
	w.list = []string{p.Address}
	w.save(p, w.fill(w.list...))
	p.AwaitAlarm(20007, true, 5*time.Second)
	w.alarmLine(p, m[p], 20007, "e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6",
		"Restart required: Cluster configuration has been changed, however a restart is required for this to take effect")
	w.indicators(p, 5*time.Second, "This system")
	if v := p.View(); len(v.Running.Peers) != 0 || v.Entered.TLSMode != engine.Permissive {
		w.t.Errorf("before the restart %+v runs, %+v is entered", v.Running, v.Entered)
	}
	w.restart(p)
	appliancetest.Ready(w.t, w.peers[:1])
	p.AwaitAlarm(20007, false, 10*time.Second)
	w.indicators(p, 5*time.Second, "This system/Valid")
	w.active(w.peers[:1])
	w.calm(w.peers[:1], 10*time.Second)
	p.Exec(`xCommand ZoneAdd ZoneName: "branch" Type: Neighbor`)
}

// restart restarts a peer over HTTPS, waits for its web interface, and
// measures that.
func (w *walk) restart(p *appliancetest.Peer) {
	w.t.Helper()
	before := p.Child()
	began := time.Now()
	if _, err := w.post(p, "Restart", nil); err != nil {
		w.t.Fatalf("%s: restart: %v", p.Name, err)
	}
	p.Await("has restarted", 60*time.Second, func() string {
		if child := p.Child(); child == 0 || child == before {
			return "the old process runs"
		}
		return why(w.get(p, "/sign-in"))
	})
	w.measured("restart until the web interface answers", began)
}

// addPeers is "Adding a peer", for one after the other.
func (w *walk) addPeers() {
	for n := 2; n <= len(w.peers); n++ {
		w.add(n)
	}
}

func (w *walk) add(n int) {
	primary, joiner, there := w.peers[0], w.peers[n-1], w.peers[:n-1]
	joiner.Up()
	w.prepare(joiner)
	joiner.Exec(`xCommand ZoneAdd ZoneName: "only here" Type: Neighbor`)
	w.list = append(w.list, joiner.Address)
	states := func(last string) []string {
		want := slices.Repeat([]string{"Active"}, n)
		want[0], want[n-1] = "This system", last
		return want
	}
	w.save(primary, fields{"Peer" + strconv.Itoa(n): joiner.Address})
	if v := primary.View().Peers; len(v) != n || v[n-1].State == engine.PeerActive {
		w.t.Errorf("%s shows %+v", primary.Name, v)
	}
	w.indicators(primary, 20*time.Second, states("Failed")...)
	for _, p := range there[1:] {
		w.save(p, w.fill(w.list...))
	}
	m := mark(w.peers)
	w.save(joiner, w.fill(w.list...))
	joiner.AwaitAlarm(20004, true, 5*time.Second)
	w.alarmLine(joiner, m[joiner], 20004, "3bca6888-f622-11df-93be-07cc953d7b99",
		"Cluster communication failure: The system is unable to communicate with one or more of the cluster peers")
	began := time.Now()
	w.restart(joiner)
	joiner.Await("has the primary's configuration", 40*time.Second, func() string { return lacks(joiner, "branch") })
	w.measured("restart of a new peer until the primary's configuration is there", began)
	w.active(w.peers[:n])
	joiner.AwaitAlarm(20004, false, 20*time.Second)
	appliancetest.Ready(w.t, w.peers[:n])
	w.calm(w.peers[:n], 30*time.Second)
	w.measured("restart of a new peer until every status is right and no alarm stands", began)
	w.indicators(primary, 10*time.Second, states("Active")...)
	if lacks(joiner, "only here") == "" {
		w.t.Errorf("%s kept the configuration that it had alone", joiner.Name)
	}
	// Its certificate names it and not its address: shown, and no obstacle.
	if v := primary.Entry(joiner.Address); v.Certificate != "Invalid" {
		w.t.Errorf("%s shows the certificate of %s as %s", primary.Name, joiner.Name, v.Certificate)
	}
	w.replicated(primary, w.peers[:n])
}
