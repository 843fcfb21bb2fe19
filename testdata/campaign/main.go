// Campaign is the fault campaign: it breaks real and simulated clusters in
// every way it knows, and checks that nothing acknowledged is lost, that the
// peers are equal again soon after, and that they said what was wrong.
//
//	go run . -tier B -size pr           one tier
//	go run . -tier B -seed 7 -for 90s   the same faults again, for so long
//	go run . -bugs                      deliberate bugs: each must be found
//
// Each tier prints one summary line. The exit status is 0 when every tier
// passed, 1 when one found something, 2 when one could not run. What a failed
// tier leaves (history, logs, data) is kept and named. docs/campaign.md explains
// the tiers, the faults, the invariants and the lines.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	tiers string
	size  string
	seed  uint64
	time  time.Duration
	hexad string
	out   string
	kinds string
	bugs  bool
	keep  bool
}

func main() {
	var o options
	flag.StringVar(&o.tiers, "tier", "", "tiers to run, by letter: A,B,C,D,E,F; all of the size when empty")
	flag.StringVar(&o.size, "size", string(PR), "cut (2 minutes in all), pr (8) or night (145)")
	flag.Uint64Var(&o.seed, "seed", 0, "what all chance comes from; a new one when 0")
	flag.DurationVar(&o.time, "for", 0, "how long each tier runs, instead of the budget of its size")
	flag.StringVar(&o.hexad, "hexad", "", "the program to try; built from ../.. when empty")
	flag.StringVar(&o.out, "out", "", "directory for data, histories and logs, on a disk; a temporary one when empty")
	flag.StringVar(&o.kinds, "kinds", "", "only faults whose names contain one of these words, for tier B; with -bugs, only these tags")
	flag.BoolVar(&o.bugs, "bugs", false, "build the product with each deliberate bug and expect its tier to find it")
	flag.BoolVar(&o.keep, "keep", false, "keep everything, also when nothing was found")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := campaign(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		status = statusBroken
	}
	os.Exit(status)
}

// Exit statuses, the worse the greater.
const (
	statusPassed = iota
	statusFound
	statusBroken
)

func campaign(ctx context.Context, o options) (int, error) {
	size, err := sizeNamed(o.size)
	if err != nil {
		return 0, err
	}
	chosen, err := tiersNamed(o.tiers, size)
	if err != nil {
		return 0, err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000_000) + 1 // short enough to be typed
	}
	if o.out == "" {
		if o.out, err = os.MkdirTemp("", "hexad-campaign-"); err != nil {
			return 0, err
		}
		defer os.Remove(o.out) // when nothing was kept there
	}
	if o.out, err = filepath.Abs(o.out); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(o.out, 0o700); err != nil {
		return 0, err
	}
	b, err := newBuilder(o.hexad)
	if err != nil {
		return 0, err
	}
	defer b.clean()
	fmt.Printf("campaign %s seed=%d tiers=%s starved=%.2f\n", size, o.seed, letters(chosen), starved())
	if o.bugs {
		return findBugs(ctx, o, size, b)
	}
	status := make([]int, len(chosen))
	try := func(t tier, beside bool) {
		r := &Run{Seed: o.seed, Size: size, For: t.budget(size, o.time), Dir: filepath.Join(o.out, "tier-"+t.letter), Kinds: words(o.kinds), builder: b, Patient: beside}
		status[slices.IndexFunc(chosen, func(c tier) bool { return c.letter == t.letter })] = r.tier(ctx, t, o.keep)
	}
	p := planned(chosen, size)
	for _, t := range p.alone {
		try(t, false)
	}
	var wg sync.WaitGroup
	for _, lane := range p.beside {
		wg.Go(func() {
			for _, t := range lane {
				try(t, t.patient)
			}
		})
	}
	wg.Wait()
	return slices.Max(status), nil
}

// words cuts a list at its commas.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
