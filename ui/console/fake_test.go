package console_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/console"
	"hexad/ui/signin"
)

// password of the account admin in the tests.
const password = "correct horse"

// password hashed once: 64 MiB a time.
var hashed = sync.OnceValue(func() string {
	h, err := signin.HashPassword(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return h
})

// appliance stands in for everything behind the console. It keeps what
// commands change, so that pages show it.
type appliance struct {
	mu       sync.Mutex
	view     engine.ClusterView
	alarms   []engine.RaisedAlarm
	items    []console.Item
	history  []engine.HistoryEntry
	events   []engine.Event
	accounts map[string]console.Account
	sessions map[string]console.Session
	calls    []command.Call
	told     []string // sign-ins
	changed  chan struct{}
	ready    []string
	refuse   error // answer of the next command
	rules    rules
	force    *engine.ForcePlan
	update   *engine.UpdatePlan
	copies   []engine.SavedCopy
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newAppliance() *appliance {
	a := &appliance{rules: newRules(), changed: make(chan struct{}), sessions: map[string]console.Session{},
		accounts: map[string]console.Account{
			"admin":   {Name: "admin", Hash: hashed(), Role: command.Administrator},
			"auditor": {Name: "auditor", Hash: hashed(), Role: command.Auditor},
		}}
	a.view = cluster()
	a.alarms = []engine.RaisedAlarm{
		{Node: "n1", Peer: "192.0.2.1", ID: 20007, State: engine.AlarmNew, Params: map[string]string{"reason": "TLS mode"}, First: noon, Last: noon.Add(time.Minute), Count: 2},
		{Node: "n3", Peer: "peer3.example.net", ID: 20006, State: engine.AlarmNew, Params: map[string]string{"peer": "192.0.2.4"}, First: noon, Last: noon, Count: 1},
		{Node: "n1", Peer: "192.0.2.1", ID: 20004, Key: "n4", State: engine.AlarmAcknowledged, Acknowledged: "admin", Comment: "known", First: noon, Last: noon, Count: 1},
	}
	a.items = []console.Item{
		{Path: "H323 Mode", Space: "<On/Off>", Choices: []string{"On", "Off"}, Default: "On", Value: "On", Replicated: true,
			Help: engine.Text{EN: "Enables H.323.", JA: "H.323 を有効にします。"}},
		{Path: "SystemUnit Name", Space: "<S: 0,50>", Value: "peer one", Set: true, Restart: true},
		{Path: "Zones Zone 1 Name", Space: "<S: 0,50>", Value: "branch", Set: true, Replicated: true},
		{Path: "Zones Zone 1 Type", Space: "<Neighbor/DNS>", Choices: []string{"Neighbor", "DNS"}, Value: "Odd", Set: true, Replicated: true, Later: engine.Text{EN: "Comes with routing.", JA: "ルーティングとともに有効になります。"}},
		{Path: "SNMP Password", Space: "<Password: 64>", Secret: true},
		{Path: "Alternates Cluster Name", Space: "<S: 0,128>", Value: "cluster.example.net", Page: "/clustering"},
	}
	a.history = []engine.HistoryEntry{
		{Revision: 42, Time: noon, Actor: engine.Actor{User: "operator", Via: "ssh", Source: "198.51.100.7:5100"}, Path: "Zones Zone 1 Name", Old: "lab", New: "branch", Comment: "renamed"},
		{Revision: 41, Time: noon.Add(-time.Hour), Actor: engine.Actor{User: "admin", Via: "web", Source: "198.51.100.8:5200"}, Path: "H323 Mode", Old: "", New: "On"},
	}
	a.events = []engine.Event{
		{Time: noon, Kind: "system.changed", Name: "System Configuration Changed", Detail: "no level"},
		{Time: noon, Process: "tvcs", Name: "System Start", Level: "1", Detail: "started"},
		{Time: noon.Add(time.Second), Process: "alarm", Name: "Alarm Raised", Module: "developer.alarm", Level: "INFO", Detail: "cluster communication failure",
			Fields: []engine.Field{{Name: "ID", Value: "20004"}, {Name: "Peer", Value: "192.0.2.4"}}},
	}
	return a
}

// cluster is a cluster of five in all states.
func cluster() engine.ClusterView {
	page := engine.Clustering{Name: "cluster.example.net", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive,
		Peers: []string{"192.0.2.1", "192.0.2.2", "peer3.example.net", "192.0.2.4", "192.0.2.5"}}
	peer := func(i int, node string, state engine.PeerState, rtt float64) engine.PeerView {
		return engine.PeerView{Index: i, Address: page.Peers[i-1], Node: node, State: state, Certificate: "Valid", Pin: "pinned", Release: "0.1.0",
			Database: "Active", Revision: 42, Applied: 900, RTTMS: rtt, Voter: true, Fingerprint: strings.Repeat("ab", 32), Since: noon, Synchronised: noon}
	}
	v := engine.ClusterView{Node: "n1", Address: "192.0.2.1", Index: 1, Entered: page, Running: page, Cluster: "c0ffee", Revision: 42,
		Generation: engine.Generation{Number: 1, ID: "0123456789abcdef"}, Primary: "n1", PrimaryAddress: "192.0.2.1", PrimaryHere: true, Writable: true,
		Database: "Active", Synchronised: noon, MappingMode: true, Mappings: []engine.Mapping{{FQDN: "peer3.example.net", IP: "192.0.2.3"}},
		Peers: []engine.PeerView{peer(1, "n1", engine.ThisSystem, 0), peer(2, "n2", engine.PeerActive, 0.4), peer(3, "n3", engine.PeerActive, 72),
			peer(4, "n4", engine.PeerFailed, 0), peer(5, "n5", engine.PeerUnknown, 0)},
		Findings: []engine.Finding{
			{ID: "cluster.tls.invalid", Severity: engine.FindingWarning, Script: "tls_enforce", Peer: "192.0.2.2", Text: engine.Text{EN: "The certificate does not name {peer}.", JA: "証明書に {peer} が含まれていません。"}, Params: map[string]string{"peer": "192.0.2.2"}},
			{ID: "cluster.config.h323_mode_off", Severity: engine.FindingError, Script: "h323_required", Field: "protocols.h323.mode", Text: engine.Text{EN: "H.323 must be on.", JA: "H.323 を有効にする必要があります。"}, Fix: &engine.Fix{Set: "H323 Mode", To: "On"}},
		}}
	v.Peers[0].Primary = true
	v.Peers[0].RTTs = map[string]float64{"192.0.2.2": 0.4, "peer3.example.net": 72}
	v.Peers[1].RTTs = map[string]float64{"192.0.2.1": 0.5, "peer3.example.net": 91}
	v.Peers[1].Certificate, v.Peers[1].Reason = "Invalid", "does not name 192.0.2.2"
	v.Peers[2].LagMS, v.Peers[2].Restart, v.Peers[2].Voter = 140, true, false
	v.Peers[3].Cause, v.Peers[3].Pin, v.Peers[3].Reason = "connection refused", "changed", "another key than pinned"
	v.Peers[3].Offered = "cdcdcdcd"
	v.Peers[4].Certificate, v.Peers[4].Release, v.Peers[4].Database, v.Peers[4].Voter = "Unknown", "", "", false
	return v
}

func catalogue(id int) engine.Alarm {
	kinds := map[int]engine.Alarm{
		20004: {ID: 20004, UUID: "3bca6888-f622-11df-93be-07cc953d7b99", Severity: engine.Warning, Title: engine.Text{EN: "Cluster communication failure", JA: "クラスタ通信障害"}, Detail: engine.Text{EN: "The system is unable to communicate with one or more of the cluster peers", JA: "1 つ以上のピアと通信できません"}, Remedy: engine.Text{EN: "Check the network between the peers.", JA: "ピア間のネットワークを確認してください。"}},
		20006: {ID: 20006, Severity: engine.Critical, Title: engine.Text{EN: "Cluster database communication failure", JA: "クラスタデータベース通信障害"}, Detail: engine.Text{EN: "The database is unable to replicate with {peer}", JA: "データベースを {peer} と複製できません"}, Remedy: engine.Text{EN: "Check the peer.", JA: "ピアを確認してください。"}},
		20007: {ID: 20007, Severity: engine.Warning, Title: engine.Text{EN: "Restart required", JA: "再起動が必要"}, Detail: engine.Text{EN: "Cluster configuration has been changed: {reason}", JA: "クラスタ設定が変更されました: {reason}"}, Remedy: engine.Text{EN: "Restart the system.", JA: "システムを再起動してください。"}},
	}
	if k, ok := kinds[id]; ok {
		return k
	}
	return engine.Alarm{ID: id}
}

func (a *appliance) options(t *testing.T) console.Options {
	return console.Options{Certificate: certificate(t), Address: "127.0.0.1", Release: "0.1.0",
		Runner: a, Cluster: a, Alarms: a, Configuration: a, Events: a, History: a, Diagnostics: a, Accounts: a,
		Catalogue: catalogue, Changed: a.next, HostKey: func() string { return "SHA256:hostkey" }, Logger: slog.New(slog.DiscardHandler),
		Ready: func() []string { a.mu.Lock(); defer a.mu.Unlock(); return a.ready },
		OnSession: func(event console.SessionEvent, user, source string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.told = append(a.told, string(event)+" "+user+" "+source)
		}}
}

func certificate(t *testing.T) func() *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return func() *tls.Certificate { return c }
}

// change changes the state under the lock and tells the live pages.
func (a *appliance) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *appliance) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

