package appliance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// TestLicencesOfALostPeer: the licences of a peer that is gone stay in the pool
// and 30014 says until when; on the last day it is 30012, and after 14 days
// they are gone (30016). A restart does not begin the time anew, and the peer's
// return ends it all.
func TestLicencesOfALostPeer(t *testing.T) {
	t.Parallel()
	peers := []*appliancetest.Peer{appliancetest.New(t, 1, "127.0.132.61"), appliancetest.New(t, 2, "127.0.132.62")}
	appliancetest.Form(t, peers)
	p, lost := peers[0], peers[1]
	for i, q := range peers {
		q.Exec(`xConfiguration Option 1 Key: "116341R100-1-0A1B2C3%d"`, i)
	}
	pool := func(want int) {
		t.Helper()
		p.Await(fmt.Sprintf("has %d licences", want), 20*time.Second, func() string {
			if c := capacityOf(p); c.Licences["room_registrations"] != want {
				return fmt.Sprintf("%+v", c)
			}
			return ""
		})
	}
	pool(200)
	lost.Stop()
	p.Await("notes that it is lost", 20*time.Second, func() string {
		if c := capacityOf(p); len(c.Lost) != 1 || c.Lost[0].Address != lost.Address || !c.Lost[0].Counted {
			return fmt.Sprintf("%+v", c)
		}
		return ""
	})
	since := capacityOf(p).Lost[0].Seen
	if age := time.Since(since); age < 0 || age > time.Minute {
		t.Errorf("last seen at %v", since)
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		ago   time.Duration
		alarm int
		pool  int
	}{{6 * time.Minute, 30014, 200}, {13*day + time.Hour, 30012, 200}, {14*day + time.Minute, 30016, 100}} {
		p.Stop()
		at := time.Now().Add(-c.ago).Unix()
		appliancetest.Offline(t, p, func(ctx context.Context, l *sqlstore.Local) error {
			text, err := l.State(ctx, "cluster.lost")
			kept := map[string]engine.LostPeer{}
			if err == nil {
				err = json.Unmarshal([]byte(text), &kept)
			}
			if err != nil || len(kept) != 1 {
				return fmt.Errorf("kept is %q: %w", text, err)
			}
			for node, one := range kept {
				one.Seen = at
				kept[node] = one
			}
			again, err := json.Marshal(kept)
			if err != nil {
				return err
			}
			return l.PutState(ctx, "cluster.lost", string(again))
		})
		p.Up()
		p.AwaitAlarm(c.alarm, true, 20*time.Second)
		pool(c.pool)
		until := time.Unix(at, 0).UTC().Add(14 * day).Format("2006-01-02 15:04 UTC")
		if d := p.Detail(c.alarm); !strings.Contains(d, lost.Address) || !strings.Contains(d, until) {
			t.Errorf("%d says %q, want %s and %s", c.alarm, d, lost.Address, until)
		}
		for _, other := range []int{30012, 30014, 30016} {
			if other != c.alarm {
				p.AwaitAlarm(other, false, 30*time.Second)
			}
		}
	}
	shows(t, p.Exec("xStatus Cluster"), "LostPeer 1", "Counted: False")
	lost.Up()
	pool(200)
	p.AwaitAlarm(30016, false, 20*time.Second)
}

// TestLostPeersAreKnownAlike: all that are left come to the same time at which
// the lost peer was last seen, one that restarts meanwhile too.
func TestLostPeersAreKnownAlike(t *testing.T) {
	t.Parallel()
	var peers []*appliancetest.Peer
	for i := range 3 {
		peers = append(peers, appliancetest.New(t, i+1, fmt.Sprintf("127.0.132.%d", 71+i)))
	}
	appliancetest.Form(t, peers)
	for i, q := range peers {
		q.Exec(`xConfiguration Option 1 Key: "116341R100-1-0A1B2C3%d"`, i)
	}
	for _, q := range peers {
		q.Await("has the pool", 20*time.Second, func() string {
			if c := capacityOf(q); c.Licences["room_registrations"] != 300 {
				return fmt.Sprintf("%+v", c)
			}
			return ""
		})
	}
	peers[2].Kill()
	var seen time.Time
	alike := func() {
		t.Helper()
		appliancetest.Await(t, "both know the same", 30*time.Second, func() string {
			a, b := capacityOf(peers[0]), capacityOf(peers[1])
			if len(a.Lost) != 1 || len(b.Lost) != 1 || !a.Lost[0].Seen.Equal(b.Lost[0].Seen) || a.Licences["room_registrations"] != 300 || b.Licences["room_registrations"] != 300 {
				return fmt.Sprintf("%+v %v; %+v %v", a.Lost, a.Licences, b.Lost, b.Licences)
			}
			seen = a.Lost[0].Seen
			return ""
		})
	}
	alike()
	before := seen
	peers[1].Restart()
	alike()
	if !seen.Equal(before) {
		t.Errorf("after a restart it was last seen at %v, before at %v", seen, before)
	}
}
