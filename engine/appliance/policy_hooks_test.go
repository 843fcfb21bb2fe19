package appliance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/engine/policy"
)

// recipe is a script of the cookbook with its tests.
func recipe(t *testing.T, name string) policy.SourceFile {
	t.Helper()
	text := func(file string) string {
		raw, err := os.ReadFile(filepath.Join(appliancetest.Root(), "testdata", "policies", "cookbook", file))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	return policy.SourceFile{Name: name, Source: text(name + ".lua"), Tests: text(name + "_test.lua")}
}

// data sets keys of an operators' table for the next revision.
func data(t *testing.T, p *appliancetest.Peer, table string, keys map[string]string) {
	t.Helper()
	for key, value := range keys {
		if err := command(t, p, "PolicyDataSet", nil, map[string]string{"Table": table, "Key": key, "Value": value}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// explained is the newest decision of a hook on a peer, as PolicyExplain prints it.
func explained(t *testing.T, p *appliancetest.Peer, hook string) string {
	t.Helper()
	var list []policy.Decision
	if err := command(t, p, "PolicyDecisions", nil, map[string]string{"Hook": hook, "Since": "1h", "Limit": "1"}, &list); err != nil || len(list) != 1 {
		t.Fatalf("%s: decisions of %s: %+v, %v", p.Name, hook, list, err)
	}
	return p.Exec("xCommand PolicyExplain Id: %s Lines: On", list[0].ID)
}

// explainedWith fails unless one of the newest decisions of a hook on a peer
// shows every part.
func explainedWith(t *testing.T, p *appliancetest.Peer, hook string, parts ...string) {
	t.Helper()
	var list []policy.Decision
	if err := command(t, p, "PolicyDecisions", nil, map[string]string{"Hook": hook, "Since": "1h", "Limit": "30"}, &list); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, d := range list {
		text = p.Exec("xCommand PolicyExplain Id: %s Lines: On", d.ID)
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) }) {
			return
		}
	}
	t.Errorf("none of %d decisions of %s shows %q; the last was\n%s", len(list), hook, parts, text)
}

// shows fails unless text has every part.
func shows(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

// The maintenance window of the cookbook holds a restart up, a waiver lets it
// through; another rule keeps a peer from being added. Both can be explained.
func TestGateOfARunningCluster(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 115, 2)
	hour := time.Now().UTC().Hour()
	data(t, peers[0], "maintenance", map[string]string{"from": strconv.Itoa((hour + 3) % 24), "to": strconv.Itoa((hour + 4) % 24)})
	activate(t, peers, recipe(t, "maintenance_window"), policy.SourceFile{Name: "frozen", Source: `local P = policy {
  name = "frozen", api = 1, hook = "procedure.gate", order = 310, title = { en = "Frozen", ja = "凍結" },
}
function P.evaluate(c)
  if c.procedure == "add_peer" and #c.peers == 2 then return reject { reason = "frozen_until_monday" } end
end
return P
`})
	child := peers[1].Child()
	e := peers[1].Refused("xCommand Restart")
	if e.Code != engine.Unavailable || len(e.Findings) != 1 || e.Findings[0].ID != "procedure.later" || e.Findings[0].Script != "maintenance_window" {
		t.Errorf("restart outside of the window: %+v", e)
	}
	shows(t, e.Error(), "maintenance_window", "3600")
	shows(t, explained(t, peers[1], "procedure.gate"), "maintenance_window", `"action":"wait"`, "stage      gate", "why      outside", "maintenance_window.lua", ">  ")

	before := peers[0].View().Entered
	e = peers[0].Refused("%s", appliancetest.Page(append(appliancetest.Addresses(peers), "127.0.115.9")...))
	if e.Code != engine.Denied || !slices.ContainsFunc(e.Findings, func(f engine.Finding) bool {
		return f.ID == "procedure.refused" && f.Script == "frozen" && f.Peer == "127.0.115.9"
	}) {
		t.Errorf("a peer was added: %+v", e)
	}
	if now := peers[0].View().Entered; !now.Equal(before) {
		t.Errorf("the page changed: %+v", now)
	}
	shows(t, explained(t, peers[0], "procedure.gate"), "frozen_until_monday", "stage      fields", "stage      names", "stage      refused")

	// What hexad did itself stands beside the lines of the rules.
	explainedWith(t, peers[0], "peer.identity", "stage      key                  pinned", "stage      listed               yes", "stage      chain", "stage      session              accepted", "peer_identity.lua", ">  ")
	explainedWith(t, peers[0], "peer.prerequisites", "stage      first contact        admissible", "stage      members              room", "stage      joiner               may be admitted")
	if _, err := peers[0].Try("xConfiguration H323 Mode: Off"); err != nil {
		t.Logf("H.323 off: %v", err) // refused or not, it is explained
	}
	explainedWith(t, peers[0], "cluster.validate", "stage      registry             checked", "H323 Mode", "stage      items", "h323_required.lua")
	peers[0].Exec("xConfiguration H323 Mode: On")

	if err := command(t, peers[0], "PolicyWaive", nil, map[string]string{"Finding": "procedure.later", "For": "1h", "Reason": "planned"}, nil); err != nil {
		t.Fatal(err)
	}
	peers[1].Await("is let through by the waiver", 5*time.Second, func() string {
		if _, err := peers[1].Try("xCommand Restart"); err != nil {
			return err.Error()
		}
		return ""
	})
	peers[1].Await("restarts", 10*time.Second, func() string {
		if now := peers[1].Child(); now == child || now == 0 {
			return "the old process runs"
		}
		return ""
	})

	// A peer that said that it restarts, and does not come back, is expected to
	// be away: for a while.
	appliancetest.Ready(t, peers)
	peers[1].Exec("xCommand Restart")
	peers[1].Kill()
	peers[0].Await("expects the peer that restarts", 10*time.Second, func() string {
		for _, a := range peers[0].AllAlarms() {
			if a.ID == 20004 && a.ExpectedAt(time.Now()) && a.Mark.Reason == "procedure_restart" {
				return ""
			}
		}
		return fmt.Sprintf("%+v", peers[0].AllAlarms())
	})
}

// capacityOf is what a peer says that the cluster carries.
func capacityOf(p *appliancetest.Peer) engine.CapacityView {
	if c := p.View().Capacity; c != nil {
		return *c
	}
	return engine.CapacityView{}
}

// awaitCapacity waits until every peer says the same calls and registrations.
func awaitCapacity(t *testing.T, peers []*appliancetest.Peer, calls, registrations int) {
	t.Helper()
	for _, p := range peers {
		p.Await(fmt.Sprintf("carries %d calls and %d registrations", calls, registrations), 10*time.Second, func() string {
			if c := capacityOf(p); c.Calls != calls || c.Registrations != registrations {
				return fmt.Sprintf("%+v", c)
			}
			return ""
		})
	}
}

// The capacity follows the peers that answer, the licences and the rules; when
// these fail the last good answer stands, also after a restart.
func TestCapacityOfARunningCluster(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 116, 3)
	appliancetest.Form(t, peers)
	one, registrations := engine.CapacityOf("medium")
	awaitCapacity(t, peers, 3*one, 3*registrations)
	shows(t, peers[1].Exec("xStatus Cluster"), fmt.Sprintf("Calls: %d", 3*one), "CountedPeers: 3")
	shows(t, explained(t, peers[0], "capacity.limit"), "capacity", fmt.Sprintf(`"calls":%d`, 3*one))

	for i, p := range peers { // 100 room registrations on each peer, pooled
		p.Exec(`xConfiguration Option 1 Key: "116341R100-1-0A1B2C3%d"`, i)
	}
	awaitCapacity(t, peers, 3*one, 300)
	peers[2].Stop() // its licences stay for a fortnight
	awaitCapacity(t, peers[:2], 2*one, 300)
	peers[2].Up()
	awaitCapacity(t, peers, 3*one, 300)

	half := func(body string) policy.SourceFile {
		return policy.SourceFile{Name: "half", Source: `local P = policy {
  name = "half", api = 1, hook = "capacity.limit", order = 300, title = { en = "Half", ja = "半分" },
}
function P.evaluate(c)
` + body + `
end
return P
`}
	}
	activate(t, peers, half(`  return { calls = c.peers[1].calls_capacity / 2, registrations = 7, counted_peers = 1, reason = "half" }`))
	awaitCapacity(t, peers, one/2, 7)
	shows(t, explained(t, peers[2], "capacity.limit"), "script     half", `"reason":"half"`, "half.lua")

	activate(t, peers, half(fmt.Sprintf(`  if c.cluster.name == %q then error("broken") end`, appliancetest.ClusterName)))
	lastGood := func() {
		t.Helper()
		peers[1].Await("has the last good answer", 10*time.Second, func() string {
			if c := capacityOf(peers[1]); !c.Degraded || c.Calls != one/2 || c.Registrations != 7 {
				return fmt.Sprintf("%+v", c)
			}
			return ""
		})
	}
	lastGood()
	peers[1].Restart()
	lastGood()
}