func (a *appliance) View(context.Context) engine.ClusterView {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.view
}

func (a *appliance) List(context.Context) ([]engine.RaisedAlarm, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.alarms), nil
}

func (a *appliance) Areas(context.Context) ([]console.Area, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := map[string]int{}
	for _, i := range a.items {
		counts[strings.Fields(i.Path)[0]]++
	}
	var out []console.Area
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, console.Area{Name: name, Count: counts[name]})
	}
	return out, nil
}

func (a *appliance) Items(_ context.Context, q console.ItemQuery) (console.Items, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := console.Items{Revision: a.view.Revision}
	for _, i := range a.items {
		in := strings.HasPrefix(i.Path, q.Area) && strings.Contains(strings.ToLower(i.Path), strings.ToLower(q.Search))
		if len(q.Paths) > 0 {
			in = slices.Contains(q.Paths, i.Path)
		}
		if in {
			out.Items = append(out.Items, i)
		}
	}
	out.Total = len(out.Items)
	return out, nil
}

func (a *appliance) Events(_ context.Context, limit int) ([]engine.Event, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.events[max(0, len(a.events)-limit):], nil
}

func (a *appliance) History(_ context.Context, after, before int64, limit int) ([]engine.HistoryEntry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []engine.HistoryEntry
	for _, h := range a.history {
		if h.Revision > after && (before == 0 || h.Revision < before) && len(out) < limit {
			out = append(out, h)
		}
	}
	return out, nil
}

