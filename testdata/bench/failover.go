package main

import (
	"context"
	"fmt"
	"time"
)

// mortal is a system whose leader can be killed.
type mortal interface {
	system
	leader(ctx context.Context) (int, error)
	// kill ends node n at once, as kill -9 does; revive starts it again.
	kill(n int) (revive func() error, err error)
	// next returns when, after node n was killed, something written by another
	// node was replicated; armed is called before the kill.
	next(ctx context.Context, n int) (wait func() (time.Time, error), err error)
	// whole waits until all nodes take part again.
	whole(ctx context.Context) error
}

// killPause lets a group come to rest before its leader is killed.
const killPause = 2 * time.Second

// failoverPart kills leaders: at least 7 of each system, however few runs there are.
func (b *run) failoverPart(ctx context.Context) error {
	systems, stop, err := b.groups(ctx, 6)
	if err != nil {
		return err
	}
	defer stop()
	for range max(7, b.o.runs) {
		for _, s := range systems {
			b.machine.quiet()
			if err := b.again(ctx, s, func() error { return b.failover(ctx, s.(mortal)) }); err != nil {
				return fmt.Errorf("%s: %w", s.name(), err)
			}
		}
	}
	return nil
}

func (b *run) failover(ctx context.Context, s mortal) error {
	if err := s.whole(ctx); err != nil {
		return err
	}
	time.Sleep(killPause)
	n, err := s.leader(ctx)
	if err != nil {
		return err
	}
	wait, err := s.next(ctx, n)
	if err != nil {
		return err
	}
	began := time.Now()
	revive, err := s.kill(n)
	if err != nil {
		return err
	}
	at, err := wait()
	if back := revive(); back != nil {
		return back
	}
	if err != nil {
		return err
	}
	b.add("6 peers, leader killed to the next replicated write", "s", true, s.name(), at.Sub(began).Seconds())
	return nil
}

// try asks the nodes but n in turn, 200 ms each, until one carries a write out.
func try(ctx context.Context, nodes, n int, write func(ctx context.Context, node int) error) (time.Time, error) {
	end := time.Now().Add(30 * time.Second)
	for at := n + 1; ; at++ {
		if at%nodes == n {
			continue
		}
		asked, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		err := write(asked, at%nodes)
		stop()
		now := time.Now()
		if err == nil || now.After(end) || ctx.Err() != nil {
			return now, err
		}
		time.Sleep(2 * time.Millisecond)
	}
}
