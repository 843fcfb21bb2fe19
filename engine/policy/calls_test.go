package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

// answerOf asks a hook with a fixture, through the active revision, and returns
// the answer's JSON and whether it is degraded.
func answerOf(t *testing.T, p *policy.Policies, hook, fixture string) (string, bool) {
	t.Helper()
	d, err := p.Evaluate(context.Background(), hook, policy.Fixtures(hook)[fixture], policy.Trace{})
	if err != nil {
		t.Fatalf("%s %s: %v", hook, fixture, err)
	}
	return string(d.Answer), d.Degraded
}

// What each hook answers when its script fails and nothing stands in for it.
// Source: reference/policy-api.md section 6.
func TestFailSafeOfEveryHook(t *testing.T) {
	t.Parallel()
	cases := []struct{ hook, fixture, want string }{
		{"cluster.validate", "pair", `{"findings":[],"failed":["hostile"]}`},
		{"keys.compare", "pair", `{"findings":[],"failed":["hostile"]}`},
		{"peer.prerequisites", "pair", `{"findings":[],"failed":["hostile"]}`},
		{"peer.identity", "name", `{"action":"reject","reason":"policy_failed"}`},
		{"peer.identity", "permissive", `{"action":"accept","name":"","warning":"policy_failed"}`},
		{"cluster.peers_changed", "cleared", `{"reset":"none"}`},
		{"procedure.gate", "first", `{"action":"wait","seconds":60,"reason":"policy_unavailable","ask_operator":true}`},
		{"capacity.limit", "six", `{"calls":150,"registrations":2500,"counted_peers":1,"reason":"policy_unavailable"}`},
		{"registration.admit", "new", `{"allowed":false,"code":503,"reason":"policy_unavailable"}`},
		{"registration.admit", "refresh", `{"allowed":true}`},
		{"call.admit", "registered", `{"allowed":false,"code":403,"reason":"policy_unavailable"}`},
		{"search.transform", "uri", `{"alias":"bob@example.com"}`},
		{"search.route", "three", `{"action":"candidates"}`},
		{"findme.resolve", "office", `{"rings":[{"aliases":["ann.desk@example.com","ann.room@example.com"],"seconds":30}]}`},
		{"findme.resolve", "empty", `{"rings":null}`},
		{"bandwidth.admit", "free", `{"allowed":true,"kbps":1920}`},
		{"bandwidth.admit", "full", `{"allowed":false,"reason":"exceeds_call_capacity"}`},
		{"alarm.react", "raised", `{"acts":null}`},
	}
	asked := map[string]bool{}
	for _, c := range cases {
		asked[c.hook] = true
		for _, body := range []string{broken, `while true do end`, `return 7`, `local t = {}; while true do t[#t + 1] = { t } end`} {
			if got, degraded := answerOf(t, one(t, c.hook, body, ""), c.hook, c.fixture); got != c.want || !degraded {
				t.Errorf("%s %s, %s:\n got %s, degraded %v\nwant %s", c.hook, c.fixture, body, got, degraded, c.want)
			}
		}
	}
	for _, hook := range policy.Hooks() {
		if !asked[hook] {
			t.Errorf("%s is not tested", hook)
		}
	}
}

func TestOnFailure(t *testing.T) {
	t.Parallel()
	with := func(hook string, f policy.OnFailure, more ...policy.Script) *policy.Policies {
		s := scriptOf(hook, broken)
		s.OnFailure = f
		return open(t, policy.Options{Scripts: append([]policy.Script{s}, more...)})
	}
	later := named("later", scriptOf("call.admit", `return reject { code = 480, reason = "later" }`))
	for _, c := range []struct {
		p             *policy.Policies
		hook, fixture string
		want          string
	}{
		{with("call.admit", policy.FailureSkip), "call.admit", "registered", `{"allowed":true}`},
		{with("call.admit", policy.FailureSkip, later), "call.admit", "registered", `{"allowed":false,"code":480,"reason":"later"}`},
		{with("call.admit", policy.FailSafe, later), "call.admit", "registered", `{"allowed":false,"code":403,"reason":"policy_unavailable"}`},
		{with("search.transform", policy.FailureReject), "search.transform", "uri", `{"alias":"bob@example.com","reject":true,"code":403,"reason":"policy_unavailable"}`},
		{with("search.route", policy.FailureReject), "search.route", "three", `{"action":"reject","code":403,"reason":"policy_unavailable"}`},
	} {
		if got, degraded := answerOf(t, c.p, c.hook, c.fixture); got != c.want || !degraded {
			t.Errorf("%s: got %s, degraded %v, want %s", c.hook, got, degraded, c.want)
		}
	}
	s := scriptOf("registration.admit", broken)
	s.OnFailure = policy.FailureSkip
	if _, err := policy.New(policy.Options{Scripts: []policy.Script{s}}); err == nil || !strings.Contains(err.Error(), "does not permit on_failure") {
		t.Errorf("on_failure that is not permitted: %v", err)
	}
	if got := policy.Permitted("search.route"); !reflect.DeepEqual(got, []policy.OnFailure{policy.FailSafe, policy.FailureReject}) {
		t.Errorf("search.route permits %v", got)
	}
}

