package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// Options opens the policies of one peer. The functions may be nil; they are
// called one evaluation at a time or many at once, and must not ask back.
type Options struct {
	Scripts     []Script
	Revision    int64
	Data        map[string]map[string]string // operators' tables
	Logger      *slog.Logger
	Record      func(Decision)         // keeps decisions
	RecordAfter func(string, []Step)   // adds the stages after the answer to a decision that is kept, by id
	Fail        func(Failure)          // raises policy.failed
	Pinned      func(engine.PolicyPin) // a script was pinned on this peer: raises policy.pinned
	Unpinned    func(engine.PolicyPin) // and is no longer
	ZoneEnabled func(zone string) bool // exists and is enabled; nil takes every zone
	Situation   engine.Situation       // until SetSituation tells another
	MaskAliases func() bool            // whether what is kept of decisions, logged and raised has its aliases masked; nil: no
}

// Policies asks the scripts of the active revision. It is safe for concurrent
// use.
type Policies struct {
	o         Options
	logger    *slog.Logger
	active    atomic.Pointer[revision]
	situation atomic.Pointer[engine.Situation]
	capacity  atomic.Pointer[engine.Capacity] // the last good answer
	queue     atomic.Pointer[queue]           // of decisions to record; nil while nobody runs Run
	ids       ids
	mu        sync.Mutex // activations and pins
}

// revision is a compiled set of scripts with its pool of states.
type revision struct {
	number  int64
	data    dataTables
	scripts map[string]*script
	chains  [][]*script // by the index of the hook, in order
	texts   map[string]map[string]any
	states  chan *state
	logged  lineLimit
}

// New compiles and checks the scripts. Errors name script and line.
func New(o Options) (*Policies, error) {
	p := &Policies{o: o, logger: o.Logger, ids: newIDs()}
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	p.SetSituation(o.Situation)
	if err := p.Activate(o.Revision, o.Scripts, o.Data); err != nil {
		return nil, err
	}
	return p, nil
}

// SetSituation tells what the inputs of call hooks say of this peer and its
// cluster from now on.
func (p *Policies) SetSituation(s engine.Situation) { p.situation.Store(&s) }

// Activate compiles a revision aside and swaps it in; when it cannot be loaded
// the one before it stays. What is running ends with the revision that it
// began with.
//
// A script of the same version keeps its counts and its pin; a new version
// begins anew, with the one before it as its last good version if that one has
// answered well.
func (p *Policies) Activate(number int64, scripts []Script, data map[string]map[string]string) error {
	p.mu.Lock()
	before := p.active.Load()
	r, err := newRevision(number, scripts, data, before)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	released := inherit(r, before)
	p.active.Store(r)
	p.mu.Unlock()
	for _, pin := range released {
		p.tellUnpinned(pin)
	}
	return nil
}

