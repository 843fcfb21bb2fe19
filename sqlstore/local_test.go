package sqlstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestIdentityAndMembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := sqlstoretest.LocalIn(t, dir)
	id, err := l.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id.Cluster, id.Secret, id.State, id.StoreDir = "c1", []byte("cluster secret canary"), sqlstore.Membership, "store-3"
	id.Generation = engine.Generation{Number: 3, ID: "g3", Parent: "g2"}
	members := []engine.Member{{Node: "a", Address: "192.0.2.1", Fingerprint: "f", Release: "1"}, {Node: "b", Address: "peer2.example"}}
	if err := l.PutIdentity(t.Context(), id, members); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range listing(t, dir) {
		if strings.Contains(content, "cluster secret canary") {
			t.Errorf("%s holds the secret in clear", name)
		}
	}
	l = sqlstoretest.LocalIn(t, dir)
	got, err := l.Identity(t.Context())
	if err != nil || !reflect.DeepEqual(got, id) {
		t.Errorf("identity = %+v, %v, want %+v", got, err, id)
	}
	if got, err := l.Members(t.Context()); err != nil || !reflect.DeepEqual(got, members) {
		t.Errorf("members = %+v, %v", got, err)
	}
	seven := make([]engine.Member, 7)
	for i := range seven {
		seven[i].Node = fmt.Sprint(i)
	}
	id.Cluster = "c2"
	if err := l.PutIdentity(t.Context(), id, seven); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("seven members: %v", err)
	}
	if got, _ := l.Identity(t.Context()); got.Cluster != "c1" {
		t.Errorf("a refused PutIdentity changed the cluster to %q", got.Cluster)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	page := sqlstore.Page{
		Entered: engine.Clustering{Name: "c.example", Primary: 2, IPVersion: "IPv4", TLSMode: engine.Enforcing, Peers: []string{"192.0.2.1", "192.0.2.2"}},
		Running: engine.Clustering{Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: []string{}},
		SavedAt: noon, CreatedAt: noon,
		Reset:   &engine.Reset{Since: noon, From: []string{"192.0.2.1"}, Keep: []string{"accounts.admin"}, Banner: engine.Text{EN: "e", JA: "j"}, Blocked: "b"},
		Restart: []string{"peers changed", "another"},
	}
	for range 2 { // storing twice changes nothing
		if err := l.PutPage(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Page(t.Context()); err != nil || !reflect.DeepEqual(got, page) {
			t.Errorf("page = %+v, reset %+v, %v, want %+v, reset %+v", got, got.Reset, err, page, page.Reset)
		}
	}
	page.Entered.Peers = make([]string, 7)
	if err := l.PutPage(t.Context(), page); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("seven peers: %v", err)
	}
	if err := l.ClearReset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := l.ArmedReset(t.Context()); r != nil || err != nil {
		t.Errorf("cleared reset = %+v, %v", r, err)
	}
}

