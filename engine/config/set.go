package config

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hexad/engine"
)

// Outcome is the answer to a change.
type Outcome struct {
	Changed    []engine.Change         `json:"changed,omitempty"` // what is different now; secrets masked
	Saved      *engine.Saved           `json:"saved,omitempty"`   // when something replicated changed
	Clustering *engine.ClusteringSaved `json:"clustering,omitempty"`
	Restart    []string                `json:"restart,omitempty"` // the items that take effect at the next restart
	Alarms     []int                   `json:"alarms,omitempty"`  // the alarms that hold until then
	Findings   []engine.Finding        `json:"findings,omitempty"`
}

// Set changes items: all of changes is checked against the registry, the rules
// between items and the policies before anything is written. base is the
// revision that the caller looked at, 0 for the present one. A value that is
// in effect already is no change, and a Set of nothing but those saves nothing.
//
// The changes of one scope are saved whole or not at all. Two stores cannot be
// written as one, so scopes are written in the order of how likely a refusal
// is: the replicated items first (another revision, another primary, a lost
// majority: nothing is written then), this peer's own items after them, which
// only a failing disk can refuse; then the error says so and Outcome.Saved
// holds the revision that was saved. The fields of the clustering page are
// judged and saved by the cluster itself, so they are refused beside others.
//
// Errors: NotFound and Invalid for a path or value, Invalid for a rule or a
// finding of severity error, Conflict, Denied and Unavailable from the stores.
func (s *Service) Set(ctx context.Context, actor engine.Actor, base int64, changes []engine.Change) (Outcome, error) {
	ctx, end := engine.WithStages(ctx)
	defer end()
	checked, err := s.checkAll(changes)
	if err != nil {
		return Outcome{}, err
	}
	engine.Staged(ctx, "registry", "checked", "%s", named(checked))
	w := &waiting{ctx: ctx, actor: actor, base: base, changes: checked}
	s.line.join(w)
	s.changing.Lock()
	defer s.changing.Unlock()
	if !w.done {
		s.serve(w)
	}
	stageOutcome(ctx, w.out, w.err)
	return w.out, w.err
}

// named lists the first paths of a change, not their values: some are secrets.
func named(changes []Checked) string {
	const shown = 8
	var out []string
	for _, c := range changes[:min(len(changes), shown)] {
		out = append(out, c.Path)
	}
	if len(changes) > shown {
		out = append(out, "…")
	}
	return fmt.Sprintf("%d items: %s", len(changes), strings.Join(out, ", "))
}

// stageOutcome notes what became of a change after the policies were asked.
func stageOutcome(ctx context.Context, out Outcome, err error) {
	switch {
	case err != nil:
		engine.Staged(ctx, "refused", string(engine.CodeOf(err)), "%v", err)
	case out.Saved != nil:
		engine.Staged(ctx, "batch", "saved", "revision %d, %s", out.Saved.Revision, out.Saved.Replication)
	case len(out.Changed) > 0:
		engine.Staged(ctx, "batch", "saved", "of this peer alone")
	default:
		engine.Staged(ctx, "batch", "nothing", "every value is in effect already")
	}
}

// setAlone carries out one change on the present view.
func (s *Service) setAlone(ctx context.Context, actor engine.Actor, base int64, checked []Checked) (Outcome, error) {
	view := s.current.Load()
	p := view.plan(checked)
	if len(p.problems) > 0 {
		return Outcome{}, p.problems[0].err
	}
	if len(p.clustering) > 0 && len(p.replicated)+len(p.local) > 0 {
		return Outcome{}, engine.Errorf(engine.Invalid, "%s belongs to the clustering page, %s does not: they cannot be saved together",
			p.clustering[0].Path, append(p.replicated, p.local...)[0].Path).With(p.clustering[0].Path, "save the clustering page by itself")
	}
	if base == 0 {
		base = view.Revision
	}
	return s.save(ctx, actor, base, view, p, "")
}

func (s *Service) checkAll(changes []engine.Change) ([]Checked, error) {
	out := make([]Checked, 0, len(changes))
	for _, c := range changes {
		m, err := s.reg.Lookup(c.Path)
		if err != nil {
			return nil, err
		}
		if c.Delete {
			out = append(out, Checked{Match: m, unset: true})
			continue
		}
		checked, err := m.check(c.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, checked)
	}
	return out, nil
}

// plan is a change thought through: what would be written where.
type plan struct {
	replicated, local, clustering []Checked
	next                          *View
	problems                      []problem
	findings                      []engine.Finding
}

func (p *plan) empty() bool { return len(p.replicated)+len(p.local)+len(p.clustering) == 0 }

// plan drops what is in effect already, completes new list entries, and splits
// the rest by scope. Of several changes of one item the last counts.
func (v *View) plan(changes []Checked) plan {
	changes = v.complete(v.effective(changes))
	p := plan{next: v.with(changes)}
	p.problems, p.findings = v.judge(p.next, changes)
	for _, c := range changes {
		switch c.Item.Scope {
		case Replicated:
			p.replicated = append(p.replicated, c)
		case PeerSpecific:
			p.local = append(p.local, c)
		case Clustering:
			p.clustering = append(p.clustering, c)
		}
	}
	return p
}

// effective keeps the changes that change something. A default given to a list
// entry that does not exist is kept, so that the entry comes into being or is
// refused, but never silently ignored.
func (v *View) effective(changes []Checked) []Checked {
	last := map[string]int{}
	for n, c := range changes {
		last[c.Path] = n
	}
	var out []Checked
	for n, c := range changes {
		value, set := v.value(c.Item, c.Path)
		same := set && !c.unset && value == c.Value || !set && (c.unset || value == c.Value)
		if same && !set && c.Value != "" && !v.exists(c) {
			same = false
		}
		if last[c.Path] == n && !same {
			out = append(out, c)
		}
	}
	return out
}

