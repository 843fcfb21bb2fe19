package event_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
	"hexad/engine/event"
	"hexad/engine/h323"
)

var rewrite = flag.Bool("golden", false, "rewrite testdata")

const goldenFile = "../../testdata/event/seed-lines.golden"

var page = engine.Clustering{Name: "cluster.example.com", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive,
	Peers: []string{"192.0.2.11", "192.0.2.12"}}

// produced is every line of the seed as hexad makes it, by the name that the
// golden file has for it. The hosts and addresses are examples.
func produced(t *testing.T) map[string]engine.Event {
	l := event.Lines{
		FQDN: func() string { return "peer1.example.com" },
		HostName: func(address string) string {
			return map[string]string{"192.0.2.11": "peer1", "192.0.2.12": "peer2"}[address]
		},
	}
	out := map[string]engine.Event{}
	add := func(events []engine.Event, names ...string) {
		t.Helper()
		if len(events) != len(names) {
			t.Fatalf("%d events for %q", len(events), names)
		}
		for i, n := range names {
			out[n] = events[i]
		}
	}
	add(l.Synchronisation(true, page.Peers, 1, 1, true), "sync start", "sync peers", "sync result primary", "sync end")
	add(l.Synchronisation(false, page.Peers, 1, 2, true)[1:3], "sync peers on a subordinate", "sync result subordinate")
	add(l.PeerDown("peer2.example.com", "dial tcp 192.0.2.12:4372: connection refused"),
		"peer down", "peer down inconsistent", "peer down connecting", "peer down ready", "peer down running", "peer down failed")
	add([]engine.Event{l.PeersResolvedAgain(300 * time.Second)}, "resolver forced")
	add(l.TLSChanged(engine.Permissive, engine.Enforcing, false),
		"table insert", "tls changed in the database", "change detected", "table insert again", "tls mode",
		"alternates changed", "resolver notified", "alternates manager", "alternates changed again")
	enforcing := page
	enforcing.TLSMode = engine.Enforcing
	add(l.PageChanged(engine.Actor{User: "admin", Via: "web", Source: "192.0.2.30:53155"}, page, enforcing), "tls changed on the web")

	peer2 := netip.MustParseAddrPort("192.0.2.12:1719")
	add([]engine.Event{h323.Resent(h323.SCI, peer2, 52319), h323.Resent(h323.LRQ, peer2, 52320), h323.Lost(peer2),
		h323.TimedOut(h323.LRQ, peer2, 52320), h323.TimedOut(h323.SCI, peer2, 52319)},
		"sci again", "lrq again", "gatekeeper lost", "lrq timeout", "sci timeout")

	add(raise(20006), "", "alarm 20006")
	add(raise(20004), "", "alarm 20004")
	add(raise(20007), "alarm manager", "alarm 20007")
	delete(out, "")
	return out
}

// raise is what the tracker emits for one alarm.
func raise(id int) []engine.Event {
	var out []engine.Event
	tr := alarm.New(alarm.Options{Node: func() string { return "n1" }, Emit: func(ev engine.Event) { out = append(out, ev) }})
	tr.Raise(context.Background(), id, "", nil)
	return out
}

// TestSeedLines compares each line with the golden file, and each with what the
// seed has at that place: the words of "seed" must stand in the line, or "instead
// of" must say what the product prints there that is its own internals.
func TestSeedLines(t *testing.T) {
	t.Parallel()
	events := produced(t)
	golden := readGolden(t)
	for name, ev := range events {
		ev.Time = clock
		got := event.Line(ev, "peer1", zone, 15060)
		g, listed := golden[name]
		if !listed {
			t.Errorf("%s is not in the golden file: %s", name, got)
			continue
		}
		if *rewrite {
			g.line = got
			golden[name] = g
		}
		if got != g.line {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, g.line)
		}
		for _, words := range g.seed {
			if !strings.Contains(got, words) {
				t.Errorf("%s: the seed's %s is not in %s", name, words, got)
			}
		}
	}
	for name := range golden {
		if _, made := events[name]; !made {
			t.Errorf("nothing makes %s", name)
		}
	}
	if *rewrite {
		writeGolden(t, golden)
	}
}

// entry is one block of the golden file: words of the seed that a filter may
// look for, what was left out, and hexad's line.
type entry struct {
	seed    []string
	instead string
	line    string
}

func readGolden(t *testing.T) map[string]entry {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]entry{}
	var name string
	for row := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimRight(row, "\n"), ": ")
		e := out[name]
		switch key {
		case "name":
			name = value
			e = out[name]
		case "seed":
			e.seed = append(e.seed, value)
		case "instead of":
			e.instead = value
		case "line":
			e.line = value
		default:
			continue // comments and empty rows
		}
		out[name] = e
	}
	return out
}

