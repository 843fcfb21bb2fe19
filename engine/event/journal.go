package event

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hexad/engine"
)

// Format is how the journal prints a line.
type Format string

// The formats: the product's name="value" form, and one JSON object a line.
const (
	TextFormat Format = "text"
	JSONFormat Format = "json"
)

// Limits of one event: what happened may come from another system.
const (
	maxFields = 64
	maxValue  = 4096 // bytes
)

// keepEvery is how long after a write to the store the next one begins at the
// earliest: events that come faster are written together. They are printed, and
// given to the readers, at once.
const keepEvery = 100 * time.Millisecond

// Store keeps the journal in local.db.
type Store interface {
	// AppendEvents stores all of them or none.
	AppendEvents(ctx context.Context, events []engine.Event) error
}

// Options of a journal. Without a Store nothing is kept, without Out nothing printed.
type Options struct {
	Host   func() string // this peer's host name
	Store  Store
	Out    io.Writer
	Format Format
	// Level is the least level of lines with a module; slog.LevelInfo unless set.
	Level slog.Level
	// EventLevel is the most detailed level of the Event Log, 1 to 4; 1 unless set.
	EventLevel int
	Queue      int            // events waiting for a slow disk or reader; 4096 unless set
	Zone       *time.Location // of the printed time; time.Local unless set
}

// Journal takes the events of this peer. Emit and Subscribe are safe for
// concurrent use.
//
// Events that a slow disk, output or reader has no room for are left out there,
// and one event that counts them stands in their place.
type Journal struct {
	host       func() string
	store      Store
	out        io.Writer
	format     Format
	zone       *time.Location
	room       int
	level      atomic.Int64
	eventLevel atomic.Int64

	mu      sync.Mutex
	print   queue
	keep    queue
	readers map[*reader]bool
}

// New makes a journal. Events emitted before Run wait in the queue.
func New(o Options) *Journal {
	j := &Journal{
		host: o.Host, store: o.Store, out: o.Out, format: o.Format, zone: o.Zone, room: o.Queue,
		readers: make(map[*reader]bool),
	}
	if j.host == nil {
		j.host = func() string { return "" }
	}
	if j.zone == nil {
		j.zone = time.Local
	}
	if j.room <= 0 {
		j.room = 4096
	}
	j.print, j.keep = newQueue(j.room), newQueue(j.room)
	j.SetLevel(o.Level, max(o.EventLevel, 1))
	return j
}

// SetLevel changes what is written from now on: level for lines with a module,
// eventLevel (1 to 4) for the Event Log. Diagnostic logging uses it.
func (j *Journal) SetLevel(level slog.Level, eventLevel int) {
	j.level.Store(int64(level))
	j.eventLevel.Store(int64(eventLevel))
}

// Enabled reports whether events of a level are written: a word (DEBUG, INFO,
// WARN, ERROR), a number of the Event Log, or "".
func (j *Journal) Enabled(level string) bool {
	if n, err := strconv.ParseInt(level, 10, 8); err == nil {
		return n <= j.eventLevel.Load()
	}
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		return true
	}
	return int64(l) >= j.level.Load()
}

// Emit records one event; a zero Time means now. It never waits.
func (j *Journal) Emit(ev engine.Event) {
	if !j.Enabled(ev.Level) {
		return
	}
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	ev = bounded(ev)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.out != nil {
		j.print.put(ev)
	}
	if j.store != nil {
		j.keep.put(ev)
	}
	for r := range j.readers {
		r.put(ev)
	}
}

// Run prints and stores until ctx ends, then writes what is still waiting, for
// about a second: an output that nobody reads is left behind. It returns nil.
func (j *Journal) Run(ctx context.Context) error {
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		j.drain(ctx, &j.print, 0, j.write)
	}()
	j.drain(ctx, &j.keep, keepEvery, j.append)
	select {
	case <-printed:
	case <-time.After(time.Second):
	}
	return nil
}

// drain hands what waits in q to sink, in batches and in order: a batch every
// so often at most, sooner only when q fills up.
func (j *Journal) drain(ctx context.Context, q *queue, every time.Duration, sink func(context.Context, []engine.Event) error) {
	var batch []engine.Event
	for ctx.Err() == nil {
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
		batch = j.take(q)
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			if sink(ctx, batch) == nil {
				batch = nil
				break
			}
			if !sleep(ctx, wait) {
				break
			}
		}
		if every > 0 {
			q.rest(ctx, every)
		}
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	_ = sink(last, append(batch, j.take(q)...)) // there is nobody left to tell
}

func (j *Journal) take(q *queue) []engine.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return q.take()
}

// write prints a batch. A reader of the output that is gone is no failure of hexad.
func (j *Journal) write(_ context.Context, batch []engine.Event) error {
	var text strings.Builder
	host, pid := j.host(), os.Getpid()
	for _, ev := range batch {
		if j.format == JSONFormat {
			text.WriteString(JSON(ev, host))
		} else {
			text.WriteString(Line(ev, host, j.zone, pid))
		}
		text.WriteByte('\n')
	}
	if text.Len() > 0 {
		_, _ = io.WriteString(j.out, text.String())
	}
	return nil
}

// append stores a batch. Unavailable and full disks are tried again; what the
// store refuses as such is dropped, or it would block all that follows.
func (j *Journal) append(ctx context.Context, batch []engine.Event) error {
	if len(batch) == 0 {
		return nil
	}
	err := j.store.AppendEvents(ctx, batch)
	if engine.CodeOf(err) == engine.Invalid {
		return nil
	}
	return err
}

// sleep waits for d; false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// bounded cuts what is too long to be kept.
func bounded(ev engine.Event) engine.Event {
	ev.Detail = cut(ev.Detail)
	if len(ev.Fields) > maxFields {
		ev.Fields = ev.Fields[:maxFields:maxFields]
	}
	for i, f := range ev.Fields {
		if len(f.Value) > maxValue {
			list := append([]engine.Field(nil), ev.Fields...)
			for k := i; k < len(list); k++ {
				list[k].Value = cut(list[k].Value)
			}
			ev.Fields = list
			break
		}
	}
	return ev
}

func cut(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "…"
}
