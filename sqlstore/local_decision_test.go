package sqlstore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

func decisionsOf(t *testing.T, o sqlstore.LocalOptions) *sqlstore.Local {
	t.Helper()
	o.Dir = t.TempDir()
	l, err := sqlstore.OpenLocal(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func decide(t *testing.T, l *sqlstore.Local, id string, at time.Time, change func(*sqlstore.Decision)) {
	t.Helper()
	d := sqlstore.Decision{ID: id, Time: at, Hook: "call.admit", Revision: 4, Input: "{}", Answer: `{"a":1}`, Microseconds: 21, Instructions: 99,
		Steps: []sqlstore.DecisionStep{{Kind: "script", Name: "s", Outcome: "answered", Detail: "because"}}}
	if change != nil {
		change(&d)
	}
	if err := l.AppendDecisions(t.Context(), []sqlstore.Decision{d}); err != nil {
		t.Fatal(err)
	}
}

// kept lists the decisions that are there, oldest first, and fails when a step of
// another one is left or the size is not the sum.
func kept(t *testing.T, l *sqlstore.Local) string {
	t.Helper()
	list, err := l.Decisions(t.Context(), sqlstore.DecisionFilter{Hook: "call.admit"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range list {
		ids = append([]string{d.ID}, ids...)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.Dir(), sqlstore.LocalFile)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var strays, size, sum int
	if err := db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM decision_step WHERE id NOT IN (SELECT id FROM decision)),
		(SELECT bytes FROM decision_size), (SELECT coalesce(sum(bytes), 0) FROM decision)`).Scan(&strays, &size, &sum); err != nil {
		t.Fatal(err)
	}
	if strays != 0 || size != sum {
		t.Errorf("%d steps of no decision; size %d, sum %d", strays, size, sum)
	}
	return strings.Join(ids, " ")
}

func TestDecisionsAreBoundedByRows(t *testing.T) {
	t.Parallel()
	l := decisionsOf(t, sqlstore.LocalOptions{DecisionLimit: 3})
	for i := range 5 {
		decide(t, l, fmt.Sprint("d-", i), noon, func(d *sqlstore.Decision) {
			if i == 4 {
				d.Degraded = "budget"
			}
		})
	}
	if got := kept(t, l); got != "d-2 d-3 d-4" {
		t.Errorf("kept %s", got)
	}
	if got, err := l.Decisions(t.Context(), sqlstore.DecisionFilter{Degraded: true}); err != nil || len(got) != 1 {
		t.Errorf("degraded: %d, %v", len(got), err)
	}
	if _, err := l.Decision(t.Context(), "d-0"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("a decision beyond the ring: %v", err)
	}
}

func TestDecisionsAreBoundedByAge(t *testing.T) {
	t.Parallel()
	l := decisionsOf(t, sqlstore.LocalOptions{})
	day := 24 * time.Hour
	decide(t, l, "d-0", noon, nil)
	decide(t, l, "d-1", noon.Add(3*day), nil)
	decide(t, l, "d-2", noon.Add(7*day), nil) // the first is seven days old, no more
	if got := kept(t, l); got != "d-0 d-1 d-2" {
		t.Errorf("after seven days: %s", got)
	}
	decide(t, l, "d-3", noon.Add(7*day+time.Millisecond), nil)
	if got := kept(t, l); got != "d-1 d-2 d-3" {
		t.Errorf("past seven days: %s", got)
	}
	decide(t, l, "d-4", noon.Add(100*day), nil)
	if got := kept(t, l); got != "d-4" {
		t.Errorf("long after: %s", got)
	}
}

func TestDecisionsAreBoundedBySize(t *testing.T) {
	t.Parallel()
	l := decisionsOf(t, sqlstore.LocalOptions{DecisionBytes: 3000})
	big := func(n int) func(*sqlstore.Decision) {
		return func(d *sqlstore.Decision) { d.Input = `"` + strings.Repeat("x", n) + `"` }
	}
	for i := range 6 {
		decide(t, l, fmt.Sprint("d-", i), noon, big(900))
	}
	if got := kept(t, l); got != "d-3 d-4 d-5" {
		t.Errorf("kept %s", got)
	}
	decide(t, l, "d-6", noon, big(5000)) // the newest is kept whatever its size
	if got := kept(t, l); got != "d-6" {
		t.Errorf("kept %s", got)
	}
	decide(t, l, "d-6", noon, big(10)) // the same once more
	if got := kept(t, l); got != "d-6" {
		t.Errorf("kept %s", got)
	}
	decide(t, l, "d-7", noon, nil)
	if got := kept(t, l); got != "d-7" {
		t.Errorf("kept %s", got)
	}
}

func TestDecisionsAreMaskedAfterwards(t *testing.T) {
	t.Parallel()
	l := decisionsOf(t, sqlstore.LocalOptions{})
	decide(t, l, "d-0", noon, nil)
	decide(t, l, "d-1", noon, func(d *sqlstore.Decision) { d.Masking = sqlstore.NothingToMask })
	asMade, err := l.Decisions(t.Context(), sqlstore.DecisionFilter{AsMade: true})
	if err != nil || len(asMade) != 1 || asMade[0].ID != "d-0" {
		t.Fatalf("as made: %+v, %v", asMade, err)
	}
	d := asMade[0]
	d.Input, d.Masking, d.Steps = `{"alias":"*1"}`, sqlstore.Masked, []sqlstore.DecisionStep{{Kind: "script", Name: "s", Outcome: "answered", Detail: "*1 came"}}
	if err := l.MaskDecisions(t.Context(), []sqlstore.Decision{d, {ID: "gone", Masking: sqlstore.Masked, Steps: d.Steps}}); err != nil {
		t.Fatal(err)
	}
	got, err := l.Decision(t.Context(), "d-0")
	steps, err2 := l.DecisionSteps(t.Context(), "d-0")
	if err != nil || err2 != nil || got.Input != d.Input || got.Masking != sqlstore.Masked || len(steps) != 1 || steps[0].Detail != "*1 came" {
		t.Errorf("masked: %+v %+v, %v %v", got, steps, err, err2)
	}
	if got := kept(t, l); got != "d-0 d-1" {
		t.Errorf("kept %s", got)
	}
}