func TestPutEnteredRecordsHistory(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	admin := engine.Actor{User: "admin", Via: "web", Source: "192.0.2.9:50000"}
	c := engine.Clustering{Name: "c", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: []string{"192.0.2.1"}}
	if err := l.PutEntered(t.Context(), c, admin, noon); err != nil {
		t.Fatal(err)
	}
	if err := l.PutEntered(t.Context(), c, admin, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := l.PutRunning(t.Context(), c, noon); err != nil {
		t.Fatal(err)
	}
	entered, saved, err := l.Entered(t.Context())
	if err != nil || !entered.Equal(c) || !saved.Equal(noon.Add(time.Hour)) {
		t.Errorf("entered = %+v, %v, %v", entered, saved, err)
	}
	if page, _ := l.Page(t.Context()); !page.CreatedAt.Equal(noon) {
		t.Errorf("created = %v, want %v", page.CreatedAt, noon)
	}
	history, err := l.History(t.Context(), sqlstore.HistoryFilter{Path: "Alternates"})
	if err != nil || len(history) != 2 { // name and first peer; the second save changed nothing
		t.Fatalf("history = %+v, %v", history, err)
	}
	h := history[0]
	if h.Path != "Alternates Peer 1 Address" || h.New != "192.0.2.1" || h.Old != "" || h.Actor != admin || h.Revision != 1 || h.Peer == "" {
		t.Errorf("newest = %+v", h)
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := sqlstoretest.LocalIn(t, dir)
	save := func(changes ...engine.Change) int64 {
		t.Helper()
		revision, err := l.SaveItems(t.Context(), changes, engine.System, noon, "why")
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	set := func(path, value string) engine.Change { return engine.Change{Path: path, Value: value} }
	for i, want := range []int64{1, 1, 2, 3, 3} {
		got := int64(0)
		switch i {
		case 0:
			got = save(set("SystemUnit Name", "one"), set("SNMP Password", "canary-snmp"), set("Empty", ""))
		case 1:
			got = save(set("SystemUnit Name", "one"))
		case 2:
			got = save(set("SystemUnit Name", "two"), set("SNMP Password", "canary-other"))
		case 3:
			got = save(engine.Change{Path: "SystemUnit Name", Delete: true})
		case 4:
			got = save(engine.Change{Path: "SystemUnit Name", Delete: true})
		}
		if got != want {
			t.Errorf("save %d: revision %d, want %d", i, got, want)
		}
	}
	if _, err := l.SaveItems(t.Context(), []engine.Change{set("A", "1"), set(" ", "2")}, engine.System, noon, ""); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("empty path: %v", err)
	}
	want := map[string]string{"SNMP Password": "canary-other", "Empty": ""}
	if got, err := l.Items(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("items = %v, %v, want %v", got, err, want)
	}
	history, err := l.History(t.Context(), sqlstore.HistoryFilter{Path: "SNMP Password"})
	if err != nil || len(history) != 2 || history[0].New != "********" || history[0].Old != "********" || history[1].Old != "" {
		t.Errorf("history of a secret = %+v, %v", history, err)
	}
	older, err := l.History(t.Context(), sqlstore.HistoryFilter{Before: history[0].ID, Limit: 1})
	if err != nil || len(older) != 1 || older[0].ID >= history[0].ID {
		t.Errorf("page = %+v, %v", older, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range listing(t, dir) {
		if strings.Contains(content, "canary-") {
			t.Errorf("%s holds a secret in clear", name)
		}
	}
}

func TestPinsAndTokens(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	pin := sqlstore.Pin{Address: "192.0.2.2", Node: "b", Fingerprint: "f", Offered: "g", State: "changed", FirstSeen: noon, AcceptedBy: "admin", AcceptedAt: noon}
	for range 2 {
		if err := l.PutPin(t.Context(), pin); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.Pins(t.Context()); err != nil || !reflect.DeepEqual(got, []sqlstore.Pin{pin}) {
		t.Errorf("pins = %+v, %v", got, err)
	}
	for range 2 {
		if err := l.DeletePin(t.Context(), pin.Address); err != nil {
			t.Error(err)
		}
	}
	token := sqlstore.JoinToken{Hash: hash("token"), Address: "192.0.2.2", Created: noon, CreatedBy: "admin", Expires: noon.Add(time.Hour)}
	if err := l.PutJoinToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := l.PutJoinToken(t.Context(), sqlstore.JoinToken{Hash: "the token itself"}); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a token in clear: %v", err)
	}
	for _, c := range []struct {
		hash, node string
		at         time.Time
		want       engine.Code
	}{
		{hash("other"), "b", noon, engine.NotFound},
		{token.Hash, "b", noon.Add(time.Hour), engine.Denied},
		{token.Hash, "b", noon.Add(time.Minute), ""},
		{token.Hash, "b", noon.Add(2 * time.Minute), ""}, // the first answer was lost
		{token.Hash, "c", noon.Add(3 * time.Minute), engine.Denied},
	} {
		if _, err := l.UseJoinToken(t.Context(), c.hash, c.node, c.at); engine.CodeOf(err) != c.want {
			t.Errorf("use %.4s by %s at %v: %v, want %q", c.hash, c.node, c.at, err, c.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := sqlstoretest.LocalIn(t, dir)
	if got, err := l.Credentials(t.Context()); err != nil || got.Certificate != nil {
		t.Errorf("none yet: %+v, %v", got, err)
	}
	want := sqlstore.Credentials{Certificate: []byte("cert"), PrivateKey: []byte("canary-key"), Changed: noon}
	authorities := []string{"ca 2", "ca 1"}
	if err := errors.Join(l.PutTrustStore(t.Context(), authorities), l.PutCredentials(t.Context(), want)); err != nil {
		t.Fatal(err)
	}
	if got, err := l.TrustStore(t.Context()); err != nil || !slices.Equal(got, authorities) {
		t.Errorf("trust store = %v, %v", got, err)
	}
	if got, err := l.Credentials(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("credentials = %+v, %v", got, err)
	}
	if err := l.PutCredentials(t.Context(), sqlstore.Credentials{Certificate: []byte("cert")}); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a certificate alone: %v", err)
	}
	keys := []sqlstore.HostKey{{Algorithm: "ssh-ed25519", Public: "ssh-ed25519 AAAA", Private: []byte("canary-host")}}
	if err := l.PutHostKeys(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	if got, err := l.HostKeys(t.Context()); err != nil || !reflect.DeepEqual(got, keys) {
		t.Errorf("host keys = %+v, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range listing(t, dir) {
		if strings.Contains(content, "canary-") {
			t.Errorf("%s holds a private key in clear", name)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	admin := sqlstore.Account{Name: "admin", Role: "administrator", Hash: "h1", Created: noon, Changed: noon}
	if err := l.PutAccount(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Account(t.Context(), "admin"); err != nil || got != admin {
		t.Errorf("account = %+v, %v", got, err)
	}
	if _, err := l.Account(t.Context(), "nobody"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("unknown account: %v", err)
	}
	put := func(name string, at time.Time) {
		t.Helper()
		s := sqlstore.Session{Account: "admin", Via: "web", Created: at, Used: at, Idle: at.Add(30 * time.Minute), Absolute: at.Add(12 * time.Hour)}
		if err := l.PutSession(t.Context(), hash(name), s); err != nil {
			t.Fatal(err)
		}
	}
	live := func(name string, at time.Time) bool {
		t.Helper()
		_, err := l.Session(t.Context(), hash(name), at)
		if err != nil && engine.CodeOf(err) != engine.NotFound {
			t.Fatal(err)
		}
		return err == nil
	}
	put("a", noon)
	if !live("a", noon.Add(29*time.Minute)) || live("a", noon.Add(30*time.Minute)) || live("b", noon) {
		t.Error("idle expiry")
	}
	for at := noon.Add(20 * time.Minute); at.Before(noon.Add(12 * time.Hour)); at = at.Add(20 * time.Minute) {
		if err := l.UseSession(t.Context(), hash("a"), at, at.Add(30*time.Minute)); err != nil {
			t.Fatalf("use at %v: %v", at, err)
		}
	}
	if live("a", noon.Add(12*time.Hour)) {
		t.Error("used beyond its absolute end")
	}
	for i := range 40 {
		put(fmt.Sprint("many ", i), noon.Add(time.Duration(i)*time.Second))
	}
	got, err := l.Sessions(t.Context(), noon.Add(time.Minute))
	if err != nil || len(got) != sqlstore.MaxAccountSessions || !live("many 39", noon.Add(time.Minute)) || live("many 0", noon.Add(time.Minute)) {
		t.Errorf("%d sessions, %v", len(got), err)
	}
	if err := l.PutAccount(t.Context(), admin); err != nil || !live("many 39", noon) {
		t.Errorf("an unchanged account ended its sessions (%v)", err)
	}
	admin.Hash = "h2"
	if err := l.PutAccount(t.Context(), admin); err != nil || live("many 39", noon) {
		t.Errorf("a changed password left sessions (%v)", err)
	}
	put("last", noon)
	if err := l.DeleteAccount(t.Context(), "admin"); err != nil || live("last", noon) {
		t.Errorf("deleting the account: %v", err)
	}
	if err := l.DeleteAccount(t.Context(), "admin"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("deleting it again: %v", err)
	}
}

func TestOwnAlarms(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	id, err := l.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := engine.RaisedAlarm{Node: id.Node, Peer: "192.0.2.1", ID: 20004, Key: "192.0.2.2", State: engine.AlarmAcknowledged,
		Params: map[string]string{"peer": "192.0.2.2"}, First: noon, Last: noon.Add(time.Minute), Count: 2, Acknowledged: "admin", Comment: "seen"}
	b := engine.RaisedAlarm{Node: id.Node, ID: 20007, State: engine.AlarmNew, First: noon, Last: noon, Count: 1}
	for _, alarm := range []engine.RaisedAlarm{a, b, b} {
		if err := l.PutAlarm(t.Context(), alarm); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.OwnAlarms(t.Context()); err != nil || !reflect.DeepEqual(got, []engine.RaisedAlarm{a, b}) {
		t.Errorf("alarms = %+v, %v", got, err)
	}
	changes, err := l.UnpublishedAlarms(t.Context())
	if err != nil || len(changes) != 2 {
		t.Fatalf("unpublished = %+v, %v", changes, err)
	}
	if err := l.PutAlarm(t.Context(), a); err != nil { // changes while the rest is being published
		t.Fatal(err)
	}
	if err := l.AlarmsPublished(t.Context(), changes[1].Sequence); err != nil {
		t.Fatal(err)
	}
	if left, _ := l.UnpublishedAlarms(t.Context()); len(left) != 1 || left[0].Alarm.ID != 20004 {
		t.Errorf("unpublished after publishing = %+v", left)
	}
	if err := l.DeleteAlarm(t.Context(), 20007, ""); err != nil {
		t.Fatal(err)
	}
	if err := l.DeleteAlarm(t.Context(), 99999, "none"); err != nil {
		t.Fatal(err)
	}
	left, _ := l.UnpublishedAlarms(t.Context())
	if own, _ := l.OwnAlarms(t.Context()); len(own) != 1 || len(left) != 2 || !left[1].Lowered {
		t.Errorf("after lowering: own %+v, unpublished %+v", own, left)
	}
	if err := l.RestartAlarms(t.Context(), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	a.State, a.First, a.Last, a.Count, a.Acknowledged, a.Comment = engine.AlarmNew, noon.Add(time.Hour), noon.Add(time.Hour), 1, "", ""
	if got, err := l.OwnAlarms(t.Context()); err != nil || !reflect.DeepEqual(got, []engine.RaisedAlarm{a}) {
		t.Errorf("after a restart = %+v, %v, want %+v", got, err, a)
	}
}

func TestEventJournal(t *testing.T) {
	t.Parallel()
	l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: t.TempDir(), EventLimit: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var batch []engine.Event
	for i := range 80 {
		batch = append(batch, engine.Event{Time: noon.Add(time.Duration(i) * time.Second), Kind: fmt.Sprintf("kind.%d", i%2), Module: "m", Level: "INFO",
			Name: "N", Detail: fmt.Sprintf("100%% of_%d", i), Fields: []engine.Field{{Name: "b", Value: "2"}, {Name: "a", Value: fmt.Sprint(i)}, {Name: "b", Value: "3"}}})
	}
	for i := 0; i < len(batch); i += 20 {
		if err := l.AppendEvents(t.Context(), batch[i:i+20]); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name        string
		filter      sqlstore.EventFilter
		count       int
		first, last int64
	}{
		{"all", sqlstore.EventFilter{}, 50, 80, 31},
		{"limit", sqlstore.EventFilter{Limit: 3}, 3, 80, 78},
		{"page", sqlstore.EventFilter{Limit: 3, BeforeID: 78}, 3, 77, 75},
		{"after", sqlstore.EventFilter{AfterID: 77}, 3, 80, 78},
		{"kind", sqlstore.EventFilter{Kind: "kind.0"}, 25, 79, 31},
		{"time", sqlstore.EventFilter{Since: noon.Add(40 * time.Second), Until: noon.Add(42 * time.Second)}, 2, 42, 41},
		{"text is literal", sqlstore.EventFilter{Text: "100% of_79"}, 1, 80, 80},
		{"no wildcard", sqlstore.EventFilter{Text: "100_"}, 0, 0, 0},
		{"in a field", sqlstore.EventFilter{Text: `"40"`}, 1, 41, 41},
		{"level", sqlstore.EventFilter{Level: "WARN"}, 0, 0, 0},
	}
	for _, c := range cases {
		got, err := l.Events(t.Context(), c.filter)
		if err != nil || len(got) != c.count || (c.count > 0 && (got[0].ID != c.first || got[c.count-1].ID != c.last)) {
			t.Errorf("%s: %d events, %v, want %d from %d to %d", c.name, len(got), err, c.count, c.first, c.last)
		}
	}
	if got, _ := l.Events(t.Context(), sqlstore.EventFilter{Limit: 1}); !reflect.DeepEqual(got[0].Event, batch[79]) {
		t.Errorf("event = %+v, want %+v", got[0].Event, batch[79])
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	f := engine.Facts{Node: "b", Address: "192.0.2.2", Release: "1.0", Keys: []engine.Key{{Text: "116341X1-1-CANARY01", Family: "x", Count: 1}}}
	if err := l.PutFacts(t.Context(), f, noon); err != nil {
		t.Fatal(err)
	}
	got, err := l.Facts(t.Context())
	if err != nil || len(got) != 1 || got[0].Facts.Address != f.Address || !got[0].Heard.Equal(noon) {
		t.Fatalf("facts = %+v, %v", got, err)
	}
	if got[0].Facts.Keys[0].Text != "" || f.Keys[0].Text == "" {
		t.Errorf("key text kept: %+v; caller's: %+v", got[0].Facts.Keys, f.Keys)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := sqlstoretest.LocalIn(t, dir)
	before, _ := l.Identity(t.Context())
	id := before
	id.Secret, id.Cluster, id.State = []byte("canary-cluster"), "c", sqlstore.Membership
	var changes []engine.Change
	for _, path := range []string{"Ethernet 1 IP V4 Address", "Ethernet 2 IP V4 Address", "Ethernet 1 Speed", "IP Gateway", "IPProtocol", "Option 1 Key", "Option 12 Key",
		"Administration HTTPS Mode", "Administration SSH Mode", "Administration Telnet Mode", "SystemUnit Name", "Optional Thing"} {
		changes = append(changes, engine.Change{Path: path, Value: "canary-" + path})
	}
	s := sqlstore.Session{Account: "admin", Created: noon, Used: noon, Idle: noon.Add(time.Hour), Absolute: noon.Add(time.Hour)}
	_, err := l.SaveItems(t.Context(), changes, engine.System, noon, "")
	for _, err := range []error{err,
		l.PutIdentity(t.Context(), id, []engine.Member{{Node: "b"}}),
		l.PutReset(t.Context(), engine.Reset{Since: noon}),
		l.PutAccount(t.Context(), sqlstore.Account{Name: "admin", Role: "r", Hash: "h"}),
		l.PutAccount(t.Context(), sqlstore.Account{Name: "root", Role: "r", Hash: "h"}),
		l.PutAccount(t.Context(), sqlstore.Account{Name: "operator", Role: "r", Hash: "canary-hash"}),
		l.PutSession(t.Context(), hash("x"), s),
		l.PutCredentials(t.Context(), sqlstore.Credentials{Certificate: []byte("c"), PrivateKey: []byte("k")}),
		l.PutTrustStore(t.Context(), []string{"ca"}),
		l.PutHostKeys(t.Context(), []sqlstore.HostKey{{Algorithm: "ssh-ed25519", Private: []byte("k")}}),
		l.AppendEvents(t.Context(), []engine.Event{{Detail: "canary-event"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Reset(t.Context(), []string{"accounts.admin", "everything"}); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("an unknown name: %v", err)
	}
	if items, _ := l.Items(t.Context()); len(items) != len(changes) {
		t.Errorf("a refused reset left %d items", len(items))
	}
	keep := []string{sqlstore.KeepLAN1Address, sqlstore.KeepAdmin, sqlstore.KeepRoot, sqlstore.KeepHostKeys, sqlstore.KeepOptionKeys, sqlstore.KeepHTTPS, sqlstore.KeepSSH, sqlstore.KeepPrivateKey}
	if err := l.Reset(t.Context(), keep); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range listing(t, dir) {
		for _, canary := range []string{"canary-cluster", "canary-hash", "canary-event", "canary-SystemUnit"} {
			if strings.Contains(content, canary) {
				t.Errorf("%s still holds %s", name, canary)
			}
		}
	}
	l = sqlstoretest.LocalIn(t, dir)
	after, err := l.Identity(t.Context())
	if err != nil || after.Node == before.Node || after.Serial != before.Serial || after.Cluster != "" || after.Secret != nil || after.State != sqlstore.Standalone {
		t.Errorf("identity = %+v, %v, before %+v", after, err, before)
	}
	items, err := l.Items(t.Context())
	if err != nil || len(items) != 8 || items["Ethernet 2 IP V4 Address"]+items["Administration Telnet Mode"]+items["SystemUnit Name"]+items["Optional Thing"] != "" {
		t.Errorf("items = %v, %v", items, err)
	}
	accounts, _ := l.Accounts(t.Context())
	keys, _ := l.HostKeys(t.Context())
	credentials, _ := l.Credentials(t.Context())
	trusted, _ := l.TrustStore(t.Context())
	reset, _ := l.ArmedReset(t.Context())
	members, _ := l.Members(t.Context())
	events, _ := l.Events(t.Context(), sqlstore.EventFilter{})
	if len(accounts) != 2 || len(keys) != 1 || credentials.Certificate != nil || trusted != nil || reset != nil || len(members) != 0 || len(events) != 0 {
		t.Errorf("accounts %v, keys %d, credentials %+v, reset %v, members %v, events %d", accounts, len(keys), credentials, reset, members, len(events))
	}
}

// TestConcurrentUse has writers and readers at once; none sees "busy".
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if _, err := l.SaveItems(t.Context(), []engine.Change{{Path: fmt.Sprintf("W %d", w), Value: fmt.Sprint(i)}}, engine.System, noon, ""); err != nil {
					t.Error(err)
				}
				if err := l.AppendEvents(t.Context(), []engine.Event{{Time: noon, Kind: "k"}}); err != nil {
					t.Error(err)
				}
				if _, err := l.Items(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := l.Events(t.Context(), sqlstore.EventFilter{}); err != nil || len(got) != 100 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
