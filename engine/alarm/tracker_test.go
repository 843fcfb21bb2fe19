package alarm_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/alarm"
)

// disk is local.db as the tracker sees it.
type disk struct {
	mu    sync.Mutex
	rows  map[string]engine.RaisedAlarm
	fails bool
	puts  int
}

func rowKey(id int, key string) string { return string(rune(id)) + "/" + key }

func (d *disk) OwnAlarms(context.Context) ([]engine.RaisedAlarm, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return nil, errors.New("disk full")
	}
	return slices.Collect(maps.Values(d.rows)), nil
}

func (d *disk) PutAlarm(_ context.Context, a engine.RaisedAlarm) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return errors.New("disk full")
	}
	d.puts++
	if d.rows == nil {
		d.rows = map[string]engine.RaisedAlarm{}
	}
	d.rows[rowKey(a.ID, a.Key)] = a
	return nil
}

func (d *disk) DeleteAlarm(_ context.Context, id int, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return errors.New("disk full")
	}
	delete(d.rows, rowKey(id, key))
	return nil
}

func (d *disk) fail(fails bool) { d.mu.Lock(); d.fails = fails; d.mu.Unlock() }

func (d *disk) count() int { d.mu.Lock(); defer d.mu.Unlock(); return len(d.rows) }

// board is the alarms table of cluster.db.
type board struct {
	mu       sync.Mutex
	rows     map[string][]engine.RaisedAlarm
	cut      bool
	attempts int
	writes   int // attempts that had something to write, and could
}

func (b *board) PublishAlarms(_ context.Context, node string, own []engine.RaisedAlarm) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts++
	if b.cut {
		return errors.New("no leader")
	}
	if b.rows == nil {
		b.rows = map[string][]engine.RaisedAlarm{}
	}
	if !reflect.DeepEqual(b.rows[node], own) {
		b.rows[node] = own
		b.writes++
	}
	return nil
}

func (b *board) PublishedAlarms(context.Context) ([]engine.RaisedAlarm, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []engine.RaisedAlarm
	for _, rows := range b.rows {
		out = append(out, rows...)
	}
	return out, nil
}

func (b *board) of(node string) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ids(b.rows[node])
}

func (b *board) setCut(cut bool) { b.mu.Lock(); b.cut = cut; b.mu.Unlock() }

// journal keeps what was emitted.
type journal struct {
	mu     sync.Mutex
	events []engine.Event
}

func (j *journal) emit(ev engine.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, ev)
}

// names lists the Event Log lines as "Alarm Raised 20004".
func (j *journal) names() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, ev := range j.events {
		if ev.Name != "" {
			out = append(out, ev.Name+" "+ev.Fields[0].Value)
		}
	}
	return out
}

func ids(alarms []engine.RaisedAlarm) []int {
	var out []int
	for _, a := range alarms {
		out = append(out, a.ID)
	}
	return out
}

type rig struct {
	*alarm.Tracker
	disk    *disk
	board   *board
	journal *journal
}

// start runs a tracker of node n1 in a synctest bubble until the test ends.
func start(t *testing.T, d *disk, b *board) rig {
	t.Helper()
	j := &journal{}
	tr := alarm.New(alarm.Options{
		Node: func() string { return "n1" }, Peer: func() string { return "192.0.2.11" },
		Store: d, Board: b, Emit: j.emit,
	})
	if err := tr.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return rig{tr, d, b, j}
}

func TestOneRaiseOneLower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		ctx := t.Context()
		for range 5 {
			r.Raise(ctx, 20007, "", nil)
		}
		synctest.Wait()
		own := r.Own()
		if len(own) != 1 || own[0].Count != 5 || own[0].State != engine.AlarmNew || own[0].Node != "n1" || own[0].Peer != "192.0.2.11" {
			t.Fatalf("own = %+v", own)
		}
		r.Lower(ctx, 20007, "")
		r.Lower(ctx, 20007, "")
		if want := []string{"Alarm Raised 20007", "Alarm Lowered 20007"}; !slices.Equal(r.journal.names(), want) {
			t.Errorf("events = %q, want %q", r.journal.names(), want)
		}
		synctest.Wait()
		if r.disk.count() != 0 || len(r.board.of("n1")) != 0 {
			t.Errorf("left behind: %d rows in the store, %v published", r.disk.count(), r.board.of("n1"))
		}
	})
}

