package console_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/console"
)

// resetPending is a subordinate with everything pending at once.
func resetPending(a *appliance) {
	a.view.Writable, a.view.ReadOnly, a.view.PrimaryHere, a.view.PrimaryAddress = false, "this is not the configuration primary", false, "192.0.2.2"
	a.view.Restart = []string{"cluster name"}
	a.view.Entered.Peers = nil
	a.view.Reset = &engine.Reset{Since: noon, From: a.view.Running.Peers, Keep: []string{"option keys"}, Banner: engine.Text{EN: "The peer list was emptied.", JA: "空です。"}, Blocked: "the reset image is missing"}
}

func alone(a *appliance) {
	a.view = engine.ClusterView{Node: "n1", Address: "192.0.2.1", Writable: true, Entered: engine.Clustering{IPVersion: "IPv4", TLSMode: engine.Permissive}}
	a.alarms, a.history, a.events = nil, nil, nil
}

func TestPagesInEveryState(t *testing.T) {
	t.Parallel()
	states := map[string]func(*appliance){"cluster of five": func(*appliance) {}, "everything pending": resetPending, "alone": alone}
	paths := []string{"/", "/clustering", "/configuration", "/configuration?area=Zones", "/configuration?q=nothing+like+it", "/alarms", "/alarms?severity=critical&q=database", "/alarms?peer=nobody",
		"/sql", "/sql?statement=SELECT+1", "/events", "/events?q=raised+20004&level=INFO", "/history", "/restart", "/reset", "/clustering/force", "/clustering/update", "/clustering/update?copy=cluster-g1-r17-20261122T120000Z-follow.sqlite",
		"/policies", "/policies/script?name=site_rule", "/policies/script?name=h323_required", "/policies/script?name=old_rule", "/policies/diff?name=site_rule&to=builtin",
		"/policies/edit?name=site_rule", "/policies/edit?name=fresh_rule&hook=keys.compare", "/policies/revisions", "/policies/decisions", "/policies/decisions?hook=cluster.validate&since=24h",
		"/policies/decision?id=d-abc", "/policies/decision?id=d-abc&with=2", "/policies/data", "/policies/waivers", "/policies/reference", "/policies/reference?hook=peer.identity", "/certificates", "/maintenance", "/procedures", "/procedures?id=over1"}
	for state, prepare := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			a := newAppliance()
			prepare(a)
			base := start(t, a)
			for _, account := range []string{"admin", "auditor"} {
				c := signedIn(t, base, account)
				for _, language := range []string{"en", "ja"} {
					c.post("/language", "language", language, "here", "/")
					for _, path := range paths {
						status, body := c.get(path)
						if status != http.StatusOK || !strings.Contains(body, "</html>") {
							t.Errorf("%s as %s in %s: status %d\n%s", path, account, language, status, body)
						}
						holds(t, body, `<html lang="`+language+`">`)
						if strings.Contains(body, "style=") || strings.Contains(body, "onclick") {
							t.Errorf("%s has inline style or script", path)
						}
					}
				}
			}
		})
	}
}

func TestTemplatesAreAllUsed(t *testing.T) {
	t.Parallel()
	names, err := console.TemplateNames()
	if err != nil {
		t.Fatal(err)
	}
	// What is executed by itself; everything else must be part of one of these.
	// TestPagesInEveryState and the tests of forms execute each with its model.
	all := readTemplates(t)
	for _, name := range names {
		whole := map[string]bool{"error": true, "signin": true, "restart": true, "overview": true, "clustering": true, "configuration": true,
			"alarms": true, "alarm": true, "sql": true, "events": true, "history": true, "policies": true, "policyscript": true, "policydiff": true,
			"policyedit": true, "policyrevisions": true, "policydecisions": true, "policydecision": true, "policydata": true, "policywaivers": true, "policyreference": true, "force": true, "update": true,
			"certificates": true, "maintenance": true, "reset": true, "procedures": true}
		if !whole[name] && !strings.Contains(all, `{{template "`+name+`"`) {
			t.Errorf("template %q is used nowhere", name)
		}
	}
}