// named gives a script of scriptOf another name.
func named(name string, s policy.Script) policy.Script {
	s.Name, s.Source = name, strings.ReplaceAll(s.Source, "hostile", name)
	return s
}

// What the engine does not let a script say.
func TestEngineChecks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hook, fixture, body, want string }{
		{"registration.admit", "new", `return accept { ttl = 59 }`, "ttl"},
		{"registration.admit", "new", `return accept { ttl = 86401 }`, "ttl"},
		{"registration.admit", "new", `return accept { ttl = 60.5 }`, "ttl"},
		{"registration.admit", "new", `return accept { ttl = 0 / 0 }`, "ttl"},
		{"registration.admit", "new", `return reject { code = 200 }`, "SIP status"},
		{"registration.admit", "new", `return reject { reason = string.rep("x", 256) }`, "reason"},
		{"call.admit", "registered", `return { action = "route" }`, "not one of"},
		{"call.admit", "registered", `return accept { extra = 1 }`, "unknown field extra"},
		{"call.admit", "registered", `return accept { { 1 } }`, "unknown field 1"},
		{"search.transform", "uri", `return { alias = "" }`, "alias"},
		{"search.transform", "uri", `return { alias = string.rep("x", 256) }`, "alias"},
		{"search.transform", "uri", `return {}`, "neither"},
		{"search.transform", "uri", `return { alias = "a", action = "reject" }`, "both"},
		{"search.route", "three", `return route { targets = { { zone = "Nowhere", alias = "a" } } }`, "no enabled zone"},
		{"search.route", "three", `return route { targets = {} }`, "targets"},
		{"search.route", "three", `return route {}`, "targets"},
		{"search.route", "three", `return reject { targets = c.candidates }`, "targets"},
		{"search.route", "three", `return route { targets = { { zone = "Edge", alias = string.rep("x", 256) } } }`, "alias"},
		{"findme.resolve", "office", `return { rings = { { aliases = {}, seconds = 10 } } }`, "aliases"},
		{"findme.resolve", "office", `return { rings = { { aliases = { "a" }, seconds = 0 } } }`, "seconds"},
		{"bandwidth.admit", "free", `return accept { kbps = 1921 }`, "kbps"},
		{"bandwidth.admit", "free", `return accept {}`, "kbps"},
		{"bandwidth.admit", "full", `return accept { kbps = 1 }`, "kbps"},
		{"capacity.limit", "six", `return { calls = 601, registrations = 1 }`, "calls"},
		{"capacity.limit", "six", `return { calls = 1, registrations = 10001 }`, "registrations"},
		{"capacity.limit", "small", `return { calls = 151, registrations = 1 }`, "calls"},
		{"capacity.limit", "six", `return { calls = -1, registrations = 1 }`, "calls"},
		{"procedure.gate", "first", `return { action = "wait" }`, "seconds"},
		{"procedure.gate", "first", `return { action = "wait", seconds = 1e9 }`, "seconds"},
		{"alarm.react", "raised", `return { { act = "hide" } }`, "not one of"},
		{"alarm.react", "raised", `return { { act = "notify" } }`, "lacks the field to"},
		{"alarm.react", "raised", `return { { act = "severity", to = "loud" } }`, "severity"},
		{"alarm.react", "raised", `return { { act = "expect", for_s = 1e9, reason = "x" } }`, "for_s"},
	} {
		s := scriptOf(c.hook, c.body)
		p := open(t, policy.Options{Scripts: []policy.Script{s}, ZoneEnabled: func(zone string) bool { return zone == "Edge" }})
		d, err := p.Evaluate(context.Background(), c.hook, policy.Fixtures(c.hook)[c.fixture], policy.Trace{})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Steps[0]; got.Outcome != policy.StepFailed || !strings.HasPrefix(got.Detail, "bad_output: answer") || !strings.Contains(got.Detail, c.want) {
			t.Errorf("%s: %s\n got %s %s\nwant bad_output about %s", c.hook, c.body, got.Outcome, got.Detail, c.want)
		}
	}
	p := one(t, "alarm.react", `return { { act = "severity", to = "warning" } }`, "")
	in := engine.AlarmRequest{Event: "raised", Alarm: engine.AlarmRecord{ID: 20025, Severity: engine.Critical}}
	if r := p.ReactToAlarm(context.Background(), in); len(r.Acts) != 0 || r.Degraded == nil {
		t.Errorf("a critical alarm was made less: %+v", r)
	}
	in.Alarm.Severity = engine.Warning
	if r := p.ReactToAlarm(context.Background(), in); len(r.Acts) != 1 || r.Acts[0].To != "warning" || r.Acts[0].Script != "hostile" {
		t.Errorf("got %+v", r)
	}
}

func TestTypedAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct {
		hook, body string
		ask        func(p *policy.Policies) any
		want       any
	}{
		{"registration.admit", `return accept { subzone = "Guests", ttl = 60 }`, func(p *policy.Policies) any {
			return p.AdmitRegistration(ctx, engine.RegistrationRequest{})
		}, engine.Admission{Decided: engine.Decided{Script: "hostile"}, Allow: true, Subzone: "Guests", TTL: 60}},
		{"call.admit", `return reject {}`, func(p *policy.Policies) any { return p.Admit(ctx, engine.CallRequest{}) },
			engine.Admission{Decided: engine.Decided{Script: "hostile"}, Code: 403, Reason: "policy"}},
		{"search.transform", `return { alias = "x" .. c.alias }`, func(p *policy.Policies) any {
			return p.Transform(ctx, engine.SearchRequest{Alias: "a"})
		}, engine.Transformed{Decided: engine.Decided{Script: "hostile"}, Alias: "xa"}},
		{"search.route", `return route { targets = { { zone = "Z", alias = c.candidates[2].alias }, c.candidates[1] }, continue = true }`, func(p *policy.Policies) any {
			return p.Route(ctx, engine.RouteRequest{Candidates: []engine.RouteCandidate{{Zone: "A", Alias: "a"}, {Zone: "B", Alias: "b"}}})
		}, engine.Route{
			Decided: engine.Decided{Script: "hostile"}, Action: engine.RouteTargets, Continue: true,
			Targets: []engine.RouteTarget{{Zone: "Z", Alias: "b"}, {Zone: "A", Alias: "a"}},
		}},
		{"search.route", `return skip()`, func(p *policy.Policies) any { return p.Route(ctx, engine.RouteRequest{}) },
			engine.Route{Decided: engine.Decided{Script: "hostile"}, Action: engine.RouteSkip}},
		{"search.route", `return reject { code = 404, reason = "r", detail = "d" }`, func(p *policy.Policies) any { return p.Route(ctx, engine.RouteRequest{}) },
			engine.Route{Decided: engine.Decided{Script: "hostile"}, Action: engine.RouteReject, Code: 404, Reason: "r", Detail: "d"}},
		{"search.route", `return nil`, func(p *policy.Policies) any { return p.Route(ctx, engine.RouteRequest{}) }, engine.Route{Action: engine.RouteCandidates}},
		{"findme.resolve", `return { rings = { { aliases = { "a", "b" }, seconds = c.ring_seconds } } }`, func(p *policy.Policies) any {
			return p.FindMe(ctx, engine.FindMeRequest{})
		}, engine.FindMeRings{Decided: engine.Decided{Script: "hostile"}, Rings: []engine.FindMeRing{{Aliases: []string{"a", "b"}, Seconds: 30}}}},
		{"bandwidth.admit", `return accept { kbps = 64 }`, func(p *policy.Policies) any { return p.Bandwidth(ctx, engine.BandwidthRequest{Requested: 384}) },
			engine.BandwidthGrant{Decided: engine.Decided{Script: "hostile"}, Allow: true, Kbps: 64}},
		{"procedure.gate", `return { action = "wait", seconds = 5, reason = "r" }`, func(p *policy.Policies) any {
			a := p.Gate(ctx, engine.GateRequest{Procedure: "restart", Peer: "192.0.2.1"})
			if f := a.Findings; len(f) != 1 || f[0].ID != "procedure.later" || f[0].Peer != "192.0.2.1" || f[0].Params["seconds"] != "5" || f[0].Params["procedure"] != "restart" {
				t.Errorf("procedure.gate: findings %+v", f)
			}
			a.Findings = nil // the same for people
			return a
		},
			engine.GateAnswer{Decided: engine.Decided{Script: "hostile"}, Action: engine.GateWait, Seconds: 5, Reason: "r"}},
		{"capacity.limit", `return { calls = 2, registrations = 3, counted_peers = 1 }`, func(p *policy.Policies) any {
			return p.Capacity(ctx, engine.CapacityRequest{Peers: []engine.CapacityPeer{{CallsCapacity: 2, RegistrationsCapacity: 3}}})
		}, engine.Capacity{Decided: engine.Decided{Script: "hostile"}, Calls: 2, Registrations: 3, CountedPeers: 1}},
		{"alarm.react", `return { { act = "notify", to = "ops" }, { act = "suggest", procedure = "resync" } }`, func(p *policy.Policies) any {
			return p.ReactToAlarm(ctx, engine.AlarmRequest{})
		}, engine.AlarmReaction{Acts: []engine.AlarmAct{{Act: "notify", To: "ops", Script: "hostile"}, {Act: "suggest", Procedure: "resync", Script: "hostile"}}}},
	} {
		if got := c.ask(one(t, c.hook, c.body, "")); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s\n got %+v\nwant %+v", c.hook, c.body, got, c.want)
		}
	}
}

