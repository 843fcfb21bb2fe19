package simulation_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	flagSeed    = flag.Uint64("sim.seed", 0, "run this seed alone, print its faults, and shrink them when it fails")
	flagSeeds   = flag.Int("sim.seeds", 0, "how many seeds to run; as many as fit into -sim.for when 0")
	flagFor     = flag.Duration("sim.for", 10*time.Second, "how long to begin new seeds")
	flagMinutes = flag.Int("sim.minutes", 30, "simulated minutes of a seed")
	flagFirst   = flag.Uint64("sim.first", 0, "first seed of a run of many; chosen when 0")
)

// total is what all seeds of a run have come to.
type total struct {
	mu         sync.Mutex
	seeds      int
	simulated  time.Duration
	faults     int
	counts     map[string]int
	equal      []int // ms after the heal
	violations []string
}

func (t *total) add(w *world) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seeds++
	t.simulated += time.Since(w.began)
	t.equal = append(t.equal, w.equal...)
	for what, n := range w.counts {
		t.counts[what] += n
		if strings.HasPrefix(what, "fault ") {
			t.faults += n
		}
	}
	for _, v := range w.found {
		t.violations = append(t.violations, fmt.Sprintf("seed %d: %s", w.seed, v))
	}
}

// TestSimulation runs seeds until its time is over; with -sim.seed one seed.
func TestSimulation(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // a run makes much that is gone soon
	if _, err := builtin(); err != nil {
		t.Fatal(err)
	}
	if *flagSeed != 0 {
		again(t, *flagSeed)
		return
	}
	first := *flagFirst
	if first == 0 {
		first = 1 + rand.Uint64N(1_000_000_000)
	}
	sum := &total{counts: map[string]int{}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, until, began := 0, time.Now().Add(*flagFor), time.Now()
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if *flagSeeds > 0 && next >= *flagSeeds || *flagSeeds == 0 && !time.Now().Before(until) || sum.failed() >= 3 {
			return 0, false
		}
		next++
		return first + uint64(next-1), true
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					w := simulate(t, newPlan(seed, *flagMinutes), sum)
					for _, v := range w.found {
						t.Errorf("%s", v)
					}
					if len(w.found) > 0 {
						t.Logf("again: go test ./engine/simulation -run TestSimulation -sim.seed %d -sim.minutes %d\n%s", seed, *flagMinutes, w.plan)
					}
				})
			}
		})
	}
	wg.Wait()
	sum.report(t, first, time.Since(began))
}

func (t *total) failed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.violations)
}

// simulate runs one plan in a bubble of its own.
func simulate(t *testing.T, p plan, sum *total) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(p)
		w.run()
		if sum != nil {
			sum.add(w)
		}
	})
	return w
}

// again runs one seed, and looks for fewer faults that break the same.
func again(t *testing.T, seed uint64) {
	p := newPlan(seed, *flagMinutes)
	t.Logf("%s", p)
	var w *world
	const tries = 3 // the order of one instant is not the seed's
	for i := 0; i < tries && (w == nil || len(w.found) == 0); i++ {
		t.Run("whole", func(t *testing.T) { w = simulate(t, p, nil) })
	}
	for _, v := range w.found {
		t.Errorf("%s", v)
	}
	if len(w.found) == 0 {
		t.Logf("nothing found in %d runs: %v", tries, w.counts)
		return
	}
	small := shrink(t, p, w.found[0].invariant)
	t.Logf("with fewer faults the same:\n%s", small)
}

// shrink leaves out faults as long as the invariant is still broken.
func shrink(t *testing.T, p plan, invariant string) plan {
	for size := max(1, len(p.steps)/2); size >= 1; size /= 2 {
		for at := 0; at+size <= len(p.steps); {
			less := p
			less.steps = slices.Delete(slices.Clone(p.steps), at, at+size)
			var w *world
			t.Run("fewer", func(t *testing.T) { w = simulate(t, less, nil) })
			if slices.ContainsFunc(w.found, func(v violation) bool { return v.invariant == invariant }) {
				p = less
			} else {
				at += size
			}
		}
	}
	return p
}

// sometimes is what a run of enough seeds must have come to: else it proves
// nothing about it. Source: reference faults 2.1.
var sometimes = []string{
	"leader changed", "leader fell", "leader went on", "lease expired", "log truncated", "snapshot installed", "joined from empty disk",
	"group add", "group promote", "group demote", "group remove", "save refused by a minority", "save unknown", "save refused", "saved, not yet replicated",
	"primary changed", "primary named by force", "re-founded", "generation followed", "copy saved aside", "kept aside", "take over done",
	"peer added", "peer removed", "factory reset", "reset cancelled", "alarm raised", "alarm lowered", "alarm seen",
}

// enough is how many seeds come to all of them.
const enough = 60

// report prints the summary line and checks that the run came to everything
// that a run of its size comes to.
func (t *total) report(tt *testing.T, first uint64, took time.Duration) {
	var some []string
	for what, n := range t.counts {
		if !strings.HasPrefix(what, "fault ") {
			some = append(some, fmt.Sprintf("%s=%d", strings.ReplaceAll(what, " ", "_"), n))
		}
	}
	slices.Sort(some)
	slices.Sort(t.equal)
	equal := 0
	if n := len(t.equal); n > 0 {
		equal = t.equal[(n-1)*99/100]
	}
	some = append(some, rulesAsked())
	if t.seeds >= enough && len(t.violations) == 0 {
		for _, what := range sometimes {
			if t.counts[what] == 0 {
				tt.Errorf("%d seeds never came to: %s", t.seeds, what)
			}
		}
	}
	fmt.Fprintf(os.Stdout, "campaign A seed=%d seeds=%d hours=%.1f faults=%d violations=%d equal_p99=%dms took=%s %s\n",
		first, t.seeds, t.simulated.Hours(), t.faults, len(t.violations), equal, took.Round(time.Second), strings.Join(some, " "))
}
