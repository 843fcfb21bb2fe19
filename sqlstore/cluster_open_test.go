package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			g := sqlstoretest.Start(t, n)
			save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
			g.Equal()
			for _, p := range g.Peers {
				g.Restart(p)
			}
			save(t, g.Peers[0], "Zones Zone 2 Name", "lab")
			g.Equal()
			for _, p := range g.Peers {
				if a, b := value(t, p, "Zones Zone 1 Name"), value(t, p, "Zones Zone 2 Name"); a != "branch" || b != "lab" {
					t.Errorf("%s has %q and %q", p.Node, a, b)
				}
			}
		})
	}
}

// A peer that is restarted while nobody can be reached reads what it had, and
// goes on with that when it is named primary by force.
func TestRestartCutOff(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	p := g.Peers[2]
	notices := make(chan sqlstore.ChangeNotice, 1000)
	f := func(n sqlstore.ChangeNotice) { notices <- n }
	p.Changed.Store(&f)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	g.Equal()
	for n := <-notices; n.Revision != 1; n = <-notices { // the news of the save, which may come after the save itself
	}
	g.Board.Isolate(p.Node)
	g.Restart(p)
	if got := value(t, p, "Zones Zone 1 Name"); got != "branch" {
		t.Errorf("cut off, it reads %q", got)
	}
	if a, err := p.Agreed(t.Context()); err != nil || a.Primary != "node1" || len(a.Members) != 3 {
		t.Errorf("agreed %+v %v", a, err)
	}
	if n := <-notices; n.Revision != 1 || n.Index == 0 {
		t.Errorf("notice %+v", n)
	}
	if st := p.Status(); st.Database != sqlstore.DatabaseInactive {
		t.Errorf("status %+v", st)
	}
	if err := p.Refound(t.Context(), engine.Generation{Number: 2, ID: "second", Parent: "first"}, sqlstore.Refounding{}); err != nil {
		t.Fatal(err)
	}
	if got := value(t, p, "Zones Zone 1 Name"); got != "branch" {
		t.Errorf("founded anew, it reads %q", got)
	}
	save(t, p, "Zones Zone 2 Name", "lab")
}

// A sole voter has what it saved when Open returns.
func TestRestartOfOneIsReadyAtOnce(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	g.Restart(g.Peers[0])
	if got := value(t, g.Peers[0], "Zones Zone 1 Name"); got != "branch" {
		t.Errorf("has %q", got)
	}
	save(t, g.Peers[0], "Zones Zone 2 Name", "lab")
}

func TestNeverASilentEmptyStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm func(t *testing.T, dir string)
		want engine.Code
		says string
	}{
		"directory gone": {func(t *testing.T, dir string) { removeAll(t, dir) }, engine.NotFound, "there is no cluster database"},
		"log gone":       {func(t *testing.T, dir string) { removeAll(t, filepath.Join(dir, "raft.db")) }, engine.Internal, "the Raft log is missing"},
		"log emptied":    {func(t *testing.T, dir string) { overwrite(t, filepath.Join(dir, "raft.db"), nil) }, engine.Internal, "cannot be used"},
		"log damaged": {func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "raft.db"), bytes.Repeat([]byte{0xA5}, 64<<10))
		}, engine.Internal, "cannot be used"},
		"record gone":    {func(t *testing.T, dir string) { removeAll(t, filepath.Join(dir, "store.json")) }, engine.Internal, "cannot be used"},
		"record damaged": {func(t *testing.T, dir string) { overwrite(t, filepath.Join(dir, "store.json"), []byte("{")) }, engine.Internal, "cannot be used"},
		"another node's": {func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "store.json"), []byte(`{"node":"other","generation":{"number":1,"id":"first"},"state":"complete"}`))
		}, engine.Internal, "belongs to node other"},
		"founding cut short": {func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "store.json"), []byte(`{"node":"node1","generation":{"number":1,"id":"first"},"state":"founding"}`))
		}, engine.NotFound, "never completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := sqlstoretest.Start(t, 1)
			p := g.Peers[0]
			save(t, p, "Zones Zone 1 Name", "branch")
			dir := p.Directory(g.Generation)
			if err := p.Switch(t.Context(), engine.Generation{Number: 2, ID: "aside"}, sqlstore.Empty); err != nil {
				t.Fatal(err)
			}
			tt.harm(t, dir)
			err := p.Switch(t.Context(), g.Generation, sqlstore.Existing)
			if engine.CodeOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v (%s), want %s: %q", err, engine.CodeOf(err), tt.want, tt.says)
			}
			if damaged := tt.want == engine.Internal; errors.Is(err, sqlstore.ErrDamaged) != damaged {
				t.Errorf("ErrDamaged in %v: want %t", err, damaged)
			}
			if st := p.Status(); st.Database != sqlstore.DatabaseFailed || !strings.Contains(st.Cause, tt.says) {
				t.Errorf("status %+v", st)
			}
			if _, err := p.Configuration(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("reading: %v", err)
			}
			if path, index := p.LastCopy(t.Context(), g.Generation); (path == "" || index == 0) != (name == "directory gone") {
				t.Errorf("last copy %q at %d", path, index)
			}
			// Nothing of it keeps this process from starting over.
			if err := p.Follow(t.Context(), g.Generation); err != nil {
				t.Errorf("follow: %v", err)
			}
		})
	}
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFoundOnlyOnce(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	err := g.Peers[0].Found(t.Context(), g.Generation, "cluster2", sqlstoretest.Member(1))
	if engine.CodeOf(err) != engine.Conflict {
		t.Errorf("again: %v", err)
	}
	if err := g.Peers[0].Found(t.Context(), engine.Generation{Number: 2, ID: "../x"}, "c", sqlstoretest.Member(1)); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("an id with a slash: %v", err)
	}
}

