package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/event"
)

// table is the journal's table in local.db.
type table struct {
	mu    sync.Mutex
	rows  []engine.Event
	fails int           // the next so many batches fail
	err   error         // with this
	block chan struct{} // held while not nil and not closed

	writes int
}

func (s *table) AppendEvents(ctx context.Context, events []engine.Event) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fails > 0 {
		s.fails--
		return s.err
	}
	s.rows = append(s.rows, events...)
	return nil
}

func (s *table) details() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, ev := range s.rows {
		out = append(out, ev.Detail)
	}
	return out
}

// screen is the output; it can be read while it is written.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.b.String(), "\n"), "\n")
}

// serve runs j until stop is called, which waits for its end.
func serve(t *testing.T, j *event.Journal) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func numbered(i int) engine.Event {
	return engine.Event{Kind: "test.counted", Process: "p", Module: "m", Level: "INFO", Detail: fmt.Sprint(i)}
}

func TestJournalKeepsOrderAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, out := &table{}, &screen{}
		j := event.New(event.Options{Host: func() string { return "peer1" }, Store: store, Out: out})
		var want []string
		for i := range 100 { // before Run
			j.Emit(numbered(i))
			want = append(want, fmt.Sprint(i))
		}
		stop := serve(t, j)
		for i := range 1000 {
			j.Emit(numbered(100 + i))
			want = append(want, fmt.Sprint(100+i))
		}
		stop() // what waits is still written
		if got := store.details(); !slices.Equal(got, want) {
			t.Errorf("%d events stored, want %d in order", len(got), len(want))
		}
		if lines := out.lines(); len(lines) != len(want) || !strings.Contains(lines[1099], `peer1 p: UTCTime="`) || !strings.HasSuffix(lines[1099], `Detail="1099"`) {
			t.Errorf("%d lines, last %q", len(lines), lines[len(lines)-1])
		}
	})
}

// TestFastEventsAreKeptTogether: a write for each would cost more than the events.
func TestFastEventsAreKeptTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, out := &table{}, &screen{}
		j := event.New(event.Options{Store: store, Out: out})
		stop := serve(t, j)
		defer stop()
		for i := range 200 {
			j.Emit(numbered(i))
			time.Sleep(5 * time.Millisecond)
			if n := len(out.lines()); n != i+1 {
				t.Fatalf("%d lines printed after %d events", n, i+1)
			}
		}
		time.Sleep(time.Second)
		if n := len(store.details()); n != 200 {
			t.Errorf("%d events kept of 200", n)
		}
		if store.writes < 10 || store.writes > 12 {
			t.Errorf("200 events within a second took %d writes, want about 10", store.writes)
		}
	})
}

// TestSlowDisk: callers go on, and the hole is visible.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &table{block: make(chan struct{})}
		j := event.New(event.Options{Store: store, Queue: 10})
		stop := serve(t, j)
		j.Emit(numbered(0))
		synctest.Wait() // 0 is on its way to the disk
		for i := range 50 {
			j.Emit(numbered(1 + i))
		}
		close(store.block)
		synctest.Wait()
		j.Emit(numbered(99))
		stop()
		got := store.details()
		want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "Events were left out because they came too fast", "99"}
		if !slices.Equal(got, want) {
			t.Fatalf("stored %q, want %q", got, want)
		}
		if gap := store.rows[11]; gap.Kind != "journal.gap" || gap.Fields[0].Value != "40" {
			t.Errorf("gap = %+v", gap)
		}
	})
}

func TestFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &table{fails: 5, err: errors.New("disk full")}
		j := event.New(event.Options{Store: store})
		stop := serve(t, j)
		j.Emit(numbered(1))
		time.Sleep(time.Minute)
		j.Emit(numbered(2))
		stop()
		if got := store.details(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("stored %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		store := &table{fails: 1, err: engine.Errorf(engine.Invalid, "bad row")}
		j := event.New(event.Options{Store: store})
		stop := serve(t, j)
		j.Emit(numbered(1))
		synctest.Wait()
		j.Emit(numbered(2))
		synctest.Wait()
		stop()
		if got := store.details(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("stored %q, want what follows the refused batch", got)
		}
	})
}

func TestStopDuringRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &table{fails: 1, err: errors.New("busy")}
		j := event.New(event.Options{Store: store})
		stop := serve(t, j)
		j.Emit(numbered(1))
		synctest.Wait()
		j.Emit(numbered(2))
		stop()
		if got := store.details(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("stored %q", got)
		}
	})
}

