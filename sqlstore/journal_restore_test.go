package sqlstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// all is what must be the same after a database was rebuilt.
func all(t *testing.T, p *sqlstoretest.Peer) string {
	t.Helper()
	c, err := p.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.History(t.Context(), sqlstore.RevisionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Agreed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(c.Revision, c.Items, h, a.Members, a.Primary, a.Cluster)
}

// emptyFile is what a file that was renamed without a sync is after a power cut.
func emptyFile(path string) error { return os.Truncate(path, 0) }

// The database of a sole voter is rebuilt with everything that was acknowledged,
// whatever of its store is left.
func TestRebuild(t *testing.T) {
	t.Parallel()
	copies := func(dir string) error {
		return each(filepath.Join(dir, "copy-*"), os.Remove)
	}
	for _, tt := range []struct {
		name    string
		damage  func(dir string) error
		history bool // the history is whole, too
	}{
		{"the log is empty", func(dir string) error { return emptyFile(filepath.Join(dir, "raft.db")) }, true},
		{"the log is changed", func(dir string) error {
			file, err := os.ReadFile(filepath.Join(dir, "raft.db"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "raft.db"), []byte(strings.ReplaceAll(string(file), "newest", "nowest")), 0o600)
		}, true},
		{"the copies are gone", copies, false},
		{"all is gone", os.RemoveAll, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			g := sqlstoretest.Start(t, 1, journalled(dir))
			p := g.Peers[0]
			for i := range 5 {
				save(t, p, fmt.Sprintf("Zones Zone %d Name", i+1), "branch")
			}
			file := filepath.Dir(p.Path())
			g.Until("there is a copy", func() error { return each(filepath.Join(file, "copy-*"), func(string) error { return nil }) })
			gone := change(t, p, "Zones Zone 2 Name", "")
			gone.Changes[0].Delete = true
			gone.Changes = append(gone.Changes, engine.Change{Path: "Zones Zone 3 Password", Value: "{cipher}abc"})
			if _, err := p.SaveConfiguration(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			if err := p.PutMember(t.Context(), sqlstoretest.Member(2)); err != nil {
				t.Fatal(err)
			}
			save(t, p, "Zones Zone 4 Name", "newest")
			want := all(t, p)
			configuration, _ := p.Configuration(t.Context())
			p.Close()
			quarantine := filepath.Join(dir, "quarantine", "one")
			if err := tt.damage(file); err != nil {
				t.Fatal(err)
			}
			g.Connect(p)
			if err := p.Quarantine(g.Generation, quarantine); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "rebuilt.sqlite")
			built, err := sqlstore.Rebuild(t.Context(), sqlstore.Remains{Dir: quarantine, Journal: journalOf(dir, p.Node), Generation: g.Generation}, path)
			if err != nil || built.Revision != 7 || built.Journal != 7 {
				t.Fatalf("rebuilt %+v, %v", built, err)
			}
			from, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			next := engine.Generation{Number: 2, ID: "second", Parent: g.Generation.ID}
			if err := p.Refound(t.Context(), next, sqlstore.Refounding{From: from}); err != nil {
				t.Fatal(err)
			}
			if got := all(t, p); tt.history && got != want {
				t.Errorf("rebuilt\n%s\nwant\n%s", got, want)
			}
			if got, _ := p.Configuration(t.Context()); got.Revision != 7 || fmt.Sprint(got.Items) != fmt.Sprint(configuration.Items) {
				t.Errorf("rebuilt %v\nwant %v", got, configuration)
			}
			if a, _ := p.Agreed(t.Context()); len(a.Members) != 2 || a.Generation != next {
				t.Errorf("agreed %+v", a)
			}
			if f := p.Founding(); f == nil || f.Revision != 7 {
				t.Errorf("founding %+v", f)
			}
			save(t, p, "Zones Zone 9 Name", "after")
		})
	}
}

// A sole voter that has less than its journal, or something else, is not opened.
func TestLessThanTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 1, journalled(dir))
	p := g.Peers[0]
	save(t, p, "Zones Zone 1 Name", "branch")
	p.Close()
	old := filepath.Join(dir, "old")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(p.Dir, "1-first"))); err != nil {
		t.Fatal(err)
	}
	g.Reopen(p, g.Generation)
	save(t, p, "Zones Zone 2 Name", "lab")
	p.Close()
	if err := errors.Join(os.RemoveAll(filepath.Join(p.Dir, "1-first")), os.CopyFS(filepath.Join(p.Dir, "1-first"), os.DirFS(old))); err != nil {
		t.Fatal(err)
	}
	g.Connect(p)
	if err := p.Open(t.Context(), g.Generation); !errors.Is(err, sqlstore.ErrDamaged) || !strings.Contains(err.Error(), "revision 2") {
		t.Errorf("opened: %v", err)
	}
	if st := p.Status(); st.Database != sqlstore.DatabaseFailed {
		t.Errorf("status %+v", st)
	}
}

// A voter that lost its store is filled from the others; it has no vote until
// the leader has taken it out of the group and in again.
func TestRefill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var asked atomic.Int64
	g := sqlstoretest.Start(t, 3, journalled(dir), func(o *sqlstore.ClusterOptions) {
		layer := o.Layer
		o.Layer = func(g engine.Generation) sqlstore.Layer { return counting{layer(g), "node3", &asked} }
	})
	a, b := g.Peers[0], g.Peers[2]
	save(t, a, "Zones Zone 1 Name", "branch")
	g.Equal()
	b.Close()
	quarantine := filepath.Join(dir, "quarantine", "one")
	if err := emptyFile(filepath.Join(b.Dir, "1-first", "raft.db")); err != nil {
		t.Fatal(err)
	}
	save(t, a, "Zones Zone 2 Name", "lab")
	g.Connect(b)
	if err := errors.Join(b.Quarantine(g.Generation, quarantine), b.Refill(t.Context(), g.Generation, quarantine)); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "Zones Zone 1 Name"); got != "branch" || !b.Lost() {
		t.Errorf("reads %q, lost %v", got, b.Lost())
	}
	// With one other peer cut off nobody may lead by the vote of the lost one.
	g.Board.Isolate("node1")
	g.Until("the leader steps down", func() error {
		if a.Status().LeaderHere {
			return errors.New("it leads")
		}
		return nil
	})
	begin := asked.Load()
	g.Until("it was asked for its vote again and again", func() error {
		if g.Peers[1].Status().LeaderHere {
			t.Fatal("the lost peer voted")
		}
		if n := asked.Load() - begin; n < 10 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	g.Restart(b) // it remembers that it is lost
	if !b.Lost() {
		t.Fatal("after a restart it is not lost")
	}
	g.Board.Heal()
	g.Until("the leader has taken it out and in again", func() error {
		l := g.Leader()
		if l == nil {
			return errors.New("no leader")
		}
		return errors.Join(l.RemoveServer(t.Context(), b.Node), l.AddNonvoter(t.Context(), b.Node))
	})
	if err := b.Readmitted(); err != nil {
		t.Fatal(err)
	}
	g.Equal()
	if got := value(t, b, "Zones Zone 2 Name"); got != "lab" || b.Lost() {
		t.Errorf("reads %q, lost %v", got, b.Lost())
	}
	g.Reconcile()
	if st := a.Status(); len(st.Voters) != 3 {
		t.Errorf("voters %v", st.Voters)
	}
	g.Restart(b)
	g.Equal()
}