// A stand-alone peer joins a cluster: readers never see an error meanwhile but
// "no copy yet", and then read what the cluster has.
func TestSwitchToAnotherCluster(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Peers(t, 2)
	a, b := g.Peers[0], g.Peers[1]
	alone := engine.Generation{Number: 1, ID: "alone"}
	if err := a.Found(t.Context(), g.Generation, "cluster1", sqlstoretest.Member(1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Found(t.Context(), alone, "cluster2", sqlstoretest.Member(2)); err != nil {
		t.Fatal(err)
	}
	save(t, a, "Zones Zone 1 Name", "cluster")
	save(t, b, "Zones Zone 1 Name", "alone")

	ctx, stop := context.WithCancel(t.Context())
	reader := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := b.Configuration(t.Context()); err != nil && engine.CodeOf(err) != engine.Unavailable {
				reader <- err
				return
			}
		}
		reader <- nil
	}()
	if err := b.Switch(t.Context(), g.Generation, sqlstore.Empty); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Agreed(t.Context()); engine.CodeOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "no copy") {
		t.Errorf("before the first contact: %v", err)
	}
	if err := a.PutMember(t.Context(), sqlstoretest.Member(2)); err != nil {
		t.Fatal(err)
	}
	g.Reconcile()
	g.Equal()
	stop()
	if err := <-reader; err != nil {
		t.Errorf("reading while switching: %v", err)
	}
	if got := value(t, b, "Zones Zone 1 Name"); got != "cluster" {
		t.Errorf("joined, it reads %q", got)
	}
	// It leaves again: its old store is as it was.
	if err := b.Switch(t.Context(), alone, sqlstore.Existing); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "Zones Zone 1 Name"); got != "alone" {
		t.Errorf("back, it reads %q", got)
	}
	save(t, b, "Zones Zone 2 Name", "still writable")
}

