package command_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/command"
)

// An import begins when the rules let it through, and shows what they say.
func TestImportAsksAtTheGate(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	lines := command.Call{Name: "Import", Body: "xConfiguration H323 Mode: On\n", Actor: admin.Actor, Role: command.Administrator}
	p.held = engine.Errorf(engine.Unavailable, "wait 60 s")
	if _, err := table.Run(t.Context(), lines); engine.CodeOf(err) != engine.Unavailable || len(p.items) != 0 {
		t.Errorf("held up: %v, items %v", err, p.items)
	}
	p.held = nil
	p.advised = []engine.Finding{{ID: "procedure.later", Severity: engine.FindingWarning, Text: engine.Text{EN: "better tomorrow", JA: "明日"}}}
	r, err := table.Run(t.Context(), lines)
	if err != nil || p.items["H323 Mode"] != "On" {
		t.Errorf("let through: %v, items %v", err, p.items)
	}
	if !slices.Contains(r.Lines, "warning: better tomorrow") || len(r.Findings) != 1 {
		t.Errorf("lines %q, findings %+v", r.Lines, r.Findings)
	}
	if !slices.Equal(p.asked, []string{"import import", "import import"}) {
		t.Errorf("asked %v", p.asked)
	}
}

// xStatus shows what the rules made of an alarm, and what the cluster carries.
func TestStatusOfWhatRulesSay(t *testing.T) {
	t.Parallel()
	p, table := newPeer(t)
	until := time.Now().Add(time.Hour).UTC()
	p.raised = []engine.RaisedAlarm{{Node: "n1", Peer: "192.0.2.1", ID: 20007, State: engine.AlarmNew, Count: 1, Mark: &engine.AlarmMark{
		Severity: engine.Critical, Expected: until, Reason: "planned", Suggested: []string{"restart"}, Notified: map[string]time.Time{"ops": until}, Decision: "d-1",
	}}}
	p.view.Capacity = &engine.CapacityView{Calls: 300, Registrations: 40, CountedPeers: 2, Reason: "licences", Licences: map[string]int{"room_registrations": 40}, Decision: "d-2"}
	for line, want := range map[string][]string{
		"xStatus Alarm":            {"Severity: critical", "Expected:", `Reason: "planned"`, `Procedure: "restart"`, `To: "ops"`, `Decision: "d-1"`},
		"xStatus Cluster Capacity": {"Calls: 300", "Registrations: 40", "CountedPeers: 2", `Reason: "licences"`, "Licences room_registrations:", "Count: 40", `Decision: "d-2"`},
	} {
		text := strings.Join(do(t, table, line).Lines, "\n")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not in\n%s", line, w, text)
			}
		}
	}
	p.raised[0].Mark.Expected = time.Now().Add(-time.Second)
	if text := strings.Join(do(t, table, "xStatus Alarm").Lines, "\n"); strings.Contains(text, "Expected") {
		t.Errorf("expected after the time:\n%s", text)
	}
}