func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := event.New(event.Options{})
		ctx, leave := context.WithCancel(t.Context())
		quick := j.Subscribe(ctx, func(ev engine.Event) bool { return ev.Kind == "test.counted" })
		slow := j.Subscribe(ctx, nil)
		j.Emit(engine.Event{Kind: "test.other", Level: "INFO"})
		for i := range 1000 {
			j.Emit(numbered(i))
			if got := (<-quick).Detail; got != fmt.Sprint(i) {
				t.Fatalf("got %s, want %d", got, i)
			}
		}
		var seen, lost string
		for range 256 {
			seen = (<-slow).Detail
		}
		j.Emit(numbered(5000))
		if gap := <-slow; gap.Kind != "journal.gap" {
			t.Errorf("after the event %s came %+v, want a gap", seen, gap)
		} else {
			lost = gap.Fields[0].Value
		}
		if next := <-slow; next.Detail != "5000" || lost != "745" {
			t.Errorf("%s lost, then %s; want 745 lost", lost, next.Detail)
		}
		<-quick
		leave()
		synctest.Wait()
		for _, c := range []<-chan engine.Event{quick, slow} {
			if ev, open := <-c; open {
				t.Errorf("still open, with %+v", ev)
			}
		}
		j.Emit(numbered(1)) // nobody there
	})
}

func TestLevels(t *testing.T) {
	t.Parallel()
	j := event.New(event.Options{})
	for _, c := range []struct {
		level    string
		normally bool
		verbose  bool
	}{
		{"DEBUG", false, true}, {"INFO", true, true}, {"WARN", true, true}, {"ERROR", true, true}, {"", true, true},
		{"1", true, true}, {"2", false, true}, {"4", false, false},
	} {
		j.SetLevel(slog.LevelInfo, 1)
		if got := j.Enabled(c.level); got != c.normally {
			t.Errorf("level %q: got %v", c.level, got)
		}
		j.SetLevel(slog.LevelDebug, 3)
		if got := j.Enabled(c.level); got != c.verbose {
			t.Errorf("level %q, verbose: got %v", c.level, got)
		}
	}
}

func TestLongEventsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &table{}
		j := event.New(event.Options{Store: store})
		stop := serve(t, j)
		long := strings.Repeat("あ", 100_000)
		ev := engine.Event{Level: "INFO", Detail: long}
		for range 1000 {
			ev.Fields = append(ev.Fields, engine.Field{Name: "n", Value: long})
		}
		j.Emit(ev)
		stop()
		kept := store.rows[0]
		if len(kept.Detail) > 5000 || len(kept.Fields) != 64 || len(kept.Fields[0].Value) > 5000 || strings.ContainsRune(kept.Detail, '�') {
			t.Errorf("kept %d bytes and %d fields", len(kept.Detail), len(kept.Fields))
		}
		if len(ev.Fields[0].Value) != len(long) {
			t.Error("the caller's fields were changed")
		}
	})
}

func TestSlog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &screen{}
		j := event.New(event.Options{Host: func() string { return "peer1" }, Out: out, Zone: time.UTC})
		stop := serve(t, j)
		log := slog.New(event.NewHandler(j))
		log.Debug("not shown")
		log.Info("opened", "peer", "192.0.2.12", "err", errors.New(`no "route"`))
		log.With("module", "cluster", "node", "n1").WithGroup("raft").Warn("slow", "ms", 250, slog.Group("disk", "free", 1), "module", "kept as a field")
		log.With("process", "replication", "module", "developer.replication").Error("failed")
		stop()
		stamp := `2000-01-01T00:00:00.000+00:00 peer1 `
		utc := `UTCTime="2000-01-01 00:00:00,000" `
		want := []string{
			stamp + `hexad: ` + utc + `Module="developer.hexad" Level="INFO" Detail="opened" peer="192.0.2.12" err="no \"route\""`,
			stamp + `hexad: ` + utc + `Module="developer.cluster" Level="WARN" Detail="slow" node="n1" raft.ms="250" raft.disk.free="1" raft.module="kept as a field"`,
			stamp + `replication: ` + utc + `Module="developer.replication" Level="ERROR" Detail="failed"`,
		}
		if got := out.lines(); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestJSONOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &screen{}
		j := event.New(event.Options{Host: func() string { return "peer1" }, Out: out, Format: event.JSONFormat})
		stop := serve(t, j)
		j.Emit(event.Named("management", "System Start", "hexad started"))
		stop()
		want := `{"time":"2000-01-01T00:00:00.000Z","host":"peer1","kind":"system.started","process":"management","event":"System Start","level":"1","detail":"hexad started"}`
		if got := out.lines(); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %s", got, want)
		}
	})
}

// stuck is an output that nobody reads.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }

// TestStuckOutput: neither Emit, nor the store, nor the end waits for it.
func TestStuckOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, out := &table{}, stuck{make(chan struct{})}
		j := event.New(event.Options{Store: store, Out: out, Queue: 10})
		stop := serve(t, j)
		for i := range 100 {
			j.Emit(numbered(i))
			synctest.Wait()
		}
		before := time.Now()
		stop()
		if took := time.Since(before); took > 2*time.Second {
			t.Errorf("Run ended after %s", took)
		}
		if got := store.details(); len(got) != 100 {
			t.Errorf("%d events stored", len(got))
		}
		close(out.free)
	})
}
