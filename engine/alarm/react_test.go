package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
)

// marks is the table of the marks in cluster.db.
type marks struct {
	mu   sync.Mutex
	rows map[string]engine.AlarmMark
	cut  bool
}

func markKey(m engine.AlarmMark) string { return fmt.Sprint(m.Node, "/", m.ID, "/", m.Key) }

func (m *marks) AlarmMarks(context.Context) ([]engine.AlarmMark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []engine.AlarmMark
	for _, row := range m.rows {
		out = append(out, row)
	}
	return out, nil
}

func (m *marks) PutAlarmMarks(_ context.Context, put, drop []engine.AlarmMark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return errors.New("no leader")
	}
	if m.rows == nil {
		m.rows = map[string]engine.AlarmMark{}
	}
	for _, one := range drop {
		delete(m.rows, markKey(one))
	}
	for _, one := range put {
		m.rows[markKey(one)] = one
	}
	return nil
}

func (m *marks) setCut(cut bool) { m.mu.Lock(); m.cut = cut; m.mu.Unlock() }

func (m *marks) count() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.rows) }

// reacting is a tracker of node n1 with a reactor whose rules are answers.
type reacting struct {
	*alarm.Tracker
	marks   *marks
	board   *board
	journal *journal

	mu     sync.Mutex
	scope  alarm.Scope
	rules  int64
	answer func(engine.AlarmRequest) engine.AlarmReaction
	asked  []string
}

func react(t *testing.T, answer func(engine.AlarmRequest) engine.AlarmReaction) *reacting {
	t.Helper()
	r := &reacting{marks: &marks{}, board: &board{}, journal: &journal{}, scope: alarm.EveryAlarm, answer: answer}
	r.Tracker = alarm.New(alarm.Options{
		Node: func() string { return "n1" }, Peer: func() string { return "192.0.2.1" }, Store: &disk{}, Board: r.board, Marks: r.marks,
		Emit: r.journal.emit,
	})
	reactor := alarm.NewReactor(alarm.ReactorOptions{
		Tracker: r.Tracker, Marks: r.marks, Procedure: func() *engine.ProcedureRecord { return nil },
		Revision: func() int64 { r.mu.Lock(); defer r.mu.Unlock(); return r.rules },
		Scope:    func() alarm.Scope { r.mu.Lock(); defer r.mu.Unlock(); return r.scope },
		Ask: func(_ context.Context, in engine.AlarmRequest) engine.AlarmReaction {
			r.mu.Lock()
			r.asked = append(r.asked, fmt.Sprint(in.Event, " ", in.Alarm.ID, " ", in.Alarm.Peer))
			answer := r.answer
			r.mu.Unlock()
			return answer(in)
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Tracker.Run(ctx) })
	wg.Go(func() { _ = reactor.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return r
}

func (r *reacting) setScope(s alarm.Scope) { r.mu.Lock(); r.scope = s; r.mu.Unlock() }

// questions are what was asked since it was last called.
func (r *reacting) questions() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := strings.Join(r.asked, ", ")
	r.asked = nil
	return out
}

func (r *reacting) one(t *testing.T) engine.RaisedAlarm {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("list %+v, %v", list, err)
	}
	return list[0]
}

// told are the destinations of the notifications so far.
func (r *reacting) told() (out []string) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	for _, e := range r.journal.events {
		if e.Name == "Alarm Notification" {
			out = append(out, e.Fields[0].Value)
		}
	}
	return out
}

func always(acts ...engine.AlarmAct) func(engine.AlarmRequest) engine.AlarmReaction {
	return func(engine.AlarmRequest) engine.AlarmReaction { return engine.AlarmReaction{Acts: acts} }
}

