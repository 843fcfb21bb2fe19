package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/sqlstore"
)

// generations puts another generation's copy of cluster.db in the place of this
// peer's. Identity, in local.db, says which one counts: every change of it is
// one transaction there, before which the old one is intact and after which
// the new one is complete.
type generations struct{ a *appliance }

// aside is where copies are kept that were replaced.
func (o Options) aside() string { return filepath.Join(o.DataDir, "aside") }

// taking is the name of a copy that is being made.
const taking = ".taking-*.sqlite"

// sweep removes what changes of generation that were cut short have left.
func (a *appliance) sweep() {
	half, _ := filepath.Glob(filepath.Join(a.o.aside(), taking)) // fails on a bad pattern only
	var failed error
	for _, path := range half {
		failed = errors.Join(failed, os.Remove(path))
	}
	if err := errors.Join(failed, a.store.Sweep(a.identity.now().Generation)); err != nil {
		a.log.Warn("remains of a change of generation not removed", "module", "clusterdb", "err", err)
	}
}

// take makes a copy of all that this peer has in a file of its own.
func (g generations) take(ctx context.Context) (string, engine.CopyState, error) {
	const doing = "copy the cluster database: %w"
	if e := g.a.storeErr.Load(); e != nil {
		return "", engine.CopyState{}, e
	}
	if err := os.MkdirAll(g.a.o.aside(), 0o700); err != nil {
		return "", engine.CopyState{}, fmt.Errorf(doing, err)
	}
	f, err := os.CreateTemp(g.a.o.aside(), taking)
	if err != nil {
		return "", engine.CopyState{}, fmt.Errorf(doing, err)
	}
	path := f.Name()
	if err := errors.Join(f.Close(), os.Remove(path)); err != nil { // the name is what is needed
		return "", engine.CopyState{}, fmt.Errorf(doing, err)
	}
	state, err := g.a.store.Take(ctx, path)
	return path, state, err
}

func (g generations) Take(ctx context.Context) (engine.CopyState, map[string]string, error) {
	path, state, err := g.take(ctx)
	if err != nil {
		return state, nil, err
	}
	items, err := sqlstore.CopyItems(path)
	return state, items, errors.Join(err, os.Remove(path))
}

func (g generations) State(ctx context.Context, revision int64) (engine.CopyState, error) {
	if e := g.a.storeErr.Load(); e != nil {
		return engine.CopyState{}, e
	}
	return g.a.store.State(ctx, revision)
}

func (g generations) Founding() *engine.Founding { return g.a.store.Founding() }

func (g generations) Items(ctx context.Context) (map[string]string, error) {
	if e := g.a.storeErr.Load(); e != nil {
		return nil, e
	}
	c, err := g.a.store.Configuration(ctx)
	return c.Items, err
}

// secretMask stands for the value of a secret.
const secretMask = "********"

