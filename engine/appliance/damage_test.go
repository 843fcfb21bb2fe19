package appliance_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// single is a cluster of one that runs.
func single(t *testing.T, network int, args ...string) *appliancetest.Peer {
	t.Helper()
	return appliancetest.Cluster(t, network, 1, args...)[0]
}

// ended waits until a process has ended by itself, which one that starts
// itself again and again does not.
func ended(t *testing.T, p *appliancetest.Peer) {
	t.Helper()
	select {
	case <-p.Ended():
	case <-time.After(10 * time.Second):
		t.Fatalf("%s goes on:\n%s", p.Name, p.Log())
	}
}

// TestDamagedClusterDatabase: it starts, says so, and does not begin anew.
func TestDamagedClusterDatabase(t *testing.T) {
	for i, damage := range []struct {
		name string
		do   func(t *testing.T, store string)
	}{
		{"the log is cut short", func(t *testing.T, store string) { truncate(t, store, "raft.db") }},
		{"the directory is gone", func(t *testing.T, store string) {
			if err := os.RemoveAll(store); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(damage.name, func(t *testing.T) {
			t.Parallel()
			p := single(t, 38+i)
			p.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
			p.Stop()
			damage.do(t, filepath.Join(p.Dir, "cluster"))
			p.Up()
			p.AwaitAlarm(15005, true, 5*time.Second)
			v := p.View()
			if v.Database != "Failed" || v.Writable || v.ReadOnly == "" {
				t.Errorf("the page says database %q, writable %v (%s)", v.Database, v.Writable, v.ReadOnly)
			}
			if e := p.Refused(`xCommand ZoneAdd ZoneName: "new" Type: Neighbor`); e.Code != engine.Unavailable {
				t.Errorf("saving is refused with %s: %v", e.Code, e)
			}
			if len(v.Entered.Peers) != 1 {
				t.Errorf("the clustering page is lost: %+v", v.Entered)
			}
		})
	}
}

// truncate cuts every file of a name below dir to half.
func truncate(t *testing.T, dir, name string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != name {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found++
		return os.Truncate(path, info.Size()/2+100)
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files %s below %s: %v", found, name, dir, err)
	}
}

// TestDamagedLocalDatabase: without it nothing can be said of this peer, so it
// ends, says why, and does not try again.
func TestDamagedLocalDatabase(t *testing.T) {
	t.Parallel()
	p := single(t, 40)
	p.Stop()
	file := filepath.Join(p.Dir, "local.db")
	for _, name := range []string{file + "-wal", file + "-shm"} {
		_ = os.Remove(name)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	mark := len(p.Log())
	p.Start()
	ended(t, p)
	log := p.Log()[mark:]
	if !strings.Contains(log, file) || !strings.Contains(log, `Id="15008"`) {
		t.Errorf("it says\n%s", log)
	}
	if n := strings.Count(log, `Id="15008"`); n > 1 {
		t.Errorf("it started %d times", n)
	}
}

// TestFullDisk: saving says so and works again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("a file system of its own cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p := appliancetest.New(t, 1, "127.0.41.1")
	p.Dir = filepath.Join(dir, "data")
	appliancetest.Form(t, []*appliancetest.Peer{p})
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	p.Await("refuses to save", 30*time.Second, func() string {
		_, err := p.Try(`xCommand ZoneAdd ZoneName: "` + strings.Repeat("x", 20) + time.Now().Format("150405.000") + `" Type: Neighbor`)
		var e *engine.Error
		if errors.As(err, &e) && e.Code == engine.Unavailable && e.Remedy != "" {
			return ""
		}
		fill(t, ballast)
		return "it answers: " + why(err)
	})
	p.AwaitAlarm(15005, true, 10*time.Second)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.Await("saves again", 30*time.Second, func() string {
		_, err := p.Try(`xCommand ZoneAdd ZoneName: "roomy" Type: Neighbor`)
		if err != nil && strings.Contains(zones(p), "roomy") {
			return "" // an earlier try was carried out
		}
		return why(err)
	})
	p.AwaitAlarm(15005, false, 20*time.Second)
}

func why(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// fill takes all the room that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := slices.Repeat([]byte{'x'}, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
