package config_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hexad/engine"
	"hexad/engine/config"
)

func TestSetSplitsByScope(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	out, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("sip mode", "on"), set("SystemUnit Name", "alpha"), set("ClusterConfiguration tls_verify", "enforce")})
	if err != nil {
		t.Fatal(err)
	}
	if out.Saved == nil || out.Saved.Revision != 2 || len(s.saves) != 1 || len(s.localSaves) != 1 || s.pages != 0 {
		t.Errorf("saved %+v, %d replicated, %d local, %d pages", out.Saved, len(s.saves), len(s.localSaves), s.pages)
	}
	if s.config.Items["SIP Mode"] != "On" || s.own["SystemUnit Name"] != "alpha" || value(t, svc, "ClusterConfiguration TLSVerify") != "Enforcing" {
		t.Errorf("stored %q, %q, %q", s.config.Items["SIP Mode"], s.own["SystemUnit Name"], value(t, svc, "ClusterConfiguration TLSVerify"))
	}
	if len(out.Restart) != 1 || len(out.Alarms) != 1 || out.Alarms[0] != 20007 {
		t.Errorf("restart %v, alarms %v, want the TLS mode alone and 20007", out.Restart, out.Alarms)
	}
}

func TestSetOfWhatIsSoSavesNothing(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	for range 2 {
		if _, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("H323 Mode", "On"), set("SIP Mode", "Off"), set("SNMP SystemLocation", "")}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.saves) != 1 || len(s.saves[0].Changes) != 1 || len(s.localSaves) != 0 {
		t.Errorf("%d saves %+v, want one with H323 Mode alone", len(s.saves), s.saves)
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	zone := []engine.Change{set("Zones Zone 1 Name", "branch"), set("Zones Zone 1 Type", "Neighbor")}
	for _, c := range []struct {
		name    string
		base    int64
		changes []engine.Change
		code    engine.Code
		says    string
	}{
		{"unknown item", 0, []engine.Change{set("SIP Moed", "On")}, engine.NotFound, "SIP Mode"},
		{"bad value", 0, []engine.Change{set("SIP Mode", "Maybe")}, engine.Invalid, "On"},
		{"number out of bounds", 0, []engine.Change{set("Bandwidth Default", "63")}, engine.Invalid, "64"},
		{"stale base", 7, []engine.Change{set("SIP Mode", "On")}, engine.Conflict, "7"},
		{"stale base of own items", 7, []engine.Change{set("SystemUnit Name", "x")}, engine.Conflict, "7"},
		{"clustering page with others", 0, []engine.Change{set("Alternates Cluster Name", "c.example"), set("SIP Mode", "On")}, engine.Invalid, "clustering page"},
		{"zone without a name", 0, []engine.Change{set("Zones Zone 2 HopCount", "15")}, engine.Invalid, "has no Name"},
		{"zone name twice", 0, []engine.Change{set("Zones Zone 2 Name", "BRANCH"), set("Zones Zone 2 Type", "DNS")}, engine.Invalid, "Zones Zone 1"},
		{"zone type changed", 0, []engine.Change{set("Zones Zone 1 Type", "DNS")}, engine.Invalid, "cannot change"},
		{"item of another type", 0, []engine.Change{set("Zones Zone 1 TraversalClient RetryInterval", "7")}, engine.Invalid, "no TraversalClient items"},
		{"built-in name", 0, []engine.Change{set("Zones Zone 1 Name", "localzone")}, engine.Invalid, "built-in"},
		{"name too long", 0, []engine.Change{set("Zones Zone 1 Name", strings.Repeat("x", 51))}, engine.Invalid, "51 characters"},
		{"priority zero", 0, []engine.Change{set("Zones Policy SearchRules Rule 1 Priority", "0")}, engine.Invalid, "1 to 65534"},
		{"rule index", 0, []engine.Change{set("Zones Policy SearchRules Rule 2001 Name", "x")}, engine.Invalid, "1 to 2000"},
		{"ports upside down", 0, []engine.Change{set("Traversal Media Port Start", "60000"), set("Traversal Media Port End", "50000")}, engine.Invalid, "above"},
		{"option key", 0, []engine.Change{set("Option 1 Key", "hello")}, engine.Invalid, "116341"},
		{"control character", 0, []engine.Change{set("SystemUnit Name", "a\nb")}, engine.Invalid, "control"},
		{"gap in the peer list", 0, []engine.Change{set("Alternates Peer 2 Address", "192.0.2.2")}, engine.Invalid, "peer 1 is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			svc, s := open(t, true)
			if _, err := svc.Set(t.Context(), admin, 0, zone); err != nil {
				t.Fatal(err)
			}
			_, err := svc.Set(t.Context(), admin, c.base, c.changes)
			if engine.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v (code %s), want %s saying %q", err, engine.CodeOf(err), c.code, c.says)
			}
			if len(s.saves) != 1 || len(s.localSaves) != 0 || s.pages != 0 {
				t.Errorf("something was saved: %d %d %d", len(s.saves), len(s.localSaves), s.pages)
			}
		})
	}
}

