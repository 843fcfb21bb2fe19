package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

var second = engine.Generation{Number: 2, ID: "second", Parent: "first"}

// crashed is peer p as a crash leaves it on disk now, on a board of its own
// that links it to nobody. Its store is not open.
func crashed(t *testing.T, p *sqlstoretest.Peer) *sqlstore.Cluster {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(p.Dir)); err != nil {
		t.Fatal(err)
	}
	board, err := sqlstoretest.NewBoard()
	if err != nil {
		t.Fatal(err)
	}
	c := sqlstore.NewCluster(sqlstore.ClusterOptions{Dir: dir, Node: p.Node, Release: sqlstoretest.Release, Timers: sqlstoretest.Timers,
		Layer: func(g engine.Generation) sqlstore.Layer { return board.Layer(p.Node, g) }})
	t.Cleanup(func() { c.Close(); board.Close() })
	return c
}

// What most voters have confirmed may be in a survivor's log only: it has not
// heard that it is confirmed. A new generation founded there has it.
func TestRefoundHasTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	g.Equal()
	g.Restart(g.Peers[2]) // makes a copy
	g.Equal()
	save(t, g.Peers[0], "Zones Zone 2 Name", "lab")
	g.Equal()
	c := crashed(t, g.Peers[2])
	if err := c.Open(t.Context(), g.Generation); err != nil {
		t.Fatal(err)
	}
	now, err := c.Configuration(t.Context())
	if err != nil || now.Items["Zones Zone 2 Name"] != "" {
		t.Fatalf("cut off it reads %v %v: nothing is left to be carried out", now.Items, err)
	}
	whole, err := c.Take(t.Context(), filepath.Join(t.TempDir(), "copy.sqlite"))
	if err != nil || whole.Revision != 2 || whole.Unconfirmed == 0 || whole.Term == 0 {
		t.Errorf("it describes itself as %+v %v", whole, err)
	}
	var made engine.Founding
	if err := c.Refound(t.Context(), second, sqlstore.Refounding{Commit: func(f engine.Founding) error { made = f; return nil }}); err != nil {
		t.Fatal(err)
	}
	now, err = c.Configuration(t.Context())
	if err != nil || now.Items["Zones Zone 1 Name"] != "branch" || now.Items["Zones Zone 2 Name"] != "lab" || now.Revision != 2 {
		t.Errorf("founded anew it has %+v %v", now, err)
	}
	if made.By != "node3" || made.Revision != 2 || made.Index != whole.Index || made.Term != whole.Term || made.At.IsZero() {
		t.Errorf("founded on %+v, was at %+v", made, whole)
	}
	if kept := c.Founding(); kept == nil || *kept != made {
		t.Errorf("it remembers %+v", kept)
	}
}

// Until it is committed nothing has changed, and nobody sees the new generation.
func TestRefoundIsNotCommitted(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	save(t, p, "Zones Zone 1 Name", "branch")
	refusal := errors.New("the identity cannot be written")
	err := p.Refound(t.Context(), second, sqlstore.Refounding{Commit: func(engine.Founding) error { return refusal }})
	if !errors.Is(err, refusal) {
		t.Fatalf("got %v", err)
	}
	if p.Generation() != g.Generation || value(t, p, "Zones Zone 1 Name") != "branch" {
		t.Errorf("generation %v", p.Generation())
	}
	if _, err := os.Stat(p.Directory(second)); !os.IsNotExist(err) {
		t.Errorf("the new generation is still there: %v", err)
	}
	save(t, p, "Zones Zone 2 Name", "lab")
}

// A store that never came into service goes; one that did stays, whichever it was.
func TestSweep(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	var image *sqlstore.Cluster
	err := p.Refound(t.Context(), second, sqlstore.Refounding{Commit: func(engine.Founding) error {
		image = crashed(t, p)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []engine.Generation{g.Generation, second} {
		if _, err := os.Stat(image.Directory(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := image.Open(t.Context(), second); err != nil { // the identity names it
		t.Errorf("all of it was there: %v", err)
	}
	image = crashed(t, &sqlstoretest.Peer{Node: p.Node, Dir: filepath.Dir(image.Directory(second))})
	if err := image.Sweep(second); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(image.Directory(g.Generation)); err != nil {
		t.Errorf("the old generation: %v", err)
	}
	leftover := filepath.Join(filepath.Dir(p.Directory(second)), "refound-1.sqlite")
	overwrite(t, leftover, []byte("half"))
	if err := p.Follow(t.Context(), engine.Generation{Number: 3, ID: "third", Parent: "second"}); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if err := p.Sweep(second); err != nil { // the identity still names the second
		t.Fatal(err)
	}
	for path, want := range map[string]bool{leftover: false, p.Directory(engine.Generation{Number: 3, ID: "third"}): false,
		p.Directory(second): true, p.Directory(g.Generation): true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %t", filepath.Base(path), err == nil)
		}
	}
}

// A store that was being emptied goes on to be empty; it is never opened in part.
func TestEmptyingIsFinished(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	save(t, p, "Zones Zone 1 Name", "branch")
	image := crashed(t, p)
	overwrite(t, filepath.Join(image.Directory(g.Generation), "store.json"),
		[]byte(`{"node":"node1","generation":{"number":1,"id":"first"},"state":"emptying"}`))
	removeAll(t, filepath.Join(image.Directory(g.Generation), "raft.db"))
	if err := image.Open(t.Context(), g.Generation); err != nil {
		t.Fatal(err)
	}
	if _, err := image.Agreed(t.Context()); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("it has something: %v", err)
	}
}