func (a *appliance) Views(_ context.Context, database string) ([]string, error) {
	return []string{"diag_" + database, "diag_zone"}, nil
}

func (a *appliance) Account(_ context.Context, name string) (console.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account, ok := a.accounts[name]; ok {
		return account, nil
	}
	return console.Account{}, engine.Errorf(engine.NotFound, "no account %q", name)
}

func (a *appliance) PutSession(_ context.Context, s console.Session) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[s.ID] = s
	return nil
}

func (a *appliance) Session(_ context.Context, id string) (console.Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.sessions[id]; ok {
		return s, nil
	}
	return console.Session{}, engine.Errorf(engine.NotFound, "no session")
}

func (a *appliance) DeleteSession(_ context.Context, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, id)
	return nil
}

// Run carries out what the tests need of the commands.
func (a *appliance) Run(_ context.Context, call command.Call) (command.Result, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	if err := a.refuse; err != nil {
		a.refuse = nil
		return command.Result{}, err
	}
	if strings.HasPrefix(call.Name, "Policy") {
		return a.policyCommand(call)
	}
	if result, ok := a.forceCommand(call); ok {
		return result, nil
	}
	if result, ok := a.procedureCommand(call); ok {
		return result, nil
	}
	if result, ok := maintenanceCommand(call); ok {
		return result, nil
	}
	switch call.Name {
	case "ClusterSave":
		return a.saveCluster(call)
	case "xConfiguration":
		return a.set(call)
	case "AlarmAcknowledge":
		for i := range a.alarms {
			if strconv.Itoa(a.alarms[i].ID) == call.Args["AlarmID"] && a.alarms[i].Peer == call.Args["Peer"] {
				a.alarms[i].State, a.alarms[i].Acknowledged, a.alarms[i].Comment = engine.AlarmAcknowledged, call.Actor.User, call.Args["Comment"]
			}
		}
	case "SQL":
		if !strings.HasPrefix(strings.ToUpper(call.Args["Statement"]), "SELECT") {
			return command.Result{}, engine.Errorf(engine.Denied, "%q would write", call.Args["Statement"]).With("Statement", "ask with SELECT, WITH or EXPLAIN")
		}
		return command.Result{Data: map[string]any{"columns": []string{"name", "n", "none"}, "rows": [][]any{{"branch <b>", int64(9007199254740993), nil}}, "truncated": true}}, nil
	case "ClusterJoinToken":
		return command.Result{Data: map[string]any{"token": "join-me-1234", "until": noon}}, nil
	}
	return command.Result{}, nil
}