// The licences that the cookbook keeps for some are decided by the active
// revision with the operators' table, by as many as the cluster has left.
func TestLicencesKeptForVIPs(t *testing.T) {
	t.Parallel()
	p := appliancetest.Cluster(t, 118, 1)[0]
	data(t, p, "vip", map[string]string{"director@example.com": "board"})
	activate(t, []*appliancetest.Peer{p}, recipe(t, "vip_licences"))
	p.Exec(`xConfiguration Option 1 Key: "116341R6-1-0A1B2C30"`)
	awaitCapacity(t, []*appliancetest.Peer{p}, 150, 6)
	pool := capacityOf(p).Licences["room_registrations"]
	asked := func(alias string, free int, refresh bool) policy.Decision {
		t.Helper()
		question := map[string]any{"input": map[string]any{
			"aliases": []string{alias}, "protocol": "sip", "source_ip": "192.0.2.50", "authenticated": true, "subzone": "DefaultSubZone",
			"restriction": "none", "refresh": refresh, "licence": map[string]any{"type": "room", "free": free},
		}}
		var d policy.Decision
		if err := command(t, p, "PolicyEval", question, map[string]string{"Hook": "registration.admit"}, &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		alias   string
		free    int
		refresh bool
		want    string
	}{
		{"anna@example.com", pool, false, `"allowed":true`},
		{"anna@example.com", pool - 1, false, `"reason":"licences_reserved"`},
		{"director@example.com", pool - 1, false, `"allowed":true`},
		{"anna@example.com", pool - 1, true, `"allowed":true`},
	} {
		if d := asked(c.alias, c.free, c.refresh); !strings.Contains(string(d.Answer), c.want) {
			t.Errorf("%s with %d free: %s, want %s", c.alias, c.free, d.Answer, c.want)
		}
	}
}

// The quiet period of the cookbook: a lost peer is an alarm that is listed on
// every peer as expected; another alarm calls whom a rule names.
func TestAlarmsOfARunningCluster(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 117, 3)
	quiet := recipe(t, "quiet_alarms")
	// It is two in the morning where this cluster stands.
	now := time.Now().UTC()
	offset := (26*3600 - (now.Hour()*3600 + now.Minute()*60 + now.Second())) % 86400
	quiet.Source = strings.Replace(quiet.Source, "9 * 3600", strconv.Itoa(offset), 1)
	quiet.Tests = ""
	activate(t, peers, quiet, policy.SourceFile{Name: "caller", Source: `local P = policy {
  name = "caller", api = 1, hook = "alarm.react", order = 310, title = { en = "Caller", ja = "通報" },
}
function P.evaluate(c)
  if c.event ~= "raised" then return {} end
  if c.alarm.id == 70017 then
    return { { act = "notify", to = "night shift" }, { act = "severity", to = "error" }, { act = "suggest", procedure = "restart" } }
  end
  return { { act = "notify", to = "ops" } }
end
return P
`})
	peers[2].Stop()
	for _, p := range peers[:2] {
		p.Await("expects the lost peer", 10*time.Second, func() string {
			list := p.AllAlarms()
			i := slices.IndexFunc(list, func(a engine.RaisedAlarm) bool { return a.ID == 20004 && a.Node != "" && a.ExpectedAt(time.Now()) })
			if i < 0 {
				return fmt.Sprintf("%+v", list)
			}
			if reason := list[i].Mark.Reason; reason != "line switching at night" {
				return reason
			}
			return ""
		})
	}
	shows(t, peers[1].Exec("xStatus Alarm"), "Expected:", "Until: ", `Reason: "line switching at night"`)
	log := peers[0].Log()
	shows(t, log, `Event="Alarm Expected"`)
	if m := regexp.MustCompile(`Alarm Notification".*20004`).FindString(log); m != "" {
		t.Errorf("an expected alarm called somebody: %s", m)
	}
	decision := decisionAbout(t, peers[0], "20004")
	shows(t, decision, "stage      alarm", "stage      expected", "stage      notify               not sent", "quiet_alarms.lua", "caller.lua")

	shows(t, log, `To="night shift" Id="70017"`, `Event="Alarm Severity Changed"`) // of what held already
	shows(t, peers[1].Exec("xStatus Alarm"), "Severity: error", `Procedure: "restart"`, `To: "night shift"`)
	browser := peers[1].Browser()
	if !browser.SignIn(appliancetest.Password) {
		t.Fatal("not signed in")
	}
	_, page := browser.Get("/alarms")
	shows(t, page, "Expected until", "line switching at night", "The rules suggest")
	peers[2].Up()
	peers[0].Await("lowers it", 10*time.Second, func() string {
		for _, a := range peers[0].AllAlarms() {
			if a.ID == 20004 {
				return fmt.Sprintf("%+v", a)
			}
		}
		return ""
	})

	// Without the primary each peer asks about its own alarms; the others learn
	// of it while they can write without the primary.
	appliancetest.Ready(t, peers)
	peers[0].Stop()
	for _, p := range peers[1:] {
		p.Await("expects the lost primary, and the other one does", 25*time.Second, func() string {
			expected := map[string]bool{}
			for _, a := range p.AllAlarms() {
				if a.ID == 20004 && a.ExpectedAt(time.Now()) {
					expected[a.Peer] = true
				}
			}
			if !expected[peers[1].Address] || !expected[peers[2].Address] {
				return fmt.Sprint(expected)
			}
			return ""
		})
	}
}

// decisionAbout explains the newest decision of alarm.react about an alarm.
func decisionAbout(t *testing.T, p *appliancetest.Peer, id string) string {
	t.Helper()
	var list []policy.Decision
	if err := command(t, p, "PolicyDecisions", nil, map[string]string{"Hook": "alarm.react", "Since": "1h", "Limit": "100"}, &list); err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		var in struct {
			Event string
			Alarm struct{ ID int }
		}
		if json.Unmarshal(d.Input, &in) == nil && strconv.Itoa(in.Alarm.ID) == id && in.Event == "raised" {
			return p.Exec("xCommand PolicyExplain Id: %s Lines: On", d.ID)
		}
	}
	t.Fatalf("no decision about %s among %d", id, len(list))
	return ""
}
