package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// gatekeeper is a site's script of procedure.gate with this body.
func gatekeeper(body string) func(*system) {
	return func(s *system) {
		clustered(s)
		s.site = append(s.site, policy.Script{Name: "gatekeeper", Source: fmt.Sprintf(`local P = policy {
  name = "gatekeeper", api = 1, hook = "procedure.gate", order = 300, title = { en = "Gate", ja = "ゲート" },
}
function P.evaluate(c)
%s
end
return P
`, body)})
	}
}

// Each procedure that an administrator can begin is asked about, with the
// address that it is about, and is held up by a rule.
func TestGateOfEveryProcedure(t *testing.T) {
	t.Parallel()
	three := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	save := func(c engine.Clustering) func(*testing.T, *system) error {
		return func(t *testing.T, s *system) error {
			_, err := s.Save(t.Context(), admin, c)
			return err
		}
	}
	for _, test := range []struct {
		procedure, peer string
		begin           func(*testing.T, *system) error
	}{
		{"add_peer", "192.0.2.4", save(page(1, append(slices.Clone(three), "192.0.2.4")...))},
		{"remove_peer", "192.0.2.3", save(page(1, three[:2]...))},
		{"change_primary", "192.0.2.2", save(page(2, three...))},
		{"factory_reset", "192.0.2.1", save(page(1))},
		{"restart", "192.0.2.1", func(t *testing.T, s *system) error { return s.Restart(t.Context(), admin) }},
		{"import", "192.0.2.1", func(t *testing.T, s *system) error {
			_, err := s.Gate(t.Context(), "import", "import", "192.0.2.1")
			return err
		}},
	} {
		t.Run(test.procedure, func(t *testing.T) {
			t.Parallel()
			s := start(t, gatekeeper(`if c.procedure == "`+test.procedure+`" then return reject { reason = c.peer } end`))
			before := s.page.Entered
			err := test.begin(t, s)
			e, ok := err.(*engine.Error)
			if !ok || e.Code != engine.Denied || len(e.Findings) != 1 || e.Findings[0].ID != "procedure.refused" {
				t.Fatalf("got %+v, want Denied with procedure.refused", err)
			}
			if f := e.Findings[0]; f.Params["reason"] != test.peer || f.Params["procedure"] != test.procedure || f.Script != "gatekeeper" {
				t.Errorf("finding %+v", f)
			}
			if s.restarts != 0 || !s.page.Entered.Equal(before) || s.page.Reset != nil {
				t.Errorf("the step was carried out: %d restarts, page %+v", s.restarts, s.page)
			}
			other := start(t, gatekeeper(`if c.procedure ~= "`+test.procedure+`" then return reject { reason = "other" } end`))
			if err := test.begin(t, other); err != nil {
				t.Errorf("let through: %v", err)
			}
		})
	}
	t.Run("tls_mode", func(t *testing.T) {
		t.Parallel()
		s := start(t, gatekeeper(`if c.procedure == "tls_mode" then return reject { reason = "frozen" } end`))
		found := s.JudgeItems(t.Context(), engine.Enforcing, "On") // as xConfiguration sets it
		if !slices.ContainsFunc(found, func(f engine.Finding) bool {
			return f.ID == "procedure.refused" && f.Severity == engine.FindingError
		}) {
			t.Errorf("found %+v", found)
		}
	})
}

// A rule may want a step later; what it says reaches people as it is.
func TestGateThatWaits(t *testing.T) {
	t.Parallel()
	s := start(t, gatekeeper(`return { action = "wait", seconds = 90, reason = "maintenance_window" }`))
	err := s.Restart(t.Context(), admin)
	if engine.CodeOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "wait 90 s") || !strings.Contains(err.Error(), "maintenance_window") {
		t.Errorf("got %v", err)
	}
	if s.restarts != 0 {
		t.Error("restarted all the same")
	}
}

// In mode warn a rule holds nothing up; what it would have said is shown.
func TestGateInModeWarn(t *testing.T) {
	t.Parallel()
	for action, id := range map[string]string{"reject": "procedure.refused", "wait": "procedure.later"} {
		s := start(t, func(s *system) {
			gatekeeper(`return { action = "` + action + `", seconds = 90, reason = "frozen" }`)(s)
			s.site[0].Mode = policy.Warn
		})
		out, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2"))
		if err != nil || len(s.page.Entered.Peers) != 2 {
			t.Errorf("%s: %v", action, err)
		}
		if !slices.ContainsFunc(out.Findings, func(f engine.Finding) bool {
			return f.ID == id && f.Severity == engine.FindingWarning && f.Params["reason"] == "frozen"
		}) {
			t.Errorf("%s: findings %+v", action, out.Findings)
		}
	}
}

