package simulation_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/link"
)

// generations puts another generation's copy in the place of this machine's,
// as engine/appliance does over sqlstore: identity and page change in one write.
type generations struct{ p *process }

// whole is a copy with the end of its log carried out: what a new generation is
// founded on, and what is kept aside.
func (d *directory) whole() *state {
	s := d.state.clone()
	for i := d.applied + 1; i <= d.last(); i++ {
		s.apply(d.at(i).command)
	}
	return s
}

func (g generations) Take(context.Context) (engine.CopyState, map[string]string, error) {
	if !g.p.gate() {
		return engine.CopyState{}, nil, errGone
	}
	g.p.w.mu.Lock()
	defer g.p.w.mu.Unlock()
	d := g.p.replica.dir
	s := d.whole()
	if s.agreed.Cluster == "" {
		return engine.CopyState{}, nil, &engine.Error{Code: engine.Unavailable, Message: "this peer has no copy of the cluster database yet"}
	}
	out := s.describe(s.agreed.Revision)
	out.Index, out.Term, out.Unconfirmed = d.last(), d.termAt(d.last()), int(d.last()-d.applied)
	return out, s.items, nil
}

// describe is the copy with its history up to a revision.
func (s *state) describe(revision int64) engine.CopyState {
	out := engine.CopyState{Generation: s.agreed.Generation, Primary: s.agreed.Primary, Revision: s.agreed.Revision, Items: len(s.items)}
	n := min(int(revision), len(s.history))
	if n > 0 {
		out.History = strconv.FormatUint(s.history[n-1], 16)
	}
	return out
}

func (g generations) State(_ context.Context, revision int64) (engine.CopyState, error) {
	if !g.p.gate() {
		return engine.CopyState{}, errGone
	}
	g.p.w.mu.Lock()
	defer g.p.w.mu.Unlock()
	d := g.p.replica.dir
	if d.state.agreed.Cluster == "" {
		return engine.CopyState{}, &engine.Error{Code: engine.Unavailable, Message: "this peer has no copy of the cluster database yet"}
	}
	out := d.state.describe(revision)
	out.Index, out.Term = d.applied, d.termAt(d.applied)
	return out, nil
}

func (g generations) Founding() *engine.Founding {
	g.p.w.mu.Lock()
	defer g.p.w.mu.Unlock()
	return g.p.replica.dir.founding
}

func (g generations) Items(context.Context) (map[string]string, error) {
	g.p.w.mu.Lock()
	defer g.p.w.mu.Unlock()
	return maps.Clone(g.p.replica.dir.state.items), nil
}

func (g generations) Compare(own, other map[string]string) []engine.Difference {
	var out []engine.Difference
	for _, path := range slices.Sorted(maps.Keys(own)) {
		if theirs, there := other[path]; !there || theirs != own[path] {
			out = append(out, engine.Difference{Path: path, Own: own[path], Other: theirs, OwnSet: true, OtherSet: there})
		}
	}
	return out
}

// Refound founds the next generation on this copy.
func (g generations) Refound(_ context.Context, page cluster.Page) error {
	p, w := g.p, g.p.w
	if !p.gate() {
		return errGone
	}
	w.mu.Lock()
	old := p.replica.dir
	p.replica.close() // nothing that arrives meanwhile is left out, nothing is answered
	s := old.whole()
	made := engine.Founding{By: p.node, Revision: s.agreed.Revision, Index: old.last(), Term: old.termAt(old.last()), At: time.Now()}
	next := engine.Generation{Number: old.generation.Number + 1, ID: "g-" + p.node + "-" + strconv.Itoa(len(w.commands)), Parent: old.generation.ID}
	s.agreed.Generation, s.agreed.Primary = next, p.node
	dir := newDirectory(next)
	dir.founding = &made
	dir.append(
		entry{1, command{verb: group, servers: []engine.Server{{Node: p.node, Voter: true}}}},
		entry{1, command{op: founding(next.ID), verb: refound, restored: s}},
	)
	dir.term, dir.synced = 1, dir.last()
	w.mu.Unlock()
	err := p.write(func(d *disk) {
		w.resets.landed(p.m, d.page, page)
		d.dirs[next.ID], d.identity.Generation, d.identity.Standalone, d.page = dir, next, false, page
	})
	if err == nil {
		w.count("re-founded")
	}
	return g.reopen(err)
}

// reopen opens the copy that the identity names now.
func (g generations) reopen(err error) error {
	p, w := g.p, g.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return errGone
	}
	if !p.replica.closed {
		p.replica.close()
	}
	p.replica = w.openReplica(p, p.m.disk.dirs[p.m.disk.identity.Generation.ID])
	p.replica.show()
	w.turmoil = time.Now()
	w.recheck()
	w.changed()
	p.notice()
	if err == nil {
		p.tracker.Republish()
	}
	return err
}

func (g generations) SaveAside(_ context.Context, why string) (engine.SavedCopy, error) {
	p, w := g.p, g.p.w
	w.mu.Lock()
	s := p.replica.dir.whole()
	w.mu.Unlock()
	err := p.write(func(d *disk) { d.aside = append(d.aside, s) })
	if err == nil {
		w.count("copy saved aside")
	}
	return engine.SavedCopy{Name: why, CopyState: s.describe(s.agreed.Revision)}, err
}

func (g generations) Follow(_ context.Context, next engine.Generation) error {
	p := g.p
	err := p.write(func(d *disk) {
		d.dirs[next.ID] = newDirectory(next)
		d.identity.Generation = next
	})
	if err == nil {
		p.w.count("generation followed")
	}
	return g.reopen(err)
}

// recovery speaks to a member of any generation.
func (p *process) recovery(node string) *http.Client {
	return &http.Client{Transport: transport{p, node, link.PurposeRecover}}
}