func TestSetOfTheClusteringPage(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	out, err := svc.Set(t.Context(), admin, 0, []engine.Change{
		set("Alternates Cluster Name", "cluster.example.net"), set("Alternates ConfigurationMaster", "2"),
		set("Alternates 1 Peer Address", "192.0.2.1"), set("Alternates Peer 2 Address", "peer2.example.net"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Clustering{Name: "cluster.example.net", Primary: 2, IPVersion: "IPv4", Peers: []string{"192.0.2.1", "peer2.example.net"}}
	if !s.page.Equal(want) || out.Clustering == nil || out.Saved != nil || len(out.Restart) != 1 {
		t.Errorf("page %+v, outcome %+v", s.page, out)
	}
	if got := value(t, svc, "Alternates Peer 2 Address"); got != "peer2.example.net" {
		t.Errorf("reads back %q", got)
	}
}

func TestSetTellsHalfDone(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	s.localErr = errDisk
	out, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("SIP Mode", "On"), set("SystemUnit Name", "alpha")})
	if engine.CodeOf(err) != engine.Unavailable || out.Saved == nil || len(out.Changed) != 1 {
		t.Errorf("%+v, %v, want unavailable with the saved revision", out, err)
	}
	s.localErr, s.saveErr = nil, engine.Errorf(engine.Denied, "the primary is elsewhere")
	if _, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("SIP Mode", "Off"), set("SystemUnit Name", "beta")}); engine.CodeOf(err) != engine.Denied || s.own["SystemUnit Name"] != "" {
		t.Errorf("%v, own items %v: want denied and nothing written", err, s.own)
	}
}

func TestPoliciesJudgeTheNextConfiguration(t *testing.T) {
	t.Parallel()
	reg := load(t)
	s := &stores{config: engine.Configuration{Items: map[string]string{"H323 Mode": "On"}}, own: map[string]string{}}
	judge := func(_ context.Context, next *config.View) ([]engine.Finding, error) {
		if mode, _, err := next.Get("H323 Mode"); err != nil || mode == "Off" {
			return []engine.Finding{{ID: "test.h323", Severity: engine.FindingError, Field: "H323 Mode", Text: engine.Text{EN: "H.323 must be on"}}}, err
		}
		return nil, nil
	}
	svc := config.New(reg, s, s, s, judge, slog.New(slog.DiscardHandler))
	if _, err := svc.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("H323 Mode", "Off")})
	if engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), "must be on") || len(s.saves) != 0 {
		t.Errorf("%v, %d saves, want the finding and no save", err, len(s.saves))
	}
}

func TestReloadTellsDifferences(t *testing.T) {
	t.Parallel()
	svc, s := open(t, true)
	before := svc.Current()
	s.config.Items["SIP Mode"] = "On"
	s.config.Items["A Later Release 7 Item"] = "x"
	delete(s.config.Items, "Bandwidth Link 4 Name")
	s.page.Name = "c.example"
	s.config.Revision = 9
	changed, err := svc.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Change{set("Alternates Cluster Name", "c.example"), {Path: "Bandwidth Link 4 Name", Delete: true}, set("SIP Mode", "On")}
	if len(changed) != len(want) {
		t.Fatalf("changed %+v, want %+v", changed, want)
	}
	for n := range want {
		if changed[n] != want[n] {
			t.Errorf("changed[%d] = %+v, want %+v", n, changed[n], want[n])
		}
	}
	if v, _, err := before.Get("SIP Mode"); err != nil || v != "Off" || before.Revision != 1 || svc.Current().Revision != 9 {
		t.Errorf("the old view reads %q at %d: %v", v, before.Revision, err)
	}
}

// TestWhatIsSetReadsBack: any valid value of any item outside of lists with
// rules reads back as it was set, from the view and from its line.
func TestWhatIsSetReadsBack(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, false)
	rapid.Check(t, func(rt *rapid.T) {
		m, want := anyItem(rt, svc.Registry(), func(i *config.Item) bool {
			return len(i.Lists) == 0 && i.Scope != config.Clustering && !strings.Contains(i.Path, "Port") &&
				!strings.Contains(i.Path, "Range") && !strings.Contains(i.Path, "Refresh")
		})
		if _, err := svc.Set(rt.Context(), admin, 0, []engine.Change{set(m.Path, want)}); err != nil {
			rt.Fatal(err)
		}
		if got := value(t, svc, strings.ToUpper(m.Path)); got != want {
			rt.Fatalf("%s = %q, want %q", m.Path, got, want)
		}
	})
}
