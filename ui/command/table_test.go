package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/ui/command"
)

// peer is one system in memory: the real configuration service over maps, and
// a clustering page that accepts everything.
type peer struct {
	mu       sync.Mutex
	revision int64
	items    map[string]string
	local    map[string]string
	view     engine.ClusterView
	raised   []engine.RaisedAlarm
	audit    []command.Audited
	restarts int
	password string
	rival    bool // another administrator saves first, once
	held     error
	advised  []engine.Finding
	asked    []string // of the gate
}

func (p *peer) gate(_ context.Context, procedure, step string) ([]engine.Finding, error) {
	p.asked = append(p.asked, procedure+" "+step)
	return p.advised, p.held
}

func (p *peer) Configuration(context.Context) (engine.Configuration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return engine.Configuration{Revision: p.revision, Items: maps.Clone(p.items)}, nil
}

func apply(rows map[string]string, changes []engine.Change) {
	for _, c := range changes {
		if c.Delete {
			delete(rows, c.Path)
		} else {
			rows[c.Path] = c.Value
		}
	}
}

func (p *peer) SaveConfiguration(_ context.Context, save engine.Save) (engine.Saved, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rival {
		p.rival = false
		p.revision++
	}
	if save.Base != p.revision {
		return engine.Saved{}, engine.Errorf(engine.Conflict, "the configuration changed since revision %d", save.Base)
	}
	p.revision++
	apply(p.items, save.Changes)
	return engine.Saved{Revision: p.revision, Replication: engine.Replicated}, nil
}

func (p *peer) Items(context.Context) (map[string]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.local), nil
}

func (p *peer) SaveItems(_ context.Context, save engine.Save) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	apply(p.local, save.Changes)
	return nil
}

func (p *peer) Entered() engine.Clustering { return p.view.Entered }

func (p *peer) SaveClustering(ctx context.Context, actor engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error) {
	return p.Save(ctx, actor, page)
}

func (p *peer) View(context.Context) engine.ClusterView {
	v := p.view
	v.Revision = p.revision
	return v
}

func (p *peer) Save(_ context.Context, _ engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error) {
	if page.Name == "" {
		return engine.ClusteringSaved{}, &engine.Error{Code: engine.Invalid, Message: "the cluster has no name", Item: "Cluster name",
			Remedy: "enter one", Findings: []engine.Finding{{ID: "cluster.name", Severity: engine.FindingError,
				Text: engine.Text{EN: "a cluster name is needed", JA: "クラスタ名が必要です"}}}}
	}
	p.view.Entered = page
	p.view.Restart = []string{"the peer list changed"}
	return engine.ClusteringSaved{Entered: page, Restart: p.view.Restart}, nil
}

func (p *peer) Pending() engine.ClusterView { return p.view }

func (p *peer) Restart(context.Context, engine.Actor) error { p.restarts++; return nil }

func (p *peer) AcceptKey(_ context.Context, _ engine.Actor, address, _ string) error {
	if address != "192.0.2.2" {
		return engine.Errorf(engine.NotFound, "no peer %s", address)
	}
	return nil
}

func (p *peer) JoinToken(context.Context, engine.Actor) (string, time.Time, error) {
	return "token", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), nil
}

func (p *peer) UseToken(context.Context, engine.Actor, string) error { return nil }

func (p *peer) OpenWindow(context.Context, engine.Actor) (time.Time, error) {
	return time.Date(2026, 1, 2, 3, 14, 5, 0, time.UTC), nil
}

func (p *peer) List(context.Context) ([]engine.RaisedAlarm, error) { return p.raised, nil }

func (p *peer) Acknowledge(_ context.Context, node string, id int, key, by, comment string) error {
	for i, r := range p.raised {
		if r.Node == node && r.ID == id && r.Key == key {
			p.raised[i].State, p.raised[i].Acknowledged, p.raised[i].Comment = engine.AlarmAcknowledged, by, comment
			return nil
		}
	}
	return engine.Errorf(engine.NotFound, "not raised")
}

func (p *peer) Query(_ context.Context, database, statement string, limit int) (command.Rows, error) {
	if strings.Contains(statement, "nonsense") {
		return command.Rows{}, engine.Errorf(engine.Invalid, "no such table: nonsense")
	}
	rows := command.Rows{Columns: []string{"name", "n"}, Rows: [][]any{{"branch", int64(1)}, {"lab", nil}, {[]byte{0xca, 0xfe}, 2.5}}}
	if limit < len(rows.Rows) {
		rows.Rows, rows.Truncated = rows.Rows[:limit], true
	}
	return rows, nil
}

