package sqlstore_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// TestOpenOnFailingDisk: a store on a disk that takes no writes is not damaged, and
// is opened when the disk is well again, by the same Cluster.
func TestOpenOnFailingDisk(t *testing.T) {
	g := sqlstoretest.Peers(t, 1)
	p := g.Peers[0]
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("hexad-test", p.Dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		p.Close()
		if err := syscall.Unmount(p.Dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	remount := func(flags uintptr) {
		t.Helper()
		sqlstoretest.Until(t, "the files that were written are closed", func() error {
			return syscall.Mount("hexad-test", p.Dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=8m")
		})
	}
	if err := p.Found(t.Context(), g.Generation, "cluster1", sqlstoretest.Member(1)); err != nil {
		t.Fatal(err)
	}
	save(t, p, "Zones Zone 1 Name", "branch")
	if err := p.Open(t.Context(), engine.Generation{Number: 2, ID: "none"}); engine.CodeOf(err) != engine.NotFound { // closes the first
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	err := p.Open(t.Context(), g.Generation)
	if !errors.Is(err, sqlstore.ErrDisk) || errors.Is(err, sqlstore.ErrDamaged) || engine.CodeOf(err) != engine.Unavailable {
		t.Fatalf("on a disk that is read-only: %v (%s)", err, engine.CodeOf(err))
	}
	remount(0)
	if err := p.Open(t.Context(), g.Generation); err != nil {
		t.Fatalf("on a disk that is well again: %v", err)
	}
	if got := value(t, p, "Zones Zone 1 Name"); got != "branch" {
		t.Errorf("it has %q", got)
	}
}