// TestEveryModel executes the templates with their models as they come, empty:
// a page has to say something sensible of nothing.
func TestEveryModel(t *testing.T) {
	t.Parallel()
	for _, l := range []engine.Language{engine.English, engine.Japanese} {
		frame := func(name string) console.Page {
			return console.Page{Lang: l, Name: name, User: "admin", MayChange: true}
		}
		rules := func(tab string) console.PolicyFrame {
			return console.PolicyFrame{Page: frame("policies"), Tab: tab}
		}
		models := map[string]any{
			"error":         console.ErrorPage{Page: frame("error"), Problem: console.Problem{Code: engine.Internal, Message: "error.internal"}},
			"signin":        console.SignInPage{Page: console.Page{Lang: l, Name: "signin"}, Failed: true, Wait: 3},
			"restart":       console.RestartPage{Page: frame("restart"), Restarting: true},
			"overview":      console.OverviewPage{Page: frame("overview"), DB: console.Badge{Key: "database.unknown", Icon: "unknown"}},
			"clustering":    console.ClusteringPage{Page: frame("clustering"), DB: console.Badge{Key: "database.unknown", Icon: "unknown"}},
			"configuration": console.ConfigurationPage{Page: frame("configuration")},
			"alarms":        console.AlarmsPage{Page: frame("alarms")},
			"alarm": console.AlarmPage{Page: frame("alarms"), Alarm: console.AlarmView{
				Severity: console.Badge{Key: "severity.unknown", Icon: "unknown"}, Status: console.Badge{Key: "alarm.new", Icon: "bell"}}},
			"sql":     console.SQLPage{Page: frame("sql"), Asked: true},
			"events":  console.EventsPage{Page: frame("events")},
			"history": console.HistoryPage{Page: frame("history")},

			"certificates": console.CertificatesPage{Page: frame("certificates")},
			"maintenance":  console.MaintenancePage{Page: frame("maintenance")},
			"procedures":   console.ProceduresPage{Page: frame("procedures")},

			"policies":        console.PoliciesPage{PolicyFrame: rules("scripts")},
			"policyscript":    console.ScriptPage{PolicyFrame: rules("scripts"), Origin: console.Badge{Key: "origin.site", Icon: "info"}},
			"policydiff":      console.DiffPage{PolicyFrame: rules("scripts"), Same: true},
			"policyedit":      console.EditPage{PolicyFrame: rules("scripts")},
			"policyrevisions": console.RevisionsPage{PolicyFrame: rules("revisions")},
			"policydecisions": console.DecisionsPage{PolicyFrame: rules("decisions")},
			"policydecision":  console.DecisionPage{PolicyFrame: rules("decisions")},
			"policydata":      console.TablesPage{PolicyFrame: rules("data")},
			"policywaivers":   console.WaiversPage{PolicyFrame: rules("waivers")},
			"policyreference": console.ReferencePage{PolicyFrame: rules("reference")},
		}
		for name, model := range models {
			if html, err := console.Execute(l, name, model); err != nil || !strings.Contains(html, "</html>") {
				t.Errorf("%s in %s: %v", name, l, err)
			}
		}
		for _, code := range engine.Codes {
			if html, err := console.Execute(l, "problem", console.Problem{Code: code}); err != nil || html == "" {
				t.Errorf("problem of code %q: %v", code, err)
			}
		}
		for _, s := range []engine.FindingSeverity{engine.FindingInfo, engine.FindingWarning, engine.FindingError} {
			if _, err := console.Execute(l, "findings", []console.FindingView{{Severity: string(s), Text: "x"}}); err != nil {
				t.Errorf("finding of severity %q: %v", s, err)
			}
		}
	}
}

func TestStatusCoversEveryCode(t *testing.T) {
	t.Parallel()
	for _, code := range engine.Codes {
		if console.StatusOf(code) < 400 {
			t.Errorf("no HTTP status for %q", code)
		}
	}
}