func (p *peer) Facts(context.Context) engine.Facts {
	return engine.Facts{Release: "1.0.0", Role: engine.Core, Size: "medium", Product: "expressway", Hardware: "virtual", SystemName: "peer1",
		HostName: "peer1", Domain: "example.com",
		DNS:  engine.DNSFacts{Servers: []string{"192.0.2.53"}, Failures: map[string]string{"peer2.example.com": "no such name"}},
		NTP:  engine.NTPFacts{Servers: []string{"192.0.2.123"}, State: "Synchronized", OffsetMS: 0.25},
		Keys: []engine.Key{{Text: "116341W10-1-00000000", Family: "rich_media_sessions", Count: 10}}}
}

func (p *peer) Started() time.Time { return time.Now().Add(-time.Minute) }
func (p *peer) Serial() string     { return "0A1B2C3D" }

func (p *peer) Lookup(_ context.Context, name, kind string) ([]string, error) {
	return []string{name + ". 60 IN " + strings.ToUpper(kind) + " 192.0.2.1"}, nil
}

func (p *peer) SetPassword(_ context.Context, _ engine.Actor, _, password string) error {
	p.password = password
	return nil
}

func (p *peer) Events(context.Context, int) ([]engine.Event, error) {
	return []engine.Event{{Name: "System Configuration Changed", Level: "1", Detail: "d", Fields: []engine.Field{{Name: "Node", Value: "n"}}}}, nil
}

func (p *peer) History(context.Context, int64, int64, int) ([]engine.HistoryEntry, error) {
	return []engine.HistoryEntry{{Revision: 2, Actor: engine.Actor{User: "admin", Via: "web"}, Path: "H323 Mode", Old: "Off", New: "On"}}, nil
}

