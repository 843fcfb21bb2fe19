package config_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// followed is a store that knows the way from one revision to the next; known
// is the oldest that it goes back to.
type followed struct {
	*stores
	known int64
	steps map[int64]engine.ConfigurationStep // by the revision that they start from
	whole int                                // how often all was read
}

func (f *followed) Configuration(ctx context.Context) (engine.Configuration, error) {
	f.whole++
	c, err := f.stores.Configuration(ctx)
	c.Generation = "g"
	return c, err
}

func (f *followed) ConfigurationSince(_ context.Context, generation string, revision int64) (engine.ConfigurationStep, bool, error) {
	if f.config.Revision == revision {
		return engine.ConfigurationStep{Revision: revision}, true, nil
	}
	return f.steps[revision], generation == "g" && revision >= f.known, nil
}

func TestFollow(t *testing.T) {
	t.Parallel()
	f := &followed{stores: &stores{config: engine.Configuration{Items: map[string]string{}}, own: map[string]string{}}}
	reg := load(t)
	apply(f.config.Items, reg.Defaults())
	f.config.Revision = 1
	svc := config.New(reg, f, f.stores, f.stores, nil, slog.New(slog.DiscardHandler))
	if _, err := svc.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	svc.TakeChanged()
	move := func(to int64, changes ...engine.Change) {
		step := engine.ConfigurationStep{Revision: to, Set: map[string]string{}}
		for _, c := range changes {
			if c.Delete {
				step.Unset = append(step.Unset, c.Path)
			} else {
				step.Set[c.Path] = c.Value
			}
		}
		f.steps = map[int64]engine.ConfigurationStep{f.config.Revision: step}
		apply(f.config.Items, changes)
		f.config.Revision = to
	}
	for _, tt := range []struct {
		name  string
		to    int64
		known int64
		step  []engine.Change
		want  []engine.Change
		whole int
	}{
		{"one value", 2, 0, []engine.Change{set("SIP Mode", "On")}, []engine.Change{set("SIP Mode", "On")}, 0},
		{"two revisions and an item of a later release", 4, 0,
			[]engine.Change{set("A Later Release 7 Item", "x"), set("Bandwidth Link 9 Name", "l9"), {Path: "Bandwidth Link 4 Name", Delete: true}},
			[]engine.Change{{Path: "Bandwidth Link 4 Name", Delete: true}, set("Bandwidth Link 9 Name", "l9")}, 0},
		{"nothing new", 4, 0, nil, nil, 0},
		{"a revision without a difference", 5, 0, nil, nil, 0},
		{"the way is not known", 6, 6, []engine.Change{set("SIP Mode", "Off")}, []engine.Change{set("SIP Mode", "Off")}, 1},
	} {
		before := f.whole
		f.known = tt.known
		if tt.to != f.config.Revision {
			move(tt.to, tt.step...)
		}
		changed, err := svc.Follow(t.Context())
		if err != nil || !slices.Equal(changed, tt.want) || svc.Current().Revision != tt.to || f.whole-before != tt.whole {
			t.Errorf("%s: %+v, %v at revision %d with %d whole readings; want %+v, %d, %d", tt.name, changed, err, svc.Current().Revision, f.whole-before, tt.want, tt.to, tt.whole)
		}
		if told := svc.TakeChanged(); !slices.Equal(told, tt.want) {
			t.Errorf("%s: told %+v, want %+v", tt.name, told, tt.want)
		}
	}
	if got := svc.Current().Entries("Bandwidth Link"); !slices.Contains(got, 9) {
		t.Errorf("links = %v", got)
	}
}

// TestChangedIsToldOnce: a change is told to whoever follows, also when the one
// who made it read it first.
func TestChangedIsToldOnce(t *testing.T) {
	t.Parallel()
	svc, _ := open(t, true)
	svc.TakeChanged()
	if _, err := svc.Set(t.Context(), admin, 0, []engine.Change{set("SIP Mode", "On")}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-svc.Changed():
	default:
		t.Error("Changed does not tick after a change that was made here")
	}
	if told := svc.TakeChanged(); len(told) != 1 || told[0] != set("SIP Mode", "On") {
		t.Errorf("told %+v", told)
	}
	if told := svc.TakeChanged(); len(told) != 0 {
		t.Errorf("told again: %+v", told)
	}
}
