package cluster_test

import (
	"testing"

	"hexad/engine"
	"hexad/engine/cluster"
)

// What only counts or measures must not make the rules judge again: their
// judgement changes the counts, and so would cause the next.
func TestFactsThatAreJudgedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*engine.Facts)
		want   bool
	}{
		"nothing":            {func(*engine.Facts) {}, false},
		"decisions":          {func(f *engine.Facts) { f.Policy.Decisions, f.Policy.P99US = 9, 80 }, false},
		"round trips":        {func(f *engine.Facts) { f.RTTs = map[string]float64{"n2": 3} }, false},
		"offset of the time": {func(f *engine.Facts) { f.NTP.OffsetMS = 4 }, false},
		"applied index":      {func(f *engine.Facts) { f.Store.Applied = 7 }, false},
		"H.323 mode":         {func(f *engine.Facts) { f.H323 = true }, true},
		"release":            {func(f *engine.Facts) { f.Release = "1.0.1" }, true},
		"time lost":          {func(f *engine.Facts) { f.NTP.State = "Unsynchronized" }, true},
	} {
		before, after := engine.Facts{Release: "1.0.0"}, engine.Facts{Release: "1.0.0"}
		tt.change(&after)
		if got := cluster.JudgedDifferently(before, after); got != tt.want {
			t.Errorf("%s changed: judged again %v, want %v", name, got, tt.want)
		}
	}
}
