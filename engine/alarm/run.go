package alarm

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// How the store and the other peers are kept up to date.
const (
	slowPace  = 10 * time.Second       // counts and times of alarms that people know already, and the look at what the board shows
	firstWait = 100 * time.Millisecond // after a failed attempt, doubled up to lastWait
	lastWait  = time.Second
	patience  = 10 * time.Second // one attempt to publish
)

// Run lowers what is due, keeps the store and publishes to the other peers
// until ctx ends; then it stores what is not stored yet. It returns nil.
func (t *Tracker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { t.expire(ctx) })
	wg.Go(func() { t.persist(ctx) })
	if t.board != nil {
		wg.Go(func() { t.publish(ctx) })
	}
	wg.Go(func() { t.remind(ctx) })
	wg.Wait()
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if err := t.save(last); err != nil {
		t.log.Warn("alarms not stored", "err", err)
	}
	return nil
}

// expire lowers alarms whose time has come.
func (t *Tracker) expire(ctx context.Context) {
	for {
		next := t.lowerDue(time.Now())
		t.flush()
		if !pause(ctx, t.wakeTimer, next) {
			return
		}
	}
}

// lowerDue lowers what is due and returns how long the next one takes.
func (t *Tracker) lowerDue(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := time.Hour
	for n, s := range t.raised {
		if s.lowerAt.IsZero() {
			continue
		}
		if wait := s.lowerAt.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		t.lower(n)
	}
	return next
}

// remind turns silent updates into work for the others at a slow pace.
func (t *Tracker) remind(ctx context.Context) {
	for pause(ctx, t.wakeSlow, time.Hour) {
		if !pause(ctx, nil, slowPace) {
			return
		}
		wake(t.wakeStore)
		wake(t.wakeBoard)
	}
}

// persist writes changed alarms to the store as they come.
func (t *Tracker) persist(ctx context.Context) {
	var wait backoff
	for pause(ctx, t.wakeStore, wait.next(time.Hour)) {
		err := t.save(ctx)
		if wait.note(err) && err != nil {
			t.log.Warn("alarms not stored, trying again", "err", err)
		}
	}
}

// save writes what is dirty; what could not be written stays dirty.
func (t *Tracker) save(ctx context.Context) error {
	for {
		n, a, held, ok := t.takeDirty()
		if !ok {
			return nil
		}
		err := error(nil)
		if held {
			err = t.store.PutAlarm(ctx, a)
		} else {
			err = t.store.DeleteAlarm(ctx, n.id, n.key)
		}
		if err != nil {
			t.mu.Lock()
			t.dirty[n] = true
			t.mu.Unlock()
			return err
		}
	}
}

func (t *Tracker) takeDirty() (n name, a engine.RaisedAlarm, held, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.dirty {
		delete(t.dirty, n)
		if s := t.raised[n]; s != nil {
			a = s.alarm
			a.Node, a.Peer = t.node(), t.peer()
			return n, a, true, true
		}
		return n, a, false, true
	}
	return n, a, false, false
}

// publish keeps this peer's rows of cluster.db equal to its alarms: at once
// after a change, again and again while it is cut off, and at a slow pace in any
// case: a write whose outcome nobody learned may be carried out after later ones.
func (t *Tracker) publish(ctx context.Context) {
	var wait backoff
	var shown []engine.RaisedAlarm
	var fresh bool    // shown is what the board has
	var at time.Time  // when it was
	wake(t.wakeBoard) // rows of an earlier run may be there
	for pause(ctx, t.wakeBoard, wait.next(slowPace)) {
		node, own, again := t.toPublish()
		if again || time.Since(at) >= slowPace {
			fresh = false
		}
		if node == "" || fresh && reflect.DeepEqual(own, shown) {
			continue
		}
		attempt, stop := context.WithTimeout(ctx, patience)
		err := t.board.PublishAlarms(attempt, node, own)
		stop()
		if wait.note(err) && err != nil {
			t.log.Warn("alarms not published, trying again", "err", err)
		}
		if fresh = err == nil; fresh {
			shown, at = own, time.Now()
		}
	}
}

// toPublish is what the board should show; again tells that it was asked for anew.
func (t *Tracker) toPublish() (node string, own []engine.RaisedAlarm, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	again, t.republish = t.republish, false
	return t.node(), t.own(), again
}

// Republish publishes this peer's alarms again: when it got its node id, when
// cluster.db can be written again, and when cluster.db is another one than before.
func (t *Tracker) Republish() {
	t.mu.Lock()
	t.republish = true
	t.mu.Unlock()
	wake(t.wakeBoard)
}

// backoff is the wait after failures.
type backoff struct{ wait time.Duration }

// next is the wait until the next attempt, or idle when the last one worked.
func (b *backoff) next(idle time.Duration) time.Duration {
	if b.wait == 0 {
		return idle
	}
	return b.wait
}

// note takes the outcome of an attempt and reports whether it is news.
func (b *backoff) note(err error) bool {
	before := b.wait
	switch {
	case err == nil:
		b.wait = 0
	case b.wait == 0:
		b.wait = firstWait
	default:
		b.wait = min(2*b.wait, lastWait)
	}
	return (before == 0) != (b.wait == 0)
}

// pause waits for c or for d; false when ctx ended.
func pause(ctx context.Context, c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// short bounds what a person typed.
func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxValue)], "") }
