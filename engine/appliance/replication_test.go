package appliance_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// TestReplicationErrors: the messages of the document that ask for a manual
// synchronisation and that no other test provokes: 20009 and 20014. (20011 is
// in TestFence and TestWalk, 20012, 20016 and 20017 in TestAlarmsBetweenPeers.)
func TestReplicationErrors(t *testing.T) {
	t.Parallel()
	r := &replication{t: t}
	for n := 1; n <= 2; n++ {
		r.peers = append(r.peers, appliancetest.New(t, n, fmt.Sprintf("127.0.133.%d", n)))
	}
	r.a, r.b = r.peers[0], r.peers[1]
	appliancetest.Form(t, r.peers)
	zone1(r.a, "branch")
	r.b.Await("has the zone", 10*time.Second, func() string { return lacks(r.b, "branch") })
	r.wrong()
	r.ownMissing()
	r.primarysMissing()
}

type replication struct {
	t     *testing.T
	peers []*appliancetest.Peer
	a, b  *appliancetest.Peer // the primary and the other one
}

// wrong is 20009: a value became another one in the subordinate's copy. The
// subordinate is told so, and ForceConfigUpdate there, over SSH, ends it.
func (r *replication) wrong() {
	a, b := r.a, r.b
	alike(r.t, a)
	var dir string
	b.Stop()
	appliancetest.Offline(r.t, b, storeDir(&dir))
	b.Up()
	alike(r.t, a)
	m := mark(r.peers)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db.sqlite")+"?_pragma=busy_timeout(5000)")
	if err == nil {
		_, err = db.Exec("UPDATE item SET value = 'brunch' WHERE path LIKE 'Zones Zone % Name' AND value = 'branch'")
		db.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	zone1(a, "lab")
	for range 2 { // by itself the primary looks once a minute, and believes the second look
		a.Await("finds the table that differs", 20*time.Second, func() string {
			if got := a.Exec("xCommand ClusterDigest All: On"); !strings.Contains(got, `Differ: "item"`) {
				return got
			}
			return ""
		})
	}
	a.AwaitAlarm(70024, true, 30*time.Second)
	b.AwaitAlarm(20009, true, 10*time.Second)
	if d := b.Detail(20009); !strings.Contains(d, "manual synchronisation") || !strings.Contains(d, "item") {
		r.t.Errorf("20009 says %q", d)
	}
	client := realClient(r.t, b)
	client.withKey()
	if out, errs, status := client.run("", "xcommand ForceConfigUpdate Confirm: On"); status != 0 {
		r.t.Fatalf("ForceConfigUpdate ends with %d: %s%s", status, out, errs)
	}
	a.AwaitAlarm(70024, false, 60*time.Second)
	b.AwaitAlarm(20009, false, 10*time.Second)
	r.once(m, b, 20009)
	wantZones(r.t, b, []string{"branch", "lab"}, []string{"brunch"})
	appliancetest.Ready(r.t, r.peers)
	r.calm()
}

// once waits for the lines of an alarm that was raised and lowered, once each:
// while a copy is taken anew, the list of alarms may be empty for a moment.
func (r *replication) once(m marks, p *appliancetest.Peer, id int) {
	r.t.Helper()
	p.Await(fmt.Sprintf("has raised and lowered alarm %d once", id), 40*time.Second, func() string {
		if raised, lowered := p.Counted(id, m[p]); raised != 1 || lowered != 1 {
			return fmt.Sprintf("raised %d times, lowered %d times", raised, lowered)
		}
		return ""
	})
}

func (r *replication) calm() {
	r.t.Helper()
	for _, p := range r.peers {
		p.Calm(40 * time.Second)
	}
}

// ownMissing is 20014 for the subordinate's own copy: it is damaged, and nobody
// is there to fill it. It goes when the primary is back.
func (r *replication) ownMissing() {
	a, b := r.a, r.b
	b.Stop()
	a.Stop()
	damage{"", "cluster/*/raft.db", emptied}.ofLast(r.t, b)
	m := mark(r.peers)
	b.Up()
	b.AwaitAlarm(20014, true, 10*time.Second)
	if d := b.Detail(20014); !strings.Contains(d, b.Address) {
		r.t.Errorf("20014 says %q", d)
	}
	a.Up()
	b.AwaitAlarm(20014, false, 40*time.Second)
	r.once(m, b, 20014)
	appliancetest.Ready(r.t, r.peers)
	r.calm()
	wantZones(r.t, b, []string{"branch", "lab"}, nil)
}

// primarysMissing is 20014 for the primary's copy: it is damaged, and so much
// was set aside before that somebody has to look first. It goes when the
// primary has repaired its copy.
func (r *replication) primarysMissing() {
	a, b := r.a, r.b
	a.Stop()
	var kept []string
	for i := range 5 {
		kept = append(kept, filepath.Join(a.Dir, "quarantine", fmt.Sprintf("20260101T00000%dZ-1-x", i)))
		if err := os.MkdirAll(kept[i], 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	damage{"", "cluster/*/raft.db", emptied}.ofLast(r.t, a)
	m := mark(r.peers)
	a.Up()
	b.AwaitAlarm(20014, true, 20*time.Second)
	if d := b.Detail(20014); !strings.Contains(d, a.Address) {
		r.t.Errorf("20014 says %q", d)
	}
	a.Stop()
	for _, dir := range kept {
		gone(r.t, dir)
	}
	a.Up()
	b.AwaitAlarm(20014, false, 40*time.Second)
	r.once(m, b, 20014)
	b.Await("follows the rebuilt copy", 40*time.Second, func() string { return unlike(b, a) })
	wantZones(r.t, b, []string{"branch", "lab"}, nil)
}