// The capacity that was good last stands in for one that cannot be had.
func TestCapacityKeepsItsLastAnswer(t *testing.T) {
	t.Parallel()
	p := one(t, "capacity.limit", `if #c.peers == 3 then error("x") end; return { calls = 10 * #c.peers, registrations = 1 }`, "")
	of := func(n int) engine.CapacityRequest {
		in := engine.CapacityRequest{}
		for range n {
			in.Peers = append(in.Peers, engine.CapacityPeer{CallsCapacity: 100, RegistrationsCapacity: 100, Size: "medium"})
		}
		return in
	}
	for _, c := range []struct{ peers, want int }{{3, 100}, {2, 20}, {3, 20}} {
		if got := p.Capacity(context.Background(), of(c.peers)); got.Calls != c.want {
			t.Errorf("%d peers: got %+v, want %d calls", c.peers, got, c.want)
		}
	}
}

// The first answer decides, in order; each script of a pipeline gets what the
// one before it made.
func TestComposition(t *testing.T) {
	t.Parallel()
	chain := func(hook string, bodies ...string) []policy.Script {
		var out []policy.Script
		for i, body := range bodies {
			s := named(fmt.Sprintf("s%d", i), scriptOf(hook, body))
			s.Order = 200 + i
			out = append(out, s)
		}
		return out
	}
	ctx := context.Background()
	p := open(t, policy.Options{Scripts: chain("call.admit", `return nil`, `return accept {}`, `return reject { reason = "late" }`)})
	if d := p.Admit(ctx, engine.CallRequest{}); !d.Allow || d.Script != "s1" {
		t.Errorf("got %+v, want s1's accept", d)
	}
	p = open(t, policy.Options{Scripts: chain("search.transform", `return { alias = c.alias .. "1" }`, `return nil`, `return { alias = c.alias .. "2" }`)})
	if d := p.Transform(ctx, engine.SearchRequest{Alias: "a"}); d.Alias != "a12" || d.Script != "s2" {
		t.Errorf("got %+v, want a12", d)
	}
	p = open(t, policy.Options{Scripts: chain("search.transform", `return { alias = c.alias .. "1" }`, `return reject { code = 404, reason = "no" }`, `error("not asked")`)})
	if d := p.Transform(ctx, engine.SearchRequest{Alias: "a"}); !d.Reject || d.Code != 404 || d.Degraded != nil {
		t.Errorf("got %+v, want a reject", d)
	}
	p = open(t, policy.Options{Scripts: chain("search.transform", `return { alias = c.alias .. "1" }`, broken)})
	if d := p.Transform(ctx, engine.SearchRequest{Alias: "a"}); d.Alias != "a" || d.Degraded == nil {
		t.Errorf("got %+v, want what the configured transforms left", d)
	}
	p = open(t, policy.Options{Scripts: chain("alarm.react", `return { { act = "notify", to = "a" } }`, `return nil`, `return { { act = "notify", to = "b" } }`)})
	if d := p.ReactToAlarm(ctx, engine.AlarmRequest{}); len(d.Acts) != 2 || d.Acts[1].Script != "s2" {
		t.Errorf("got %+v, want both", d)
	}
}

