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
		{name: "primary by force", most: 100 * time.Millisecond, long: true, every: 3, inject: byForce},
		{name: "peer replaced", most: 100 * time.Millisecond, long: true, every: 2, inject: replaced},
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
	s.look.logs.forget(n)
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

// byForce: the primary and three others are lost at once, and the group with
// them. One of the two that are left goes on as the primary of a new
// generation. Those that return are kept apart until their administrators let
// them take its copy (I5).
func byForce(s *scene) error {
	old := max(1, s.look.primary())
	left := others([]int{old})
	s.rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	next, left := left[0], left[:2]
	lost := others(left)
	s.aim("%d after %d; %s lost", next, old, commas(lost))
	s.untimely = true
	s.load.linear.still.Lock() // before the gate: a register that saves waits there
	defer s.load.linear.still.Unlock()
	defer s.load.linear.renew()
	s.load.gate.Lock()
	defer s.load.gate.Unlock()
	if err := s.bed.alike(s.ctx, 30*time.Second); err != nil { // so that nothing that was acknowledged is only with the lost
		return err
	}
	var gone []*peer
	for _, n := range lost {
		gone = append(gone, s.peer(n))
	}
	if err := each(gone, (*peer).kill); err != nil {
		return err
	}
	a := s.peer(next).administrator(30 * time.Second)
	defer a.close()
	if err := waitFor(s.ctx, 30*time.Second, fmt.Sprintf("force is offered on peer %d", next), func() error {
		_, err := a.run(s.ctx, "xCommand ClusterForceShow")
		return err
	}); err != nil {
		return err
	}
	began := time.Now()
	if out, err := a.run(s.ctx, "xCommand ClusterSave Primary: %d Force: On", slices.Index(s.bed.order, next)+1); err != nil {
		return fmt.Errorf("force on peer %d: %w %q", next, err, out)
	}
	v, err := a.view(s.ctx)
	if err != nil {
		return err
	}
	if err := each(gone, (*peer).start); err != nil {
		return err
	}
	s.look.seen.count("generation founded")
	if err := each(append(gone, s.peer(left[1])), func(p *peer) error { return s.follow(p.n, next, v.Generation.ID, began) }); err != nil {
		return err
	}
	s.load.primary.Store(int32(next))
	return waitFor(s.ctx, 60*time.Second, "all are in the new generation", func() error { return s.bed.ready(s.ctx, 0) })
}

// follow: a peer of the older generation says that it is kept apart, until it
// is told to take the copy of the new primary.
func (s *scene) follow(n, primary int, generation string, since time.Time) error {
	p := s.peer(n)
	if err := p.answers(s.ctx, 60*time.Second); err != nil {
		return err
	}
	a := p.administrator(30 * time.Second)
	defer a.close()
	const alarmSuperseded = 20011
	if err := waitFor(s.ctx, s.bed.hunger.stretch(20*time.Second), fmt.Sprintf("peer %d is kept apart (20011)", n), func() error {
		v, err := a.view(s.ctx)
		if err == nil && v.Generation.ID == generation {
			s.bed.run.Fail("I5: peer %d came into the new generation without being told to", n)
			return nil
		}
		for _, notice := range s.look.logs.since(since) {
			if notice.Peer == n && notice.ID == alarmSuperseded && notice.Raised {
				return nil
			}
		}
		return fmt.Errorf("the alarm is not raised (%v)", err)
	}); err != nil {
		s.bed.run.Fail("I5: %v", err)
		return err
	}
	if err := waitFor(s.ctx, 30*time.Second, fmt.Sprintf("peer %d takes the copy of peer %d", n, primary), func() error {
		if v, err := a.view(s.ctx); err == nil && v.Generation.ID == generation {
			return nil
		}
		_, err := a.run(s.ctx, "xCommand ForceConfigUpdate Confirm: On")
		return err
	}); err != nil {
		return err
	}
	return s.bed.save(s.ctx, p, s.bed.page(primary), false)
}