func TestFlappingGivesOneRaiseAndOneLower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		for range 20 {
			r.Set(t.Context(), 20004, "", true, nil)
			time.Sleep(300 * time.Millisecond)
			r.Set(t.Context(), 20004, "", false, nil)
			time.Sleep(700 * time.Millisecond)
		}
		if len(r.Own()) != 1 {
			t.Fatalf("own = %+v while flapping", r.Own())
		}
		time.Sleep(3 * time.Second)
		if want := []string{"Alarm Raised 20004", "Alarm Lowered 20004"}; !slices.Equal(r.journal.names(), want) {
			t.Errorf("events = %q, want %q", r.journal.names(), want)
		}
	})
}

// TestLoweredInTime checks that no hold-down is longer than an alarm may take
// to go away.
func TestLoweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		for _, kind := range alarm.Kinds() {
			r.Raise(t.Context(), kind.ID, "k", nil)
		}
		for _, kind := range alarm.Kinds() {
			for range 3 { // saying so again does not put it off
				r.Lower(t.Context(), kind.ID, "k")
			}
		}
		time.Sleep(2900 * time.Millisecond)
		synctest.Wait()
		if left := r.Own(); len(left) != 0 {
			t.Errorf("still raised after 2.9 s: %v", ids(left))
		}
	})
}

func TestSetIsSilentWhenNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		for range 100 {
			r.Set(t.Context(), 20021, "", true, map[string]string{"peers": "192.0.2.12"})
			time.Sleep(time.Second)
		}
		r.Set(t.Context(), 20021, "", true, map[string]string{"peers": "192.0.2.13"})
		synctest.Wait()
		own := r.Own()[0]
		if own.Count != 1 || own.Params["peers"] != "192.0.2.13" {
			t.Errorf("own = %+v", own)
		}
		if r.disk.puts != 2 || r.board.writes > 3 {
			t.Errorf("%d writes and %d publications, want 2 and at most 3", r.disk.puts, r.board.writes)
		}
		if n := len(r.journal.names()); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}

func TestReconcile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		ctx := t.Context()
		r.Reconcile(ctx, "rules", []alarm.Condition{{ID: 20018}, {ID: 70011, Key: "192.0.2.12"}})
		r.Reconcile(ctx, "other", []alarm.Condition{{ID: 20018}, {ID: 20019}})
		r.Raise(ctx, 15015, "", nil)
		r.Reconcile(ctx, "rules", []alarm.Condition{{ID: 70011, Key: "192.0.2.13"}})
		if got, want := ids(r.Own()), []int{15015, 20018, 20019, 70011}; !slices.Equal(got, want) {
			t.Errorf("own = %v, want %v", got, want)
		}
		r.Reconcile(ctx, "other", nil)
		r.Reconcile(ctx, "rules", nil)
		if got, want := ids(r.Own()), []int{15015}; !slices.Equal(got, want) {
			t.Errorf("own = %v, want %v", got, want)
		}
		lowered := 0
		for _, n := range r.journal.names() {
			if strings.HasPrefix(n, "Alarm Lowered 20018") {
				lowered++
			}
		}
		if lowered != 1 {
			t.Errorf("20018 lowered %d times", lowered)
		}
	})
}

func TestPolicyFailureEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		r.Raise(t.Context(), 70001, "find_me", nil)
		time.Sleep(10 * time.Minute)
		r.Raise(t.Context(), 70001, "find_me", nil)
		time.Sleep(14 * time.Minute)
		if own := r.Own(); len(own) != 1 || own[0].Count != 2 {
			t.Fatalf("own = %+v, want it raised until 15 minutes are quiet", own)
		}
		time.Sleep(2 * time.Minute)
		if own := r.Own(); len(own) != 0 {
			t.Errorf("own = %+v after 16 quiet minutes", own)
		}
	})
}

func TestAcknowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{rows: map[string][]engine.RaisedAlarm{"n2": {{Node: "n2", Peer: "192.0.2.12", ID: 20007}}}}
		r := start(t, &disk{}, b)
		ctx := t.Context()
		r.Raise(ctx, 40049, "", nil)
		for _, c := range []struct {
			name string
			node string
			id   int
			want engine.Code
		}{
			{"another peer's", "n2", 20007, engine.Denied},
			{"not raised", "n1", 20018, engine.NotFound},
			{"own", "n1", 40049, ""},
			{"again", "", 40049, ""},
		} {
			err := r.Acknowledge(ctx, c.node, c.id, "", "admin", "seen")
			if engine.CodeOf(err) != c.want {
				t.Errorf("%s: got %v, want code %q", c.name, err, c.want)
			}
			if c.want == engine.Denied && !strings.Contains(err.Error(), "192.0.2.12") {
				t.Errorf("%s: %q does not name the peer", c.name, err)
			}
		}
		synctest.Wait()
		own := r.Own()[0]
		if own.State != engine.AlarmAcknowledged || own.Acknowledged != "admin" || own.Comment != "seen" {
			t.Errorf("own = %+v", own)
		}
		if want := []string{"Alarm Raised 40049", "Alarm Acknowledged 40049"}; !slices.Equal(r.journal.names(), want) {
			t.Errorf("events = %q, want %q", r.journal.names(), want)
		}
		r.disk.fail(true)
		r.Raise(ctx, 20018, "", nil)
		if err := r.Acknowledge(ctx, "n1", 20018, "", "admin", ""); engine.CodeOf(err) != engine.Unavailable {
			t.Errorf("on a full disk: got %v", err)
		}
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := time.Now().Add(-time.Hour)
		d := &disk{}
		for _, id := range []int{15015, 20004, 40049} {
			a := engine.RaisedAlarm{Node: "n1", ID: id, State: engine.AlarmAcknowledged, Acknowledged: "admin", First: old, Last: old, Count: 7}
			if err := d.PutAlarm(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, d, &board{})
		for _, a := range r.Own() {
			if a.State != engine.AlarmNew || a.Acknowledged != "" || a.Count != 1 || a.First.Before(old.Add(time.Minute)) {
				t.Errorf("after the restart: %+v", a)
			}
		}
		r.Set(t.Context(), 40049, "", true, nil)
		r.Set(t.Context(), 20004, "", false, nil)
		time.Sleep(2 * time.Second)
		if got, want := ids(r.Own()), []int{15015, 40049}; !slices.Equal(got, want) {
			t.Errorf("own = %v, want %v", got, want)
		}
		time.Sleep(30 * time.Second)
		if got, want := ids(r.Own()), []int{40049}; !slices.Equal(got, want) {
			t.Errorf("own = %v, want %v: nobody raised 15015 again", got, want)
		}
		if want := []string{"Alarm Lowered 20004", "Alarm Lowered 15015"}; !slices.Equal(r.journal.names(), want) {
			t.Errorf("events = %q, want %q", r.journal.names(), want)
		}
	})
}

func TestCutOffPeerPublishesTheDifferenceLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{cut: true, rows: map[string][]engine.RaisedAlarm{
			"n1": {{Node: "n1", ID: 20018}}, "n2": {{Node: "n2", ID: 40049}},
		}}
		r := start(t, &disk{}, b)
		r.Raise(t.Context(), 20004, "", nil)
		r.Raise(t.Context(), 70023, "", nil)
		time.Sleep(time.Minute)
		all, err := r.List(t.Context())
		if got, want := ids(all), []int{20004, 70023, 40049}; err != nil || !slices.Equal(got, want) {
			t.Errorf("list = %v, %v; want %v: own from here, the others' as published", got, err, want)
		}
		if b.attempts < 5 || b.attempts > 70 {
			t.Errorf("%d attempts in a minute", b.attempts)
		}
		b.setCut(false)
		time.Sleep(3 * time.Second)
		if got, want := b.of("n1"), []int{20004, 70023}; !slices.Equal(got, want) {
			t.Errorf("published = %v, want %v", got, want)
		}
		writes := b.writes
		time.Sleep(time.Hour)
		if b.writes != writes {
			t.Errorf("%d publications of nothing new", b.writes-writes)
		}
	})
}

