package policy

import (
	"context"
	"slices"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// asking is one question to the scripts of one hook, from the first to the
// typed answer. It uses one revision throughout.
type asking struct {
	p     *Policies
	r     *revision
	h     *hook
	ctx   context.Context
	began time.Time
	now   int64
	trial bool                              // changes no counts and is not recorded
	lines bool                              // notes the lines that run
	check func(s *script, answer any) error // what an answer may not be for this input; may be nil
	pass  func(s *script, answer any) bool  // whether an answer leaves the matter to the scripts behind; may be nil
	next  func(answer any) any              // the input for the next script of a pipeline
	out   outcome
	kept  *kept // nil while nobody keeps the decision
	run   running
	only  [1]answered // where the answers begin: most hooks have one
}

// answered is one script's answer.
type answered struct {
	script *script
	value  any
}

// outcome is what the scripts of one hook said to one input. Failures are all
// that failed now; missing are the scripts, failed or pinned, that nothing stood
// in for.
type outcome struct {
	answers  []answered
	failures []Failure
	missing  []Failure
	pinned   []Failure
	warned   []answered // what they said in mode warn, and does not count
	rejected bool       // on_failure=reject stood in
}

// degraded is why the answer is not the active scripts' own, nil when it is.
func (o *outcome) degraded() error {
	switch {
	case len(o.failures) > 0:
		return o.failures[0]
	case len(o.pinned) > 0:
		return o.pinned[0]
	}
	return nil
}

// first is the first answer, nil when there is none.
func (o *outcome) first() (record, string) {
	if len(o.answers) == 0 {
		return nil, ""
	}
	return o.answers[0].value.(record), o.answers[0].script.Name
}

// askings are used again once their answer was given; those that something was
// told of may be looked at later and are not.
var askings = sync.Pool{New: func() any { return new(asking) }}

func (p *Policies) begin(ctx context.Context, hook string) *asking {
	q := askings.Get().(*asking)
	*q = asking{p: p, r: p.active.Load(), h: hookNamed(hook), ctx: ctx, began: time.Now()}
	q.out.answers = q.only[:0]
	q.now = q.began.Unix()
	if p.o.Record != nil {
		q.keep()
	}
	return q
}

func (q *asking) keep() {
	k := &kept{Decision: Decision{ID: q.p.ids.make(), At: q.began.UTC(), Hook: q.h.name, Revision: q.r.number}}
	q.kept = k
	if !engine.InStages(q.ctx) {
		return
	}
	before := engine.StagesBefore(q.ctx, func(after []engine.Stage) { q.p.stagesAfter(k, after) })
	for _, step := range stageSteps(before) {
		k.Steps, k.values = append(k.Steps, step), append(k.values, nil)
	}
}

// stagesAfter adds to a decision that is kept what was done with its answer.
func (p *Policies) stagesAfter(k *kept, after []engine.Stage) {
	if p.o.RecordAfter == nil {
		return
	}
	steps := stageSteps(after)
	if p.masks() {
		m, err := masksOf(k.input, k.answer)
		if err != nil {
			m = &masks{}
		}
		for i := range steps {
			steps[i].Detail = m.text(steps[i].Detail)
		}
	}
	p.o.RecordAfter(k.ID, steps)
}

func stageSteps(list []engine.Stage) []Step {
	var out []Step
	for _, s := range list {
		out = append(out, Step{Stage: s.Name, Outcome: s.Outcome, Detail: s.Detail})
	}
	return out
}

// id is the decision's id, "" when nobody keeps it.
func (q *asking) id() string {
	if q.kept == nil {
		return ""
	}
	return q.kept.ID
}

// ask runs the scripts of the hook on an input: all of a findings hook, those
// of a decision hook until one answers, those of a pipeline one after the
// other. What a failed script said is dropped.
func (q *asking) ask(input any) {
	if q.kept != nil {
		q.kept.input = input
	}
	chain := q.r.chains[q.h.index]
	if len(chain) == 0 {
		return
	}
	st, err := q.state()
	if err != nil {
		for _, s := range chain {
			q.miss(s, Failure{Class: errTime.Error(), Message: err.Error()})
			q.step(s, Step{Outcome: StepSkipped, Detail: err.Error()}, nil)
		}
		q.report()
		return
	}
	defer func() { q.release(st) }()
	run := &q.run
	*run = running{asking: q, st: st, end: q.began.Add(q.h.limits.Chain), at: q.began}
	if q.h.limits.Time >= graceFrom {
		run.used0 = processTime()
	}
	run.table = st.input(q.h, input)
	run.input = input
	for i, s := range chain {
		run.last = i == len(chain)-1
		if i > 0 {
			if run.at = time.Now(); run.at.After(run.end) && !run.grace(i) {
				q.skipRest(chain[i:])
				break
			}
		}
		if run.one(s) {
			break
		}
		run.spent += run.st.b.used()
	}
	st = run.st
	q.report()
}

// state is a state of the pool, or a new one when lines are noted: then the
// lines of the file itself run in it too.
func (q *asking) state() (*state, error) {
	if q.lines {
		return newState(q.r.data), nil
	}
	return q.r.borrow(q.ctx)
}

func (q *asking) release(st *state) {
	if q.lines {
		st.L.Close()
		return
	}
	st.logTo = nil
	q.r.giveBack(st)
}

// skipRest notes the scripts that the chain has no time left for. They did not
// fail themselves.
func (q *asking) skipRest(rest []*script) {
	for _, s := range rest {
		q.miss(s, Failure{Class: errTime.Error(), Message: "the chain's time was used up before it"})
		q.step(s, Step{Outcome: StepSkipped, Detail: "no time left in the chain"}, nil)
	}
}

// miss notes that s has no part in the answer.
func (q *asking) miss(s *script, f Failure) {
	f.Script, f.Version, f.Hook = s.Name, s.Version, q.h.name
	q.out.failures = append(q.out.failures, f)
	q.out.missing = append(q.out.missing, f)
}

func (q *asking) step(s *script, one Step, value any) {
	if q.kept == nil {
		return
	}
	one.Script, one.Version = s.Name, s.Version
	q.kept.Steps = append(q.kept.Steps, one)
	q.kept.values = append(q.kept.values, value)
}

// report tells the log and the alarms about the failures.
func (q *asking) report() {
	if q.trial {
		return
	}
	for _, f := range q.out.failures {
		q.p.logger.Warn("policy failed", "script", f.Script, "hook", f.Hook, "class", f.Class, "line", f.Line, "message", f.Message)
		if q.p.o.Fail != nil {
			q.p.o.Fail(f)
		}
	}
}

// finish keeps the decision with its typed answer. It is the last that is done
// with q.
func finish[A any](q *asking, answer A, by string) {
	if q.kept == nil { // the answer is then not even made an interface of
		if !q.trial {
			*q = asking{} // it holds on to nothing
			askings.Put(q)
		}
		return
	}
	k := q.kept
	k.answer, k.Script, k.Degraded, k.Took = answer, by, q.out.degraded() != nil, time.Since(q.began)
	if !q.trial {
		q.p.keep(k, q.h.call)
	}
}

// running is the chain while it runs in a state.
type running struct {
	*asking
	st    *state
	table *lua.LTable
	input any
	at    time.Time     // when the script at hand began
	end   time.Time     // of the chain
	spent int           // instructions of the scripts before
	grant int           // how often the end was put off
	used0 time.Duration // processor time of the process when the chain began; 0: not looked at
	last  bool          // nothing stands behind the script at hand
}

// grace puts the end of a chain off that the machine had no time for.
func (q *running) grace(ran int) bool {
	if q.grant >= graceMost || q.spent >= ran*q.h.limits.Instructions/10 || !waited(q.began, q.used0, q.at) {
		return false
	}
	q.grant++
	q.end = q.at.Add(q.h.limits.Chain)
	return true
}

// one gives one script its turn and tells whether the chain ends with it.
func (q *running) one(s *script) bool {
	if p := s.health.pin.Load(); p != nil {
		return q.pinned(s, p)
	}
	value, fail, step := q.evaluate(s, s)
	if fail == nil {
		q.succeeded(s)
		return q.answer(s, value, step)
	}
	f := Failure{Script: s.Name, Version: s.Version, Hook: s.hook.name, Class: fail.Class, Line: fail.Line, Message: q.said(fail.Message, q.input)}
	q.failed(s, f, fail.Class == errTime.Error() && q.st.b.starved())
	step.Outcome, step.Detail = StepFailed, fail.Error()
	if s.Mode == Shadow {
		q.step(s, step, nil)
		return false
	}
	q.out.failures = append(q.out.failures, f)
	if q.at = time.Now(); s.good != nil && q.at.Before(q.end) {
		if value, failed, again := q.evaluate(s, s.good); failed == nil {
			again.Outcome, again.Detail = StepLastGood, step.Detail
			return q.answer(s, value, again)
		}
	}
	q.out.missing = append(q.out.missing, f)
	return q.without(s, step)
}

// pinned lets the version that s is pinned to answer.
func (q *running) pinned(s *script, p *pin) bool {
	f := Failure{Script: s.Name, Version: s.Version, Hook: s.hook.name, Class: "pinned", Message: "pinned: " + p.Reason}
	if s.Mode == Shadow {
		q.step(s, Step{Outcome: StepPinned, Detail: p.Reason}, nil)
		return false
	}
	q.out.pinned = append(q.out.pinned, f)
	if p.runs != nil {
		if value, fail, step := q.evaluate(s, p.runs); fail == nil {
			step.Outcome, step.Detail = StepLastGood, "pinned: "+p.Reason
			return q.answer(s, value, step)
		}
	}
	q.out.missing = append(q.out.missing, f)
	return q.without(s, Step{Outcome: StepPinned, Detail: p.Reason})
}

// without goes on, or ends, without an answer of s.
func (q *running) without(s *script, step Step) bool {
	switch s.OnFailure {
	case FailureSkip:
		step.Outcome = StepSkipped
		q.step(s, step, nil)
		q.out.missing = q.out.missing[:len(q.out.missing)-1]
		return false
	case FailureReject:
		q.out.rejected = true
	}
	q.step(s, step, nil)
	return q.h.kind != findings
}

// evaluate runs a version of s in a state that is fit for it.
func (q *running) evaluate(s, version *script) (any, *fault, Step) {
	if q.st.broken {
		q.st.L.Close()
		q.st = newState(q.r.data)
		q.table = q.st.input(q.h, q.input)
	}
	st := q.st
	st.logTo = q
	var ran map[int]bool
	if q.lines {
		ran = map[int]bool{}
		st.b.trace = st.coverage(s.Name, ran)
		defer func() { st.b.trace = nil }()
	}
	value, fail := st.evaluate(q.ctx, version.compiled, q.table, q.at, q.end)
	if fail == nil && value != nil && q.check != nil {
		if err := q.check(s, value); err != nil {
			fail = st.faultOf(err)
		}
	}
	step := Step{Outcome: StepNothing, Why: st.why}
	if q.lines {
		for line := range ran {
			step.Lines = append(step.Lines, line)
		}
		slices.Sort(step.Lines)
	}
	if q.kept != nil {
		q.kept.Instructions += st.b.used()
	}
	return value, fail, step
}

// log writes a line of the running script.
func (q *running) log(script, text string) {
	if q.r.logged.allow(script, time.Now()) {
		q.p.logger.Debug("policy", "script", script, "text", q.said(text, q.input))
	}
}

func (q *running) succeeded(s *script) {
	if !q.trial {
		s.succeeded(time.Since(q.at))
	}
}

// failed counts a failure. One that a busy machine made does not lead to a pin:
// every script would be pinned, on every peer, when calls need them most.
func (q *running) failed(s *script, f Failure, starved bool) {
	if q.trial {
		return
	}
	now := time.Now()
	if why := s.health.fail(f, now, starved); why != "" && s.Mode != Shadow {
		q.p.trip(s, why, now)
	}
}

// answer takes what s said and tells whether the chain ends with it.
func (q *running) answer(s *script, value any, step Step) bool {
	said := value
	switch {
	case value == nil:
		q.step(s, step, nil)
		return false
	case s.Mode == Shadow:
		step.Outcome = StepShadow
		q.step(s, step, said)
		return false
	}
	if step.Outcome == StepNothing {
		step.Outcome = StepAnswered
	}
	if s.Mode == Warn && q.h.warn != nil {
		if value = q.h.warn(value); value == nil {
			step.Outcome = StepWarned
			q.out.warned = append(q.out.warned, answered{s, said})
			q.step(s, step, said)
			return false
		}
	}
	if q.pass != nil && !q.last && q.pass(s, value) {
		if step.Outcome == StepAnswered {
			step.Outcome = StepPassed
		}
		q.step(s, step, said)
		return false
	}
	q.step(s, step, said)
	q.out.answers = append(q.out.answers, answered{s, value})
	if q.h.kind == pipeline && q.next != nil {
		if q.input = q.next(value); q.input == nil {
			return true
		}
		q.table = q.st.input(q.h, q.input)
		return false
	}
	return q.h.kind == decision
}
