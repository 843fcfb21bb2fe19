package alarm

import (
	"context"
	"maps"
	"slices"
	"time"

	"hexad/engine"
)

// Limits of the reactor. An alarm that is not asked about in one look is asked
// about in the next, so nothing is lost, and a flood of alarms costs a flood of
// neither questions nor calls.
const (
	lookEvery     = time.Second            // what other peers published; own alarms are looked at at once
	lookPause     = 200 * time.Millisecond // between two looks
	asksPerLook   = 10
	notifyAgain   = time.Hour // source: reference 4.1
	notifyPerHour = 200       // of all alarms together
	writeTime     = 2 * time.Second
)

// Scope is whose alarms this peer asks the rules about.
type Scope int

// The scopes. The primary asks about every peer's. A peer that cannot reach the
// primary asks about its own, so that they are not left alone; the primary asks
// again only about what bears no mark when it is back.
const (
	Nobody Scope = iota
	OwnAlarms
	EveryAlarm
)

// ReactorOptions are what a Reactor is made of; all are needed.
type ReactorOptions struct {
	Tracker *Tracker
	Marks   Marks
	Scope   func() Scope
	// Ask asks hook alarm.react; its failure is in the answer.
	Ask       func(ctx context.Context, in engine.AlarmRequest) engine.AlarmReaction
	Procedure func() *engine.ProcedureRecord
	// Revision is that of the rules; with another one they are asked about
	// every alarm again, so that a new rule counts for what holds already.
	Revision func() int64
}

// Reactor asks the rules what to do about alarms beside showing them: when one
// is raised, acknowledged and lowered, and when the time is over until which it
// was expected. It compares what is listed with what it asked about, beside the
// tracker: nothing that raises or lowers an alarm ever waits for it.
//
// Source: reference/policy-api.md section 6, alarm.react.
type Reactor struct {
	o     ReactorOptions
	scope Scope
	rules int64                // revision that was asked last
	seen  map[occurrence]asked // nil before the first look
	told  []time.Time          // when somebody was told, of the last hour
	full  bool
}

// asked is an alarm as it was last asked about, and when.
type asked struct {
	engine.RaisedAlarm
	at   time.Time
	anew bool // it has to be asked about again
}

// renewed takes note of other rules. The first are those of the start: what
// bears a mark was asked about before it.
func (r *Reactor) renewed(revision int64) {
	r.rules = revision
	for o, a := range r.seen {
		a.anew = true
		r.seen[o] = a
	}
}

// NewReactor makes a Reactor.
func NewReactor(o ReactorOptions) *Reactor { return &Reactor{o: o} }

// Run reacts until ctx ends. It returns nil.
func (r *Reactor) Run(ctx context.Context) error {
	for pause(ctx, r.o.Tracker.wakeReact, lookEvery) {
		r.look(ctx)
		if !pause(ctx, nil, lookPause) {
			return nil
		}
	}
	return nil
}

// look finds what happened to the alarms since the last look and asks about it.
func (r *Reactor) look(ctx context.Context) {
	if scope := r.o.Scope(); scope != r.scope || r.seen == nil {
		r.scope, r.seen = scope, map[occurrence]asked{}
		r.o.Tracker.keepUnwritten(nil)
	}
	if r.scope == Nobody {
		return
	}
	if now := r.o.Revision(); now != r.rules {
		r.renewed(now)
	}
	list, err := r.o.Tracker.List(ctx)
	own := r.o.Tracker.node()
	if own == "" {
		return
	}
	changes := &changes{put: map[occurrence]engine.AlarmMark{}, drop: map[occurrence]engine.AlarmMark{}}
	asks, listed := 0, map[occurrence]bool{}
	for _, a := range list {
		if r.scope == OwnAlarms && a.Node != own {
			continue
		}
		o := occurrenceOf(a)
		listed[o] = true
		event := r.event(a)
		if event == "" {
			r.seen[o] = asked{RaisedAlarm: a, at: r.seen[o].at}
			continue
		}
		if asks++; asks > asksPerLook {
			wake(r.o.Tracker.wakeReact)
			continue
		}
		r.react(ctx, event, a, changes)
		r.seen[o] = asked{RaisedAlarm: a, at: time.Now()}
	}
	for o, a := range r.seen {
		if listed[o] || err != nil && o.node != own { // what cannot be read is not gone
			continue
		}
		if asks++; asks > asksPerLook {
			wake(r.o.Tracker.wakeReact)
			continue
		}
		r.react(ctx, "lowered", a.RaisedAlarm, changes)
		delete(r.seen, o)
	}
	if err == nil {
		r.sweep(ctx, own, listed, changes)
	}
	r.write(ctx, changes)
}

