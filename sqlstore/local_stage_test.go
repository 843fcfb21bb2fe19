package sqlstore_test

import (
	"slices"
	"testing"

	"hexad/sqlstore"
)

// Stages after the answer follow the steps that were written with it; of a
// decision that is not kept nothing is.
func TestStagesFollowTheSteps(t *testing.T) {
	t.Parallel()
	l := decisionsOf(t, sqlstore.LocalOptions{DecisionLimit: 1})
	step := func(kind, name string) sqlstore.DecisionStep {
		return sqlstore.DecisionStep{Kind: kind, Name: name, Outcome: "done", Detail: "d"}
	}
	decide(t, l, "d-1", noon, func(d *sqlstore.Decision) {
		d.Steps = []sqlstore.DecisionStep{step("stage", "names"), step("script", "peer_list")}
	})
	for _, name := range []string{"gate", "page"} {
		if err := l.AppendDecisionSteps(t.Context(), "d-1", []sqlstore.DecisionStep{step("stage", name)}); err != nil {
			t.Fatal(err)
		}
	}
	names := func(id string) (out []string) {
		steps, err := l.DecisionSteps(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			out = append(out, s.Kind+" "+s.Name)
		}
		return out
	}
	if got, want := names("d-1"), []string{"stage names", "script peer_list", "stage gate", "stage page"}; !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
	decide(t, l, "d-2", noon, nil) // d-1 is dropped
	if err := l.AppendDecisionSteps(t.Context(), "d-1", []sqlstore.DecisionStep{step("stage", "late")}); err != nil {
		t.Fatal(err)
	}
	if got := names("d-1"); got != nil {
		t.Errorf("steps of a dropped decision: %v", got)
	}
}
