package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
)

// A decision is told what came before it at once, and what came after it at
// the end of the operation.
func TestStagesAroundDecisions(t *testing.T) {
	t.Parallel()
	ctx, end := engine.WithStages(t.Context())
	var later []string
	tell := func(stages []engine.Stage) {
		for _, s := range stages {
			later = append(later, s.Name)
		}
	}
	engine.Staged(ctx, "names", "resolved", "%d names", 2)
	inner, endInner := engine.WithStages(ctx) // part of the same operation
	before := engine.StagesBefore(inner, tell)
	if want := []engine.Stage{{Name: "names", Outcome: "resolved", Detail: "2 names"}}; !slices.Equal(before, want) {
		t.Errorf("before the decision %v, want %v", before, want)
	}
	engine.Staged(inner, "stored", "saved", "")
	endInner()
	if later != nil {
		t.Errorf("told %v before the operation ended", later)
	}
	end()
	end()
	if !slices.Equal(later, []string{"stored"}) {
		t.Errorf("told %v afterwards, want stored once", later)
	}
}

func TestStagesAreBounded(t *testing.T) {
	t.Parallel()
	ctx, end := engine.WithStages(t.Context())
	defer end()
	for range 1000 {
		engine.Staged(ctx, "names", "long", "%s", strings.Repeat("ß", 10_000))
	}
	got := engine.StagesBefore(ctx, nil)
	if len(got) > 100 || len(got[0].Detail) > 1000 {
		t.Errorf("%d stages, the first of %d bytes", len(got), len(got[0].Detail))
	}
}

func TestOutsideOfAnOperationNothingIsNoted(t *testing.T) {
	t.Parallel()
	engine.Staged(context.Background(), "names", "resolved", "")
	if got := engine.StagesBefore(context.Background(), nil); got != nil {
		t.Errorf("got %v", got)
	}
}
