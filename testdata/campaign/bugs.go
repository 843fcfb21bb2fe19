package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// bug is a deliberate mistake in the product behind a build tag, and the tiers
// that are meant to find it.
type bug struct {
	tag   string
	what  string
	tiers string
	kinds []string      // of tier B: those in whose way the mistake is
	limit time.Duration // within which each of the tiers must find it
}

// bugs are all that the product has.
var bugs = []bug{
	{"hexad_nofence", "a peer of an older generation is let in", "B", []string{"primary by force"}, 4 * time.Minute},
	{"hexad_noguard", "a save does not check what it was decided on", "A,B", []string{"two administrators"}, 3 * time.Minute},
	{"hexad_staleread", "the primary shows an old revision after a save", "A,B", []string{"loss 1%"}, 3 * time.Minute},
	{"hexad_nosync", "what is acknowledged is not on disk", "C", nil, 4 * time.Minute},
	{"hexad_nodigest", "unequal copies are not noticed", "C", nil, 4 * time.Minute},
}

// findBugs runs, for each bug, the tiers that must find it. A bug that a tier
// does not find within its limit is a failure of the campaign itself.
func findBugs(ctx context.Context, o options, size Size, b *builder) (int, error) {
	status := statusPassed
	for _, bug := range bugs {
		if only := words(o.kinds); len(only) > 0 && !slices.Contains(only, bug.tag) {
			continue
		}
		chosen, err := tiersNamed(bug.tiers, size)
		if err != nil {
			return statusBroken, err
		}
		for _, t := range chosen {
			if o.tiers != "" && !slices.Contains(words(o.tiers), t.letter) {
				continue
			}
			r := &Run{Seed: o.seed, Size: size, For: t.budget(size, o.time), Tags: []string{bug.tag}, Kinds: bug.kinds, builder: b,
				Dir: filepath.Join(o.out, "bug-"+bug.tag+"-"+t.letter)}
			if o.time == 0 {
				r.For = bug.limit
			}
			began := time.Now()
			switch r.tier(ctx, t, o.keep) {
			case statusFound:
				fmt.Printf("bug %s found by %s in %s (%s)\n", bug.tag, t.letter, time.Since(began).Round(time.Second), bug.what)
			case statusPassed:
				fmt.Printf("bug %s NOT FOUND by %s in %s (%s)\n", bug.tag, t.letter, time.Since(began).Round(time.Second), bug.what)
				status = max(status, statusFound)
			default:
				status = statusBroken
			}
		}
	}
	return status, nil
}