// event is what happened to an alarm since it was last asked about, "" for
// nothing. One that bears a mark was asked about before a restart or by another
// peer.
func (r *Reactor) event(a engine.RaisedAlarm) string {
	before, known := r.seen[occurrenceOf(a)]
	anew := known && before.anew
	over := a.Mark != nil && !a.Mark.Expected.IsZero() && !a.ExpectedAt(time.Now()) && before.at.Before(a.Mark.Expected)
	switch {
	case anew, over, !known && a.Mark == nil, known && !before.First.Equal(a.First):
		return "raised"
	case known && before.State != a.State && a.State == engine.AlarmAcknowledged:
		return "acknowledged"
	}
	return ""
}

// changes are the marks that a look makes and takes away.
type changes struct {
	put, drop map[occurrence]engine.AlarmMark
}

// react asks about one event and carries the answer out. A failure of the rules
// does nothing.
func (r *Reactor) react(ctx context.Context, event string, a engine.RaisedAlarm, c *changes) {
	kind, known := Kind(a.ID)
	if !known {
		return // of a peer of a newer release
	}
	ctx, end := engine.WithStages(ctx)
	defer end()
	engine.Staged(ctx, "alarm", event, "%d %s on %s", a.ID, kind.Title.EN, a.Peer)
	answer := r.o.Ask(ctx, engine.AlarmRequest{
		Event: event, Procedure: r.o.Procedure(),
		Alarm: engine.AlarmRecord{
			ID: a.ID, Severity: kind.Severity, Peer: a.Peer, Params: a.Params, Count: a.Count, First: a.First.Unix(),
			Acknowledged: a.State == engine.AlarmAcknowledged,
		},
	})
	if answer.Degraded != nil && len(answer.Acts) == 0 {
		engine.Staged(ctx, "reaction", "none", "the rules failed; the alarm is as it was")
		return
	}
	m := r.mark(event, a, answer)
	r.carryOut(ctx, event, kind, a, &m, answer)
	o := occurrenceOf(a)
	switch {
	case event == "lowered":
		c.drop[o] = m
	case !m.Empty():
		c.put[o] = m
	case a.Mark != nil:
		c.drop[o] = m
	}
}

// mark is what an answer leaves on an alarm: an acknowledgement adds to what
// was there, a raise replaces it. Whom the alarm called already stays.
func (r *Reactor) mark(event string, a engine.RaisedAlarm, answer engine.AlarmReaction) engine.AlarmMark {
	m := engine.AlarmMark{Node: a.Node, ID: a.ID, Key: a.Key, First: a.First, Decision: answer.Decision}
	if a.Mark != nil {
		m.Notified = maps.Clone(a.Mark.Notified)
		if event == "acknowledged" {
			m.Severity, m.Expected, m.Reason, m.Suggested = a.Mark.Severity, a.Mark.Expected, a.Mark.Reason, slices.Clone(a.Mark.Suggested)
		}
	}
	now := millis(time.Now())
	for _, act := range answer.Acts {
		switch act.Act {
		case "severity":
			if to := engine.Severity(act.To); m.Severity == "" || slices.Index(engine.Severities, to) < slices.Index(engine.Severities, m.Severity) {
				m.Severity = to // of several the worst
			}
		case "expect":
			if until := now.Add(time.Duration(act.ForS) * time.Second); until.After(m.Expected) {
				m.Expected, m.Reason = until, short(act.Reason)
			}
		case "suggest":
			if !slices.Contains(m.Suggested, act.Procedure) && len(m.Suggested) < maxParams {
				m.Suggested = append(m.Suggested, short(act.Procedure))
			}
		}
	}
	return m
}

