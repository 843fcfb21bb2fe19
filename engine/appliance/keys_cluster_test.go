package appliance_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
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
	"hexad/sqlstore"
)

// keyed are peers at 127.0.131.first and up that form a cluster with a secret.
func keyed(t *testing.T, first, count int, v appliancetest.Variant) []*appliancetest.Peer {
	t.Helper()
	var peers []*appliancetest.Peer
	for n := range count {
		p := appliancetest.New(t, n+1, fmt.Sprintf("127.0.131.%d", first+n))
		p.Variant = v
		peers = append(peers, p)
	}
	appliancetest.Form(t, peers)
	peers[0].Exec(`xConfiguration %s: "swordfish"`, secretPath)
	for _, p := range peers {
		opens(p, true)
		sealedWith(p, 1, 1)
	}
	return peers
}

// TestKeyFileDamage40055Cluster: in a cluster the command is run on a peer
// without the alarm, whoever that is. The peer that is repaired stays the member
// that it was: its TLS key is the one that the others know.
func TestKeyFileDamage40055Cluster(t *testing.T) {
	t.Parallel()
	peers := keyed(t, 11, 2, appliancetest.Variant{})
	a, b := peers[0], peers[1]
	if said := a.Exec("xCommand ForceSystemKeyUpdate"); !strings.Contains(said, "nothing was changed") {
		t.Errorf("with nothing to repair it says %s", said)
	}
	for i, d := range keyDamages {
		sick, well := b, a
		if i == 1 {
			sick, well = a, b // the primary
		}
		t.Run(d.name, func(t *testing.T) {
			speakFor(t, peers)
			key, before, marks := certificateOf(sick), fileOf(t, sick, "system.key"), mark(peers)
			d.do(t, keyFile(sick))
			sick.AwaitAlarm(40055, true, 10*time.Second)
			if i != 0 { // the copy opens local.db at a start, too
				sick.Restart()
				appliancetest.Ready(t, peers)
				sick.AwaitAlarm(40055, true, 10*time.Second)
			}
			well.Await("lists the other's alarm", 10*time.Second, func() string {
				if !slices.ContainsFunc(well.AllAlarms(), func(r engine.RaisedAlarm) bool { return r.ID == 40055 && r.Peer == sick.Address }) {
					return "it does not"
				}
				return ""
			})
			if e := sick.Refused("xCommand ForceSystemKeyUpdate"); e.Code != engine.Denied || !strings.Contains(e.Error(), well.Address) {
				t.Errorf("on the peer with the alarm: %v", e)
			}
			said := well.Exec("xCommand ForceSystemKeyUpdate")
			if !strings.Contains(said, sick.Address) || !strings.Contains(said, "Updated") || strings.Contains(said, "Lost") {
				t.Errorf("it says %s", said)
			}
			sick.AwaitAlarm(40055, false, 10*time.Second)
			if now := fileOf(t, sick, "system.key"); now == before || now != fileOf(t, sick, "system.key.copy") {
				t.Error("the files are not those of one new key")
			}
			sick.Restart()
			appliancetest.Ready(t, peers)
			opens(sick, true)
			sealedWith(sick, 1, 1)
			if now := certificateOf(sick); now != key {
				t.Errorf("its TLS key became %s", now)
			}
			for _, p := range peers {
				for _, id := range []int{70021, 20011} {
					if raised, _ := p.Counted(id, marks[p]); raised != 0 {
						t.Errorf("%s raised %d", p.Name, id)
					}
				}
			}
		})
	}
}

