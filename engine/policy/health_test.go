package policy_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// call asks hook call.admit once and tells who answered: "ok 480 hostile".
func call(p *policy.Policies) (code int, degraded error) {
	d := p.Admit(context.Background(), engine.CallRequest{Alias: "a"})
	return d.Code, d.Degraded
}

func version(name, body string) policy.Script {
	s := scriptOf("call.admit", body)
	s.Version = name
	return s
}

// A version that fails is replaced by the one before it, once it has answered
// well here; three failures in a row pin it, another version ends the pin.
func TestLastGoodVersionAndBreaker(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var failures []policy.Failure
	var pinned, unpinned []engine.PolicyPin
	p := open(t, policy.Options{
		Scripts: []policy.Script{version("v1", `return reject { code = 481 }`)}, Revision: 1,
		Fail:     func(f policy.Failure) { mu.Lock(); failures = append(failures, f); mu.Unlock() },
		Pinned:   func(pin engine.PolicyPin) { pinned = append(pinned, pin) },
		Unpinned: func(pin engine.PolicyPin) { unpinned = append(unpinned, pin) },
	})
	if code, err := call(p); code != 481 || err != nil {
		t.Fatalf("v1: %d %v", code, err)
	}
	if err := p.Activate(2, []policy.Script{version("v2", broken)}, nil); err != nil {
		t.Fatal(err)
	}
	if s := p.Status()[0]; s.Version != "v2" || s.LastGood != "v1" || s.Good || s.Evaluations != 0 {
		t.Errorf("status %+v", s)
	}
	for i := range 5 {
		code, err := call(p)
		if code != 481 || err == nil {
			t.Errorf("call %d: %d %v, want the last good version's 481, degraded", i, code, err)
		}
	}
	if len(failures) != 3 || failures[0].Version != "v2" || failures[0].Line != 5 {
		t.Errorf("failures %+v, want 3 of v2: then it is asked no longer", failures)
	}
	if len(pinned) != 1 || pinned[0].Script != "hostile" || pinned[0].Version != "v2" || pinned[0].Runs != "v1" || pinned[0].By != "system" {
		t.Errorf("pins %+v", pinned)
	}
	s := p.Status()[0]
	if s.Pin == nil || s.Failures != 3 || s.LastFailure.Class != "runtime" || s.FailedAt.IsZero() || len(p.Pins()) != 1 {
		t.Errorf("status %+v", s)
	}

	// the same version again, in another mode and place, stays pinned
	again := version("v2", broken)
	again.Order = 300
	if err := p.Activate(3, []policy.Script{again}, nil); err != nil || len(p.Pins()) != 1 {
		t.Errorf("activated again: %v, pins %v", err, p.Pins())
	}
	if code, _ := call(p); code != 481 {
		t.Errorf("after that: %d", code)
	}

	// v2 never answered: behind v3 stands v1 still
	if err := p.Activate(4, []policy.Script{version("v3", `error("three")`)}, nil); err != nil || len(p.Pins()) != 0 || len(unpinned) != 1 {
		t.Errorf("a new version: %v, pins %v, unpinned %v", err, p.Pins(), unpinned)
	}
	if code, err := call(p); code != 481 || err == nil || !strings.Contains(err.Error(), "three") {
		t.Errorf("v3: %d %v", code, err)
	}
}

// Without a version that answered well the fail-safe stands, pinned or not.
func TestBreakerWithoutALastGoodVersion(t *testing.T) {
	t.Parallel()
	var pinned []engine.PolicyPin
	p := open(t, policy.Options{Scripts: []policy.Script{version("v1", broken)}, Pinned: func(pin engine.PolicyPin) { pinned = append(pinned, pin) }})
	for i := range 6 {
		if code, err := call(p); code != 403 || err == nil {
			t.Errorf("call %d: %d %v", i, code, err)
		}
	}
	if len(pinned) != 1 || pinned[0].Runs != "" {
		t.Errorf("pins %+v", pinned)
	}
	// another hook's script of the same name is no last good version
	if err := p.Activate(2, []policy.Script{scriptOf("registration.admit", "return nil")}, nil); err != nil {
		t.Fatal(err)
	}
	if s := p.Status()[0]; s.LastGood != "" {
		t.Errorf("status %+v", s)
	}
}