// carryOut tells of the mark, and whom the answer names.
func (r *Reactor) carryOut(ctx context.Context, event string, kind engine.Alarm, a engine.RaisedAlarm, m *engine.AlarmMark, answer engine.AlarmReaction) {
	was := engine.AlarmMark{}
	if a.Mark != nil {
		was = *a.Mark
	}
	now := millis(time.Now())
	if event != "lowered" && m.Severity != was.Severity && m.Severity != "" {
		r.emit(severityEvent(kind, a, *m, now))
		engine.Staged(ctx, "severity", string(m.Severity), "instead of %s", kind.Severity)
	}
	if event != "lowered" && !m.Expected.Equal(was.Expected) && !m.Expected.IsZero() {
		r.emit(expectedEvent(kind, a, *m, now))
		engine.Staged(ctx, "expected", "until "+m.Expected.Format(time.DateTime), "%s", m.Reason)
	}
	for _, s := range m.Suggested {
		engine.Staged(ctx, "suggested", s, "%s", Suggestion(s, engine.English))
	}
	for _, act := range answer.Acts {
		if act.Act != "notify" {
			continue
		}
		to := short(act.To)
		why := r.mayTell(to, event, a, m, now)
		if why != "" {
			engine.Staged(ctx, "notify", "not sent", "%s: %s", to, why)
			continue
		}
		r.emit(notifiedEvent(kind, a, *m, to, event, act.Script, now))
		engine.Staged(ctx, "notify", "sent", "%s", to)
	}
}

// mayTell says why somebody is not told, "" when they are, and notes it then.
func (r *Reactor) mayTell(to, event string, a engine.RaisedAlarm, m *engine.AlarmMark, now time.Time) string {
	r.told = slices.DeleteFunc(r.told, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	switch {
	case event == "raised" && now.Before(m.Expected):
		return "the alarm is expected"
	case event == "raised" && now.Sub(m.Notified[to]) < notifyAgain:
		return "told of it within the last hour"
	case len(r.told) >= notifyPerHour:
		if !r.full {
			r.o.Tracker.log.Warn("too many notifications of alarms, further ones are not sent for now", "limit", notifyPerHour)
		}
		r.full = true
		return "too many notifications within an hour"
	}
	r.full = false
	r.told = append(r.told, now)
	if m.Notified == nil {
		m.Notified = map[string]time.Time{}
	}
	if len(m.Notified) < maxParams {
		m.Notified[to] = now
	}
	return ""
}

func (r *Reactor) emit(e engine.Event) { r.o.Tracker.emit(e) }

// sweep takes away the marks of alarms that are not raised any more, or that
// were raised anew.
func (r *Reactor) sweep(ctx context.Context, own string, listed map[occurrence]bool, c *changes) {
	stored, err := r.o.Marks.AlarmMarks(ctx)
	if err != nil {
		return
	}
	for _, m := range stored {
		o := markedOccurrence(m)
		if _, again := c.put[o]; again || listed[o] || r.scope == OwnAlarms && m.Node != own {
			continue
		}
		c.drop[o] = m
	}
}

// write stores the marks; what cannot be written now counts here meanwhile and
// is tried again.
func (r *Reactor) write(ctx context.Context, c *changes) {
	t := r.o.Tracker
	waiting := t.takeUnwritten()
	for o := range c.drop {
		delete(waiting, o)
	}
	maps.Copy(waiting, c.put)
	if len(waiting)+len(c.drop) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, writeTime)
	defer stop()
	t.keepUnwritten(waiting)
	err := r.o.Marks.PutAlarmMarks(ctx, slices.Collect(maps.Values(waiting)), slices.Collect(maps.Values(c.drop)))
	if err != nil {
		t.log.Debug("marks of alarms not stored, trying again", "err", err)
		return
	}
	t.keepUnwritten(nil)
}

// takeUnwritten returns the marks that are not stored yet.
func (t *Tracker) takeUnwritten() map[occurrence]engine.AlarmMark {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[occurrence]engine.AlarmMark{}
	maps.Copy(out, t.unwritten)
	return out
}

func (t *Tracker) keepUnwritten(marks map[occurrence]engine.AlarmMark) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unwritten = marks
}
