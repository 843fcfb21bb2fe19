package alarm

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// Limits of what one peer can raise: keys and parameters come from rules and
// from other systems.
const (
	maxRaised = 1000 // alarms of one peer
	maxParams = 16   // parameters of one alarm
	maxValue  = 512  // bytes of one parameter
)

// Store keeps this peer's own alarms in local.db. It works with every other
// peer gone; when it fails, alarms are still raised and it is tried again.
type Store interface {
	OwnAlarms(ctx context.Context) ([]engine.RaisedAlarm, error)
	// PutAlarm inserts or replaces the alarm with a.ID and a.Key.
	PutAlarm(ctx context.Context, a engine.RaisedAlarm) error
	// DeleteAlarm removes it; one that is not there is no error.
	DeleteAlarm(ctx context.Context, id int, key string) error
}

// Board is the alarms table of cluster.db.
type Board interface {
	// PublishAlarms makes own the whole set of node's rows. It fails while
	// cluster.db cannot be written; sending the same set again is harmless.
	PublishAlarms(ctx context.Context, node string, own []engine.RaisedAlarm) error
	// PublishedAlarms returns the rows of every node, from this peer's copy.
	PublishedAlarms(ctx context.Context) ([]engine.RaisedAlarm, error)
}

// Options of a tracker. Node and Store are needed; without a Board the alarms
// stay here.
type Options struct {
	Node  func() string // this peer's node id; "" while it has none
	Peer  func() string // this peer's address, for people
	Store Store
	Board Board
	Marks Marks // what the rules made of alarms; nil for nothing
	Emit  func(engine.Event)
	Log   *slog.Logger
	// Grace is how long an alarm found in the store at Open stays listed when
	// nothing raises it again; 20 s unless given.
	Grace time.Duration
}

// Tracker is the only code that raises, lowers and acknowledges alarms of this
// peer. It is safe for concurrent use; Raise, Lower, Set and Reconcile never
// wait for a disk or the network.
type Tracker struct {
	node  func() string
	peer  func() string
	store Store
	board Board
	marks Marks
	emit  func(engine.Event)
	log   *slog.Logger
	grace time.Duration

	mu        sync.Mutex
	raised    map[name]*state
	dirty     map[name]bool // differs from the store
	pending   []engine.Event
	emitting  bool
	full      bool
	republish bool
	unwritten map[occurrence]engine.AlarmMark // marks that cluster.db has not

	wakeTimer, wakeStore, wakeBoard, wakeSlow, wakeReact chan struct{}
}

// name is what makes one condition of this peer.
type name struct {
	id  int
	key string
}

// state is one raised alarm and why it is held.
//
// holders are the sources that say that it holds ("" for Raise and Set,
// restored for an alarm that only the store knows of). lowerAt is when it will
// be lowered unless something holds it again; it has the monotonic reading, so
// that setting the clock neither delays that nor hastens it.
type state struct {
	alarm   engine.RaisedAlarm
	holders map[string]bool
	lowerAt time.Time
}

// The holders that are not sources of Reconcile.
const (
	direct   = ""
	restored = "\x00restored"
)