func TestClusteringSave(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/clustering")
	form := []string{"base", "42", "seen", attribute(t, body, `name="seen" value="`), "name", "renamed.example.net", "primary", "1", "ip_version", "IPv4", "tls_mode", "Permissive",
		"peer1", "192.0.2.1", "peer2", "192.0.2.2", "peer3", "peer3.example.net"}

	status, body := c.post("/clustering", append(form, "peer6", "bad..name")...)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a refused save: status %d, want 422", status)
	}
	holds(t, body, `value="bad..name"`)
	holds(t, body, `value="renamed.example.net"`)
	if at := strings.Index(body, `id="peer6-notes"`); at < 0 || !strings.Contains(body[at:at+900], "bad..name is no address.") {
		t.Errorf("the finding is not beside its field:\n%s", body)
	}

	status, body = c.post("/clustering", form...)
	if status != http.StatusOK {
		t.Fatalf("save: status %d\n%s", status, body)
	}
	holds(t, body, "Saved.")
	holds(t, body, "This system needs a restart")
	call := a.lastCall()
	if call.Name != "ClusterSave" || call.Base != 42 || call.Args["Name"] != "renamed.example.net" || call.Args["Peer4"] != "" || call.Actor.User != "admin" || call.Actor.Via != "web" {
		t.Errorf("save ran %+v", call)
	}

	status, body = c.post("/clustering", append(form, "peer4", "192.0.2.44")...)
	if status != http.StatusConflict {
		t.Errorf("a save over a newer page: status %d, want 409", status)
	}
	holds(t, body, "This page was saved by somebody else")
	holds(t, body, `value="192.0.2.44"`)
}

// attribute is the value that follows prefix in a page.
func attribute(t *testing.T, body, prefix string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, prefix)
	if !found {
		t.Fatalf("no %s in\n%s", prefix, body)
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestConfigurationSave(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	form := []string{"base", "42", "area", "Zones", "p.0", "Zones Zone 1 Name", "o.0", "branch", "v.0", "hq", "p.1", "Zones Zone 1 Type", "o.1", "Odd", "v.1", "Odd"}
	status, body := c.post("/configuration", form...)
	if status != http.StatusOK {
		t.Fatalf("save: status %d\n%s", status, body)
	}
	holds(t, body, "Saved and replicated.")
	if call := a.lastCall(); len(call.Changes) != 1 || call.Changes[0] != (engine.Change{Path: "Zones Zone 1 Name", Value: "hq"}) {
		t.Errorf("changes = %+v, want the one that was edited", call.Changes)
	}

	form[9] = "mine"
	status, body = c.post("/configuration", append(form, "p.new", "Zones Zone 2 Name", "v.new", "second")...)
	if status != http.StatusConflict {
		t.Errorf("a save on an old revision: status %d, want 409", status)
	}
	for _, text := range []string{`value="mine"`, `value="Zones Zone 2 Name"`, `value="second"`, "Somebody else was first", "What changed meanwhile", "hq", `name="base" value="43"`} {
		holds(t, body, text)
	}

	status, body = c.post("/configuration", "base", "43", "area", "Zones", "p.0", "Zones Zone 1 Name", "o.0", "hq", "v.0", "hq")
	if status != http.StatusOK {
		t.Errorf("nothing changed: status %d", status)
	}
	holds(t, body, "Nothing was changed.")
}

func TestSubordinateShowsReplicatedItemsOnly(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	resetPending(a)
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/configuration?area=Zones")
	if strings.Contains(body, `name="v.0"`) {
		t.Errorf("a replicated item can be edited on a subordinate:\n%s", body)
	}
	holds(t, body, `href="https://192.0.2.2:`)
	_, body = c.get("/configuration?area=SystemUnit")
	holds(t, body, `name="v.0" value="peer one"`)
}

func TestResetIsCancelledByRestoring(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	resetPending(a)
	c := signedIn(t, start(t, a), "admin")
	for _, path := range []string{"/", "/sql", "/history"} {
		_, body := c.get(path)
		holds(t, body, "A factory reset will be carried out at the next restart")
		holds(t, body, "option keys")
	}
	if status, body := c.post("/clustering/restore"); status != http.StatusOK {
		t.Fatalf("restore: status %d\n%s", status, body)
	}
	call := a.lastCall()
	for i, want := range cluster().Running.Peers {
		if got := call.Args["Peer"+string(rune('1'+i))]; got != want {
			t.Errorf("Peer%d = %q, want %q", i+1, got, want)
		}
	}
}

func TestCommandsOfTheClusteringPage(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	for _, tt := range []struct {
		path    string
		form    []string
		command string
		args    map[string]string
		says    string
	}{
		{"/clustering/mapping", []string{"fqdn", "peer2.example.net", "ip", "192.0.2.2"}, "ClusterAddressMappingAdd", map[string]string{"Fqdn": "peer2.example.net", "IpAddress": "192.0.2.2"}, "The address mapping is saved."},
		{"/clustering/mapping/delete", []string{"fqdn", "peer3.example.net", "ip", "192.0.2.3"}, "ClusterAddressMappingDelete", map[string]string{"Fqdn": "peer3.example.net"}, "The address mapping is saved."},
		{"/clustering/peer-key", []string{"peer", "192.0.2.4", "fingerprint", "cdcd"}, "ClusterPeerKeyAccept", map[string]string{"Peer": "192.0.2.4", "Fingerprint": "cdcd"}, "key is accepted"},
		{"/clustering/join-window", nil, "ClusterJoinWindowOpen", nil, "for ten minutes"},
		{"/clustering/join-token", nil, "ClusterJoinToken", nil, "join-me-1234"},
		{"/clustering/join-token/enter", []string{"token", "abc"}, "ClusterJoinTokenEnter", map[string]string{"Token": "abc"}, "is entered"},
	} {
		status, body := c.post(tt.path, tt.form...)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", tt.path, status)
		}
		holds(t, body, tt.says)
		call := a.lastCall()
		if call.Name != tt.command {
			t.Errorf("%s ran %s, want %s", tt.path, call.Name, tt.command)
		}
		for name, want := range tt.args {
			if call.Args[name] != want {
				t.Errorf("%s: %s = %q, want %q", tt.path, name, call.Args[name], want)
			}
		}
	}
	c.post("/clustering/mapping/mode", "base", "42", "mode", "Off")
	if call := a.lastCall(); len(call.Changes) != 1 || call.Changes[0] != (engine.Change{Path: "ClusterConfiguration AddressMapping Mode", Value: "Off"}) {
		t.Errorf("turning the mapping off ran %+v", call)
	}
	status, body := c.post("/restart")
	if status != http.StatusAccepted || a.lastCall().Name != "Restart" {
		t.Errorf("restart: status %d, ran %s", status, a.lastCall().Name)
	}
	holds(t, body, "Restarting.")
}

