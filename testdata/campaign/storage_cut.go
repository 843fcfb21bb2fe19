package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// cutPlan chooses count power cuts of a recording, spread over its phases: at
// each sync boundary, with what was not synced gone or torn.
func (rec *recording) cutPlan(random *rand.Rand, count int) []cut {
	var perPhase [][]cut
	for _, p := range rec.phases {
		var cuts []cut
		for _, at := range rec.disks.flushes(p.from, p.to) {
			cuts = append(cuts, cut{at: at}, cut{at: at - 1, torn: rand.New(rand.NewPCG(random.Uint64(), 1))})
		}
		random.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
		perPhase = append(perPhase, cuts)
	}
	var out []cut
	for round := 0; len(out) < count; round++ {
		before := len(out)
		for _, cuts := range perPhase {
			if round < len(cuts) && len(out) < count {
				out = append(out, cuts[round])
			}
		}
		if len(out) == before {
			break // there are no more
		}
	}
	return out
}

// phaseAt names the part of the run that an instant is in.
func (rec *recording) phaseAt(at int) string {
	for _, p := range rec.phases {
		if at > p.from && at <= p.to {
			return p.name
		}
	}
	return "before"
}

// tally counts what tier C did.
type tally struct {
	cuts, eio, nospace, damaged, states, acked, lost, alarmed atomic.Int64
}

// verifyCuts carries out the cuts, two at a time, until all are done or its share
// of the budget is used up, but at least the first few of them.
func verifyCuts(ctx context.Context, r *Run, rec *recording, cuts []cut, least int, until time.Duration, t *tally) error {
	next := make(chan cut)
	var wg sync.WaitGroup
	var broken error
	var once sync.Once
	for range 2 {
		s, err := newStall()
		if err != nil {
			return err
		}
		defer s.remove()
		wg.Go(func() {
			for c := range next {
				if err := verifyCut(ctx, r, s, rec, c, t); err != nil {
					once.Do(func() { broken = err })
				}
			}
		})
	}
	for n, c := range cuts {
		if ctx.Err() != nil || n >= least && r.Left() < until {
			break
		}
		next <- c
	}
	close(next)
	wg.Wait()
	return broken
}

