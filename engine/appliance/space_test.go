package appliance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// TestSpace: little room raises an alarm, less of it stops what can be done
// without, and a full disk gets the ballast; all of it ends when there is room.
func TestSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("a file system of its own cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p := appliancetest.New(t, 1, "127.0.110.50")
	p.Dir = filepath.Join(dir, "data")
	p.Up().Prepare()
	ballast, filler := filepath.Join(p.Dir, "ballast"), filepath.Join(dir, "filler")
	there := func(want bool) {
		t.Helper()
		p.Await(fmt.Sprintf("has ballast: %v", want), 15*time.Second, func() string {
			info, err := os.Stat(ballast)
			if (err == nil) != want || want && info.Sys().(*syscall.Stat_t).Blocks*512 < 32<<20 {
				return fmt.Sprint(info, err)
			}
			return ""
		})
	}
	there(true)
	leave(t, filler, dir, 7)
	p.AwaitAlarm(70025, true, 15*time.Second)
	if d := p.Detail(70025); !strings.Contains(d, p.Dir) || !strings.Contains(d, "MB") {
		t.Errorf("70025 says %q", d)
	}
	leave(t, filler, dir, 3)
	says := func(text string) {
		t.Helper()
		p.Await("says: "+text, 10*time.Second, func() string {
			if !strings.Contains(p.Log(), text) {
				return "not yet"
			}
			return ""
		})
	}
	says("events and decisions are not kept any more")
	there(true)
	fill(t, filler)
	there(false)
	p.Await("saves with the room of the ballast", 20*time.Second, func() string {
		_, err := p.Try(`xCommand ZoneAdd ZoneName: "on a full disk" Type: Neighbor`)
		if err != nil && lacks(p, "on a full disk") == "" {
			return "" // an earlier try was carried out
		}
		return why(err)
	})
	p.AwaitAlarm(70025, true, time.Second)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	there(true)
	says("events and decisions are kept again")
	p.AwaitAlarm(70025, false, 15*time.Second)
	p.AwaitAlarm(15005, false, 20*time.Second)
}

// leave makes a file so large that a share of the file system remains, in hundredths.
func leave(t *testing.T, path, dir string, share int64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	take := (int64(fs.Bavail) - int64(fs.Blocks)*share/100) * int64(fs.Bsize)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = syscall.Fallocate(int(f.Fd()), 0, info.Size(), take)
	}
	if err != nil {
		t.Fatal(err)
	}
}