// The rules are asked once for each thing that happens to an alarm.
func TestReactorAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always())
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(5 * time.Second)
		r.Raise(t.Context(), 20018, "", nil) // counts, silently
		time.Sleep(5 * time.Second)
		if got, want := r.questions(), "raised 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		if err := r.Acknowledge(t.Context(), "n1", 20018, "", "admin", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		r.Lower(t.Context(), 20018, "")
		time.Sleep(5 * time.Second)
		if got, want := r.questions(), "acknowledged 20018 192.0.2.1, lowered 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	})
}

// What the rules say of an alarm is shown with it, is kept, and goes with it.
func TestReactorMarks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always(
			engine.AlarmAct{Act: "expect", ForS: 600, Reason: "line switching"}, engine.AlarmAct{Act: "severity", To: "notice"},
			engine.AlarmAct{Act: "suggest", Procedure: "restart"}, engine.AlarmAct{Act: "notify", To: "ops"}))
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(time.Second)
		a := r.one(t)
		if !a.ExpectedAt(time.Now()) || a.Mark.Reason != "line switching" || a.SeverityOf(engine.Warning) != engine.Notice || !slices.Equal(a.Mark.Suggested, []string{"restart"}) {
			t.Fatalf("mark %+v", a.Mark)
		}
		if told := r.told(); len(told) != 0 {
			t.Errorf("an expected alarm called %v", told)
		}
		if a.State != engine.AlarmNew || a.Count != 1 {
			t.Errorf("the alarm itself changed: %+v", a)
		}
		r.Lower(t.Context(), 20018, "")
		time.Sleep(time.Second)
		if n := r.marks.count(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
	})
}

// When the time is over until which an alarm was expected the rules are asked
// again, and it calls whom they name.
func TestReactorAfterAnExpectation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always(engine.AlarmAct{Act: "expect", ForS: 600, Reason: "window"}, engine.AlarmAct{Act: "notify", To: "ops"}))
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(time.Second)
		r.mu.Lock()
		r.answer = always(engine.AlarmAct{Act: "notify", To: "ops"})
		r.mu.Unlock()
		r.questions()
		time.Sleep(11 * time.Minute)
		if got, want := r.questions(), "raised 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		if a := r.one(t); a.ExpectedAt(time.Now()) {
			t.Errorf("still expected: %+v", a.Mark)
		}
		if got := r.told(); !slices.Equal(got, []string{"ops"}) {
			t.Errorf("told %v", got)
		}
	})
}

// A failing rule does nothing, and is not asked over and over.
func TestReactorWhenTheRulesFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, func(engine.AlarmRequest) engine.AlarmReaction {
			return engine.AlarmReaction{Decided: engine.Decided{Degraded: errors.New("failed")}}
		})
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(time.Minute)
		if got, want := r.questions(), "raised 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		if a := r.one(t); a.Mark != nil {
			t.Errorf("mark %+v", a.Mark)
		}
	})
}

// The same destination hears of an alarm once an hour, unless it was lowered in
// between.
func TestReactorTellsOnceAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, func(in engine.AlarmRequest) engine.AlarmReaction {
			if in.Event != "raised" {
				return engine.AlarmReaction{}
			}
			return engine.AlarmReaction{Acts: []engine.AlarmAct{{Act: "notify", To: "ops"}}}
		})
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(2 * time.Second)
		r.setScope(alarm.Nobody) // another peer is the primary for a while
		time.Sleep(2 * time.Second)
		r.setScope(alarm.EveryAlarm)
		time.Sleep(2 * time.Second)
		if got := r.told(); len(got) != 1 {
			t.Errorf("told %v after the primary changed", got)
		}
		r.Lower(t.Context(), 20018, "")
		time.Sleep(2 * time.Second)
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(2 * time.Second)
		if got := r.told(); len(got) != 2 {
			t.Errorf("told %v after it was raised anew", got)
		}
	})
}

