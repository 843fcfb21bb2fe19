package appliance_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	commands "hexad/ui/command"
)

// TestDatabaseFailureStory: alarm 15005 of a copy that hexad cannot repair, as
// the document has it: snapshot, removal, purge by root, restore of the
// peer's own backup, rejoin.
func TestDatabaseFailureStory(t *testing.T) {
	t.Parallel()
	peers := []*appliancetest.Peer{appliancetest.New(t, 1, "127.0.132.31"), appliancetest.New(t, 2, "127.0.132.32")}
	appliancetest.Form(t, peers)
	primary, p := peers[0], peers[1]
	list := appliancetest.Addresses(peers)
	p.Exec(`xConfiguration SystemUnit Name: "second"`)
	zone1(primary, "shared")
	p.AwaitRevision(primary.View().Revision)
	own, g := backedUp(t, p), p.View().Generation
	if e := p.Refused(`xCommand ClusterDatabasePurge SystemName: "second"`); e.Code != engine.Conflict {
		t.Errorf("a member in order: %v", e)
	}

	p.Stop()
	for i := range 5 { // hexad has repaired it too often to go on
		if err := os.MkdirAll(filepath.Join(p.Dir, "quarantine", fmt.Sprintf("20260101T00000%dZ-1-x", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	damage{file: fmt.Sprintf("cluster/%d-%s/raft.db", g.Number, g.ID), do: emptied}.of(t, p)
	p.Up()
	p.AwaitAlarm(15005, true, 10*time.Second)
	node := p.View().Node
	var shot commands.Snapshot
	answered(t, p, "SystemSnapshot", map[string]string{"Kind": "Full"}, &shot)
	if !slices.Contains(shot.Files, "events.log") {
		t.Errorf("the snapshot holds %v", shot.Files)
	}
	if e := p.Refused(`xCommand ClusterDatabasePurge SystemName: "second"`); e.Code != engine.Conflict || p.View().Node != node {
		t.Errorf("a member whose database failed: %v", e)
	}

	primary.Exec("%s", addresses(list[0]))
	p.AwaitAlarm(70022, true, 30*time.Second) // it was told
	if e := p.Refused(`xCommand ClusterDatabasePurge SystemName: "peer2"`); e.Code != engine.Denied {
		t.Errorf("another name: %v", e)
	}
	out := typedAt(t, p, "clusterdb_destroy_and_purge_data.sh", "second")
	for _, want := range []string{"lost: this system's copy", "xCommand SystemBackup", "name of this system: second", "done; starting outside any cluster"} {
		if !strings.Contains(out, want) {
			t.Errorf("the shell does not say %q:\n%s", want, out)
		}
	}
	purged(t, p, node)
	if got := p.Exec("xConfiguration SystemUnit Name"); !strings.Contains(got, `"second"`) {
		t.Errorf("its own items are lost: %s", got)
	}
	p.AwaitAlarm(15005, false, 10*time.Second)

	child := p.Child()
	if _, err := restore(p, own, true, backupPassphrase); err != nil {
		t.Fatal(err)
	}
	succeeded(t, p, child)
	wantZones(t, p, []string{"shared"}, nil)

	p.Prepare()
	p.Exec("%s", appliancetest.Page(list...))
	primary.Exec("%s", addresses(list...))
	p.Restart()
	appliancetest.Ready(t, peers)
	zone1(primary, "after")
	p.AwaitRevision(primary.View().Revision)
	wantZones(t, p, []string{"shared", "after"}, nil)
	for _, q := range peers {
		q.AwaitAlarm(15005, false, 10*time.Second)
	}
}

// purged looks that p is a system of its own whose old database lies aside,
// with what is needed to put it back.
func purged(t *testing.T, p *appliancetest.Peer, node string) {
	t.Helper()
	p.Await("is a system of its own", 30*time.Second, func() string {
		if v := p.View(); v.Database != "Active" || v.Node == node || !v.Writable || len(v.Running.Peers)+len(v.Entered.Peers) > 0 {
			return fmt.Sprintf("node %s, %s, writable %v, %v", v.Node, v.Database, v.Writable, v.Entered.Peers)
		}
		return ""
	})
	aside, _ := filepath.Glob(filepath.Join(p.Dir, "quarantine", "purged-*"))
	if len(aside) != 1 {
		t.Fatalf("moved to %v", aside)
	}
	for _, pattern := range []string{"local.db", "cluster/*", "config.journal"} {
		if found, _ := filepath.Glob(filepath.Join(aside[0], pattern)); len(found) == 0 {
			t.Errorf("%s lacks %s", aside[0], pattern)
		}
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "purge.request")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the request is still there: %v", err)
	}
}

// TestPurgeCut: wherever the removal is cut off, what starts next is the old
// system or one outside any cluster; and what lies aside can be put back.
func TestPurgeCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	from := beside1(t, "127.0.132.40", "old")
	from.Exec(`xConfiguration SystemUnit Name: "alone"`)
	node := from.View().Node
	from.Stop()
	for i, c := range []struct {
		point string
		done  bool
	}{{"purge.asked", false}, {"purge.copied", true}, {"purge.emptied", true}, {"purge.moved", true}} {
		t.Run(c.point, func(t *testing.T) {
			p := copied(t, from, fmt.Sprintf("127.0.132.%d", 41+i))
			p.Variant, p.Env = crashing, []string{"HEXAD_FAIL=" + c.point + "=kill"}
			p.Up()
			child := p.Child()
			_, _ = p.Try(`xCommand ClusterDatabasePurge SystemName: "alone"`)
			p.Env = nil
			if !c.done {
				succeeded(t, p, child)
				if p.View().Node != node || !strings.Contains(zones(p), "old") {
					t.Error("the old system is not whole")
				}
				return
			}
			p.AwaitEnd(30 * time.Second)
			p.Up()
			purged(t, p, node)
			zone1(p, "writable")

			// The way back: both, with the system stopped.
			p.Stop()
			aside, _ := filepath.Glob(filepath.Join(p.Dir, "quarantine", "purged-*"))
			for _, name := range []string{"local.db-wal", "local.db-shm"} {
				gone(t, filepath.Join(p.Dir, name))
			}
			for _, name := range []string{"local.db", "cluster", "config.journal"} {
				gone(t, filepath.Join(p.Dir, name))
				if err := os.Rename(filepath.Join(aside[0], name), filepath.Join(p.Dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			p.Up()
			if v := p.View(); v.Node != node || v.Database != "Active" || !strings.Contains(zones(p), "old") {
				t.Errorf("put back as %s (%s), zones %s", v.Node, v.Database, zones(p))
			}
		})
	}
}
