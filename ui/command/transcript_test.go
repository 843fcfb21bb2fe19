package command_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"hexad/engine"
)

var golden = flag.Bool("golden", false, "rewrite the transcripts in testdata")

// TestStatusForPeople pins what the reading commands print.
func TestStatusForPeople(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	p.raised = []engine.RaisedAlarm{{Node: "n1", Peer: "192.0.2.1", ID: 20007, State: engine.AlarmNew, First: at, Last: at, Count: 1,
		Params: map[string]string{"why": "the TLS mode \"changed\""}}}
	p.view.Mappings, p.view.MappingMode = []engine.Mapping{{FQDN: "p1.example.com", IP: "192.0.2.1"}}, true
	p.view.Restart = []string{"the TLS verification mode changed"}
	p.view.Findings = []engine.Finding{{ID: "cluster.x", Severity: engine.FindingWarning, Peer: "192.0.2.2", Text: engine.Text{EN: "look at {it}"}, Params: map[string]string{"it": "this"}}}
	var got strings.Builder
	for _, line := range []string{
		"xStatus Alternates", "xStatus Alternates Peer 2", "xStatus Alternates Peer 2 Status", "xStatus Cluster", "xStatus Alarm", "xStatus NTP", "xStatus DNS",
		"xStatus Options", "xStatus SystemUnit Software", "xHistory Configuration", "xHistory Event", "xStatus ?",
		`xCommand SQL Statement: "SELECT 1"`, `xCommand SQL Statement: "SELECT 1" Limit: 1`, `xCommand DNSLookup Hostname: "p1.example.com" RecordType: a`,
		"xCommand ClusterJoinToken", "xCommand ClusterJoinWindowOpen",
	} {
		got.WriteString("> " + line + "\n" + strings.Join(do(t, table, line).Lines, "\n") + "\n\n")
	}
	const file = "testdata/status.txt"
	if *golden {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got.String() {
		t.Errorf("%s: %v, got\n%s\nwant\n%s", file, err, got.String(), want)
	}
}