func TestChangeNoticesFollowTheStore(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	notices := make(chan sqlstore.ChangeNotice, 100)
	f := func(n sqlstore.ChangeNotice) { notices <- n }
	g.Peers[1].Changed.Store(&f)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	await := func(want func(sqlstore.ChangeNotice) bool) {
		t.Helper()
		for {
			select {
			case n := <-notices:
				if want(n) {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatal("no such notice")
			}
		}
	}
	await(func(n sqlstore.ChangeNotice) bool { return n.Revision == 1 && n.Generation == g.Generation })
	next := engine.Generation{Number: 2, ID: "second", Parent: "first"}
	if err := g.Peers[1].Refound(t.Context(), next, sqlstore.Refounding{}); err != nil {
		t.Fatal(err)
	}
	await(func(n sqlstore.ChangeNotice) bool { return n.Revision == 1 && n.Generation == next })
	save(t, g.Peers[1], "Zones Zone 2 Name", "lab")
	await(func(n sqlstore.ChangeNotice) bool { return n.Revision == 2 })
}

// The primary is gone and most voters with it: a survivor goes on alone with
// what it has, in a new generation.
func TestRefoundOnASurvivor(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	g.Equal()
	g.Board.Isolate("node1")
	g.Board.Isolate("node2")
	survivor := g.Peers[2]
	next := engine.Generation{Number: 2, ID: "second", Parent: "first"}
	if err := survivor.Refound(t.Context(), next, sqlstore.Refounding{}); err != nil {
		t.Fatal(err)
	}
	agreed, err := survivor.Agreed(t.Context())
	if err != nil || agreed.Primary != "node3" || agreed.Generation != next || agreed.Cluster != "cluster1" ||
		len(agreed.Members) != 3 || agreed.Revision != 1 {
		t.Errorf("agreed %+v %v", agreed, err)
	}
	save(t, survivor, "Zones Zone 2 Name", "lab")
	g.Restart(survivor)
	if a, b := value(t, survivor, "Zones Zone 1 Name"), value(t, survivor, "Zones Zone 2 Name"); a != "branch" || b != "lab" {
		t.Errorf("after a restart: %q and %q", a, b)
	}
	// The others come over one by one.
	g.Board.Heal()
	for _, p := range g.Peers[:2] {
		if err := p.Follow(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	g.Reconcile()
	survivor.WaitApplied(t.Context(), survivor.Status().Applied)
	for _, p := range g.Peers[:2] {
		g.Until(p.Node+" follows", func() error {
			if c, err := p.Configuration(t.Context()); err != nil || c.Items["Zones Zone 2 Name"] != "lab" {
				return fmt.Errorf("%+v %v", c, err)
			}
			return nil
		})
	}
}

func TestBackupIsWhatRefoundReads(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	save(t, p, "Zones Zone 1 Name", "branch")
	var backup bytes.Buffer
	if err := p.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	save(t, p, "Zones Zone 1 Name", "later")
	for name, bad := range map[string][]byte{
		"nothing":   nil,
		"rubbish":   []byte("not a database"),
		"truncated": backup.Bytes()[:backup.Len()/2],
		"no agreed": bytes.ReplaceAll(backup.Bytes(), []byte("agreed"), []byte("dgreea")),
	} {
		err := p.Refound(t.Context(), engine.Generation{Number: 2, ID: "bad"}, sqlstore.Refounding{From: bytes.NewReader(bad)})
		if engine.CodeOf(err) != engine.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if got := value(t, p, "Zones Zone 1 Name"); got != "later" {
			t.Fatalf("%s: the store has %q afterwards", name, got)
		}
	}
	restored := sqlstore.Refounding{From: &backup, Cluster: "cluster2", Members: []engine.Member{sqlstoretest.Member(1)}}
	if err := p.Refound(t.Context(), engine.Generation{Number: 2, ID: "restored"}, restored); err != nil {
		t.Fatal(err)
	}
	if f := p.Founding(); f == nil || f.By != p.Node || f.Revision != 1 || f.Index != 0 {
		t.Errorf("founded as %+v", f)
	}
	a, err := p.Agreed(t.Context())
	if got := value(t, p, "Zones Zone 1 Name"); got != "branch" || err != nil || a.Cluster != "cluster2" || len(a.Members) != 1 {
		t.Errorf("restored: %q, %+v %v", got, a, err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	_, err := p.Configuration(t.Context())
	if engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("reading: %v", err)
	}
	if err := p.PutMember(t.Context(), sqlstoretest.Member(2)); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("writing: %v", err)
	}
	if err := p.Open(t.Context(), g.Generation); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("opening: %v", err)
	}
	if st := p.Status(); st.State != "Closed" || p.Path() != "" {
		t.Errorf("status %+v, path %q", st, p.Path())
	}
}

// TestEmptiedCopyIsNotCaughtUpOnTheWay: while a copy is filled from the
// beginning it shows old states, and is not said to have caught up.
func TestEmptiedCopyIsNotCaughtUpOnTheWay(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	a, b := g.Peers[0], g.Peers[1]
	const saves = 400
	for i := range saves {
		save(t, a, "Zones Zone 1 Name", strconv.Itoa(i))
	}
	g.Equal()
	if err := b.Follow(t.Context(), g.Generation); err != nil {
		t.Fatal(err)
	}
	g.Until("it has caught up", func() error {
		if !b.Status().Caught {
			return errors.New("not yet")
		}
		return nil
	})
	if got := value(t, b, "Zones Zone 1 Name"); got != strconv.Itoa(saves-1) {
		t.Errorf("it says that it has caught up and shows %q", got)
	}
}
