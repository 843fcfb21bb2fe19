package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Size is how much a campaign does.
type Size string

// The sizes: what "make test" runs, what a change is tried with, and a night.
const (
	Cut   Size = "cut"
	PR    Size = "pr"
	Night Size = "night"
)

func sizeNamed(name string) (Size, error) {
	switch s := Size(name); s {
	case Cut, PR, Night:
		return s, nil
	}
	return "", fmt.Errorf("there is no size %q: cut, pr or night", name)
}

// tier is one part of the campaign. run says what it did with Run.Say, reports
// what it found with Run.Fail, and returns an error when it could not work:
// Skipped where the machine cannot do it.
type tier struct {
	letter string
	what   string
	run    func(ctx context.Context, r *Run) error
	// how long it may run, starting and ending its peers included; 0: not in that size.
	cut, pr, night time.Duration
	// timed: it judges real time. patient: it needs the processor and judges none.
	timed, patient bool
}

// tiers in the order in which they run.
//
// Source: reference/faults.md 2.3.
var tiers = []tier{
	{"A", "simulation in one process on a fake clock", simulation, 15 * time.Second, 60 * time.Second, 75 * time.Minute, false, true},
	{"B", "six real peers on a network, faults back to back", cluster, 50 * time.Second, 4 * time.Minute, 60 * time.Minute, true, false},
	{"C", "storage: power cuts, failing, full, slow and damaged disks", storage, 25 * time.Second, 90 * time.Second, 55 * time.Minute, false, false},
	{"D", "procedures: ended at each step on each peer", procedures, 15 * time.Second, 60 * time.Second, 20 * time.Minute, false, false},
	{"E", "parsers: fuzz targets", fuzz, 10 * time.Second, 36 * time.Second, 10 * time.Minute, false, true},
	{"F", "soak: half load, nothing may grow", soak, 0, 0, 5 * time.Minute, false, false},
}

func (t tier) budget(s Size, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return map[Size]time.Duration{Cut: t.cut, PR: t.pr, Night: t.night}[s]
}

// plan is the order of the tiers: alone one after the other, and then the lanes
// beside each other.
type plan struct {
	alone  []tier
	beside [][]tier
}

// planned is the order for a campaign of size s. A night gives the whole machine
// to the tiers that judge real time, and lets the patient ones share what the others leave.
func planned(chosen []tier, s Size) plan {
	var p plan
	var busy, patient []tier
	for _, t := range chosen {
		switch {
		case s != Night || t.timed:
			p.alone = append(p.alone, t)
		case t.patient:
			patient = append(patient, t)
		default:
			busy = append(busy, t)
		}
	}
	switch {
	case len(busy) == 0:
		p.alone = append(p.alone, patient...)
	case len(patient) == 0:
		p.alone = append(p.alone, busy...)
	default:
		p.beside = [][]tier{busy, patient}
	}
	return p
}

// tiersNamed are the tiers of the given letters, all of the size without any.
func tiersNamed(list string, s Size) ([]tier, error) {
	var out []tier
	for _, t := range tiers {
		if list == "" && t.budget(s, 0) > 0 {
			out = append(out, t)
		}
	}
	for _, letter := range words(list) {
		found := false
		for _, t := range tiers {
			if strings.EqualFold(t.letter, letter) {
				out, found = append(out, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no tier %q: %s", letter, letters(tiers))
		}
	}
	return out, nil
}

func letters(list []tier) string {
	var out []string
	for _, t := range list {
		out = append(out, t.letter)
	}
	return strings.Join(out, ",")
}