// TestKeyLost40055Cluster: a peer whose key is lost whole goes on alone, is not
// let in by the others, says what to do, and is the same member again when the
// key is put back.
func TestKeyLost40055Cluster(t *testing.T) {
	t.Parallel()
	peers := keyed(t, 16, 2, appliancetest.Variant{})
	a, b := peers[0], peers[1]
	b.Stop()
	key := fileOf(t, b, "system.key")
	gone(t, keyFile(b))
	gone(t, keyFile(b)+".copy")
	b.Up()
	b.AwaitAlarm(40055, true, 10*time.Second)
	b.AwaitAlarm(20011, true, 15*time.Second)
	if got := b.Detail(20011); !strings.Contains(got, "data key 1") {
		t.Errorf("20011 says %s", got)
	}
	opens(b, false)
	a.AwaitAlarm(70021, true, 20*time.Second)
	if e := b.Refused("xCommand ForceSystemKeyUpdate"); e.Code != engine.Denied || !strings.Contains(e.Remedy, "add it again") {
		t.Errorf("on the peer that lost its identity: %v", e)
	}
	b.Stop()
	if err := os.WriteFile(keyFile(b), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Up()
	appliancetest.Ready(t, peers)
	opens(b, true)
	for _, p := range peers {
		p.Calm(20 * time.Second)
	}
}

// TestDataKeyRotated: the new data key is wrapped for every member, one that is
// away included; the old one is gone; only the primary does it.
func TestDataKeyRotated(t *testing.T) {
	t.Parallel()
	peers := keyed(t, 21, 2, appliancetest.Variant{})
	a, b := peers[0], peers[1]
	if e := b.Refused("xCommand ClusterDataKeyRotate"); e.Code != engine.Denied || !strings.Contains(e.Error(), a.Address) {
		t.Errorf("on a subordinate: %v", e)
	}
	before := a.View().Revision
	said := a.Exec("xCommand ClusterDataKeyRotate")
	if !strings.Contains(said, "Number: 2") || !strings.Contains(said, "Secrets: 1") || a.View().Revision != before+1 {
		t.Errorf("at revision %d, after %d, it says %s", a.View().Revision, before, said)
	}
	if !strings.Contains(a.Log(), `Event="Cluster Data Key Changed" Detail="data key 2; 1 secrets`) {
		t.Error("there is no line of it")
	}
	for _, p := range peers {
		sealedWith(p, 2, 1)
		opens(p, true)
	}
	b.Stop()
	a.Exec("xCommand ClusterDataKeyRotate")
	a.Exec(`xConfiguration %s: "another"`, secretPath)
	sealedWith(a, 3, 1)
	b.Up()
	appliancetest.Ready(t, peers)
	sealedWith(b, 3, 1)
	opens(b, true)
	b.Restart()
	opens(b, true)
	for _, p := range peers {
		p.Calm(20 * time.Second)
		if raised, _ := p.Counted(20011, 0); raised != 0 {
			t.Errorf("%s raised 20011", p.Name)
		}
	}
}

// TestDataKeyNotWrapped20011: a subordinate has a new system key, and the primary
// made a new data key before it could know: the subordinate raises 20011 until
// that is wrapped for it again. The primary is killed right after it did so.
func TestDataKeyNotWrapped20011(t *testing.T) {
	t.Parallel()
	peers := keyed(t, 26, 2, crashing)
	a, b := peers[0], peers[1]
	b.Stop()
	b.Env = []string{"HEXAD_FAIL=systemkey.resealed=sleep:3s"}
	b.Up()
	b.Env = nil
	appliancetest.Ready(t, peers)
	gone(t, keyFile(b))
	b.AwaitAlarm(40055, true, 10*time.Second)
	a.Await("lists the other's alarm", 10*time.Second, func() string {
		if !slices.ContainsFunc(a.AllAlarms(), func(r engine.RaisedAlarm) bool { return r.ID == 40055 && r.Peer == b.Address }) {
			return "it does not"
		}
		return ""
	})
	answered := make(chan error, 1)
	go func() { _, err := a.Try("xCommand ForceSystemKeyUpdate"); answered <- err }()
	b.Await("makes its new key", 15*time.Second, func() string {
		if !strings.Contains(b.Log(), "failpoint systemkey.resealed") {
			return "not yet"
		}
		return ""
	})
	a.Kill()
	<-answered
	b.AwaitAlarm(40055, false, 15*time.Second)
	b.Kill() // what it knew of the data key is gone
	a.Env = []string{"HEXAD_FAIL=systemkey.heard=sleep:8s,datakey.wrapped=kill"}
	a.Up()
	a.Env = nil
	a.Await("makes a new data key", 20*time.Second, func() string {
		_, err := a.Try("xCommand ClusterDataKeyRotate")
		return whyNot(err)
	})
	sealedWith(a, 2, 1)
	b.Up()
	b.AwaitAlarm(20011, true, 20*time.Second)
	if got := b.Detail(20011); !strings.Contains(got, "data key 2 of the cluster is not wrapped for this system") {
		t.Errorf("20011 says %s", got)
	}
	opens(b, false)
	b.AwaitAlarm(20011, false, 30*time.Second)
	appliancetest.Ready(t, peers)
	if !strings.Contains(a.Log(), "failpoint datakey.wrapped: kill") {
		t.Error("the primary was not killed")
	}
	opens(b, true)
	sealedWith(b, 2, 1)
}

// TestKeyCrashes: wherever a system is killed while it makes a new system key or
// data key, it has the old one or the new one afterwards, with every secret.
func TestKeyCrashes(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.131.31")
	p.Variant = crashing
	p.Up().Prepare()
	p.Exec(`xConfiguration %s: "swordfish"`, secretPath)
	sealedWith(p, 1, 1)
	for _, point := range []string{"systemkey.next", "systemkey.resealed", "systemkey.placed", "systemkey.announced"} {
		before := fileOf(t, p, "system.key")
		killed(t, p, point, "xCommand ForceSystemKeyUpdate", func() {
			gone(t, keyFile(p))
			p.AwaitAlarm(40055, true, 10*time.Second)
		})
		opens(p, true)
		sealedWith(p, 1, 1)
		if point == "systemkey.next" { // the old key, whose file is still missing
			p.AwaitAlarm(40055, true, 10*time.Second)
			p.Exec("xCommand ForceSystemKeyUpdate")
		}
		p.AwaitAlarm(40055, false, 10*time.Second)
		if now := fileOf(t, p, "system.key"); now == before || now != fileOf(t, p, "system.key.copy") {
			t.Errorf("%s: the files are not those of one new key", point)
		}
		if left, err := filepath.Glob(keyFile(p) + ".next"); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", point, left, err)
		}
	}
	for i, point := range []string{"datakey.made", "datakey.resealed"} {
		killed(t, p, point, "xCommand ClusterDataKeyRotate", func() {})
		opens(p, true)
		sealedWith(p, 2+i, 1) // it goes on where it was
	}
}