func TestRefusalsAreShown(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	a.change(func() {
		a.refuse = engine.Errorf(engine.Unavailable, "no leader").With("", "wait for the group")
	})
	status, body := c.post("/restart")
	if status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
	holds(t, body, "no leader")
	holds(t, body, "wait for the group")
	a.change(func() { a.refuse = errors.New("secret detail of the machine") })
	status, body = c.post("/restart")
	if status != http.StatusInternalServerError || strings.Contains(body, "secret detail") {
		t.Errorf("a foreign error: status %d\n%s", status, body)
	}
	status, body = c.get("/sql?statement=DELETE+FROM+diag_zone")
	if status != http.StatusForbidden {
		t.Errorf("SQL that writes: status %d, want 403", status)
	}
	holds(t, body, "ask with SELECT, WITH or EXPLAIN")
	if status, _ = c.get("/nowhere"); status != http.StatusNotFound {
		t.Errorf("an unknown page: status %d, want 404", status)
	}
}

func TestAcknowledgeIsForOwnAlarms(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/alarms/one?id=20006&node=n3")
	holds(t, body, "peer3.example.net")
	if strings.Contains(body, `action="/alarms/acknowledge"`) {
		t.Error("another peer's alarm can be acknowledged here")
	}
	if status, _ := c.get("/alarms/one?id=20099&node=n1"); status != http.StatusNotFound {
		t.Errorf("a lowered alarm: status %d, want 404", status)
	}
	_, body = c.get("/alarms?state=New&q=restart")
	holds(t, body, "1 of 3 alarms")
}

func TestEventsWithoutLevelAreNoChoice(t *testing.T) {
	t.Parallel()
	c := signedIn(t, start(t, newAppliance()), "admin")
	_, body := c.get("/events")
	if strings.Contains(body, "<option selected></option>") {
		t.Error("the list of levels has an empty one")
	}
	holds(t, body, "3 shown")
	_, body = c.get("/events?q=RAISED+peer&level=INFO")
	holds(t, body, "1 shown")
}
