package sqlstore_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

func TestAlarmsOfEveryPeer(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	at := time.Date(2026, 11, 22, 12, 0, 0, 123e6, time.UTC)
	own := func(node string, id, count int, key string) engine.RaisedAlarm {
		return engine.RaisedAlarm{
			Node: node, Peer: node + ".example.test", ID: id, Key: key, State: engine.AlarmNew,
			Params: map[string]string{"peer": "192.0.2.1"}, First: at, Last: at.Add(time.Second), Count: count,
		}
	}
	one := []engine.RaisedAlarm{own("node1", 20004, 1, ""), own("node1", 20021, 3, "a")}
	two := []engine.RaisedAlarm{own("node2", 20004, 1, "")}
	if err := g.Peers[0].PublishAlarms(t.Context(), "node1", one); err != nil {
		t.Fatal(err)
	}
	if err := g.Peers[1].PublishAlarms(t.Context(), "node2", two); err != nil { // forwarded
		t.Fatal(err)
	}
	all := func(p *sqlstoretest.Peer) string {
		t.Helper()
		alarms, err := p.PublishedAlarms(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(alarms)
	}
	if got, want := all(g.Peers[1]), fmt.Sprint(append(slices.Clone(one), two...)); got != want {
		t.Errorf("published\n%s, want\n%s", got, want)
	}
	before := g.Peers[0].Status().Applied
	if err := g.Peers[0].PublishAlarms(t.Context(), "node1", one); err != nil || g.Peers[0].Status().Applied != before {
		t.Errorf("the same again: %v, index %d, want %d", err, g.Peers[0].Status().Applied, before)
	}
	one[1].State, one[1].Acknowledged = engine.AlarmAcknowledged, "admin"
	if err := g.Peers[0].PublishAlarms(t.Context(), "node1", one[1:]); err != nil {
		t.Fatal(err)
	}
	g.Equal()
	if got, want := all(g.Peers[1]), fmt.Sprint(append(slices.Clone(one[1:]), two...)); got != want {
		t.Errorf("after the change\n%s, want\n%s", got, want)
	}
	if err := g.Peers[0].RemoveMember(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	if got, want := all(g.Peers[0]), fmt.Sprint(one[1:]); got != want {
		t.Errorf("after node2 was removed\n%s, want\n%s", got, want)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, user := range []string{"admin", "root", "admin"} {
		err := p.AppendAudit(t.Context(), sqlstore.AuditEntry{
			Time: at.Add(time.Duration(i) * time.Second), Actor: engine.Actor{User: user, Via: "shell"},
			Peer: "node1", Command: "ZoneAdd", Arguments: fmt.Sprint("ZoneName: z", i), Result: "OK",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := p.Audit(t.Context(), sqlstore.AuditFilter{User: "admin", Limit: 1})
	if err != nil || len(entries) != 1 || entries[0].Arguments != "ZoneName: z2" || !entries[0].Time.Equal(at.Add(2*time.Second)) {
		t.Errorf("newest of admin: %+v %v", entries, err)
	}
	if entries, err = p.Audit(t.Context(), sqlstore.AuditFilter{}); err != nil || len(entries) != 3 {
		t.Errorf("all: %+v %v", entries, err)
	}
}

// The views that SQL diagnostics read.
func TestDiagnosticViews(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	s := change(t, p, "Zones Zone 1 Name", "branch")
	for path, value := range map[string]string{
		"Zones Zone 1 Type":                                                "Neighbor",
		"Zones Zone 1 Neighbor Peer 2 Address":                             "192.0.2.7",
		"Zones Zone 10 Name":                                               "lab",
		"Zones Policy SearchRules Rule 3 Name":                             "to branch",
		"Zones Policy SearchRules Rule 3 Priority":                         "40",
		"Zones Policy SearchRules Rule 3 Pattern String":                   `\d+@branch`,
		"Zones Policy SearchRules Rule 3 Progress":                         "Stop",
		"Transform 2 Pattern Replace":                                      "x",
		"Bandwidth Link 5 Node1 Name":                                      "DefaultSZ",
		"Bandwidth Pipe 1 Bandwidth Total Limit":                           "512000",
		"Zones LocalZone SubZones SubZone 4 Bandwidth PerCall Inter Limit": "1920",
		"ClusterConfiguration AddressMapping 1 FQDN":                       "peer1.example.test",
		"ClusterConfiguration AddressMapping 1 IPAddress":                  "192.0.2.1",
		"ClusterConfiguration AddressMapping Mode":                         "On",
		"SNMP CommunityName":                                               "{cipher}secret",
	} {
		s.Changes = append(s.Changes, engine.Change{Path: path, Value: value})
	}
	if _, err := p.SaveConfiguration(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+p.Path()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"SELECT zone, name, type, peer_2 FROM diag_zone":                             "1|branch|Neighbor|192.0.2.7; 10|lab||",
		"SELECT rule, name, priority, pattern, on_match FROM diag_search_rule":       `3|to branch|40|\d+@branch|Stop`,
		"SELECT transform, replacement FROM diag_transform":                          "2|x",
		"SELECT link, node_1 FROM diag_link":                                         "5|DefaultSZ",
		"SELECT pipe, total_kbps FROM diag_pipe":                                     "1|512000",
		"SELECT subzone, inter_kbps FROM diag_subzone":                               "4|1920",
		"SELECT mapping, fqdn, ip FROM diag_address_mapping":                         "1|peer1.example.test|192.0.2.1",
		"SELECT value, tbl, leaf FROM diag_item WHERE path = 'SNMP CommunityName'":   "********||SNMP CommunityName",
		"SELECT count(*) FROM diag_item":                                             "16",
		"SELECT revision, time, new_value FROM diag_history WHERE path LIKE 'SNMP%'": "1|2026-11-22T12:00:00.000Z|********",
		"SELECT node, address, is_primary FROM diag_member":                          "node1|peer1.example.test|1",
		"SELECT cluster, generation, primary_node, revision FROM diag_agreed":        "cluster1|1|node1|1",
		"SELECT count(*) FROM diag_alarm":                                            "0",
		"SELECT count(*) FROM diag_audit":                                            "0",
	} {
		if got := table(t, db, query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// table is the answer of query: columns joined by |, rows by semicolons.
func table(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return ""
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, v := range values {
			words = append(words, v.String)
		}
		out = append(out, strings.Join(words, "|"))
	}
	return strings.Join(out, "; ")
}

// What the last run of a peer published may reach its copy only after the next
// run began: that must not leave alarms that nobody lowers.
func TestAlarmsOfTheLastRunAreReplaced(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	late := g.Peers[2]
	g.Board.Isolate(late.Node)
	left := engine.RaisedAlarm{Node: late.Node, Peer: "192.0.2.3", ID: 20021, State: engine.AlarmNew, First: at, Last: at, Count: 1}
	g.Until("the others publish what was on its way", func() error {
		return g.Peers[0].PublishAlarms(t.Context(), late.Node, []engine.RaisedAlarm{left})
	})
	if err := late.PublishAlarms(t.Context(), late.Node, nil); err == nil {
		t.Error("nothing to publish was published although the copy lags behind")
	}
	g.Board.Heal()
	// Of what the others published once more than was needed some may come later still.
	g.Until("nothing is published as raised", func() error {
		if err := late.PublishAlarms(t.Context(), late.Node, nil); err != nil {
			return err
		}
		alarms, err := g.Peers[0].PublishedAlarms(t.Context())
		if len(alarms) != 0 {
			err = fmt.Errorf("still published: %v", alarms)
		}
		return err
	})
	g.Equal()
	before := late.Status().Applied
	if err := late.PublishAlarms(t.Context(), late.Node, nil); err != nil || late.Status().Applied != before {
		t.Errorf("the same again: %v, index %d, want %d", err, late.Status().Applied, before)
	}
}
