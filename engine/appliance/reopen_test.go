package appliance_test

import (
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

// TestReadOnlyDatabaseDisk: a peer whose cluster database is on a disk that
// takes no writes when it starts says so, refuses to save for that reason, serves
// everything else, and has its database by itself when the disk is well again.
func TestReadOnlyDatabaseDisk(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.114.61")
	disk := filepath.Join(p.Dir, "cluster")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("a file system of its own cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, "size=96m"); err != nil {
			t.Fatal(err)
		}
	}
	p.Up().Prepare()
	p.Exec(`xCommand ZoneAdd ZoneName: "kept" Type: Neighbor`)
	p.Stop()
	remount(syscall.MS_RDONLY)
	p.Up()
	p.AwaitAlarm(15005, true, 5*time.Second)
	if d := p.Detail(15005); !strings.Contains(d, "read-only") {
		t.Errorf("15005 says %q", d)
	}
	// A change of one field, of which the defaults that hold now know no entry.
	for _, line := range []string{`xCommand ZoneAdd ZoneName: "new" Type: Neighbor`, `xConfiguration Zones Zone 1 HopCount: 10`} {
		if e := p.Refused("%s", line); e.Code != engine.Unavailable || !strings.Contains(e.Remedy, "disk") {
			t.Errorf("%s: refused with %s: %v (%s)", line, e.Code, e, e.Remedy)
		}
	}
	b := p.Browser()
	if !b.SignIn(appliancetest.Password) {
		t.Error("nobody can sign in at the console")
	}
	if status, _ := b.Get("/alarms"); status != http.StatusOK {
		t.Errorf("/alarms is %d", status)
	}
	child := p.Child()
	remount(0)
	p.Await("has its database again", 10*time.Second, func() string {
		_, err := p.Try(`xConfiguration Zones Zone 1 HopCount: 10`)
		return why(err)
	})
	p.AwaitAlarm(15005, false, 5*time.Second)
	if got := zones(p); !strings.Contains(got, "kept") {
		t.Errorf("zones:\n%s", got)
	}
	if p.Child() != child {
		t.Error("it had to be restarted")
	}
}
