// Command bench-policy compares hexad's policies with OPA and Starlark, embedded
// in this process, on the same questions: one decision on twenty fields, a route
// over 10, 100 and 1,000 search rules with one script, and the activation of 200
// scripts. It prints the median and the best of several rounds and the ratios.
// On a machine that does other work too the best round is nearer to what each takes.
//
// The rounds of the three engines alternate, so that a busy moment of the machine
// meets all of them. Every answer is checked.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// contestant is one engine at one task: run does the task n times.
type contestant struct {
	name string
	run  func(n int) error
}

// task is one line of the comparison.
type task struct {
	name        string
	times       int // in a round
	contestants []contestant
}

func main() {
	rounds := flag.Int("rounds", 15, "rounds of each engine and task")
	flag.Parse()
	if err := compare(*rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(rounds int) error {
	fmt.Printf("%s, %d processors, median of %d rounds\n\n", runtime.Version(), runtime.GOMAXPROCS(0), rounds)
	fmt.Printf("%-34s %12s %12s %12s %10s %10s\n", "", "hexad", "OPA", "Starlark", "OPA/hexad", "Starl./hexad")
	for _, make := range []func() (task, error){decision, routes(10), routes(100), routes(1000), activation} {
		t, err := make()
		if err != nil {
			return err
		}
		medians, bests, err := t.measure(rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		show(t.name, medians)
		show("    best round", bests)
	}
	return nil
}

func show(name string, took []time.Duration) {
	fmt.Printf("%-34s %12s %12s %12s %9.1fx %9.1fx\n", name, took[0], took[1], took[2],
		float64(took[1])/float64(took[0]), float64(took[2])/float64(took[0]))
}

// measure returns the median and the best time of one run of each contestant.
func (t task) measure(rounds int) (medians, bests []time.Duration, err error) {
	took := make([][]time.Duration, len(t.contestants))
	for round := range rounds + 1 {
		for i, c := range t.contestants {
			runtime.GC()
			began := time.Now()
			if err := c.run(t.times); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 { // the first warms up
				took[i] = append(took[i], time.Since(began)/time.Duration(t.times))
			}
		}
	}
	for _, all := range took {
		slices.SortFunc(all, cmp.Compare[time.Duration])
		medians, bests = append(medians, all[len(all)/2]), append(bests, all[0])
	}
	return medians, bests, nil
}