// verifyCut starts the machines from what one power cut left of their disks.
// Its error says that it could not be tried; what it finds goes to r.
func verifyCut(ctx context.Context, r *Run, s *stall, rec *recording, c cut, t *tally) (err error) {
	name := fmt.Sprintf("%s-cut%d", rec.name, c.at)
	if c.torn != nil {
		name += "-torn"
	}
	dir, err := os.MkdirTemp(scratch(), "hexad-cut-")
	if err != nil {
		return err
	}
	var boxes []*box
	var mounts []*mounted
	defer func() {
		for _, b := range boxes {
			b.kill()
		}
		for _, m := range mounts {
			err = errors.Join(err, m.unmount())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	for n, original := range rec.boxes {
		image := filepath.Join(dir, diskName(n))
		if err := rec.disks.after(c, n, image); err != nil {
			return err
		}
		m, err := mount(image, filepath.Join(dir, fmt.Sprint("machine", n+1)))
		if err != nil {
			return err
		}
		mounts = append(mounts, m)
		boxes = append(boxes, boxAt(s, original.program, m.dir, filepath.Join(r.Dir, fmt.Sprintf("%s-peer%d.log", name, n+1)), n+1))
	}
	known := rec.known(c.at)
	problem := survives(ctx, r, boxes, known, rec.tried, t)
	t.cuts.Add(1)
	if problem == "" {
		for _, b := range boxes {
			_ = os.Remove(b.log) // only what a finding needs is kept
		}
		return nil
	}
	r.Fail("power cut %s in phase %q, %d saves acknowledged: %s", name, rec.phaseAt(c.at), len(known), problem)
	for n := range boxes {
		_ = rec.disks.after(c, n, filepath.Join(r.Dir, fmt.Sprintf("%s-%s", name, diskName(n))))
	}
	return nil
}

// survives starts boxes after something happened to all or some of them, and
// says what is wrong: that one does not come up and serve, that an acknowledged
// save is lost, that they differ, or that nothing can be saved any more.
func survives(ctx context.Context, r *Run, boxes []*box, known []acked, tried map[string]bool, t *tally) string {
	for _, b := range boxes {
		if err := b.start(); err != nil {
			return err.Error()
		}
	}
	for _, b := range boxes {
		if err := b.answers(ctx, patience); err != nil {
			return err.Error()
		}
	}
	primary, err := primaryOf(ctx, boxes, patience)
	if err != nil {
		return err.Error()
	}
	for _, b := range boxes {
		missing := ""
		if err := await(ctx, b.name+" has everything", patience, func() string {
			got, err := b.history(ctx)
			if err != nil {
				return err.Error()
			}
			missing = differs(got, known, tried)
			if b != primary && missing != "" && b.keptApart(ctx) {
				missing = "" // its copy is of an older generation, and it says so
			}
			return missing
		}); err != nil {
			if missing != "" {
				t.lost.Add(1)
			}
			return fmt.Sprintf("%v; alarms %v", err, b.alarms(ctx))
		}
		if alarms := b.alarms(ctx); alarms[15005] != "" {
			t.alarmed.Add(1)
			r.Note("%s: alarm 15005 %s", b.log, alarms[15005])
		}
	}
	if len(known) == 0 {
		return "" // it may not have come as far as having the item
	}
	revision, err := primary.save(ctx, "after")
	if err != nil {
		return "it cannot be saved any more: " + err.Error()
	}
	if last := known[len(known)-1]; revision <= last.Revision {
		return fmt.Sprintf("the next revision is %d, but %d had been acknowledged", revision, last.Revision)
	}
	for _, b := range boxes {
		if err := await(ctx, b.name+" has the next save", patience, func() string {
			value, err := b.value(ctx)
			if err == nil && value != "after" && (b == primary || !b.keptApart(ctx)) {
				err = fmt.Errorf("it has %q", value)
			}
			return reason(err)
		}); err != nil {
			return err.Error()
		}
	}
	return ""
}

// primaryOf waits until exactly one box can be written, those aside that are
// clusters of their own still.
func primaryOf(ctx context.Context, boxes []*box, within time.Duration) (*box, error) {
	var primary *box
	err := await(ctx, "one peer can be written", within, func() string {
		var open []*box
		why := ""
		for _, b := range boxes {
			v, err := b.admin.view(ctx)
			switch {
			case err != nil:
				why += fmt.Sprintf("%s: %v; ", b.name, err)
			case v.Writable && b != boxes[0] && len(v.Running.Peers) <= 1:
			case v.Writable:
				open = append(open, b)
			default:
				why += fmt.Sprintf("%s: %s, %s; ", b.name, v.Database, v.ReadOnly)
			}
		}
		if len(open) != 1 {
			return fmt.Sprintf("%d can; %s", len(open), why)
		}
		primary = open[0]
		return ""
	})
	return primary, err
}

// keptApart reports whether b says that its copy is of another generation, or
// that it belongs to no cluster yet.
func (b *box) keptApart(ctx context.Context) bool {
	alarms := b.alarms(ctx)
	for _, id := range []int{20011, 20012, 20017} {
		if alarms[id] != "" {
			return true
		}
	}
	v, err := b.admin.view(ctx)
	return err == nil && len(v.Running.Peers) <= 1
}

// differs says which acknowledged save a copy lacks, or what it has that nobody sent.
func differs(got map[int64]string, known []acked, tried map[string]bool) string {
	for _, a := range known {
		if got[a.Revision] != a.Value {
			return fmt.Sprintf("revision %d was acknowledged with %q and holds %q", a.Revision, a.Value, got[a.Revision])
		}
	}
	seen := map[string]int64{}
	for _, revision := range slices.Sorted(maps.Keys(got)) {
		value := got[revision]
		if value != "s0" && value != "after" && !tried[value] {
			return fmt.Sprintf("revision %d holds %q, which nobody saved", revision, value)
		}
		if before, twice := seen[value]; twice {
			return fmt.Sprintf("%q was saved once and is there as revision %d and %d", value, before, revision)
		}
		seen[value] = revision
	}
	return ""
}
