package config_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// grouped is a store that writes saves together. enter, when set, is called
// before each write.
type grouped struct {
	*stores
	enter  func()
	writes []int // the number of saves of each write
	fail   error // of the next write of several
}

func (g *grouped) SaveConfigurations(ctx context.Context, saves []engine.Save) ([]engine.Saved, error) {
	if g.enter != nil {
		g.enter()
	}
	if err := g.fail; err != nil && len(saves) > 1 {
		g.fail = nil
		return nil, err
	}
	g.writes = append(g.writes, len(saves))
	var out []engine.Saved
	for _, s := range saves {
		saved, err := g.SaveConfiguration(ctx, s)
		if err != nil {
			return nil, err
		}
		out = append(out, saved)
	}
	return out, nil
}

// crowd makes the first change wait in the store until all others stand in
// line behind it, and returns what became of each. refusedEarly of them never
// stand in line.
func crowd(t *testing.T, g *grouped, n int, refusedEarly int, change func(i int) (base int64, changes []engine.Change)) (*config.Service, []config.Outcome, []error) {
	t.Helper()
	svc := config.New(load(t), g, g.stores, g.stores, nil, slog.New(slog.DiscardHandler))
	if _, err := svc.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.enter = func() { once.Do(func() { close(entered); <-release }) }
	outs, errs := make([]config.Outcome, n), make([]error, n)
	var wg sync.WaitGroup
	run := func(i int) {
		wg.Go(func() {
			base, changes := change(i)
			outs[i], errs[i] = svc.Set(t.Context(), admin, base, changes)
		})
	}
	run(0)
	<-entered
	for i := 1; i < n; i++ {
		run(i)
	}
	for svc.Waiting() < n-1-refusedEarly {
		runtime.Gosched() // the others are on their way into the line
	}
	close(release)
	wg.Wait()
	return svc, outs, errs
}

func item(i int) string { return fmt.Sprintf("Transform %d Priority", i+1) }

func fresh(t *testing.T) *grouped {
	s := &stores{config: engine.Configuration{Items: map[string]string{}}, own: map[string]string{}, page: engine.Clustering{IPVersion: "IPv4"}}
	apply(s.config.Items, load(t).Defaults())
	s.config.Revision = 1
	return &grouped{stores: s}
}

func TestChangesThatWaitAreWrittenTogether(t *testing.T) {
	t.Parallel()
	g := fresh(t)
	const n = 20
	svc, outs, errs := crowd(t, g, n, 1, func(i int) (int64, []engine.Change) {
		switch i {
		case 5:
			return 0, []engine.Change{set("SIP Mode", "Perhaps")} // refused
		case 6:
			return 1, []engine.Change{set("SIP Mode", "On")} // decided on a revision that is gone
		case 7:
			return 0, []engine.Change{set("SystemUnit Name", "alpha")} // this peer's own
		case 8:
			return 0, []engine.Change{set(item(3), "77")} // the item of another
		}
		return 0, []engine.Change{set("Transform "+fmt.Sprint(i+1)+" Pattern String", "p"), set(item(i), fmt.Sprint(100+i))}
	})
	var revisions []int64
	for i := range n {
		switch i {
		case 5:
			if engine.CodeOf(errs[i]) != engine.Invalid {
				t.Errorf("change %d: %v, want invalid", i, errs[i])
			}
		case 6:
			if engine.CodeOf(errs[i]) != engine.Conflict {
				t.Errorf("change %d: %v, want a conflict", i, errs[i])
			}
		case 7:
			if errs[i] != nil || outs[i].Saved != nil || value(t, svc, "SystemUnit Name") != "alpha" {
				t.Errorf("change %d: %+v, %v", i, outs[i], errs[i])
			}
		default:
			if errs[i] != nil || outs[i].Saved == nil || len(outs[i].Changed) == 0 {
				t.Fatalf("change %d: %+v, %v", i, outs[i], errs[i])
			}
			revisions = append(revisions, outs[i].Saved.Revision)
		}
	}
	slices.Sort(revisions)
	if len(slices.Compact(revisions)) != n-3 {
		t.Errorf("revisions %v, want one for each save", revisions)
	}
	if len(g.writes) > 8 {
		t.Errorf("writes of %v saves, want few", g.writes)
	}
	if got := value(t, svc, item(10)); got != "110" {
		t.Errorf("%s = %s", item(10), got)
	}
}

// TestAGroupThatIsRefused: when somebody else changed the configuration, each
// change is decided anew by itself; when the store is gone, each is told.
func TestAGroupThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want engine.Code
	}{
		{"conflict", engine.Errorf(engine.Conflict, "the configuration changed"), ""},
		{"no leader", engine.Errorf(engine.Unavailable, "no leader"), engine.Unavailable},
	} {
		g := fresh(t)
		g.fail = tt.err
		_, outs, errs := crowd(t, g, 4, 0, func(i int) (int64, []engine.Change) {
			return 0, []engine.Change{set("Transform "+fmt.Sprint(i+1)+" Pattern String", "p"), set(item(i), fmt.Sprint(50+i))}
		})
		for i := range outs {
			if i == 0 {
				continue // written before the others
			}
			if tt.want == "" && (errs[i] != nil || outs[i].Saved == nil) || tt.want != "" && engine.CodeOf(errs[i]) != tt.want {
				t.Errorf("%s: change %d: %+v, %v", tt.name, i, outs[i], errs[i])
			}
		}
	}
}

// TestViewsOfManyChanges: whatever was changed one after the other, reading
// everything anew finds no difference.
func TestViewsOfManyChanges(t *testing.T) {
	t.Parallel()
	g := fresh(t)
	svc := config.New(load(t), g, g.stores, g.stores, nil, slog.New(slog.DiscardHandler))
	if _, err := svc.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		n := i*7%90 + 1
		changes := []engine.Change{set(fmt.Sprintf("Transform %d Pattern String", n), fmt.Sprint("p", i)), set(item(n-1), fmt.Sprint(n))}
		if i%3 == 2 {
			changes = nil
			for _, v := range must(svc.Current().All(fmt.Sprintf("Transform %d", n))) {
				if !v.Default {
					changes = append(changes, engine.Change{Path: v.Path, Delete: true})
				}
			}
		}
		if _, err := svc.Set(t.Context(), admin, 0, changes); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			if changed, err := svc.Reload(t.Context()); err != nil || len(changed) > 0 {
				t.Fatalf("after %d changes reading anew finds %+v, %v", i+1, changed, err)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
