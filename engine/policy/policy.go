package policy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Options opens the policies of one peer.
type Options struct {
	Scripts  []Script
	Revision int64
	Data     map[string]map[string]string // operators' tables
	Logger   *slog.Logger
	Record   func(Decision) // keeps decisions; may be nil
	Fail     func(Failure)  // raises policy.failed; may be nil
}

// Decision is the record of one question to the scripts of a hook. Input and
// Answer are JSON.
type Decision struct {
	ID           string          `json:"id"`
	At           time.Time       `json:"at"`
	Hook         string          `json:"hook"`
	Revision     int64           `json:"revision"`
	Input        json.RawMessage `json:"input"`
	Answer       json.RawMessage `json:"answer"`
	Degraded     bool            `json:"degraded"`
	Took         time.Duration   `json:"took"`
	Instructions int             `json:"instructions"`
	Steps        []Step          `json:"steps"`
}

// Step is one script's part in a decision. Outcome is "answered", "nothing",
// "shadow", "failed" or "skipped".
type Step struct {
	Script  string `json:"script"`
	Outcome string `json:"outcome"`
	Why     []Why  `json:"why,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Failure is one evaluation that failed: what alarm policy.failed is about.
type Failure struct {
	Script  string
	Hook    string
	Class   string // runtime, limit.*, bad_output, panic
	Line    int    // 0 when it is not known
	Message string
}

func (f Failure) Error() string {
	return fmt.Sprintf("policy %s of hook %s failed (%s, line %d): %s", f.Script, f.Hook, f.Class, f.Line, f.Message)
}

// Policies asks the scripts of the active revision. It is safe for concurrent
// use.
type Policies struct {
	logger *slog.Logger
	record func(Decision)
	fail   func(Failure)
	active atomic.Pointer[revision]
}

// revision is a compiled set of scripts with its pool of states.
type revision struct {
	number int64
	data   dataTables
	chains map[string][]*script // by hook, in order
	texts  map[string]map[string]any
	states chan *state
	logged lineLimit
}

// New compiles and checks the scripts. Errors name script and line.
func New(o Options) (*Policies, error) {
	p := &Policies{logger: o.Logger, record: o.Record, fail: o.Fail}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	if err := p.Activate(o.Revision, o.Scripts, o.Data); err != nil {
		return nil, err
	}
	return p, nil
}

// Activate compiles a revision aside and swaps it in; when it cannot be loaded
// the one before it stays.
func (p *Policies) Activate(number int64, scripts []Script, data map[string]map[string]string) error {
	r, err := newRevision(number, scripts, data)
	if err != nil {
		return err
	}
	p.active.Store(r)
	return nil
}

func newRevision(number int64, scripts []Script, data map[string]map[string]string) (*revision, error) {
	if len(scripts) > maxScripts {
		return nil, fmt.Errorf("%d scripts are over the limit of %d", len(scripts), maxScripts)
	}
	r := &revision{number: number, data: data, chains: map[string][]*script{}, texts: map[string]map[string]any{}}
	names := map[string]bool{}
	var errs []error
	for _, s := range scripts {
		compiled, _, err := load(s)
		if err == nil && names[s.Name] {
			err = fmt.Errorf("%s: there are two scripts of this name", s.Name)
		}
		if err == nil {
			err = declared(compiled, data)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names[s.Name] = true
		r.chains[compiled.hook.name] = append(r.chains[compiled.hook.name], compiled)
		for id, text := range compiled.meta.Text {
			r.texts[id] = text
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, chain := range r.chains {
		slices.SortStableFunc(chain, func(a, b *script) int {
			if a.order != b.order {
				return a.order - b.order
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	r.states = make(chan *state, max(2, runtime.GOMAXPROCS(0)))
	for range cap(r.states) {
		r.states <- newState(r.data)
	}
	return r, nil
}

func declared(s *script, data map[string]map[string]string) error {
	for _, name := range s.meta.Data {
		if _, ok := data[name]; !ok {
			return fmt.Errorf("%s:1: data table %q does not exist", s.Name, name)
		}
	}
	return nil
}

// Revision is the number of the active revision.
func (p *Policies) Revision() int64 { return p.active.Load().number }

// borrow takes a state from the pool. Errors: ctx's.
func (r *revision) borrow(ctx context.Context) (*state, error) {
	select {
	case st := <-r.states:
		return st, nil
	default:
	}
	select {
	case st := <-r.states:
		return st, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// giveBack returns a state, or a new one in place of one that breached a limit,
// panicked or is old.
func (r *revision) giveBack(st *state) {
	if st.broken || st.served >= recycleAfter {
		st.L.Close()
		st = newState(r.data)
	}
	r.states <- st
}

// answered is one script's answer.
type answered struct {
	script *script
	value  any
}

// outcome is what the scripts of one hook said to one input.
type outcome struct {
	answers  []answered
	failures []Failure
}

func (o outcome) degraded() error {
	if len(o.failures) == 0 {
		return nil
	}
	return o.failures[0]
}

// ask runs the scripts of a hook on an input: all of a findings hook, a
// decision hook's until one answers. A failed script's answer is dropped, and a
// decision hook ends there.
func (p *Policies) ask(ctx context.Context, r *revision, name string, input any) outcome {
	began := time.Now()
	h := hookNamed(name)
	d := Decision{ID: "d-" + strings.ToLower(rand.Text()[:10]), At: began.UTC(), Hook: name, Revision: r.number}
	var out outcome
	st, err := r.borrow(ctx)
	if err != nil {
		out.failures = append(out.failures, Failure{Hook: name, Class: errTime.Error(), Message: err.Error()})
		p.failed(out.failures)
		return out
	}
	defer func() { r.giveBack(st) }()
	table, end := st.inputTable(input), began.Add(h.limits.Chain)
	for _, s := range r.chains[name] {
		if st.broken {
			st.L.Close()
			st = newState(r.data)
			table = st.inputTable(input)
		}
		if done := p.one(ctx, r, st, s, table, end, &out, &d); done {
			break
		}
	}
	d.Took = time.Since(began)
	p.keep(d, input, out)
	p.failed(out.failures)
	return out
}

// one evaluates one script and tells whether the chain ends with it.
func (p *Policies) one(ctx context.Context, r *revision, st *state, s *script, input *lua.LTable, end time.Time, out *outcome, d *Decision) bool {
	step := Step{Script: s.Name, Outcome: "nothing"}
	st.logLine = func(text string) {
		if r.logged.allow(s.Name, time.Now()) {
			p.logger.Debug("policy", "script", s.Name, "text", text)
		}
	}
	value, fail := st.evaluate(ctx, s, input, end)
	d.Instructions += st.b.used()
	step.Why = st.why
	defer func() { d.Steps = append(d.Steps, step) }()
	switch {
	case fail != nil:
		step.Outcome, step.Detail = "failed", fail.Error()
		if s.Mode == Shadow {
			return false
		}
		out.failures = append(out.failures, Failure{
			Script: s.Name, Hook: s.hook.name, Class: fail.Class, Line: fail.Line, Message: fail.Message,
		})
		return s.hook.kind == decision
	case value == nil:
		return false
	case s.Mode == Shadow:
		step.Outcome = "shadow"
		return false
	}
	if s.Mode == Warn && s.hook.warn != nil {
		value = s.hook.warn(value)
	}
	step.Outcome = "answered"
	out.answers = append(out.answers, answered{s, value})
	return s.hook.kind == decision
}

func (p *Policies) keep(d Decision, input any, out outcome) {
	if p.record == nil {
		return
	}
	var values []any
	for _, a := range out.answers {
		values = append(values, a.value)
	}
	d.Degraded = len(out.failures) > 0
	var err, err2 error
	d.Input, err = json.Marshal(input)
	d.Answer, err2 = json.Marshal(values)
	if err := errors.Join(err, err2); err != nil {
		p.logger.Error("policy decision not recorded", "hook", d.Hook, "error", err)
		return
	}
	p.record(d)
}

func (p *Policies) failed(failures []Failure) {
	for _, f := range failures {
		p.logger.Warn("policy failed", "script", f.Script, "hook", f.Hook, "class", f.Class, "line", f.Line, "message", f.Message)
		if p.fail != nil {
			p.fail(f)
		}
	}
}