// Failures between good answers pin too: five in a minute.
func TestFiveFailuresInAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, policy.Options{Scripts: []policy.Script{version("v1", `if c.alias == "bad" then error("x") end`)}})
		ask := func(alias string) { p.Admit(t.Context(), engine.CallRequest{Alias: alias}) }
		for range 8 { // slowly: never five in a minute
			ask("bad")
			ask("good")
			time.Sleep(16 * time.Second)
		}
		if pins := p.Pins(); len(pins) != 0 {
			t.Fatalf("pinned after slow failures: %v", pins)
		}
		for range 3 {
			ask("bad")
			ask("good")
		}
		if pins := p.Pins(); len(pins) != 1 || !strings.Contains(pins[0].Reason, "minute") {
			t.Errorf("pins %v", pins)
		}
	})
}

// What an operator pins stays so until the operator lets go.
func TestPinByTheOperator(t *testing.T) {
	t.Parallel()
	s := version("v2", `return reject { code = 482 }`)
	good := version("v1", `return reject { code = 481 }`)
	s.LastGood = &good
	p := open(t, policy.Options{Scripts: []policy.Script{s}})
	if err := p.Pin("hostile", "looks wrong"); err != nil {
		t.Fatal(err)
	}
	if code, err := call(p); code != 481 || err == nil {
		t.Errorf("pinned: %d %v, want v1's 481, degraded", code, err)
	}
	d, err := p.Evaluate(context.Background(), "call.admit", []byte(`{"alias":"a"}`), policy.Trace{})
	if err != nil || !d.Degraded || d.Steps[0].Outcome != policy.StepLastGood || !strings.Contains(d.Steps[0].Detail, "looks wrong") {
		t.Errorf("explained: %v %+v", err, d.Steps)
	}
	if err := p.Pin("hostile", "again"); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("pinned twice: %v", err)
	}
	if err := p.Unpin("hostile"); err != nil {
		t.Fatal(err)
	}
	if code, err := call(p); code != 482 || err != nil {
		t.Errorf("unpinned: %d %v", code, err)
	}
	for _, err := range []error{p.Unpin("hostile"), p.Unpin("nobody"), p.Pin("nobody", "x")} {
		if engine.CodeOf(err) != engine.NotFound {
			t.Errorf("got %v, want not found", err)
		}
	}
}

// A last good version that fails too leaves the fail-safe; one that is broken or
// answers another hook is none.
func TestLastGoodVersionsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]policy.Script{
		"fails too": version("v0", broken), "does not compile": {Name: "hostile", Source: "return"},
		"another hook": scriptOf("registration.admit", "return accept {}"),
	} {
		s := version("v1", broken)
		s.LastGood = &good
		p := open(t, policy.Options{Scripts: []policy.Script{s}})
		if code, err := call(p); code != 403 || err == nil {
			t.Errorf("%s: %d %v", name, code, err)
		}
	}
}

// A pinned rule of a findings hook blocks a save as one that fails does.
func TestAPinnedFindingsScript(t *testing.T) {
	t.Parallel()
	p := one(t, "cluster.validate", "return {}", "")
	if err := p.Pin("hostile", "x"); err != nil {
		t.Fatal(err)
	}
	j := p.ValidateCluster(context.Background(), engine.ClusterInput{Occasion: engine.OnSave})
	if got := ids(j.Findings); len(got) != 1 || got[0] != "error policy.failed" || j.Findings[0].Params["class"] != "pinned" || j.Degraded == nil {
		t.Errorf("got %v, degraded %v", got, j.Degraded)
	}
}

