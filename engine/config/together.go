package config

import (
	"context"
	"slices"
	"sync"

	"hexad/engine"
)

// groupMost is how many changes are written together.
const groupMost = 64

// groupStore is a ReplicatedStore that writes saves that follow each other at
// once, with one revision each: all of them or none.
type groupStore interface {
	SaveConfigurations(ctx context.Context, saves []engine.Save) ([]engine.Saved, error)
}

// waiting is a change that waits for its turn. done, out and err belong to
// whoever holds Service.changing.
type waiting struct {
	ctx     context.Context
	actor   engine.Actor
	base    int64
	changes []Checked

	done bool
	out  Outcome
	err  error
}

// line holds the changes that wait while another one is written.
type line struct {
	mu   sync.Mutex
	list []*waiting
}

func (l *line) join(w *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, w)
}

// take returns the first of the line, w among them; others stay.
func (l *line) take(w *waiting) []*waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.list), groupMost)
	if at := slices.Index(l.list, w); at >= n {
		l.list[at], l.list[n-1] = l.list[n-1], w // its turn has come: it does not wait for others
	}
	out := slices.Clone(l.list[:n])
	l.list = slices.Delete(l.list, 0, n)
	return out
}

// serve carries out the changes that wait, w among them; s.changing is held.
//
// Each is decided on what the one before leads to and gets its own revision,
// but they are written together: that costs little more than writing one.
func (s *Service) serve(w *waiting) {
	store, ok := s.replicated.(groupStore)
	rest := s.line.take(w)
	for len(rest) > 0 {
		now := s.current.Load()
		g := group{from: now, view: now, touched: map[string]bool{}}
		for ok && len(rest) > 0 && s.add(&g, rest[0]) {
			rest = rest[1:]
		}
		switch {
		case len(g.members) > 0:
			s.saveGroup(store, &g)
		case len(rest) > 0:
			m := rest[0]
			rest = rest[1:]
			m.out, m.err = s.setAlone(m.ctx, m.actor, m.base, m.changes)
			m.done = true
		}
	}
}

// group is changes that are written together.
type group struct {
	from    *View // that it was planned on
	view    *View // after all of them
	members []*waiting
	plans   []plan
	saves   []engine.Save
	touched map[string]bool
}

// add plans m on the group and reports whether it is dealt with: planned, or
// refused or found to be nothing. A change that has to be made alone is not:
// one of other items than replicated ones, one decided on another revision, or
// one of an item that the group changes already.
func (s *Service) add(g *group, m *waiting) bool {
	if m.base != 0 && m.base != g.view.Revision {
		return false
	}
	p := g.view.plan(m.changes)
	if len(p.problems) > 0 || len(p.replicated) == 0 || len(p.local)+len(p.clustering) > 0 {
		return false
	}
	for _, c := range p.replicated {
		if g.touched[c.Path] {
			return false
		}
	}
	out := Outcome{Findings: p.findings}
	if err := s.ask(m.ctx, &out, p.next); err != nil {
		m.out, m.err, m.done = out, err, true
		return true
	}
	for _, c := range p.replicated {
		g.touched[c.Path] = true
	}
	m.out, m.done = out, true
	g.members, g.plans = append(g.members, m), append(g.plans, p)
	g.saves = append(g.saves, newSave(m.actor, g.view.Revision, p.replicated, ""))
	p.next.Revision = g.view.Revision + 1
	g.view = p.next
	return true
}

// saveGroup writes a group. When somebody else changed the configuration
// meanwhile nothing is written, and each change is decided anew by itself.
func (s *Service) saveGroup(store groupStore, g *group) {
	ctx := g.members[0].ctx
	if len(g.members) > 1 { // a caller that gives up does not take the others with it
		ctx = context.WithoutCancel(ctx)
	}
	saved, err := store.SaveConfigurations(ctx, g.saves)
	if code := engine.CodeOf(err); err != nil && (code == engine.Conflict || code == engine.Exhausted) {
		if _, err := s.Follow(ctx); err != nil {
			s.log.Warn("configuration not read back", "error", err)
		}
		for _, m := range g.members {
			m.out, m.err = s.setAlone(m.ctx, m.actor, m.base, m.changes)
		}
		return
	}
	for n, m := range g.members {
		if m.err = err; err == nil {
			m.out.Saved = &saved[n]
			s.describe(&m.out, g.plans[n], nil)
		}
	}
	if err == nil && !s.advance(g) {
		s.readBack(ctx, s.Follow, g.view.Revision)
	}
}

// advance makes the view of a group that was written the present one without
// reading it back: the store took it for the very revision that it was planned
// on. It reports false when the present view has moved meanwhile.
func (s *Service) advance(g *group) bool {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.current.Load() != g.from {
		return false
	}
	s.current.Store(g.view)
	for _, p := range g.plans {
		for _, c := range p.replicated {
			s.tell([]engine.Change{{Path: c.Path, Value: c.Value, Delete: c.unset}})
		}
	}
	return true
}
