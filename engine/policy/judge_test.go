package policy_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/policies"
)

const broken = `local n; return n.x`

func one(t *testing.T, hook, body string, mode policy.Mode) *policy.Policies {
	t.Helper()
	s := scriptOf(hook, body)
	s.Mode = mode
	return open(t, policy.Options{Scripts: []policy.Script{s}})
}

func ids(found []engine.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, string(f.Severity)+" "+f.ID)
	}
	return out
}

// What each hook answers when its script fails. Source: reference/policy-api.md section 6.
func TestFailSafe(t *testing.T) {
	t.Parallel()
	ctx := context.Background()

	for _, c := range []struct {
		on   engine.Occasion
		want []string
	}{
		{engine.OnSave, []string{"error policy.failed"}},
		{engine.OnJoin, []string{"error policy.failed"}},
		{engine.OnPeriodic, nil},
		{engine.OnKeys, nil},
	} {
		for name, j := range map[string]engine.Judgement{
			"cluster.validate":   one(t, "cluster.validate", broken, "").ValidateCluster(ctx, engine.ClusterInput{Occasion: c.on}),
			"keys.compare":       one(t, "keys.compare", broken, "").CompareKeys(ctx, engine.KeysInput{Occasion: c.on}),
			"peer.prerequisites": one(t, "peer.prerequisites", broken, "").Prerequisites(ctx, engine.PrerequisitesInput{Occasion: c.on}),
		} {
			if !slices.Equal(ids(j.Findings), c.want) || j.Degraded == nil || !slices.Equal(j.Failed, []string{"hostile"}) {
				t.Errorf("%s on %s: got %v, degraded %v, want %v", name, c.on, ids(j.Findings), j.Degraded, c.want)
			}
		}
	}

	d := one(t, "cluster.peers_changed", broken, "").PeersChanged(ctx, engine.PeersChangedInput{})
	if d.Action != engine.ResetNone || d.Degraded == nil {
		t.Errorf("cluster.peers_changed: got %+v, want none and degraded", d)
	}

	p := one(t, "peer.identity", broken, "")
	if d := p.Identity(ctx, engine.IdentityInput{TLSMode: engine.Enforcing, ChainOK: true}); d.Accept || d.Degraded == nil {
		t.Errorf("peer.identity, Enforcing: got %+v, want a reject", d)
	}
	if d := p.Identity(ctx, engine.IdentityInput{TLSMode: engine.Permissive}); !d.Accept || d.Warning == "" || d.Degraded == nil {
		t.Errorf("peer.identity, Permissive: got %+v, want an accept with a warning", d)
	}
}

func TestNoScriptForADecision(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{})
	if d := p.Identity(context.Background(), engine.IdentityInput{TLSMode: engine.Enforcing, ChainOK: true}); d.Accept {
		t.Errorf("got %+v, want a reject", d)
	}
	if d := p.PeersChanged(context.Background(), engine.PeersChangedInput{}); d.Action != engine.ResetNone {
		t.Errorf("got %+v, want none", d)
	}
}

// A reset keeps nothing but what the closed list names, whatever a script says.
func TestResetInvariants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`return { reset = "arm", keep = { "option_keys", "network.lan2" } }`, "none"},
		{`return { reset = "arm", keep = { "option_keys" } }`, "arm"},
		{`return { reset = "explode" }`, "none"},
		{`return { reset = "arm", banner = "unheard_of" }`, "none"},
		{`return { reset = "arm", blocked = "unheard_of" }`, "none"},
		{`return { reset = "arm", extra = 1 }`, "none"},
		{`return {}`, "none"},
		{`return nil`, "none"},
	} {
		d := one(t, "cluster.peers_changed", c.body, "").PeersChanged(context.Background(), engine.PeersChangedInput{Previous: engine.ConfigRecord{PeerAddresses: []string{"a"}}})
		if string(d.Action) != c.want {
			t.Errorf("%s: got %s, want %s", c.body, d.Action, c.want)
		}
	}
	if got := len(policy.Keepable()); got != 10 {
		t.Errorf("%d things can be kept, want 10", got)
	}
}