// killed restarts a peer with a point at which a command kills it, and waits
// until it is back.
func killed(t *testing.T, p *appliancetest.Peer, point, command string, before func()) {
	t.Helper()
	p.Stop()
	armed(p, point)
	before()
	child := p.Child()
	if _, err := p.Try(command); err == nil {
		t.Fatalf("%s: it was not killed", point)
	}
	restarted(t, p, child)
}

// TestDataKeyForOlderData: what an older release sealed is readable, and sealed
// with a data key as soon as there is one.
func TestDataKeyForOlderData(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.131.36").Up()
	p.Prepare()
	p.Exec(`xConfiguration %s: "swordfish"`, secretPath)
	sealedWith(p, 1, 1)
	p.Stop()
	aged5(t, p)
	p.Up()
	opens(p, true)
	sealedWith(p, 1, 1)
	p.Exec("xCommand ClusterDataKeyRotate")
	sealedWith(p, 2, 1)
	opens(p, true)
}

// aged5 makes the stopped peer's database one of before migration 5, as a
// release without data keys has left it, in a generation of its own.
func aged5(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	opened(t, p, func(s stopped) {
		ctx := context.Background()
		path := filepath.Join(t.TempDir(), "older.sqlite")
		if _, err := s.Take(ctx, path); err != nil {
			t.Fatal(err)
		}
		unkeyed(t, path, s.who.Secret)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		g := engine.Generation{Number: s.who.Generation.Number + 1, ID: "older", Parent: s.who.Generation.ID}
		if err := s.Refound(ctx, g, sqlstore.Refounding{From: file}); err != nil {
			t.Fatal(err)
		}
		s.adopt(t, g)
	})
}

// unkeyed takes migration 5 back in a copy of cluster.db, and seals its secret as
// was done before: with a key made of the cluster's secret.
func unkeyed(t *testing.T, path string, secret []byte) {
	t.Helper()
	key, err := hkdf.Key(sha256.New, secret, nil, "hexad cluster configuration secrets", 32)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := sqlstore.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"DROP VIEW diag_data_key", "DROP VIEW diag_system_key", "DROP TABLE data_key_wrap", "DROP TABLE data_key", "DROP TABLE system_key",
		"DELETE FROM schema_migration WHERE version >= 5"} {
		if err == nil {
			_, err = db.Exec(statement)
		}
	}
	if err == nil {
		_, err = db.Exec("UPDATE item SET value = ? WHERE path = ?", sealer.Seal("item "+secretPath, []byte("swordfish")), secretPath)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
