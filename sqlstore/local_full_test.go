package sqlstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// TestFullDisk fills the file system under local.db: writing answers that the
// disk is full, nothing that was saved is lost, reading goes on, and so does
// writing once there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("hexad-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	data := filepath.Join(dir, "data")
	l := sqlstoretest.LocalIn(t, data)
	saved := 0
	var failed error
	for i := 0; failed == nil && i < 2000; i++ {
		_, failed = l.SaveItems(t.Context(), []engine.Change{{Path: fmt.Sprintf("Fill %d", i), Value: strings.Repeat("x", 2000)}}, engine.System, noon, "")
		if failed == nil {
			saved++
		}
	}
	if engine.CodeOf(failed) != engine.Unavailable || !errors.Is(failed, sqlstore.ErrFull) || !strings.Contains(failed.Error(), "the disk is full") {
		t.Fatalf("after %d saves: %v (%s)", saved, failed, engine.CodeOf(failed))
	}
	if err := l.AppendEvents(t.Context(), []engine.Event{{Detail: strings.Repeat("x", 200_000)}}); !errors.Is(err, sqlstore.ErrFull) {
		t.Errorf("events: %v", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Error("the disk is not full")
	}
	if items, err := l.Items(t.Context()); err != nil || len(items) != saved {
		t.Errorf("full: %d items, %v, want %d", len(items), err, saved)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("hexad-test", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SaveItems(t.Context(), []engine.Change{{Path: "After", Value: "1"}}, engine.System, noon, ""); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if items, err := sqlstoretest.LocalIn(t, data).Items(t.Context()); err != nil || len(items) != saved+1 {
		t.Errorf("after a restart: %d items, %v, want %d", len(items), err, saved+1)
	}
}

// TestFirstStartOnFullDisk leaves nothing behind that a later start stumbles over.
func TestFirstStartOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("hexad-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	data := filepath.Join(dir, "data")
	if _, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: data}); engine.CodeOf(err) != engine.Unavailable || !errors.Is(err, sqlstore.ErrFull) {
		t.Errorf("got %v (%s), want a full disk", err, engine.CodeOf(err))
	}
	if err := syscall.Mount("hexad-test", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	sqlstoretest.LocalIn(t, data)
}
