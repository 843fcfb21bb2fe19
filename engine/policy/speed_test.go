package policy_test

import (
	"context"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// quickest is the time of one of a hundred runs of f in the best of many rounds:
// what else the machine does is left out.
func quickest(f func()) time.Duration {
	best := time.Hour
	for range 40 {
		began := time.Now()
		for range 100 {
			f()
		}
		best = min(best, time.Since(began)/100)
	}
	return best
}

// A guard against regressions, far above what is aimed at. Source:
// reference/policy-api.md section 11, 7.
func TestSpeedGuard(t *testing.T) {
	p := open(t, policy.Options{Scripts: []policy.Script{scriptOf("registration.admit", twenty)}, Situation: situation()})
	requests := registrations()
	i := 0
	if took := quickest(func() { i++; p.AdmitRegistration(context.Background(), requests[i%len(requests)]) }); took > 50*time.Microsecond {
		t.Errorf("a decision on twenty fields took %s", took)
	}
	route := open(t, policy.Options{Situation: situation(), Scripts: []policy.Script{scriptOf("search.route", `local live = {}
for _, t in ipairs(c.candidates) do live[#live + 1] = t end
return route { targets = live }`)}})
	in := engine.RouteRequest{Alias: "a", Candidates: []engine.RouteCandidate{{Zone: "A", Alias: "a"}, {Zone: "B", Alias: "a"}}}
	if took := quickest(func() { route.Route(context.Background(), in) }); took > 100*time.Microsecond {
		t.Errorf("a route of two candidates took %s", took)
	}
}
