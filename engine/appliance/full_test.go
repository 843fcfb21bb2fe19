package appliance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// storeDir reads where the copy of the cluster's database is.
func storeDir(dir *string) func(context.Context, *sqlstore.Local) error {
	return func(ctx context.Context, l *sqlstore.Local) error {
		id, err := l.Identity(ctx)
		*dir = id.StoreDir
		return err
	}
}

// TestFullDisk: saving says that the disk is full, what was acknowledged stays,
// and everything works again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a file system of its own cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p := appliancetest.New(t, 1, "127.0.65.1")
	p.Dir = filepath.Join(dir, "data")
	p.Up().Prepare()
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)

	var saved []string
	refused := 0
	p.Await("refuses to save", 30*time.Second, func() string {
		name := fmt.Sprintf("zone %d", len(saved)+refused)
		_, err := p.Try(`xCommand ZoneAdd ZoneName: "` + name + `" Type: Neighbor`)
		if err == nil {
			saved = append(saved, name)
			fill(t, ballast)
			return "it saves"
		}
		refused++
		if isFull(err) {
			return ""
		}
		return err.Error()
	})
	p.AwaitAlarm(15005, true, 10*time.Second)
	if d := p.Detail(15005); !strings.Contains(d, "free space") {
		t.Errorf("15005 says %q", d)
	}
	p.Await("refuses to store an item of its own", 10*time.Second, func() string {
		fill(t, ballast)
		_, err := p.Try(`xConfiguration SystemUnit Name: "` + strings.Repeat("x", 30) + time.Now().Format("150405.000000") + `"`)
		if isFull(err) {
			return ""
		}
		return "it answers: " + why(err)
	})

	p.Signal(syscall.SIGKILL) // what starts on a full disk comes up, or tries again until there is room
	fill(t, ballast)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.Answers()
	p.Await("saves again", 30*time.Second, func() string {
		_, err := p.Try(`xCommand ZoneAdd ZoneName: "roomy" Type: Neighbor`)
		if err != nil && strings.Contains(zones(p), "roomy") {
			return "" // an earlier try was carried out
		}
		return why(err)
	})
	p.AwaitAlarm(15005, false, 20*time.Second)
	p.Exec(`xConfiguration SystemUnit Name: "roomy"`)
	got := zones(p)
	for _, name := range saved {
		if !strings.Contains(got, name) {
			t.Errorf("%q was acknowledged and is lost:\n%s", name, got)
		}
	}
}

func isFull(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Code == engine.Unavailable && strings.Contains(e.Message, "disk") && strings.Contains(e.Remedy, "free space")
}

func why(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// single is a cluster of one that runs.
func single(t *testing.T, network int, args ...string) *appliancetest.Peer {
	t.Helper()
	return appliancetest.Cluster(t, network, 1, args...)[0]
}