// A peer counts what answers; what was never heard counts as one that does not.
func TestCapacityOfAPeerAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, clustered)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(time.Second)
		c := s.Capacity()
		if c == nil || c.Calls != 150 || c.Registrations != 2500 || c.CountedPeers != 1 || c.Script != "capacity" || c.Degraded {
			t.Errorf("got %+v", c)
		}
		if v := s.View(ctx).Capacity; v != c {
			t.Errorf("the view shows %+v", v)
		}
		stop()
		<-ended
	})
}

// When the rules fail the operator decides: the same command again, after the
// time that was named.
func TestGateWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, gatekeeper(`error("broken")`))
		for range 2 {
			if err := s.Restart(t.Context(), admin); engine.CodeOf(err) != engine.Unavailable || s.restarts != 0 {
				t.Fatalf("got %v after %d restarts", err, s.restarts)
			}
		}
		time.Sleep(61 * time.Second)
		if _, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2")); engine.CodeOf(err) != engine.Unavailable {
			t.Errorf("another step was let through with it: %v", err)
		}
		if err := s.Restart(t.Context(), admin); err != nil || s.restarts != 1 {
			t.Errorf("after the time: %v, %d restarts", err, s.restarts)
		}
		if err := s.Restart(t.Context(), admin); engine.CodeOf(err) != engine.Unavailable {
			t.Errorf("the decision counted twice: %v", err)
		}
	})
}

// What was begun is told to the other peers and ends by itself.
func TestProcedureThatRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, clustered)
		if p := s.Procedure(); p != nil {
			t.Errorf("before: %+v", p)
		}
		if _, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")); err != nil {
			t.Fatal(err)
		}
		s.decisions = nil
		s.JudgeItems(t.Context(), engine.Permissive, "Off")
		if !slices.ContainsFunc(s.decisions, func(d policy.Decision) bool {
			return d.Hook == "cluster.validate" && strings.Contains(string(d.Input), `"procedure":"add_peer"`)
		}) {
			t.Errorf("the other rules are not told of it: %d decisions", len(s.decisions))
		}
		if p := s.Procedure(); p == nil || p.Kind != "add_peer" || p.Peer != "192.0.2.4" || len(p.Peers) != 4 || s.Facts().Procedure != p {
			t.Errorf("got %+v", p)
		}
		time.Sleep(11 * time.Minute)
		if p := s.Procedure(); p != nil {
			t.Errorf("long after: %+v", p)
		}
	})
}

// A decision shows what was done before it was asked for and with its answer.
func TestStagesOfASave(t *testing.T) {
	t.Parallel()
	s := start(t, clustered)
	if _, err := s.Save(t.Context(), admin, page(1, "192.0.2.1", "192.0.2.2")); err != nil {
		t.Fatal(err)
	}
	names := func(steps []policy.Step) (out []string) {
		for _, step := range steps {
			if step.Stage != "" {
				out = append(out, step.Stage)
			}
		}
		return out
	}
	for _, d := range s.decisions {
		if d.Hook != "cluster.validate" {
			continue
		}
		if got, want := names(d.Steps), []string{"fields", "names", "reset"}; !slices.Equal(got, want) {
			t.Errorf("before the answer %v, want %v", got, want)
		}
		if got, want := names(s.after[d.ID]), []string{"gate", "page"}; !slices.Equal(got, want) {
			t.Errorf("after the answer %v, want %v", got, want)
		}
	}
	s.decisions, s.after = nil, map[string][]policy.Step{}
	_, err := s.Save(t.Context(), admin, page(1, "192.0.2.2", "192.0.2.3"))
	if engine.CodeOf(err) != engine.Invalid {
		t.Fatalf("got %v", err)
	}
	for _, d := range s.decisions {
		if d.Hook == "cluster.validate" && !slices.Equal(names(s.after[d.ID]), []string{"refused"}) {
			t.Errorf("after a refusal %v", s.after[d.ID])
		}
	}
}