// empties waits until n1 has published that nothing is raised.
func (b *board) empties(t *testing.T, within time.Duration) {
	t.Helper()
	deadline, tick := time.After(within), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for len(b.of("n1")) > 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %v %v is published, and nobody lowers it", within, b.of("n1"))
		}
	}
}

// TestLateWriteIsTakenBack: a publication whose outcome nobody learned is
// carried out after the one that followed it.
func TestLateWriteIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		r := start(t, &disk{}, b)
		r.Raise(t.Context(), 20004, "", nil)
		synctest.Wait()
		late := b.rows["n1"]
		r.Lower(t.Context(), 20004, "")
		b.empties(t, time.Minute)
		b.mu.Lock()
		b.rows["n1"] = late
		b.mu.Unlock()
		b.empties(t, 11*time.Second)
	})
}

func TestRepublishComesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		r := start(t, &disk{}, b)
		r.Raise(t.Context(), 20004, "", nil)
		synctest.Wait()
		b.mu.Lock()
		b.rows = nil // another cluster.db
		b.mu.Unlock()
		r.Republish()
		synctest.Wait()
		if got := b.of("n1"); !slices.Equal(got, []int{20004}) {
			t.Errorf("published = %v", got)
		}
	})
}

// TestFullDisk: an alarm about the disk must not need the disk.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		r.disk.fail(true)
		r.Raise(t.Context(), 70025, "", map[string]string{"free": "0 MB", "path": "/data"})
		time.Sleep(time.Minute)
		if got := ids(r.Own()); !slices.Equal(got, []int{70025}) || !slices.Equal(r.board.of("n1"), got) {
			t.Errorf("own = %v, published = %v", got, r.board.of("n1"))
		}
		r.disk.fail(false)
		time.Sleep(5 * time.Second)
		if r.disk.count() != 1 {
			t.Errorf("%d rows in the store after it recovered", r.disk.count())
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &disk{}, &board{})
		r.Raise(t.Context(), 12345, "", nil) // not in the catalogue
		for i := range 3000 {
			r.Raise(t.Context(), 70001, strings.Repeat("x", i%7)+string(rune('A'+i)), map[string]string{"message": strings.Repeat("あ", 1000)})
		}
		own := r.Own()
		if len(own) != 1000 {
			t.Errorf("%d alarms, want the limit of 1000", len(own))
		}
		longest := slices.MaxFunc(own, func(a, b engine.RaisedAlarm) int {
			return cmp.Compare(len(a.Params["message"]), len(b.Params["message"]))
		})
		if n := len(longest.Params["message"]); n > 512 || strings.ContainsRune(longest.Params["message"], '�') {
			t.Errorf("a parameter of %d bytes", n)
		}
	})
}

// TestListenerMayRaise: a listener that raises an alarm itself neither blocks nor reorders.
func TestListenerMayRaise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var tr *alarm.Tracker
		tr = alarm.New(alarm.Options{Node: func() string { return "n1" }, Store: &disk{}, Emit: func(ev engine.Event) {
			j.emit(ev)
			if ev.Name == "Alarm Raised" {
				tr.Raise(context.Background(), 20018, "", nil)
			}
		}})
		tr.Raise(t.Context(), 20004, "", nil)
		if want := []string{"Alarm Raised 20004", "Alarm Raised 20018"}; !slices.Equal(j.names(), want) {
			t.Errorf("events = %q, want %q", j.names(), want)
		}
	})
}