// complete adds the defaults of list entries that changes bring into being: an
// entry rests with all its values, and reads the same in SQL as here.
func (v *View) complete(changes []Checked) []Checked {
	given, fresh := map[string]bool{}, map[string]Checked{}
	var order []string
	for _, c := range changes {
		given[c.Path] = true
		if c.unset || v.exists(c) {
			continue
		}
		entry := c.Item.Lists[0].entry(c.Index[:1])
		if _, known := fresh[entry]; !known {
			order = append(order, entry)
		}
		fresh[entry] = c
	}
	if len(order) == 0 {
		return changes
	}
	next := v.with(changes)
	for _, entry := range order {
		n, index, ok := v.reg.locate(entry)
		if !ok {
			continue
		}
		next.walk(n, index, func(i *Item, path string) {
			if m, known := v.reg.find(path); known && !given[path] && i.Default != "" {
				changes = append(changes, Checked{Match: m, Value: i.Default})
			}
		})
	}
	return changes
}

// exists reports whether the list entry that c belongs to exists. What is in
// no list, or in one that is shown whole, always does.
func (v *View) exists(c Checked) bool {
	if len(c.Item.Lists) == 0 || c.Item.Lists[0].Fixed {
		return true
	}
	_, found := slices.BinarySearch(v.entries[c.Item.Lists[0].container(nil)], c.Index[0])
	return found
}

// save asks the policies, then writes the plan: see Set.
func (s *Service) save(ctx context.Context, actor engine.Actor, base int64, view *View, p plan, comment string) (Outcome, error) {
	out := Outcome{Findings: p.findings}
	if p.empty() {
		return out, s.sameBase(base, view)
	}
	if err := s.ask(ctx, &out, p.next); err != nil {
		return out, err
	}
	if len(p.clustering) > 0 {
		if err := s.saveClustering(ctx, actor, p.clustering, &out); err != nil {
			return out, err
		}
	}
	if len(p.replicated) > 0 {
		saved, err := s.replicated.SaveConfiguration(ctx, newSave(actor, base, p.replicated, comment))
		if err != nil {
			return out, err
		}
		out.Saved = &saved
	} else if err := s.sameBase(base, view); err != nil {
		return out, err
	}
	var failed error
	if len(p.local) > 0 {
		failed = s.saveLocal(ctx, actor, base, p.local, comment, out.Saved)
	}
	return s.conclude(ctx, out, view, p, failed)
}

// sameBase refuses a change without replicated items, which no store compares,
// when the caller looked at another revision.
func (s *Service) sameBase(base int64, view *View) error {
	if base == view.Revision {
		return nil
	}
	return engine.Errorf(engine.Conflict, "the configuration changed since revision %d, it is at %d", base, view.Revision)
}

func (s *Service) ask(ctx context.Context, out *Outcome, next *View) error {
	if s.judge == nil {
		return nil
	}
	engine.Staged(ctx, "items", "fit together", "%d findings of the rules between items", len(out.Findings))
	found, err := s.judge(ctx, next)
	if err != nil {
		return unavailable("the configuration cannot be judged", err)
	}
	out.Findings = append(out.Findings, found...)
	if errs := engine.Errors(found); len(errs) > 0 {
		e := engine.Errorf(engine.Invalid, "%s", errs[0].Text.In(engine.English, errs[0].Params)).With(errs[0].Field, "")
		e.Findings = found
		return e
	}
	return nil
}

func (s *Service) saveLocal(ctx context.Context, actor engine.Actor, base int64, changes []Checked, comment string, saved *engine.Saved) error {
	err := s.local.SaveItems(ctx, newSave(actor, base, changes, comment))
	if err == nil || saved == nil {
		return err
	}
	return &engine.Error{
		Code:    engine.Unavailable,
		Message: "the replicated items are saved, this peer's own items are not",
		Remedy:  "save the items of this peer again",
		Item:    changes[0].Path, Err: err,
	}
}

// conclude makes the saved values the present view and fills the answer in.
func (s *Service) conclude(ctx context.Context, out Outcome, view *View, p plan, failed error) (Outcome, error) {
	s.describe(&out, p, failed)
	read := s.Follow
	if len(p.local)+len(p.clustering) > 0 {
		read = s.Reload
	}
	s.readBack(ctx, read, view.Revision)
	return out, failed
}

// describe fills in what became different and what takes effect later.
func (s *Service) describe(out *Outcome, p plan, failed error) {
	for _, c := range append(append(p.clustering, p.replicated...), p.local...) {
		if failed != nil && c.Item.Scope == PeerSpecific {
			continue
		}
		value, _ := p.next.value(c.Item, c.Path)
		out.Changed = append(out.Changed, engine.Change{Path: c.Path, Value: c.Item.mask(value), Delete: c.unset})
	}
	var own []engine.Change
	for _, c := range out.Changed {
		if m, ok := s.reg.find(c.Path); ok && m.Item.Scope != Clustering {
			own = append(own, c)
		}
	}
	out.Restart, out.Alarms = s.reg.Restart(own)
	if out.Clustering != nil {
		out.Restart = append(out.Restart, out.Clustering.Restart...)
		out.Findings = append(out.Findings, out.Clustering.Findings...)
	}
}

func (s *Service) readBack(ctx context.Context, read func(context.Context) ([]engine.Change, error), revision int64) {
	if _, err := read(ctx); err != nil {
		s.log.Warn("configuration saved, but not yet read back", "revision", revision, "error", err)
	}
}