func TestModesOfCallHooks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	deny := scriptOf("call.admit", `return reject { code = 480 }`)
	deny.Order = 200
	after := named("after", scriptOf("call.admit", `return reject { code = 481 }`))
	for mode, want := range map[policy.Mode]int{policy.Enforce: 480, policy.Warn: 481, policy.Shadow: 481} {
		deny.Mode = mode
		p := open(t, policy.Options{Scripts: []policy.Script{deny, after}})
		if d := p.Admit(ctx, engine.CallRequest{}); d.Code != want {
			t.Errorf("%s: got %+v, want %d", mode, d, want)
		}
		d, err := p.Evaluate(ctx, "call.admit", policy.Fixtures("call.admit")["registered"], policy.Trace{})
		outcome := map[policy.Mode]string{policy.Enforce: policy.StepAnswered, policy.Warn: policy.StepWarned, policy.Shadow: policy.StepShadow}[mode]
		if err != nil || d.Steps[0].Outcome != outcome || !strings.Contains(string(d.Steps[0].Answer), "480") {
			t.Errorf("%s: %v, steps %+v", mode, err, d.Steps)
		}
	}
	shadow := scriptOf("search.transform", `return { alias = "shadow" }`)
	shadow.Mode = policy.Shadow
	p := open(t, policy.Options{Scripts: []policy.Script{shadow}})
	if d := p.Transform(ctx, engine.SearchRequest{Alias: "a"}); d.Alias != "a" {
		t.Errorf("a shadow transformed: %+v", d)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*policy.Script){
		`unknown mode "loud"`: func(s *policy.Script) { s.Mode = "loud" },
		"order 99":            func(s *policy.Script) { s.Order = 99 },
		"order 1000":          func(s *policy.Script) { s.Order = 1000 },
	} {
		s := scriptOf("call.admit", "return nil")
		change(&s)
		if _, err := policy.New(policy.Options{Scripts: []policy.Script{s}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestEvaluateFromJSON(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := open(t, policy.Options{Scripts: builtin(), Revision: 3, Situation: situation(), Record: func(policy.Decision) { t.Error("an evaluation was recorded") }})
	d, err := p.Evaluate(ctx, "call.admit", []byte(`{"alias": "00441632960123", "hops": 5, "source": {"zone_type": "default"}}`), policy.Trace{Lines: true})
	if err != nil {
		t.Fatal(err)
	}
	var in engine.CallRequest
	if err := json.Unmarshal(d.Input, &in); err != nil || in.Self == nil || in.Self.Address != "192.0.2.1" || in.Revision != 3 || in.Now == 0 {
		t.Errorf("input %s: %v", d.Input, err)
	}
	step := d.Steps[0]
	if d.Revision != 3 || d.Script != "call_guard" || step.Version == "" || len(step.Lines) < 3 || step.Why[0].Code != "dials_out" || d.Instructions == 0 {
		t.Errorf("got %+v", d)
	}
	again, err := policy.EvaluateWith(ctx, nil, nil, "call.admit", d.Input, policy.Trace{})
	if err != nil || string(again.Answer) != `{"allowed":true}` {
		t.Errorf("without scripts: %v %s", err, again.Answer)
	}
	for input, want := range map[string]engine.Code{`{`: engine.Invalid, `{"alais": 1}`: engine.Invalid, `{} {}`: engine.Invalid} {
		if _, err := p.Evaluate(ctx, "call.admit", []byte(input), policy.Trace{}); engine.CodeOf(err) != want {
			t.Errorf("%s: %v", input, err)
		}
	}
	if _, err := p.Evaluate(ctx, "call.nothing", nil, policy.Trace{}); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("an unknown hook: %v", err)
	}
	if p.Status()[0].Evaluations != 0 {
		t.Error("an evaluation was counted")
	}
}

// Every recorded input answers the same again.
func TestRecordedDecisionsRepeat(t *testing.T) {
	t.Parallel()
	var kept []policy.Decision
	p := open(t, policy.Options{Scripts: builtin(), Situation: situation(), Record: func(d policy.Decision) { kept = append(kept, d) }})
	for _, r := range registrations() {
		p.AdmitRegistration(context.Background(), r)
	}
	p.Route(context.Background(), engine.RouteRequest{Alias: "a", Candidates: []engine.RouteCandidate{{Zone: "z", Alias: "a"}}})
	p.ValidateCluster(context.Background(), randomCluster(7))
	if len(kept) != 66 {
		t.Fatalf("%d decisions, want 66", len(kept))
	}
	seen := map[string]bool{}
	for _, d := range kept {
		if seen[d.ID] {
			t.Errorf("id %s twice", d.ID)
		}
		seen[d.ID] = true
		again, err := p.Evaluate(context.Background(), d.Hook, d.Input, policy.Trace{})
		if err != nil || string(again.Answer) != string(d.Answer) || string(again.Input) != string(d.Input) {
			t.Errorf("%s: %v\n first %s\n again %s", d.Hook, err, d.Answer, again.Answer)
		}
	}
}