func newPeer(t *testing.T) (*peer, *command.Table) {
	t.Helper()
	p := &peer{items: map[string]string{}, local: map[string]string{}, view: engine.ClusterView{
		Node: "n1", Address: "192.0.2.1", Database: "Active", Writable: true, PrimaryHere: true, PrimaryAddress: "192.0.2.1",
		Generation: engine.Generation{Number: 1, ID: "g1"},
		Running:    engine.Clustering{Name: "cluster.example.com", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: []string{"192.0.2.1", "192.0.2.2"}},
		Peers: []engine.PeerView{
			{Index: 1, Address: "192.0.2.1", Node: "n1", State: engine.ThisSystem, Certificate: "Valid", Pin: "pinned", Primary: true, Voter: true, Applied: 12, Release: "1.0.0", Database: "Active"},
			{Index: 2, Address: "192.0.2.2", State: engine.PeerFailed, Cause: "no response", Certificate: "Unknown", Pin: "none"},
		}}}
	p.view.Entered = p.view.Running
	reg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	service := config.New(reg, p, p, p, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if _, err := service.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds := map[int]engine.Alarm{20007: {ID: 20007, UUID: "u", Severity: engine.Warning, Title: engine.Text{EN: "Restart required", JA: "再起動が必要"},
		Detail: engine.Text{EN: "{why}"}, Remedy: engine.Text{EN: "Restart."}}}
	return p, command.New(command.Parts{Cluster: p, Trust: p, Registry: reg, Configuration: service, History: p, Alarms: p,
		Catalogue: func(id int) engine.Alarm { return kinds[id] }, Diagnostics: p, Host: p, Accounts: p, Journal: p, Gate: p.gate,
		Audit: func(_ context.Context, a command.Audited) { p.audit = append(p.audit, a) }})
}

var admin = command.By{Actor: engine.Actor{User: "admin", Via: "shell"}, Role: command.Administrator}

func do(t *testing.T, table *command.Table, line string) command.Result {
	t.Helper()
	r, err := table.Execute(t.Context(), line, admin)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	for _, e := range table.Entries() {
		if e.Help.EN == "" || e.Help.JA == "" || e.Example == "" || e.Role == "" {
			t.Errorf("%s: help, example or role is missing", e.Name)
		}
		seen := map[string]bool{}
		for _, a := range e.Args {
			if a.Help.EN == "" || a.Help.JA == "" || a.Space.String() == "<>" {
				t.Errorf("%s %s: help or value space is missing", e.Name, a.Name)
			}
			if seen[strings.ToLower(a.Name)] {
				t.Errorf("%s %s: twice", e.Name, a.Name)
			}
			seen[strings.ToLower(a.Name)] = true
		}
	}
}

// TestExamples: each example is a line that the parser takes apart into a call
// of its command.
func TestExamples(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	for _, e := range table.Entries() {
		if e.Name == "Import" {
			continue // its example is of the system's shell
		}
		call, err := table.Resolve(e.Example)
		if err != nil || call.Name != e.Name {
			t.Errorf("%s: example %q resolves to %q, %v", e.Name, e.Example, call.Name, err)
		}
	}
}

func TestNamesJoinedAndSpaced(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	for _, line := range []string{
		`xCommand ZoneAdd ZoneName: "branch" Type: Neighbor`, `xcommand zone add zone name: "branch" type: neighbor`,
		`XCOMMAND ZONE ADD ZONENAME:branch TYPE:NEIGHBOR`,
	} {
		call, err := table.Resolve(line)
		if err != nil || call.Name != "ZoneAdd" || !strings.EqualFold(call.Args["Type"], "Neighbor") || call.Args["ZoneName"] != "branch" {
			t.Errorf("Resolve(%q) = %+v, %v", line, call, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		code       engine.Code
		says       string
	}{
		{"unknown command", "xCommand ZonAdd ZoneName: x", engine.Invalid, "ZoneAdd"},
		{"unknown argument", "xCommand ZoneAdd ZonName: x Type: DNS", engine.Invalid, "ZoneName"},
		{"missing argument", `xCommand ZoneAdd ZoneName: "x"`, engine.Invalid, "Type"},
		{"value outside its space", `xCommand ZoneAdd ZoneName: "x" Type: Sideways`, engine.Invalid, "Neighbor"},
		{"argument twice", `xCommand ZoneAdd ZoneName: "x" ZoneName: "y" Type: DNS`, engine.Invalid, "twice"},
		{"stray word", `xCommand ZoneAdd ZoneName: branch office Type: DNS`, engine.Invalid, "office Type"},
		{"unknown item", `xConfiguration SystemUnit Nome: "x"`, engine.NotFound, "SystemUnit Name"},
		{"item out of range", `xConfiguration NTP Server 9 Address: "192.0.2.1"`, engine.Invalid, "1 to 5"},
		{"item value", `xConfiguration H323 Mode: Maybe`, engine.Invalid, "On"},
		{"unknown status", "xStatus Clustre", engine.Invalid, "Cluster"},
		{"unknown part of a status", "xStatus Cluster Banana", engine.Invalid, "Banana"},
		{"nothing to delete", `xCommand ZoneDelete ZoneId: 7`, engine.NotFound, "ZoneId"},
		{"deletion of nothing named", `xCommand ZoneDelete`, engine.Invalid, "ZoneName"},
		{"gap in the peer list", `xCommand ClusterSave Peer2: "" Peer3: "192.0.2.3"`, engine.Invalid, "gap"},
		{"short password", `xCommand AccountPasswordSet Password: "1234567"`, engine.Invalid, "8"},
		{"alarm that is not raised", `xCommand AlarmAcknowledge AlarmID: 20004`, engine.NotFound, "20004"},
		{"statement", `xCommand SQL Statement: "SELECT * FROM nonsense"`, engine.Invalid, "nonsense"},
		{"pattern", `xCommand CheckPattern Target: "a" Pattern: "(" Type: Regex Behavior: Leave`, engine.Invalid, "missing closing"},
	} {
		_, table := newPeer(t)
		_, err := table.Execute(t.Context(), c.line, admin)
		var e *engine.Error
		if engine.CodeOf(err) != c.code || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s = %v, want %s with %q", c.name, c.line, err, c.code, c.says)
		}
	}
}

func TestAuditorReadsOnly(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	auditor := admin
	auditor.Role = command.Auditor
	for _, line := range []string{`xConfiguration SystemUnit Name: "x"`, "xCommand Restart", `xCommand ZoneAdd ZoneName: "x" Type: DNS`} {
		if _, err := table.Execute(t.Context(), line, auditor); engine.CodeOf(err) != engine.Denied {
			t.Errorf("%s = %v, want denied", line, err)
		}
	}
	for _, line := range []string{"xConfiguration SystemUnit", "xStatus", `xCommand SQL Statement: "SELECT 1"`, "xHistory Configuration"} {
		if _, err := table.Execute(t.Context(), line, auditor); err != nil {
			t.Errorf("%s = %v", line, err)
		}
	}
	if _, err := table.Execute(t.Context(), "xStatus", command.By{}); engine.CodeOf(err) != engine.Denied {
		t.Errorf("without a role: %v, want denied", err)
	}
	if p.restarts != 0 || len(p.audit) != 3 || !strings.HasPrefix(p.audit[0].Result, "denied") {
		t.Errorf("restarts %d, audit %+v", p.restarts, p.audit)
	}
}

func TestAuditMasksSecrets(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	do(t, table, `xCommand AccountPasswordSet Password: "swordfish1"`)
	do(t, table, `xConfiguration Authentication Password: "swordfish2"`)
	do(t, table, `xCommand OptionKeyAdd Key: "116341W10-1-00000000"`)
	do(t, table, "xStatus")
	text, err := json.Marshal(p.audit)
	if err != nil || strings.Contains(string(text), "swordfish") || len(p.audit) != 3 {
		t.Errorf("audit = %s, %v", text, err)
	}
	if p.password != "swordfish1" {
		t.Errorf("password = %q", p.password)
	}
}

func TestListCommands(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	r := do(t, table, `xCommand ZoneAdd ZoneName: "branch" Type: Neighbor`)
	if !slices.Contains(r.Lines, "  ZoneId: 1") || r.Saved == nil || r.Saved.Revision != 1 {
		t.Errorf("ZoneAdd = %q, %+v", r.Lines, r.Saved)
	}
	for _, line := range []string{
		`xCommand SubZoneAdd SubZoneName: "floor1"`, `xCommand SearchRuleAdd Name: "r" ZoneName: "branch"`,
		`xCommand TransformAdd Pattern: "9" Priority: 10`, `xCommand LinkAdd LinkName: "l" Node1: "DefaultSubZone" Node2: "branch"`,
		`xCommand PipeAdd PipeName: "wan" TotalMode: Limited Total: 10000`, `xCommand DomainAdd Name: "example.com"`,
		`xCommand AllowListAdd PatternString: "a"`, `xCommand DenyListAdd PatternString: "b"`, `xCommand DNSServerAdd Address: "192.0.2.53"`,
		`xCommand NTPServerAdd Address: "ntp.example.com"`, `xCommand RemoteSyslogAdd Address: "192.0.2.9"`,
		`xCommand OptionKeyAdd Key: "116341W10-1-00000000"`, `xCommand ClusterAddressMappingAdd Fqdn: "p1.example.com" IpAddress: "192.0.2.1"`,
		`xCommand RouteAdd Address: "198.51.100.0" PrefixLength: 24 Gateway: "192.0.2.254"`, `xCommand DefaultLinksAdd`,
	} {
		do(t, table, line)
	}
	if p.items["Zones Zone 1 Name"] != "branch" || p.local["Option 1 Key"] == "" || p.items["Bandwidth Pipe 1 Bandwidth Total Limit"] != "10000" {
		t.Errorf("items = %v, local = %v", p.items, p.local)
	}
	for _, line := range []string{
		`xCommand ZoneDelete ZoneName: "branch"`, `xCommand SubZoneDelete SubZoneId: 1`, `xCommand SearchRuleDelete Name: "r"`,
		`xCommand TransformDelete TransformId: 1`, `xCommand PipeDelete PipeName: "wan"`, `xCommand DomainDelete Name: "example.com"`,
		`xCommand AllowListDelete AllowListId: 1`, `xCommand DenyListDelete PatternString: "b"`, `xCommand DNSServerDelete Address: "192.0.2.53"`,
		`xCommand NTPServerDelete NTPServerId: 1`, `xCommand RemoteSyslogDelete Address: "192.0.2.9"`, `xCommand OptionKeyDelete OptionKeyId: 1`,
		`xCommand ClusterAddressMappingDelete Fqdn: "p1.example.com" IpAddress: "192.0.2.1"`, `xCommand RouteDelete RouteId: 1`,
	} {
		do(t, table, line)
	}
	if p.items["Zones Zone 1 Name"] != "" || p.local["Option 1 Key"] != "" {
		t.Errorf("after deletion: items = %v, local = %v", p.items, p.local)
	}
}

// TestRivalSave: a command that depends on the present configuration is decided
// anew when another change wins; one that was decided on a revision is refused.
func TestRivalSave(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	p.rival = true
	r := do(t, table, `xCommand ZoneAdd ZoneName: "branch" Type: DNS`)
	if r.Saved == nil || r.Saved.Revision != 2 {
		t.Errorf("saved = %+v, want revision 2", r.Saved)
	}
	based := admin
	based.Base = 1
	_, err := table.Execute(t.Context(), `xCommand ZoneAdd ZoneName: "lab" Type: DNS`, based)
	if engine.CodeOf(err) != engine.Conflict {
		t.Errorf("at base 1: %v, want conflict", err)
	}
}

func TestClusterSave(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	r := do(t, table, `xCommand ClusterSave TLSMode: Enforce Peer3: "192.0.2.3"`)
	want := p.view.Running
	want.TLSMode, want.Peers = engine.Enforcing, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	if !p.view.Entered.Equal(want) || r.Cluster == nil || len(r.Restart) != 1 {
		t.Errorf("entered = %+v, result %+v, want %+v", p.view.Entered, r, want)
	}
	do(t, table, `xCommand ClusterPeerAdd Address: "192.0.2.4"`)
	if got := p.view.Entered.Peers; len(got) != 4 || got[3] != "192.0.2.4" {
		t.Errorf("peers = %q", got)
	}
	do(t, table, `xCommand ClusterSave Peer1: "" Peer2: "" Peer3: "" Peer4: ""`)
	if got := p.view.Entered.Peers; len(got) != 0 {
		t.Errorf("peers = %q, want none", got)
	}
}

func TestConfigurationOfOldSpelling(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	r := do(t, table, "xConfiguration Alternates ConfigurationMaster")
	if len(r.Lines) != 1 || r.Lines[0] != "*c xConfiguration Alternates ConfigurationPrimary: 1" {
		t.Errorf("lines = %q", r.Lines)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	p.raised = []engine.RaisedAlarm{{Node: "n1", Peer: "192.0.2.1", ID: 20007}, {Node: "n2", Peer: "192.0.2.2", ID: 20007}}
	do(t, table, `xCommand AlarmAcknowledge AlarmID: 20007 Comment: "tonight"`)
	if p.raised[0].State != engine.AlarmAcknowledged || p.raised[0].Comment != "tonight" || p.raised[1].State != "" {
		t.Errorf("raised = %+v", p.raised)
	}
	do(t, table, `xCommand AlarmAcknowledge AlarmID: 20007 Peer: "192.0.2.2"`)
	if p.raised[1].State != engine.AlarmAcknowledged {
		t.Errorf("raised = %+v", p.raised)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	for _, c := range []struct {
		line string
		want []string
	}{
		{"xSt", []string{"xStatus "}},
		{"xCommand ZoneA", []string{"ZoneAdd "}},
		{"xCommand ZoneAdd ", []string{"ZoneName: ", "Type: "}},
		{`xCommand ZoneAdd ZoneName: "x" `, []string{"Type: "}},
		{`xCommand ZoneAdd ZoneName: "x" Type: N`, []string{"Neighbor "}},
		{`xCommand ZoneAdd ZoneName: "bra`, nil},
		{"xStatus Clu", []string{"Cluster "}},
		{"xConfiguration SystemUnit N", []string{"Name: "}},
		{"xConfiguration H323 Mode: ", []string{"On ", "Off "}},
		{"xConfiguration NTP Server ", []string{"1 "}},
	} {
		if got := table.Complete(c.line, len(c.line)); !slices.Equal(got, c.want) {
			t.Errorf("Complete(%q) = %q, want %q", c.line, got, c.want)
		}
	}
	if got := table.Complete("x", 7); got != nil {
		t.Errorf("beyond the line: %q", got)
	}
}

func TestStatusForMachines(t *testing.T) {
	t.Parallel()
	_, table := newPeer(t)
	text, err := json.Marshal(do(t, table, "xStatus Cluster").Data)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Generation struct{ Number int }
		Revision   *int64
		Peers      []map[string]any
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Generation.Number != 1 || got.Revision == nil || len(got.Peers) != 2 {
		t.Fatalf("xStatus Cluster = %s, %v", text, err)
	}
	for _, name := range []string{"index", "address", "state", "certificate", "primary", "voter", "applied_index", "lag_ms", "rtt_ms", "release"} {
		if _, ok := got.Peers[0][name]; !ok {
			t.Errorf("a peer has no %s: %s", name, text)
		}
	}
	if got.Peers[1]["cause"] != "no response" {
		t.Errorf("cause = %v", got.Peers[1]["cause"])
	}
}