func writeGolden(t *testing.T, golden map[string]entry) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Every line of the seed's log section, as hexad writes it with example addresses.\n" +
		"# seed: words that a log filter may look for; they stand in the line.\n" +
		"# instead of: internals of the product's database, which hexad has none of.\n")
	for _, name := range slices.Sorted(maps.Keys(golden)) {
		e := golden[name]
		fmt.Fprintf(&b, "\nname: %s\n", name)
		for _, words := range e.seed {
			fmt.Fprintf(&b, "seed: %s\n", words)
		}
		if e.instead != "" {
			fmt.Fprintf(&b, "instead of: %s\n", e.instead)
		}
		fmt.Fprintf(&b, "line: %s\n", e.line)
	}
	if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTLSModeOrder pins the order of a change of mode, which people read as a story.
func TestTLSModeOrder(t *testing.T) {
	t.Parallel()
	l := event.Lines{FQDN: func() string { return "peer1.example.com" }}
	var kinds []string
	for _, ev := range l.TLSChanged(engine.Permissive, engine.Enforcing, false) {
		kinds = append(kinds, ev.Kind)
	}
	want := []string{"database.row_inserted", "configuration.changed", "cluster.change_detected", "database.row_inserted",
		"cluster.tls_mode_changed", "configuration.changed", "resolver.notified", "cluster.peers_changed", "configuration.changed"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got  %q\nwant %q", kinds, want)
	}
	if started := l.TLSChanged("", engine.Permissive, true); len(started) != 1 ||
		!strings.Contains(line(started[0]), `Detail="TLS Verify change status" Startup="True" New="False"`) {
		t.Errorf("at start: %+v", started)
	}
}

func TestPageChanged(t *testing.T) {
	t.Parallel()
	l := event.Lines{FQDN: func() string { return "peer1.example.com" }}
	changed := page
	changed.Primary, changed.Peers = 2, []string{"192.0.2.11", "192.0.2.12", "peer3.example.com"}
	var got []string
	for _, ev := range l.PageChanged(engine.Actor{User: "admin", Via: "shell"}, page, changed) {
		got = append(got, ev.Detail)
	}
	want := []string{
		"configuration/cluster/configuration_primary - changed from: '1' to: '2'",
		"configuration/cluster/peer_3_address - changed from: '' to: 'peer3.example.com'",
		"Cluster configuration change detected",
		"xconfiguration alternatesConfiguration - Changed",
		"Notifying databasemanager (Management Framework)",
		"alternate peer changed info recieved",
		"xconfiguration alternatesConfiguration - Changed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if same := l.PageChanged(engine.System, page, page); len(same) != 0 {
		t.Errorf("nothing changed, but: %+v", same)
	}
}

func TestSaved(t *testing.T) {
	t.Parallel()
	l := event.Lines{FQDN: func() string { return "peer1.example.com" }}
	actor := engine.Actor{User: "admin", Via: "api", Source: "192.0.2.30:53155"}
	var got []string
	for _, ev := range l.Saved([]engine.HistoryEntry{
		{Actor: actor, Path: "ClusterConfiguration AddressMapping 1 IPAddress", Old: "", New: "192.0.2.11"},
		{Actor: actor, Path: "Zones Zone 1 H323 Mode", Old: "On", New: "Off"},
	}) {
		got = append(got, ev.Detail)
	}
	want := []string{
		"xconfiguration clusterConfiguration address_mapping 1 ip_address - changed from:  to: 192.0.2.11",
		"configuration/cluster/address_mapping/1/ip_address - changed from: '' to: '192.0.2.11'",
		"xconfiguration Zones Zone 1 H323 Mode - changed from: On to: Off",
		"configuration/zones/zone/1/h323/mode - changed from: 'On' to: 'Off'",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFollowed(t *testing.T) {
	t.Parallel()
	l := event.Lines{FQDN: func() string { return "peer2.example.com" }}
	events := l.Followed([]engine.HistoryEntry{{Path: "ClusterConfiguration TLSVerify", Old: "Permissive", New: "Enforcing"}})
	if len(events) != 1 || events[0].Detail != "xconfiguration clusterConfiguration tls_verify - changed from: Permissive to: Enforcing" || events[0].Process != "" {
		t.Errorf("got %+v", events)
	}
}

func TestStaleSynchronisation(t *testing.T) {
	t.Parallel()
	l := event.Lines{FQDN: func() string { return "peer1.example.com" }}
	events := l.Synchronisation(false, []string{"192.0.2.11"}, 1, 0, false)
	if got := line(events[1]); !strings.Contains(got, `AlternateIPAddresses="[u'(192.0.2.11)']" ConfigurationMasterIndex="0" LocalPeerIndex="-1"`) {
		t.Errorf("peers: %s", got)
	}
	if events[2].Kind != "synchronisation.updated" {
		t.Errorf("outcome: %+v", events[2])
	}
	if ev := l.SynchronisationFailed("no leader"); ev.Level != "ERROR" {
		t.Errorf("failure: %+v", ev)
	}
}