// A shadow that fails is counted and nothing else.
func TestAShadowIsNeverPinned(t *testing.T) {
	t.Parallel()
	s := version("v1", broken)
	s.Mode = policy.Shadow
	p := open(t, policy.Options{Scripts: []policy.Script{s}, Fail: func(f policy.Failure) { t.Errorf("raised: %v", f) }})
	for range 5 {
		if code, err := call(p); code != 0 || err != nil {
			t.Errorf("got %d %v", code, err)
		}
	}
	if s := p.Status()[0]; s.Failures != 5 || s.Pin != nil {
		t.Errorf("status %+v", s)
	}
}

// The chain has one time for all of its scripts: those that it leaves out are
// not blamed, and the hook's fail-safe stands.
func TestTheChainsTime(t *testing.T) {
	t.Parallel()
	slow := `local s = string.rep("a", 60000)
while true do pcall(string.find, s, "b", 1, true) end`
	var scripts []policy.Script
	for _, name := range []string{"a1", "a2", "a3", "a4"} {
		s := named(name, scriptOf("alarm.react", slow))
		scripts = append(scripts, s)
	}
	last := named("z", scriptOf("alarm.react", "return nil"))
	last.Order = 899
	p := open(t, policy.Options{Scripts: append(scripts, last)})
	began := time.Now()
	r := p.ReactToAlarm(context.Background(), engine.AlarmRequest{})
	if took := time.Since(began); took > 2*policy.ControlLimits.Chain {
		t.Errorf("took %s", took)
	}
	if r.Degraded == nil || len(r.Acts) != 0 {
		t.Errorf("got %+v", r)
	}
}

// While revisions are activated every answer is of one revision and none is lost.
func TestActivationUnderLoad(t *testing.T) {
	t.Parallel()
	revision := func(n int) []policy.Script {
		a := version("", `return nil`)
		b := named("second", scriptOf("call.admit", `return reject { code = `+code(n)+` }`))
		b.Order = 600
		a.Source = strings.Replace(a.Source, "return nil", "why('n', { n = "+code(n)+" }) return nil", 1)
		return []policy.Script{a, b}
	}
	var mu sync.Mutex
	answers := 0
	p := open(t, policy.Options{Scripts: revision(400), Revision: 400, Record: func(d policy.Decision) {
		mu.Lock()
		defer mu.Unlock()
		if answers++; d.Degraded { // the machine was too busy: the fail-safe is an answer too
			return
		}
		n := d.Steps[0].Why[0].Params["n"]
		if !strings.Contains(string(d.Answer), n) || code(int(d.Revision)) != n {
			t.Errorf("mixed: revision %d, first %s, answer %s", d.Revision, n, d.Answer)
		}
	}})
	const clients, each = 8, 200
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				d := p.Admit(context.Background(), engine.CallRequest{})
				if busy := d.Degraded != nil && strings.Contains(d.Degraded.Error(), "limit.time"); d.Code < 400 || d.Degraded != nil && !busy {
					t.Errorf("lost: %+v", d)
				}
			}
		})
	}
	for n := 401; n < 440; n++ {
		if err := p.Activate(int64(n), revision(n), nil); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if answers != clients*each {
		t.Errorf("%d answers of %d", answers, clients*each)
	}
}

func code(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// Run records beside the calls and hands over what is left when it ends.
func TestRunRecordsBesideTheCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	kept := map[string]bool{}
	p := open(t, policy.Options{Scripts: builtin(), Record: func(d policy.Decision) {
		mu.Lock()
		defer mu.Unlock()
		kept[d.ID] = d.Hook == "call.admit" && len(d.Answer) > 0
	}})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	var want []string
	for range 100 {
		want = append(want, p.Admit(ctx, engine.CallRequest{Hops: 3}).Decision)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range want {
		if !kept[id] {
			t.Errorf("decision %q was not kept", id)
		}
	}
}

func TestP99(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: []policy.Script{version("v1", "return nil")}})
	if p.Status()[0].P99 != 0 {
		t.Error("a percentile of nothing")
	}
	for range 200 {
		call(p)
	}
	s := p.Status()[0]
	if s.Evaluations != 200 || s.P99 <= 0 || s.P99 > time.Second || !s.Good {
		t.Errorf("status %+v", s)
	}
}
