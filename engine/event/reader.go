package event

import (
	"context"
	"strconv"
	"time"

	"hexad/engine"
)

// queue holds events up to a limit and counts those that came later. It is
// guarded by the journal's lock.
type queue struct {
	events []engine.Event
	room   int
	lost   int
	wake   chan struct{}
	filled chan struct{} // half of the room is taken
}

func newQueue(room int) queue {
	return queue{room: room, wake: make(chan struct{}, 1), filled: make(chan struct{}, 1)}
}

func (q *queue) put(ev engine.Event) {
	if len(q.events) >= q.room {
		q.lost++
		return
	}
	q.events = append(q.events, ev)
	signal(q.wake)
	if len(q.events) == q.room/2 {
		signal(q.filled)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// rest waits for d, until q fills up or until ctx ends. It needs no lock.
func (q *queue) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.filled:
	case <-ctx.Done():
	}
}

// take empties q; the gap, if any, comes last because everything after it was lost.
func (q *queue) take() []engine.Event {
	out := q.events
	if q.lost > 0 {
		out = append(out, gap(q.lost))
	}
	q.events, q.lost = nil, 0
	return out
}

// gap stands for n events that were left out.
func gap(n int) engine.Event {
	return engine.Event{
		Time: time.Now(), Kind: "journal.gap", Process: "management", Module: "developer.eventlog", Level: "WARN",
		Detail: "Events were left out because they came too fast",
		Fields: []engine.Field{{Name: "Count", Value: strconv.Itoa(n)}},
	}
}

// reader is one live reader: a bounded channel that is never waited for.
type reader struct {
	events chan engine.Event
	filter func(engine.Event) bool
	lost   int
}

// readerRoom is how far a live reader may fall behind.
const readerRoom = 256

// put gives ev to the reader, or counts it when there is no room for a gap and ev.
func (r *reader) put(ev engine.Event) {
	if r.filter != nil && !r.filter(ev) {
		return
	}
	need := 1
	if r.lost > 0 {
		need = 2
	}
	if cap(r.events)-len(r.events) < need {
		r.lost++
		return
	}
	if r.lost > 0 {
		r.events <- gap(r.lost)
		r.lost = 0
	}
	r.events <- ev // there is room: only put sends, under the journal's lock
}

// Subscribe returns the events from now on that filter accepts (nil: all),
// until ctx ends and the channel is closed. A reader that falls behind by more
// than 256 events sees a gap. filter is called with the journal locked: it must
// be quick and must not emit.
func (j *Journal) Subscribe(ctx context.Context, filter func(engine.Event) bool) <-chan engine.Event {
	r := &reader{events: make(chan engine.Event, readerRoom), filter: filter}
	j.mu.Lock()
	j.readers[r] = true
	j.mu.Unlock()
	context.AfterFunc(ctx, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.readers, r)
		close(r.events)
	})
	return r.events
}