func (g generations) Compare(own, other map[string]string) []engine.Difference {
	open := func(path, value string) string {
		if !strings.HasPrefix(value, sqlstore.SealedPrefix) || !g.a.registry.Secret(path) {
			return value
		}
		plain, err := g.a.keys.ring.Open("item "+path, value)
		if err != nil {
			return value // sealed by somebody else: it differs
		}
		return string(plain)
	}
	paths := make([]string, 0, len(own))
	for path := range own {
		paths = append(paths, path)
	}
	for path := range other {
		if _, both := own[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var out []engine.Difference
	for _, path := range paths {
		mine, here := own[path]
		theirs, there := other[path]
		if here == there && open(path, mine) == open(path, theirs) {
			continue
		}
		d := engine.Difference{Path: path, Own: mine, Other: theirs, OwnSet: here, OtherSet: there, Secret: g.a.registry.Secret(path)}
		if d.Secret {
			d.Own, d.Other = masked(here), masked(there)
		}
		out = append(out, d)
	}
	return out
}

func masked(set bool) string {
	if set {
		return secretMask
	}
	return ""
}

// Refound makes this peer the primary of the next generation.
func (g generations) Refound(ctx context.Context, p cluster.Page) error {
	old := g.a.identity.now().Generation
	next := engine.Generation{Number: old.Number + 1, ID: randomID(), Parent: old.ID}
	stored, err := g.a.local.Page(ctx)
	if err != nil {
		return err
	}
	stored.Entered, stored.Running, stored.SavedAt, stored.Reset = p.Entered, p.Running, p.SavedAt, p.Reset
	err = g.a.store.Refound(ctx, next, sqlstore.Refounding{Commit: func(engine.Founding) error {
		return g.a.identity.regenerate(context.WithoutCancel(ctx), next, g.a.store.Directory(next), &stored)
	}})
	if err == nil {
		g.a.regenerated()
	}
	return err
}

// Follow gives this peer an empty copy of a generation.
func (g generations) Follow(ctx context.Context, next engine.Generation) error {
	ctx = context.WithoutCancel(ctx) // half of it would be nothing
	old := g.a.identity.now().Generation
	if next.ID == old.ID {
		return errors.Join(g.a.store.Follow(ctx, next), fail.Point("follow.switched"))
	}
	err := g.a.store.Switch(ctx, next, sqlstore.Empty)
	if err == nil {
		err = fail.Point("follow.switched")
	}
	if err == nil {
		err = g.a.identity.regenerate(ctx, next, g.a.store.Directory(next), nil)
	}
	if err != nil {
		return errors.Join(err, g.a.store.Open(ctx, old), os.RemoveAll(g.a.store.Directory(next)))
	}
	g.a.regenerated()
	return fail.Point("follow.committed")
}

// regenerated follows a change of generation beyond the store and the clustering.
func (a *appliance) regenerated() {
	if a.storeErr.Swap(nil) != nil {
		a.tracker.Lower(context.Background(), alarmDatabaseFailure, "")
	}
	a.tracker.Republish()
}

// asideTime is how a moment is written into the name of a copy.
const asideTime = "20060102T150405Z"

// SaveAside keeps a copy in a file whose name tells generation, revision and
// time. The newest copy is not kept twice.
func (g generations) SaveAside(ctx context.Context, why string) (engine.SavedCopy, error) {
	path, state, err := g.take(ctx)
	if err != nil {
		return engine.SavedCopy{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	name := fmt.Sprintf("cluster-g%d-r%d-%s-%s.sqlite", state.Generation.Number, state.Revision, now.Format(asideTime), strings.ToLower(why))
	if kept, err := g.List(ctx); err == nil && len(kept) > 0 {
		if last := kept[0]; same(filepath.Join(g.a.o.aside(), last.Name), path) {
			return last, os.Remove(path)
		}
	}
	to := filepath.Join(g.a.o.aside(), name)
	if err := errors.Join(os.Rename(path, to), syncDir(g.a.o.aside()), syncDir(g.a.o.DataDir)); err != nil {
		return engine.SavedCopy{}, fmt.Errorf("keep the copy of the cluster database: %w", err)
	}
	return describeAside(ctx, to)
}

// same reports whether two files have the same bytes.
func same(a, b string) bool {
	x, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	y, err := os.ReadFile(b)
	return err == nil && string(x) == string(y)
}

// List lists the copies that were saved aside, newest first.
func (g generations) List(ctx context.Context) ([]engine.SavedCopy, error) {
	paths, err := filepath.Glob(filepath.Join(g.a.o.aside(), "cluster-g*.sqlite"))
	if err != nil {
		return nil, err
	}
	var out []engine.SavedCopy
	for _, path := range paths {
		c, err := describeAside(ctx, path)
		if err != nil {
			g.a.log.Warn("saved copy cannot be read", "module", "clusterdb", "copy", filepath.Base(path), "err", err)
			continue
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b engine.SavedCopy) int { return b.Taken.Compare(a.Taken) })
	return out, nil
}

// Remove deletes a copy that was saved aside. Errors: NotFound.
func (g generations) Remove(ctx context.Context, actor engine.Actor, name string) error {
	kept, err := g.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(kept, func(c engine.SavedCopy) bool { return c.Name == name }) {
		return noCopy(name)
	}
	g.a.journal.Emit(event.By(actor, "Configuration Changed", "copy "+name+" deleted"))
	return errors.Join(os.Remove(filepath.Join(g.a.o.aside(), name)), syncDir(g.a.o.aside()))
}

func noCopy(name string) error {
	return engine.Errorf(engine.NotFound, "no copy %q was saved on this system", name).With("Copy", "ConfigurationCopyList names those that were")
}

func describeAside(ctx context.Context, path string) (engine.SavedCopy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return engine.SavedCopy{}, err
	}
	state, err := sqlstore.DescribeCopy(ctx, path)
	out := engine.SavedCopy{Name: filepath.Base(path), Size: info.Size(), Taken: info.ModTime().UTC(), CopyState: state}
	if parts := strings.SplitN(strings.TrimSuffix(out.Name, ".sqlite"), "-", 5); len(parts) == 5 {
		out.Why = parts[4]
		if at, err := time.Parse(asideTime, parts[3]); err == nil {
			out.Taken = at
		}
	}
	return out, err
}

// Differences compares a copy that was saved aside with what this peer has now.
//
// Errors: NotFound.
func (g generations) Differences(ctx context.Context, name string) ([]engine.Difference, error) {
	kept, err := g.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range kept {
		if c.Name != name {
			continue
		}
		old, err := sqlstore.CopyItems(filepath.Join(g.a.o.aside(), c.Name))
		if err != nil {
			return nil, err
		}
		now, err := g.Items(ctx)
		if err != nil {
			return nil, err
		}
		return g.Compare(old, now), nil
	}
	return nil, noCopy(name)
}
