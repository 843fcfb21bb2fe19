package appliance_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// TestContentsDiffer: a value that became another one in one copy is found, the
// peer and the table are named, and the alarm goes when the copies are equal again.
func TestContentsDiffer(t *testing.T) {
	peers := appliancetest.Cluster(t, 110, 2)
	a, b := peers[0], peers[1]
	a.Exec(`xCommand ZoneAdd ZoneName: "branch" Type: Neighbor`)
	b.Await("has the zone", 5*time.Second, func() string { return lacks(b, "branch") })
	alike(t, a)
	var dir string
	b.Stop()
	appliancetest.Offline(t, b, storeDir(&dir))
	b.Up()
	alike(t, a)
	change := func(value string) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db.sqlite")+"?_pragma=busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("UPDATE item SET value = ? WHERE path LIKE 'Zones Zone % Name' AND value LIKE 'br_nch'", value); err != nil {
			t.Fatal(err)
		}
	}
	change("brunch")
	a.Exec(`xCommand ZoneAdd ZoneName: "lab" Type: Neighbor`)
	a.Await("finds the table that differs", 10*time.Second, func() string {
		got := a.Exec("xCommand ClusterDigest All: On") // by itself it looks once a minute
		if !strings.Contains(got, `Differ: "item"`) {
			return got
		}
		return ""
	})
	a.AwaitAlarm(70024, true, 30*time.Second)
	if d := a.Detail(70024); !strings.Contains(d, b.Address) || !strings.Contains(d, "item") {
		t.Errorf("70024 says %q", d)
	}
	change("branch")
	a.Exec(`xCommand ZoneAdd ZoneName: "attic" Type: Neighbor`)
	a.AwaitAlarm(70024, false, 30*time.Second)
}

// alike waits until a system of two finds its copy and the other's equal.
func alike(t *testing.T, a *appliancetest.Peer) {
	t.Helper()
	a.Await("finds the copies equal", 10*time.Second, func() string {
		lines, err := a.Try("xCommand ClusterDigest All: On")
		if got := strings.Join(lines, "\n"); err != nil || strings.Count(got, `Verdict: "equal"`) != 2 {
			return got + why(err)
		}
		return ""
	})
}