// A flood of alarms costs a bounded number of questions at a time, and all are
// asked about in the end; the notifications are bounded too.
func TestReactorInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always(engine.AlarmAct{Act: "notify", To: "ops"}))
		const flood = 300
		for i := range flood {
			r.Raise(t.Context(), 70001, fmt.Sprint(i), nil)
		}
		time.Sleep(time.Second)
		if n := strings.Count(r.questions(), "raised"); n == 0 || n > 100 {
			t.Errorf("%d questions in the first second", n)
		}
		time.Sleep(time.Minute)
		if n := r.marks.count(); n < 100 || n > flood {
			t.Errorf("%d marks", n)
		}
		if n := len(r.told()); n != 200 {
			t.Errorf("%d notifications, want the limit of 200", n)
		}
	})
}

// The primary asks about every peer's alarms; a peer without the primary about
// its own; the others about none. What cannot be written counts here meanwhile.
func TestReactorScope(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always(engine.AlarmAct{Act: "suggest", Procedure: "restart"}))
		at := time.Now()
		other := engine.RaisedAlarm{Node: "n2", Peer: "192.0.2.2", ID: 20004, State: engine.AlarmNew, First: at, Last: at, Count: 1}
		if err := r.board.PublishAlarms(t.Context(), "n2", []engine.RaisedAlarm{other}); err != nil {
			t.Fatal(err)
		}
		r.setScope(alarm.Nobody)
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(5 * time.Second)
		if got := r.questions(); got != "" {
			t.Errorf("asked %q while the primary is another one", got)
		}
		r.marks.setCut(true)
		r.setScope(alarm.OwnAlarms)
		time.Sleep(5 * time.Second)
		if got, want := r.questions(), "raised 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q alone, want %q", got, want)
		}
		list, err := r.List(t.Context())
		if err != nil || len(list) != 2 || r.marks.count() != 0 {
			t.Fatalf("list %+v, %v", list, err)
		}
		for _, a := range list {
			if (a.Mark != nil) != (a.Node == "n1") {
				t.Errorf("%s bears %+v", a.Node, a.Mark)
			}
		}
		r.marks.setCut(false)
		time.Sleep(5 * time.Second)
		if n := r.marks.count(); n != 1 {
			t.Errorf("%d marks written when it was possible again", n)
		}
		r.setScope(alarm.EveryAlarm)
		time.Sleep(5 * time.Second)
		if got, want := r.questions(), "raised 20004 192.0.2.2"; got != want { // the other bears a mark
			t.Errorf("asked %q on the primary, want %q", got, want)
		}
	})
}

// Another revision of the rules is asked about what holds already.
func TestReactorWithNewRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := react(t, always(engine.AlarmAct{Act: "suggest", Procedure: "restart"}, engine.AlarmAct{Act: "notify", To: "ops"}))
		r.Raise(t.Context(), 20018, "", nil)
		time.Sleep(5 * time.Second)
		r.questions()
		r.mu.Lock()
		r.rules++
		r.answer = always(engine.AlarmAct{Act: "severity", To: "error"}, engine.AlarmAct{Act: "notify", To: "ops"})
		r.mu.Unlock()
		time.Sleep(5 * time.Second)
		if got, want := r.questions(), "raised 20018 192.0.2.1"; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
		if a := r.one(t); len(a.Mark.Suggested) != 0 || a.Mark.Severity != engine.ErrorSeverity {
			t.Errorf("mark %+v", a.Mark)
		}
		if got := r.told(); len(got) != 1 {
			t.Errorf("told %v", got)
		}
	})
}

// What people read of a suggestion is there in both languages.
func TestSuggestion(t *testing.T) {
	t.Parallel()
	for _, l := range []engine.Language{engine.English, engine.Japanese} {
		if got := alarm.Suggestion("restart", l); got == "" || got == "restart" {
			t.Errorf("%s: %q", l, got)
		}
	}
	if got := alarm.Suggestion("call the carrier", engine.English); got != "call the carrier" {
		t.Errorf("another word: %q", got)
	}
}