// newRevision compiles scripts. Texts that the revision before has compiled
// are taken from it; it may be nil.
func newRevision(number int64, scripts []Script, data map[string]map[string]string, before *revision) (*revision, error) {
	if len(scripts) > maxScripts {
		return nil, fmt.Errorf("%d scripts are over the limit of %d", len(scripts), maxScripts)
	}
	r := &revision{
		number: number, data: cloneTables(data), scripts: map[string]*script{},
		chains: make([][]*script, len(hooks)), texts: map[string]map[string]any{},
	}
	loader := &loader{}
	defer loader.close()
	var errs []error
	for _, s := range scripts {
		if err := r.add(s, loader, before); err != nil {
			errs = append(errs, err)
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
		st, err := r.warmState()
		if err != nil {
			return nil, err
		}
		r.states <- st
	}
	return r, nil
}

// cloneTables copies the operators' tables: a caller may go on editing its own.
func cloneTables(data map[string]map[string]string) dataTables {
	out := dataTables{}
	for name, t := range data {
		out[name] = maps.Clone(t)
	}
	return out
}

func (r *revision) add(s Script, l *loader, before *revision) error {
	c, err := l.compiled(s, before)
	if err != nil {
		return err
	}
	one, err := s.with(c)
	if err != nil {
		return err
	}
	if r.scripts[s.Name] != nil {
		return fmt.Errorf("%s: there are two scripts of this name", s.Name)
	}
	if err := declared(one, r.data); err != nil {
		return err
	}
	if s.LastGood != nil {
		one.good = l.lastGood(one, *s.LastGood)
	}
	r.scripts[s.Name] = one
	r.chains[c.hook.index] = append(r.chains[c.hook.index], one)
	for id, text := range c.meta.Text {
		r.texts[id] = text
	}
	return nil
}

func declared(s *script, data map[string]map[string]string) error {
	for _, name := range s.meta.Data {
		if _, ok := data[name]; !ok {
			return fmt.Errorf("%s:1: data table %q does not exist", s.Name, name)
		}
	}
	return nil
}

// warmState is a state that has run the file of every script.
func (r *revision) warmState() (*state, error) {
	st := newState(r.data)
	for _, name := range sorted(r.scripts) {
		if _, fail := st.load(r.scripts[name].compiled); fail != nil {
			return nil, fmt.Errorf("%s:%d: %s", name, fail.Line, fail.Message)
		}
	}
	st.served = 0
	return st, nil
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
func (r *revision) giveBack(st *state) { r.states <- r.usable(st) }

func (r *revision) usable(st *state) *state {
	if !st.broken && st.served < recycleAfter {
		return st
	}
	st.L.Close()
	return newState(r.data)
}

// loader compiles the scripts of one revision with one state.
type loader struct{ st *state }

func (l *loader) close() {
	if l.st != nil {
		l.st.L.Close()
	}
}

// compiled is the compiled text of s, from the revision before where it is the
// same.
func (l *loader) compiled(s Script, before *revision) (*compiled, error) {
	if before != nil {
		if old := before.scripts[s.Name]; old != nil && old.Source == s.Source {
			return old.compiled, nil
		}
	}
	c, _, err := l.compile(s.Name, s.Source)
	return c, err
}

func (l *loader) compile(name, source string) (*compiled, []Problem, error) {
	if !scriptName.MatchString(name) {
		return nil, nil, fmt.Errorf("%s: a script's name is [a-z][a-z0-9_]{0,39}", clip(name, 64))
	}
	c := check(name, source, false)
	if err := c.errs(); err != nil {
		return nil, c.problems, err
	}
	if l.st == nil || l.st.broken {
		l.close()
		l.st = newState(nil)
	}
	out := &compiled{name: name, source: source, proto: c.proto, lines: c.lines, literals: c.literals}
	m, fail := l.st.declare(out)
	if fail != nil {
		return nil, c.problems, fmt.Errorf("%s:%d: %s", name, fail.Line, fail.Message)
	}
	out.meta, out.hook = m, hookNamed(m.Hook)
	return out, c.problems, nil
}

// lastGood compiles an earlier version of s; nil when it answers another hook
// or no longer compiles: then the fail-safe stands in.
func (l *loader) lastGood(s *script, earlier Script) *script {
	c, _, err := l.compile(s.Name, earlier.Source)
	if err != nil || c.hook != s.hook {
		return nil
	}
	earlier.Name, earlier.Order, earlier.OnFailure, earlier.Mode, earlier.LastGood = s.Name, s.order, s.OnFailure, s.Mode, nil
	good, err := earlier.with(c)
	if err != nil {
		return nil
	}
	return good
}

// compile compiles one script by itself.
func compile(name, source string) (*compiled, []Problem, error) {
	l := &loader{}
	defer l.close()
	return l.compile(name, source)
}

var tables = &lua.LState{}

func newTable(array, hash int) *lua.LTable { return tables.CreateTable(array, hash) }
