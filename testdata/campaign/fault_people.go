package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// peopleFaults are administrators in each other's way, and what they do to a
// cluster while it works.
func peopleFaults() []kind {
	return []kind{
		{name: "two administrators", most: 100 * time.Millisecond, inject: twoAdministrators},
		{name: "another primary", most: 100 * time.Millisecond, inject: anotherPrimary},
		{name: "peer replaced", most: 100 * time.Millisecond, long: true, inject: replaced},
	}
}

// twoAdministrators decide on the same revision and save at once, on the
// primary, while a third saves on another peer: one of the two wins, every time.
func twoAdministrators(s *scene) error {
	n := s.look.primary()
	if n == 0 {
		n = int(s.load.primary.Load())
	}
	elsewhere := others([]int{n})[s.rand.IntN(peerCount-1)]
	s.aim("on %d and %d", n, elsewhere)
	s.load.gate.Lock()
	defer s.load.gate.Unlock()
	desks := []*admin{s.peer(n).administrator(10 * time.Second), s.peer(n).administrator(10 * time.Second), s.peer(elsewhere).administrator(10 * time.Second)}
	for _, a := range desks {
		defer a.close()
	}
	for round := range 10 {
		v, err := desks[0].view(s.ctx)
		if err != nil {
			return err
		}
		saves := make([]save, len(desks))
		problems := make([]error, len(desks))
		var all sync.WaitGroup
		for i, a := range desks {
			saves[i] = save{Path: item(70 + i), Value: fmt.Sprintf("desk%d-%d-%d", i, v.Revision, round)}
			all.Go(func() { saves[i].Revision, problems[i] = set(s.ctx, a, v.Revision, saves[i]) })
		}
		all.Wait()
		won := 0
		for i, err := range problems {
			switch {
			case err == nil:
				won++
				s.load.ledger.note(saves[i])
			case certain(err):
				s.load.linear.refuse(saves[i].Value)
			}
		}
		unknown := slices.ContainsFunc(problems, func(err error) bool { return err != nil && !certain(err) })
		if won > 1 || won == 0 && !unknown {
			s.bed.run.Fail("I3: %d of two administrators who had both decided on revision %d saved (%v)", won, v.Revision, problems)
		}
	}
	return nil
}

// anotherPrimary is nominated by its administrator, and then on every page.
func anotherPrimary(s *scene) error {
	old := s.look.primary()
	if old == 0 {
		old = int(s.load.primary.Load())
	}
	next := others([]int{old})[s.rand.IntN(peerCount-1)]
	s.aim("%d after %d", next, old)
	s.load.linear.still.Lock()
	defer s.load.linear.still.Unlock()
	defer s.load.linear.renew()
	order := append([]int{next, old}, others([]int{next, old})...)
	for _, n := range order {
		if err := waitFor(s.ctx, 20*time.Second, fmt.Sprintf("peer %d takes the page", n), func() error {
			return s.bed.save(s.ctx, s.peer(n), s.bed.page(next), false)
		}); err != nil {
			return err
		}
	}
	return waitFor(s.ctx, 20*time.Second, fmt.Sprintf("peer %d is the primary", next), func() error {
		if now := s.look.primary(); now != next {
			return fmt.Errorf("it is %d", now)
		}
		s.load.primary.Store(int32(next))
		return nil
	})
}

// replaced: a peer is taken off every list, loses its disk and comes back as a
// new system, which copies everything.
func replaced(s *scene) error {
	primary := max(1, s.look.primary())
	n := others([]int{primary})[s.rand.IntN(peerCount-1)]
	p := s.peer(n)
	s.aim("%d", n)
	s.untimely = true
	rest := append([]int{primary}, others([]int{primary, n})...)
	lists := func() error {
		for _, m := range rest {
			if err := s.bed.save(s.ctx, s.peer(m), s.bed.page(primary), false); err != nil {
				return err
			}
		}
		return nil
	}
	s.bed.order = slices.DeleteFunc(slices.Clone(s.bed.order), func(m int) bool { return m == n })
	if err := lists(); err != nil {
		return err
	}
	if err := p.kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return err
	}
	if err := s.bed.prepare(s.ctx, p); err != nil {
		return err
	}
	s.bed.order = append(s.bed.order, n)
	if err := lists(); err != nil {
		return err
	}
	if err := s.bed.save(s.ctx, p, s.bed.page(primary), true); err != nil {
		return err
	}
	s.look.seen.count("peer rejoined from an empty disk")
	return s.bed.trust(context.WithoutCancel(s.ctx), p)
}