func TestIdentityInvariant(t *testing.T) {
	t.Parallel()
	p := one(t, "peer.identity", `return accept { name = "anybody" }`, "")
	if d := p.Identity(context.Background(), engine.IdentityInput{TLSMode: engine.Enforcing}); d.Accept || d.Reason != "chain_not_trusted" {
		t.Errorf("got %+v: a script accepted an untrusted chain while Enforcing", d)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	body := `return { { id = "cluster.role.mixed", severity = "error" } }`
	for mode, want := range map[policy.Mode][]string{
		policy.Enforce: {"error cluster.role.mixed"}, policy.Warn: {"warning cluster.role.mixed"}, policy.Shadow: nil,
	} {
		j := one(t, "cluster.validate", body, mode).ValidateCluster(ctx, engine.ClusterInput{Occasion: engine.OnSave})
		if !slices.Equal(ids(j.Findings), want) || j.Degraded != nil {
			t.Errorf("%s: got %v, want %v", mode, ids(j.Findings), want)
		}
	}
	p := one(t, "peer.identity", `return reject { reason = "x" }`, policy.Warn)
	if d := p.Identity(ctx, engine.IdentityInput{TLSMode: engine.Enforcing, ChainOK: true}); !d.Accept {
		t.Errorf("mode warn: got %+v, want an accept", d)
	}
	j := one(t, "cluster.validate", broken, policy.Shadow).ValidateCluster(ctx, engine.ClusterInput{Occasion: engine.OnSave})
	if j.Degraded != nil || len(j.Findings) > 0 {
		t.Errorf("a shadow script that fails: got %+v, want nothing", j)
	}
}

func TestFindingsOfTheCatalogueAndOfASite(t *testing.T) {
	t.Parallel()
	body := `return {
  { id = "cluster.config.h323_mode_off", severity = "warning", peer = "p", field = "f", params = { peer = "p", n = 2, yes = true }, fix = { set = "a", to = "b", page = "/c" } },
  { id = "cluster.name.bare", severity = "info" },
  { id = "policy.hostile.note", severity = "warning" },
}`
	s := scriptOf("cluster.validate", body)
	s.Source = strings.Replace(s.Source, "order", `text = { ["policy.hostile.note"] = { en = "Note", ja = "注" } }, order`, 1)
	found := open(t, policy.Options{Scripts: []policy.Script{s}}).ValidateCluster(context.Background(), engine.ClusterInput{}).Findings
	if len(found) != 3 {
		t.Fatalf("got %v", found)
	}
	f := found[0]
	if f.Alarm != 20018 || f.Script != "hostile" || f.Params["n"] != "2" || f.Params["yes"] != "true" || *f.Fix != (engine.Fix{Set: "a", To: "b", Page: "/c"}) {
		t.Errorf("got %+v", f)
	}
	if text := f.Text.In(engine.English, f.Params); !strings.HasPrefix(text, "H.323 mode is off on p.") {
		t.Errorf("text %q", text)
	}
	if found[1].Alarm != 0 {
		t.Errorf("an info raises alarm %d", found[1].Alarm)
	}
	if found[2].Alarm != policy.AlarmSiteFinding || found[2].Text.JA != "注" {
		t.Errorf("got %+v", found[2])
	}
}

// The rules that the user named, through the whole path.
func TestBuiltinRules(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := open(t, policy.Options{Scripts: builtin()})
	list := []string{"192.0.2.1", "192.0.2.2"}
	page := engine.Clustering{Name: "cluster.example.com", Primary: 1, IPVersion: "IPv4", TLSMode: engine.Permissive, Peers: list}
	facts := func(i int) engine.Facts {
		return engine.Facts{
			Address: list[i], Addresses: []string{list[i]}, Release: "1.0.0", Product: "expressway", Role: engine.Core, Size: "medium",
			H323: true, NICs: 1, Entered: page, SystemName: list[i], HostName: list[i],
			DNS: engine.DNSFacts{OK: true, Servers: list}, NTP: engine.NTPFacts{State: "Synchronized", Servers: list},
		}
	}
	peer := func(i int, change func(*engine.Facts)) engine.PeerRecord {
		f := facts(i)
		change(&f)
		return engine.NewPeerRecord(engine.PeerSight{
			Index: i + 1, Address: list[i], ThisSystem: i == 0, State: engine.PeerActive, Reachable: true, RTTMS: 3,
		}, f)
	}
	none := func(*engine.Facts) {}
	config := engine.NewConfigRecord(page, nil, false, nil)
	cluster := func(on engine.Occasion, second engine.PeerRecord) []string {
		self := peer(0, none)
		return ids(p.ValidateCluster(ctx, engine.ClusterInput{
			PolicyContext: engine.PolicyContext{Self: self}, Occasion: on, Current: config, Proposed: config, Running: config,
			Peers: []engine.PeerRecord{self, second},
		}).Findings)
	}
	off := peer(1, func(f *engine.Facts) { f.H323 = false })
	if got := cluster(engine.OnPeriodic, peer(1, none)); got != nil {
		t.Errorf("a healthy pair: %v", got)
	}
	if got := cluster(engine.OnPeriodic, off); !slices.Equal(got, []string{"warning cluster.config.h323_mode_off"}) {
		t.Errorf("H.323 off: %v", got)
	}
	if got := cluster(engine.OnJoin, off); !slices.Equal(got, []string{"error cluster.config.h323_mode_off"}) {
		t.Errorf("H.323 off at a join: %v", got)
	}

	keyed := peer(1, func(f *engine.Facts) {
		f.Keys = []engine.Key{{Family: "find_me"}, {Family: "rich_media_sessions", Count: 7}}
	})
	keys := p.CompareKeys(ctx, engine.KeysInput{Occasion: engine.OnJoin, Product: "expressway", Peers: []engine.PeerRecord{peer(0, none), keyed}})
	if len(keys.Findings) != 1 || keys.Findings[0].Alarm != policy.AlarmOptionKeys || keys.Findings[0].Params["missing_on"] != list[0] {
		t.Errorf("keys: %+v", keys.Findings)
	}

	other := peer(1, func(f *engine.Facts) { f.Release, f.Role = "2.0.0", engine.Edge })
	pre := p.Prerequisites(ctx, engine.PrerequisitesInput{Occasion: engine.OnJoin, Candidate: &other, Peers: []engine.PeerRecord{peer(0, none)}})
	if got := ids(pre.Findings); !slices.Equal(got, []string{"error cluster.release.differs", "error cluster.role.mixed"}) {
		t.Errorf("prerequisites: %v", got)
	}

	reset := p.PeersChanged(ctx, engine.PeersChangedInput{Previous: config, ResetImage: "missing"})
	if reset.Action != engine.ResetArm || reset.Blocked != "no_reset_image" || reset.Banner.JA == "" || len(reset.Findings) != 1 || len(reset.Keep) != 7 {
		t.Errorf("reset: %+v", reset)
	}
	reset = p.PeersChanged(ctx, engine.PeersChangedInput{Proposed: config, Reset: engine.ArmedReset{Armed: true, From: list}})
	if reset.Action != engine.ResetDisarm {
		t.Errorf("reset: %+v", reset)
	}

	in := engine.IdentityInput{ConfiguredAddress: "b.example.com", SANs: []string{"b.example.com"}, CN: "c", TLSMode: engine.Enforcing, ChainOK: true}
	if d := p.Identity(ctx, in); !d.Accept || d.Name != "b.example.com" {
		t.Errorf("identity: %+v", d)
	}
	in.SANs = nil
	if d := p.Identity(ctx, in); d.Accept || d.Reason != "name_missing" {
		t.Errorf("identity: %+v", d)
	}
	in.TLSMode = engine.Permissive
	if d := p.Identity(ctx, in); !d.Accept || d.Warning != "name_missing" {
		t.Errorf("identity: %+v", d)
	}
}

func TestDecisionsAreRecorded(t *testing.T) {
	t.Parallel()
	var got []policy.Decision
	p := open(t, policy.Options{Scripts: builtin(), Revision: 14, Record: func(d policy.Decision) { got = append(got, d) }})
	p.PeersChanged(context.Background(), engine.PeersChangedInput{
		PolicyContext: engine.PolicyContext{Now: 7}, Previous: engine.ConfigRecord{PeerAddresses: []string{"a"}}, ResetImage: "present",
	})
	if len(got) != 1 {
		t.Fatalf("%d decisions, want 1", len(got))
	}
	d := got[0]
	if d.Hook != "cluster.peers_changed" || d.Revision != 14 || d.Degraded || d.Instructions == 0 || !strings.HasPrefix(d.ID, "d-") ||
		len(d.Steps) != 1 || d.Steps[0].Outcome != "answered" || !strings.Contains(string(d.Input), `"now":7`) ||
		!strings.Contains(string(d.Answer), `"reset":"arm"`) {
		t.Errorf("got %+v\ninput %s\nanswer %s", d, d.Input, d.Answer)
	}
}

func TestFailureNamesTheLine(t *testing.T) {
	t.Parallel()
	j := one(t, "cluster.validate", "\n\n"+broken, "").ValidateCluster(context.Background(), engine.ClusterInput{Occasion: engine.OnSave})
	var f policy.Failure
	if !errors.As(j.Degraded, &f) || f.Line != 7 || f.Class != "runtime" || f.Hook != "cluster.validate" {
		t.Errorf("got %+v, want line 7", f)
	}
	if p := j.Findings[0].Params; p["line"] != "7" || p["script"] != "hostile" {
		t.Errorf("parameters %v", p)
	}
}

var (
	findingID = regexp.MustCompile(`"(cluster\.[a-z_]+\.[a-z0-9_]+)"`)
	parameter = regexp.MustCompile(`\{[a-z_]+\}`)
)

// Every finding that a script names is in the catalogue and the reverse; every
// text exists in both languages with the same parameters.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	catalogue := policy.Catalogue()
	used := map[string]bool{ // the engine makes these of an answer
		"policy.failed": true, "cluster.reset.no_reset_image": true,
		"procedure.refused": true, "procedure.later": true, "procedure.undecided": true,
	}
	for _, s := range policies.Builtin() {
		for _, m := range findingID.FindAllStringSubmatch(s.Source, -1) {
			if slices.Contains(policy.Hooks(), m[1]) {
				continue
			}
			used[m[1]] = true
			if _, ok := catalogue[m[1]]; !ok {
				t.Errorf("%s: finding %s is not in the catalogue", s.Name, m[1])
			}
		}
	}
	for id, e := range catalogue {
		if !used[id] {
			t.Errorf("%s: no script makes it", id)
		}
		en, ja := parameter.FindAllString(e.Text.EN, -1), parameter.FindAllString(e.Text.JA, -1)
		slices.Sort(en)
		slices.Sort(ja)
		en, ja = slices.Compact(en), slices.Compact(ja)
		if e.Text.EN == "" || e.Text.JA == "" || !slices.Equal(en, ja) {
			t.Errorf("%s: parameters %v in English, %v in Japanese", id, en, ja)
		}
	}
}
