package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// cluster is tier B: six real peers on a network, saving all the time, faults
// back to back; after each the peers must be equal again.
func cluster(ctx context.Context, r *Run) error {
	b, err := newBed(ctx, r)
	defer func() { b.close(r.Failed()) }()
	if err != nil {
		return err
	}
	r.Note("formed")
	s, err := newSiege(ctx, b)
	if err != nil {
		return err
	}
	s.faults(ctx)
	s.finish(ctx)
	return ctx.Err()
}

// siege is tier B under way.
type siege struct {
	*bed
	load  *load
	watch *watch
	logs  *logs
	seen  *seen
	rand  *rand.Rand

	walk *walk

	stop context.CancelFunc // of what runs beside the faults
	all  sync.WaitGroup
	end  context.CancelFunc // of the writers
	work sync.WaitGroup

	kinds   map[string]int
	done    int
	whole   []time.Duration // from the heal to equal digests, for outages of at most 30 s
	raised  []time.Duration // from the fault to the alarm
	lowered []time.Duration // from the heal to the end of the last alarm

}

// newSiege starts the writers and the watchers.
func newSiege(ctx context.Context, b *bed) (*siege, error) {
	l, err := newLoad(b, b.run.Dir)
	if err != nil {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	s := &siege{bed: b, load: l, seen: newSeen(), rand: b.run.Rand("faults"), kinds: map[string]int{}}
	s.watch, s.logs = newWatch(b, l, s.seen), newLogs(b, s.seen)
	beside, stop := context.WithCancel(ctx)
	s.stop = stop
	s.watch.logs = s.logs
	for _, do := range []func(context.Context){s.watch.run, s.logs.run, b.hunger.run} {
		s.all.Go(func() { do(beside) })
	}
	if s.walk, err = newWalk(b); err != nil {
		return nil, err
	}
	s.all.Go(func() { s.walk.run(beside) })
	writing, end := context.WithCancel(ctx)
	s.end = end
	s.work.Go(func() { l.run(writing) })
	return s, waitFor(ctx, 20*time.Second, "the writers save", func() error {
		if l.ledger.count() == 0 || s.watch.primary() == 0 {
			return fmt.Errorf("nothing is acknowledged yet")
		}
		return nil
	})
}

// kindsHere are the kinds that this machine can do and the run asks for.
func (s *siege) kindsHere() []kind {
	var out []kind
	for _, k := range slices.Concat(networkFaults(), processFaults(), diskFaults(), peopleFaults(), timeFaults()) {
		asked := len(s.run.Kinds) == 0 || slices.ContainsFunc(s.run.Kinds, func(word string) bool { return strings.Contains(k.name, word) })
		if asked && (k.needs == nil || k.needs(s.bed)) && (s.run.Size != Cut || !k.long || len(s.run.Kinds) > 0) {
			out = append(out, k)
		}
	}
	return out
}

// faults puts in one fault after the other until what is left of the budget is
// needed for the end.
func (s *siege) faults(ctx context.Context) {
	d := &deck{kinds: s.kindsHere(), rand: s.rand}
	reserve := 8*time.Second + s.run.For/20
	for ctx.Err() == nil && s.run.Left() > reserve && len(d.kinds) > 0 && s.run.problemCount() < 50 {
		if !s.one(ctx, d.next()) {
			return
		}
	}
}

// one is one fault from its begin to the moment when everything is whole
// again. It reports whether that came.
func (s *siege) one(ctx context.Context, k kind) bool {
	sc := &scene{ctx: ctx, bed: s.bed, load: s.load, look: s.watch, rand: s.rand, kind: k, raised: map[int][]int{}, apart: map[int][]int{}}
	hold := sc.hold()
	began, before := time.Now(), s.load.ledger.count()
	err := k.inject(sc)
	injected := time.Now()
	s.run.Note("fault %d: %s for %v", s.done+1, sc.what, hold.Round(time.Millisecond))
	if err != nil {
		s.run.Fail("%s could not be put in: %v", firstOf(sc.what, k.name), err)
		_ = sc.undo()
		return false
	}
	sleep(ctx, hold)
	during := s.load.ledger.count() - before
	if err := sc.undo(); err != nil {
		s.run.Fail("%s could not be healed: %v", sc.what, err)
		return false
	}
	healed := time.Now()
	s.done++
	s.kinds[k.name]++
	if !s.recovered(ctx, sc, healed) {
		return false
	}
	s.judgeAlarms(sc, began, injected, healed)
	s.run.Note("   whole %v after the heal; %d saves during it, %d in all", time.Since(healed).Round(time.Millisecond), during, s.load.ledger.count())
	return true
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// problemCount is how much was found so far.
func (r *Run) problemCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.problems)
}

// finish ends the writers, compares everything, and sums up.
func (s *siege) finish(ctx context.Context) {
	s.end()
	s.work.Wait()
	s.stop()
	s.all.Wait()
	lost := s.audit(ctx)
	r := s.run
	r.Say("peers", len(s.peers))
	r.Say("faults", s.done)
	r.Say("kinds", len(s.kinds))
	r.Say("acked", s.load.ledger.count())
	r.Say("lost", lost)
	if !r.Failed() {
		r.Say("digests", "equal")
	} else {
		r.Say("digests", "see-below")
	}
	r.Say("heal_p50", seconds(percentile(s.whole, 50)))
	r.Say("heal_p99", seconds(percentile(s.whole, 99)))
	r.Say("heal_max", seconds(percentile(s.whole, 100)))
	r.Say("raised_p99", seconds(percentile(s.raised, 99)))
	r.Say("lowered_p99", seconds(percentile(s.lowered, 99)))
	r.Say("refused", s.load.refused.Load())
	r.Say("unknown", s.load.unknown.Load())
	r.Say("walk", fmt.Sprintf("%d/%d", s.walk.steps, s.walk.resets))
	p50, p99 := s.hunger.middle()
	r.Say("starved", fmt.Sprintf("%.1f/%.1f", p50, p99))
	r.Say("seen", s.seen.summary())
	if unseen := s.seen.missing(wanted); len(unseen) > 0 && len(r.Kinds) == 0 && len(s.kinds) == len(s.kindsHere()) {
		r.Fail("S: never reached: %s", strings.Join(unseen, ", "))
	}
	if worst, limit := percentile(s.whole, 99), s.hunger.stretchBy(equalUsually, p50); len(s.whole) >= 50 && worst > limit {
		r.Fail("I6: equal %v after a heal at the 99th percentile, limit %v", worst, limit)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// percentile of a list, 0 of an empty one.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}
