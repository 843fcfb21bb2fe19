package appliance_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// damage is what is done to one file of a data directory.
type damage struct {
	name string
	file string // below the data directory, * as in a shell
	do   func(t *testing.T, path string)
}

func gone(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func halved(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()/2+100)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func emptied(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
}

// flipped inverts a run of bytes at a part of the file, counted in hundredths.
func flipped(at, length int) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		from := len(text) * at / 100
		for i := range text[from:min(from+length, len(text))] {
			text[from+i] ^= 0xff
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// spoiled replaces a text by bytes that are none.
func spoiled(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		file, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(file, []byte(text)) {
			err = fmt.Errorf("there is no %q in %s", text, path)
		}
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(file, []byte(text), bytes.Repeat([]byte{0xff}, len(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// copied is a peer of its own with a copy of the data of a stopped one.
func copied(t *testing.T, from *appliancetest.Peer, address string) *appliancetest.Peer {
	t.Helper()
	p := appliancetest.New(t, 1, address)
	if err := os.CopyFS(p.Dir, os.DirFS(from.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"system.key", "local.db"} {
		if err := os.Chmod(filepath.Join(p.Dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// aged is a stopped peer whose database has a snapshot, with the zone "kept",
// and a log with the zone "newest" behind it.
func aged(t *testing.T, address string) *appliancetest.Peer {
	t.Helper()
	p := appliancetest.New(t, 1, address).Up()
	p.Prepare()
	p.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
	p.Stop()
	refound(t, p, "gen2")
	p.Up()
	p.Prepare()
	p.Exec(`xCommand ZoneAdd ZoneName: "newest" Type: Neighbor`)
	p.Stop()
	if err := os.RemoveAll(filepath.Join(p.Dir, "reset")); err != nil { // large, and not of interest
		t.Fatal(err)
	}
	return p
}

// do finds the file and damages it.
func (d damage) of(t *testing.T, p *appliancetest.Peer) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.Dir, d.file))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: found %v, %v", d.file, found, err)
	}
	d.do(t, found[0])
	return found[0]
}

// TestDamagedClusterDatabase: whatever is damaged of the copy of a system that is
// alone, everything that was acknowledged is there again, and what was damaged is kept.
func TestDamagedClusterDatabase(t *testing.T) {
	t.Parallel()
	from := aged(t, "127.0.62.250")
	aside := []damage{
		{"the log is cut short", "cluster/2-gen2/raft.db", halved},
		{"the log is empty", "cluster/2-gen2/raft.db", emptied},
		{"the log is gone", "cluster/2-gen2/raft.db", gone},
		{"the beginning of the log is changed", "cluster/2-gen2/raft.db", flipped(0, 20000)},
		{"an entry of the log is changed", "cluster/2-gen2/raft.db", spoiled("newest")}, // found as it is carried out
		{"the directory is gone", "cluster/2-gen2", gone},
		{"all copies are gone", "cluster", gone},
		{"the description is changed", "cluster/2-gen2/store.json", flipped(10, 50)},
	}
	for i, d := range aside {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := copied(t, from, fmt.Sprintf("127.0.62.%d", i+1))
			d.of(t, p)
			p.Up()
			p.AwaitAlarm(15005, true, 15*time.Second)
			complete(t, p)
			if v := p.View(); v.Generation.Number != 3 || v.Generation.Parent != "gen2" {
				t.Errorf("generation %+v", v.Generation)
			}
			kept, _ := filepath.Glob(filepath.Join(p.Dir, "quarantine", "*-2-gen2"))
			if _, err := os.Stat(filepath.Join(p.Dir, "cluster", "2-gen2")); err == nil || len(kept) != 1 && !strings.Contains(d.name, "gone") {
				t.Errorf("kept %v, %v", kept, err)
			}
			p.Exec(`xCommand ZoneAdd ZoneName: "after" Type: Neighbor`)
			p.Restart()
			if got := zones(p); !strings.Contains(got, "after") || !strings.Contains(got, "newest") {
				t.Errorf("after a restart it has\n%s", got)
			}
		})
	}
	mended := []damage{ // made again of the copy, or it does not matter
		{"the beginning of the snapshot is changed", "cluster/2-gen2/rsnapshots/*.db", flipped(0, 4096)},
		{"the snapshot is cut short", "cluster/2-gen2/rsnapshots/*.db", halved},
		{"the snapshot is gone", "cluster/2-gen2/rsnapshots/*.db", gone},
		{"one byte of the snapshot is changed", "cluster/2-gen2/rsnapshots/*.db", flipped(60, 1)},
		{"the list of snapshots is changed", "cluster/2-gen2/rsnapshots/*/meta.json", flipped(40, 20)},
		{"the middle of the log is changed", "cluster/2-gen2/raft.db", flipped(50, 64)},
		{"the end of the log is changed", "cluster/2-gen2/raft.db", flipped(90, 4096)},
		{"the database file is changed", "cluster/2-gen2/db.sqlite", flipped(0, 100000)},
		{"the database file is gone", "cluster/2-gen2/db.sqlite", gone},
		{"the journal is gone", "config.journal", gone},
		{"the journal is changed", "config.journal", flipped(0, 2000)},
	}
	for i, d := range mended {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := copied(t, from, fmt.Sprintf("127.0.62.%d", i+101))
			d.of(t, p)
			p.Up()
			complete(t, p)
		})
	}
}

// complete waits until a system has all that was acknowledged, and can save.
func complete(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	p.Await("has everything", 20*time.Second, func() string {
		v := p.View()
		if got := zones(p); v.Database != "Active" || !v.Writable || !strings.Contains(got, "kept") || !strings.Contains(got, "newest") {
			return fmt.Sprintf("database %s, writable %v (%s), zones:\n%s", v.Database, v.Writable, v.ReadOnly, got)
		}
		return ""
	})
}

// TestQuarantineFull: a system whose disk damages its copy again and again does
// not fill it with damaged copies; a person has to look.
func TestQuarantineFull(t *testing.T) {
	t.Parallel()
	p := aged(t, "127.0.62.251")
	for i := range 5 {
		if err := os.MkdirAll(filepath.Join(p.Dir, "quarantine", fmt.Sprintf("20260101T00000%dZ-1-x", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	damage{"", "cluster/2-gen2/raft.db", emptied}.of(t, p)
	p.Up()
	withoutDatabase(t, p)
	if d := p.Detail(15005); !strings.Contains(d, "quarantine") {
		t.Errorf("15005 says %q", d)
	}
	p.Stop()
	gone(t, filepath.Join(p.Dir, "quarantine", "20260101T000000Z-1-x"))
	p.Up()
	complete(t, p)
}

// withoutDatabase looks that a peer without its copy of the cluster's database
// says so everywhere and serves everything else.
func withoutDatabase(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	p.AwaitAlarm(15005, true, 3*time.Second)
	store := filepath.Join(p.Dir, "cluster", "2-gen2")
	if d := p.Detail(15005); !strings.Contains(d, store) {
		t.Errorf("15005 says %q, want the directory", d)
	}
	v := p.View()
	if v.Database != "Failed" || v.Writable || !strings.Contains(v.ReadOnly, "failed") {
		t.Errorf("the page says database %q, writable %v (%s)", v.Database, v.Writable, v.ReadOnly)
	}
	if e := p.Refused(`xCommand ZoneAdd ZoneName: "new" Type: Neighbor`); e.Code != engine.Unavailable || e.Remedy == "" {
		t.Errorf("saving is refused with %s: %v", e.Code, e)
	}
	if lines, err := p.Try(`xCommand SQL Statement: "SELECT count(*) FROM diag_zone"`); err == nil {
		t.Errorf("the database answers %q", lines)
	}
	if lines, err := p.Try("xConfiguration Zones Zone"); err == nil && !strings.Contains(strings.Join(lines, "\n"), "database") {
		t.Errorf("the zones are listed without a word: %q", lines)
	}
	p.Exec(`xConfiguration SystemUnit Name: "still mine"`)
	if got := p.Exec("xConfiguration SystemUnit Name"); !strings.Contains(got, "still mine") {
		t.Errorf("the system name is %s", got)
	}
	b := p.Browser()
	if status, body := b.Get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, store) {
		t.Errorf("/readyz is %d: %s", status, body)
	}
	if !b.SignIn(appliancetest.Password) {
		t.Error("nobody can sign in at the console")
	}
	for _, page := range []string{"/", "/clustering", "/alarms", "/configuration", "/events"} {
		if status, body := b.Get(page); status != http.StatusOK || page == "/alarms" && !strings.Contains(body, "15005") {
			t.Errorf("%s is %d:\n%.2000s", page, status, body)
		}
	}
}

// TestDamagedMember: a peer that does not vote is filled again by the primary.
func TestDamagedMember(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 63, 2)
	a, b := peers[0], peers[1]
	a.Exec(`xCommand ZoneAdd ZoneName: "before" Type: Neighbor`)
	b.Await("has the zone", 5*time.Second, func() string { return lacks(b, "before") })
	b.Stop()
	damage{"", "cluster/*/raft.db", emptied}.ofLast(t, b)
	b.Up()
	refilled(t, b)
	a.Exec(`xCommand ZoneAdd ZoneName: "meanwhile" Type: Neighbor`)
	b.Await("has the new zone", 10*time.Second, func() string { return lacks(b, "meanwhile") })
	if v := b.View(); v.Generation != a.View().Generation {
		t.Errorf("generations %+v and %+v", v.Generation, a.View().Generation)
	}
}

// refilled waits until a damaged copy was set aside, said so, and is filled.
func refilled(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	p.Await("is filled again", 30*time.Second, func() string {
		if log := p.Log(); !strings.Contains(log, `Event="Alarm Raised" Id="15005"`) {
			return "it never said that its copy is damaged"
		}
		if v := p.View(); v.Database != "Active" {
			return "database " + v.Database
		}
		return ""
	})
	p.AwaitAlarm(15005, false, 10*time.Second)
	if kept, _ := filepath.Glob(filepath.Join(p.Dir, "quarantine", "*", "raft.db")); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
}

func lacks(p *appliancetest.Peer, zone string) string {
	if got := zones(p); !strings.Contains(got, zone) {
		return "it has\n" + got
	}
	return ""
}

// TestDamagedPrimary: the only voter of two rebuilds its database as a new
// generation, which the other follows by itself.
func TestDamagedPrimary(t *testing.T) {
	peers := appliancetest.Cluster(t, 110, 2)
	a, b := peers[0], peers[1]
	a.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
	b.Await("has the zone", 5*time.Second, func() string { return lacks(b, "kept") })
	before := a.View().Generation
	b.Stop()
	a.Exec(`xCommand ZoneAdd ZoneName: "newest" Type: Neighbor`) // on the primary's disk alone
	a.Signal(syscall.SIGKILL)
	a.Answers()
	a.Stop()
	damage{"", "cluster/*/raft.db", emptied}.ofLast(t, a)
	a.Up()
	complete(t, a)
	b.Up()
	b.Await("follows the rebuilt generation", 20*time.Second, func() string {
		if v := b.View(); v.Generation != a.View().Generation || v.Generation.Parent != before.ID {
			return fmt.Sprintf("generation %+v, the primary's is %+v", v.Generation, a.View().Generation)
		}
		return lacks(b, "newest")
	})
	a.Exec(`xCommand ZoneAdd ZoneName: "after" Type: Neighbor`)
	b.Await("has the new zone", 10*time.Second, func() string { return lacks(b, "after") })
}

// TestDamagedVoter: a primary that is one of three voters is filled by the other
// two, and gets its vote and the lead back.
func TestDamagedVoter(t *testing.T) {
	peers := appliancetest.Cluster(t, 110, 3)
	a := peers[0]
	a.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
	a.Stop()
	damage{"", "cluster/*/raft.db", emptied}.ofLast(t, a)
	a.Up()
	refilled(t, a)
	if zone := lacks(a, "kept"); zone != "" {
		t.Error(zone)
	}
	a.Await("saves again", 90*time.Second, func() string {
		_, err := a.Try(`xCommand ZoneAdd ZoneName: "after" Type: Neighbor`)
		if err != nil && lacks(a, "after") == "" {
			return ""
		}
		return why(err)
	})
	for _, p := range peers {
		p.Await("has the new zone", 10*time.Second, func() string { return lacks(p, "after") })
	}
}

// ofLast damages the file of the newest generation.
func (d damage) ofLast(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	var dir string
	appliancetest.Offline(t, p, storeDir(&dir))
	d.do(t, filepath.Join(dir, "raft.db"))
}

// TestDamagedLocalDatabase: without it nothing can be said of this peer, so it
// ends, says why, and does not try again.
func TestDamagedLocalDatabase(t *testing.T) {
	t.Parallel()
	from := appliancetest.New(t, 1, "127.0.64.250").Up()
	from.Exec(`xConfiguration SystemUnit Name: "mine"`)
	from.Stop()
	if err := os.RemoveAll(filepath.Join(from.Dir, "reset")); err != nil {
		t.Fatal(err)
	}
	for i, d := range []damage{
		{"cut short", "local.db", halved},
		{"empty", "local.db", emptied},
		{"gone", "local.db", gone},
		{"its beginning is changed", "local.db", flipped(0, 100)},
		{"a page is changed", "local.db", flipped(50, 4096)},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := copied(t, from, fmt.Sprintf("127.0.64.%d", i+1))
			path := d.of(t, p)
			p.Start()
			if status := p.AwaitEnd(5 * time.Second); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			log := p.Log()
			if n := strings.Count(log, `Event="Alarm Raised" Id="15008"`); n != 1 || strings.Contains(log, "starting it again") {
				t.Errorf("%d lines of 15008, want 1, and no other start:\n%s", n, log)
			}
			i := strings.Index(log, "hexad: the")
			if i < 0 || !strings.Contains(log[i:], path) || !strings.Contains(log[i:], "backup") {
				t.Errorf("want the file %s and what to do in\n%s", path, log)
			}
			if _, err := os.Stat(path); d.name == "gone" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a new %s was made", path)
			}
		})
	}
}

// TestDamagedRecords: a peer whose event log is damaged serves, and says so.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.64.251").Up()
	p.Exec(`xConfiguration SystemUnit Name: "mine"`)
	p.Stop()
	db, err := sql.Open("sqlite", filepath.Join(p.Dir, "local.db"))
	if err != nil {
		t.Fatal(err)
	}
	var root, size int
	err = db.QueryRow("SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'event'").Scan(&root, &size)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Dir, "local.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 512 {
		text[(root-1)*size+i] ^= 0xff
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Up()
	p.AwaitAlarm(15005, true, 40*time.Second)
	if detail := p.Detail(15005); !strings.Contains(detail, "event log") || !strings.Contains(detail, "local.db") {
		t.Errorf("15005 says %q", detail)
	}
	p.Exec(`xConfiguration SystemUnit Name: "still mine"`)
}

// fill takes all the room that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := bytes.Repeat([]byte{'x'}, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !full(err) {
		t.Fatal(err)
	}
}
