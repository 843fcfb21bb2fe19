package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// run holds what is measured and the results so far.
type run struct {
	o       options
	dir     string
	machine *machine
	rows    []row
	started int // groups so far

	repeated []string // the runs that failed and were repeated
}

// row is one question with the results of each run, by system.
type row struct {
	question string
	unit     string
	less     bool // less is better
	values   map[string][]float64
}

func (b *run) add(question, unit string, less bool, system string, value float64) {
	for i := range b.rows {
		if b.rows[i].question == question && b.rows[i].unit == unit {
			b.rows[i].values[system] = append(b.rows[i].values[system], value)
			return
		}
	}
	b.rows = append(b.rows, row{question: question, unit: unit, less: less, values: map[string][]float64{system: {value}}})
}

// groups starts a group of so many nodes of each system, and returns what ends
// them. All run all the time; one of them is asked.
func (b *run) groups(ctx context.Context, peers int) (systems []system, stop func(), err error) {
	b.started++
	dir := func(name string) string { return filepath.Join(b.dir, fmt.Sprintf("%s-%d", name, b.started)) }
	stop = func() {
		for _, s := range systems {
			s.stop()
		}
	}
	start := []func() (system, error){
		func() (system, error) { return startHexad(ctx, b.o, dir("hexad"), peers) },
		func() (system, error) { return startRqlited(ctx, b.o, dir("rqlited"), peers) },
		func() (system, error) { return startEtcd(ctx, b.o.etcd, dir("etcd"), peers) },
	}
	if b.o.etcd == "" {
		start = start[:2]
	}
	for _, f := range start {
		s, err := f()
		if err != nil {
			stop()
			return nil, nil, err
		}
		systems = append(systems, s)
	}
	return systems, stop, nil
}

// inTurn asks each system once for each run, after one run to warm up.
func (b *run) inTurn(ctx context.Context, systems []system, measure func(s system, count bool) error) error {
	for n := range b.o.runs + 1 {
		for _, s := range systems {
			if err := b.again(ctx, s, func() error { return measure(s, n > 0) }); err != nil {
				return fmt.Errorf("%s: %w", s.name(), err)
			}
		}
	}
	return nil
}

func (b *run) visibleParts(ctx context.Context) error {
	for _, peers := range []int{3, 6} {
		systems, stop, err := b.groups(ctx, peers)
		if err != nil {
			return err
		}
		err = b.inTurn(ctx, systems, func(s system, count bool) error {
			return b.visible(ctx, s, fmt.Sprintf("%d peers", peers), 0, count)
		})
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *run) savesPart(ctx context.Context) error {
	systems, stop, err := b.groups(ctx, 3)
	if err != nil {
		return err
	}
	defer stop()
	return b.inTurn(ctx, systems, func(s system, count bool) error {
		for _, w := range []int{1, 8, writers} {
			if err := b.saves(ctx, s, w, count); err != nil {
				return fmt.Errorf("%d writers: %w", w, err)
			}
		}
		return nil
	})
}

// again repeats a run that failed: on a starved machine a group may lose its
// leader in the middle of one. It says so.
func (b *run) again(ctx context.Context, s system, measure func() error) error {
	for n := 1; ; n++ {
		err := measure()
		if err == nil || n == 3 || ctx.Err() != nil {
			return err
		}
		b.repeated = append(b.repeated, fmt.Sprintf("%s: %v", s.name(), err))
		time.Sleep(2 * time.Second)
	}
}

// visible saves one after the other, with a pause, and waits for each on all
// nodes; a round trip that is not 0 is what the times are divided by, too.
func (b *run) visible(ctx context.Context, s system, where string, trip time.Duration, count bool) error {
	saves := b.o.saves
	if count {
		b.machine.quiet()
	} else {
		saves = 20
	}
	save, release, err := s.writer(0)
	if err != nil {
		return err
	}
	defer release()
	if err := save(ctx); err != nil {
		return err
	}
	c, err := s.view(0)
	if err != nil {
		return err
	}
	defer c.close()
	var acknowledged, all []time.Duration
	before := cpu(s.roots()...)
	for range saves {
		now, err := c.most()
		if err != nil {
			return err
		}
		began := time.Now()
		acks := make(chan error, 1)
		var acked time.Time
		go func() {
			err := save(ctx)
			acked = time.Now()
			acks <- err
		}()
		seen, err := c.await(ctx, now+1)
		if err != nil {
			return err
		}
		if err := <-acks; err != nil {
			return err
		}
		acknowledged, all = append(acknowledged, acked.Sub(began)), append(all, seen.Sub(began))
		time.Sleep(20 * time.Millisecond)
	}
	if !count {
		return nil
	}
	used := cpu(s.roots()...) - before
	at := func(what string) string { return where + ", " + what }
	b.add(at("acknowledged, p50"), "ms", true, s.name(), ms(percentile(acknowledged, 50)))
	b.add(at("acknowledged, p99"), "ms", true, s.name(), ms(percentile(acknowledged, 99)))
	b.add(at("visible on all, p50"), "ms", true, s.name(), ms(percentile(all, 50)))
	b.add(at("visible on all, p99"), "ms", true, s.name(), ms(percentile(all, 99)))
	if trip > 0 {
		b.add(at("visible on all, p50"), "trips", true, s.name(), ms(percentile(all, 50))/ms(trip))
		return nil
	}
	b.add(at("CPU a save, with the pauses"), "ms", true, s.name(), ms(used)/float64(saves))
	return nil
}

// saves lets w writers save as fast as they are answered.
func (b *run) saves(ctx context.Context, s system, w int, count bool) error {
	type writer struct {
		save    func(context.Context) error
		release func()
		took    []time.Duration
		err     error
	}
	length := b.o.seconds
	if count {
		b.machine.quiet()
	} else {
		length = time.Second
	}
	list := make([]*writer, w)
	for n := range list {
		save, release, err := s.writer(n)
		if err != nil {
			return err
		}
		defer release()
		list[n] = &writer{save: save, release: release}
	}
	before, began := cpu(s.roots()...), time.Now()
	end := began.Add(length)
	var wg sync.WaitGroup
	for _, w := range list {
		wg.Go(func() {
			for last := time.Now(); last.Before(end) && ctx.Err() == nil; {
				if w.err = w.save(ctx); w.err != nil {
					return
				}
				now := time.Now()
				w.took = append(w.took, now.Sub(last))
				last = now
			}
		})
	}
	wg.Wait()
	wall, used := time.Since(began), cpu(s.roots()...)-before
	var took []time.Duration
	for _, w := range list {
		if w.err != nil {
			return w.err
		}
		took = append(took, w.took...)
	}
	if !count {
		return nil
	}
	at := func(what string) string { return fmt.Sprintf("3 peers, %d writers, %s", w, what) }
	b.add(at("saves a second"), "/s", false, s.name(), float64(len(took))/wall.Seconds())
	b.add(at("p50"), "ms", true, s.name(), ms(percentile(took, 50)))
	b.add(at("p99"), "ms", true, s.name(), ms(percentile(took, 99)))
	b.add(at("CPU of all servers a save"), "ms", true, s.name(), ms(used)/float64(len(took)))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func percentile(list []time.Duration, p int) time.Duration {
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*p/100)]
}