func (a *appliance) saveCluster(call command.Call) (command.Result, error) {
	page := engine.Clustering{Name: call.Args["Name"], IPVersion: call.Args["IPVersion"], TLSMode: engine.TLSMode(call.Args["TLSMode"])}
	page.Primary, _ = strconv.Atoi(call.Args["Primary"])
	for i := range engine.MaxPeers {
		if p := call.Args["Peer"+strconv.Itoa(i+1)]; p != "" {
			page.Peers = append(page.Peers, p)
		}
	}
	if slices.Contains(page.Peers, "bad..name") {
		return command.Result{}, &engine.Error{Code: engine.Invalid, Message: "the peer list is refused", Findings: []engine.Finding{
			{ID: "cluster.peers.bad_address", Severity: engine.FindingError, Script: "peer_list", Field: "Alternates Peer 6 Address", Text: engine.Text{EN: "bad..name is no address.", JA: "bad..name はアドレスではありません。"}}}}
	}
	a.view.Entered = page
	a.view.Restart = []string{"cluster name"}
	return command.Result{Cluster: &engine.ClusteringSaved{Entered: page}}, nil
}

func (a *appliance) set(call command.Call) (command.Result, error) {
	if call.Base != 0 && call.Base != a.view.Revision {
		return command.Result{}, engine.Errorf(engine.Conflict, "the configuration changed since revision %d", call.Base)
	}
	a.view.Revision++
	for _, c := range call.Changes {
		for i := range a.items {
			if a.items[i].Path == c.Path {
				a.history = slices.Insert(a.history, 0, engine.HistoryEntry{Revision: a.view.Revision, Time: noon, Actor: call.Actor, Path: c.Path, Old: a.items[i].Value, New: c.Value})
				a.items[i].Value, a.items[i].Set = c.Value, true
			}
		}
	}
	return command.Result{Saved: &engine.Saved{Revision: a.view.Revision, Replication: engine.Replicated}}, nil
}

func (a *appliance) lastCall() command.Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) == 0 {
		return command.Call{}
	}
	return a.calls[len(a.calls)-1]
}