// New makes a tracker.
func New(o Options) *Tracker {
	t := &Tracker{
		node: o.Node, peer: o.Peer, store: o.Store, board: o.Board, marks: o.Marks, emit: o.Emit, log: o.Log, grace: o.Grace,
		raised: make(map[name]*state), dirty: make(map[name]bool),
		wakeTimer: make(chan struct{}, 1), wakeStore: make(chan struct{}, 1),
		wakeBoard: make(chan struct{}, 1), wakeSlow: make(chan struct{}, 1), wakeReact: make(chan struct{}, 1),
	}
	if t.peer == nil {
		t.peer = func() string { return "" }
	}
	if t.emit == nil {
		t.emit = func(engine.Event) {}
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.grace <= 0 {
		t.grace = 20 * time.Second
	}
	return t
}

// Open takes over the alarms that held when this peer was last up: they are New
// again, first and last raised now, and are lowered after the grace time unless
// somebody raises them again. Nothing is emitted for them.
//
// Errors: those of the store; the tracker works without.
func (t *Tracker) Open(ctx context.Context) error {
	kept, err := t.store.OwnAlarms(ctx)
	if err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the alarms of the last run could not be read", Err: err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := millis(time.Now())
	for _, a := range kept {
		n := name{a.ID, a.Key}
		if t.raised[n] != nil {
			continue
		}
		a.State, a.First, a.Last, a.Count = engine.AlarmNew, now, now, 1
		a.Acknowledged, a.Comment = "", ""
		t.raised[n] = &state{alarm: a, holders: map[string]bool{restored: true}, lowerAt: time.Now().Add(t.grace)}
		t.changed(n)
	}
	wake(t.wakeTimer)
	return nil
}

// Raise says that a condition holds, as something that just happened: on an
// alarm that is raised already it counts, and replaces the parameters, silently.
func (t *Tracker) Raise(_ context.Context, id int, key string, params map[string]string) {
	t.mu.Lock()
	t.hold(name{id, key}, direct, params, true)
	t.mu.Unlock()
	t.flush()
}

// Lower says that the condition does not hold any more. The alarm goes away
// after the hold-down of its kind, unless a source of Reconcile still has it.
func (t *Tracker) Lower(_ context.Context, id int, key string) {
	t.mu.Lock()
	t.release(name{id, key}, direct)
	t.mu.Unlock()
	t.flush()
}

// Set says whether a condition holds. Called with nothing new it does nothing,
// so it can be called at every look.
func (t *Tracker) Set(ctx context.Context, id int, key string, holds bool, params map[string]string) {
	if !holds {
		t.Lower(ctx, id, key)
		return
	}
	t.mu.Lock()
	t.hold(name{id, key}, direct, params, false)
	t.mu.Unlock()
	t.flush()
}

// Condition is one thing that holds, as a source of Reconcile finds it.
type Condition struct {
	ID     int
	Key    string
	Params map[string]string
}

// Reconcile makes conditions the complete set that source finds: new ones are
// raised, those that it no longer finds are lowered. Sources do not touch each
// other's; an alarm that several hold is lowered with the last.
func (t *Tracker) Reconcile(_ context.Context, source string, conditions []Condition) {
	t.mu.Lock()
	found := make(map[name]bool, len(conditions))
	for _, c := range conditions {
		n := name{c.ID, c.Key}
		found[n] = true
		t.hold(n, source, c.Params, false)
	}
	for n, s := range t.raised {
		if s.holders[source] && !found[n] {
			t.release(n, source)
		}
	}
	t.mu.Unlock()
	t.flush()
}

// Settle says that whatever finds the alarms of these numbers has looked since
// the start: those of the last run that nobody found again are lowered.
func (t *Tracker) Settle(_ context.Context, ids []int) {
	t.mu.Lock()
	for n, s := range t.raised {
		if s.holders[restored] && slices.Contains(ids, n.id) {
			s.lowerAt = time.Time{}
			t.release(n, restored)
		}
	}
	t.mu.Unlock()
	t.flush()
}

// hold records that source finds n. again counts it as a new occurrence.
func (t *Tracker) hold(n name, source string, params map[string]string, again bool) {
	kind, known := Kind(n.id)
	if !known {
		t.log.Error("alarm is not in the catalogue", "id", n.id)
		return
	}
	now := millis(time.Now())
	s := t.raised[n]
	if s == nil {
		if t.raise(kind, n, source, params, now) && quiets[n.id] > 0 {
			t.raised[n].lowerAt = time.Now().Add(quiets[n.id])
			wake(t.wakeTimer)
		}
		return
	}
	back := len(s.holders) == 0 // it was on its way out
	delete(s.holders, restored)
	s.holders[source] = true
	s.lowerAt = time.Time{}
	if quiet := quiets[n.id]; quiet > 0 {
		s.lowerAt = time.Now().Add(quiet)
	}
	if params = clamp(params); !maps.Equal(params, s.alarm.Params) {
		s.alarm.Params = params
		t.changed(n)
	}
	if again || back {
		s.alarm.Last = now
		s.alarm.Count++
		t.dirty[n] = true
		wake(t.wakeSlow)
	}
}

// raise adds n; false when this peer has too many alarms already.
func (t *Tracker) raise(kind engine.Alarm, n name, source string, params map[string]string, now time.Time) bool {
	if len(t.raised) >= maxRaised {
		if !t.full {
			t.log.Error("too many alarms are raised, further ones are not shown", "limit", maxRaised, "id", n.id)
		}
		t.full = true
		return false
	}
	a := engine.RaisedAlarm{
		Node: t.node(), Peer: t.peer(), ID: n.id, Key: n.key, State: engine.AlarmNew,
		Params: clamp(params), First: now, Last: now, Count: 1,
	}
	t.raised[n] = &state{alarm: a, holders: map[string]bool{source: true}}
	t.changed(n)
	t.pending = append(t.pending, raisedEvents(kind, a, now)...)
	return true
}

// release records that source does not find n any more.
func (t *Tracker) release(n name, source string) {
	s := t.raised[n]
	if s == nil || !s.lowerAt.IsZero() && len(s.holders) == 0 {
		return
	}
	delete(s.holders, source)
	if source == direct {
		delete(s.holders, restored)
	}
	if len(s.holders) > 0 {
		return
	}
	hold := holds[n.id]
	if hold == 0 {
		t.lower(n)
		return
	}
	s.lowerAt = time.Now().Add(hold)
	wake(t.wakeTimer)
}

// lower takes n off the list.
func (t *Tracker) lower(n name) {
	s := t.raised[n]
	delete(t.raised, n)
	t.full = false
	t.changed(n)
	if kind, known := Kind(n.id); known {
		t.pending = append(t.pending, loweredEvents(kind, s.alarm, millis(time.Now()))...)
	}
}

// changed marks n as something that the store and the other peers must learn of.
func (t *Tracker) changed(n name) {
	t.dirty[n] = true
	wake(t.wakeStore)
	wake(t.wakeBoard)
	wake(t.wakeReact)
}

// flush emits what is pending, in order and without holding the lock: a
// listener may raise an alarm itself.
func (t *Tracker) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.emitting {
		return
	}
	t.emitting = true
	for len(t.pending) > 0 {
		events := t.pending
		t.pending = nil
		t.mu.Unlock()
		for _, ev := range events {
			t.emit(ev)
		}
		t.mu.Lock()
	}
	t.emitting = false
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// millis drops what the tables do not keep.
func millis(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// clamp copies params, bounded; nil for none.
func clamp(params map[string]string) map[string]string {
	if len(params) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(params), maxParams))
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if len(out) == maxParams {
			break
		}
		v := params[k]
		out[k] = strings.ToValidUTF8(v[:min(len(v), maxValue)], "")
	}
	return out
}
