package policy_test

import (
	"slices"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

// A state is thrown away after 100,000 evaluations, after a breach of a limit
// and after a panic; the one in its place answers the same.
// Source: reference/policy-api.md section 4.
func TestStatesAreThrownAway(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: []policy.Script{scriptOf("call.admit", `if c.hops == 1 then while true do end end
return reject { code = 480, reason = "n" .. tostring(c.hops) }`)}})
	ask := func(hops int) engine.Admission {
		return p.Admit(t.Context(), engine.CallRequest{Alias: "a@example.com", Protocol: engine.SIP, Hops: hops})
	}
	pool := len(p.Served())
	round := func(hops int) {
		t.Helper()
		for range pool { // the states take turns
			if d := ask(hops); d.Code != 480 || d.Reason != "n"+string(rune('0'+hops)) {
				t.Errorf("answered %+v", d)
			}
		}
	}
	holds := func(when string, want int) {
		t.Helper()
		if got := p.Served(); !slices.Equal(got, slices.Repeat([]int{want}, pool)) {
			t.Errorf("%s the states have served %v, want %d each", when, got, want)
		}
	}
	p.Age(99_998)
	round(5)
	holds("before their time", 99_999)
	round(6)
	holds("after 100,000 evaluations", 0)
	round(7) // the file is loaded once more: that counts too
	holds("anew", 2)
	if d := ask(1); d.Reason != "policy_unavailable" {
		t.Errorf("a loop answered %+v", d)
	}
	if got := p.Served(); got[0] != 0 || got[len(got)-1] != 2 {
		t.Errorf("after a loop the states have served %v", got)
	}
	round(8)
}
