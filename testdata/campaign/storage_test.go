package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disksFor are recorded disks with a file system each, mounted.
func disksFor(t *testing.T, count int) (*disks, []string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir, err := os.MkdirTemp(scratch(), "hexad-disks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	template := filepath.Join(dir, "template")
	if err := formatted(template); err != nil {
		t.Skipf("no ext4 here: %v", err)
	}
	d, err := newDisks(filepath.Join(dir, "disks"), template, count)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	var at []string
	for n := range count {
		m, err := mount(d.path(n), filepath.Join(dir, fmt.Sprint("disk", n+1)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.unmount(); err != nil {
				t.Error(err)
			}
		})
		at = append(at, m.dir)
	}
	return d, at
}

func put(t *testing.T, path, text string, sync bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// left mounts what a power cut leaves and returns the content of its files.
func left(t *testing.T, d *disks, c cut, n int) map[string]string {
	t.Helper()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := d.after(c, n, image); err != nil {
		t.Fatal(err)
	}
	m, err := mount(image, filepath.Join(dir, "left"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.unmount()
	out := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(m.dir, "*.txt"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(text)
	}
	return out
}

// TestPowerCut is the control of every power cut: what was synced is there,
// what was not is gone, whatever else the disk writes of its own accord.
func TestPowerCut(t *testing.T) {
	d, at := disksFor(t, 2)
	put(t, filepath.Join(at[0], "synced.txt"), "one", true)
	synced := d.now()
	put(t, filepath.Join(at[0], "unsynced.txt"), "two", false)
	put(t, filepath.Join(at[1], "other.txt"), "three", true)
	for _, torn := range []*rand.Rand{nil, rand.New(rand.NewPCG(1, 1))} {
		if got := left(t, d, cut{at: d.now(), torn: torn}, 0); got["synced.txt"] != "one" || got["unsynced.txt"] != "" {
			t.Errorf("after the power cut: %q", got)
		}
	}
	if got := left(t, d, cut{at: d.now()}, 1); got["other.txt"] != "three" {
		t.Errorf("the other disk has %q", got)
	}
	if got := left(t, d, cut{at: synced}, 1); len(got) != 0 {
		t.Errorf("before it was written the other disk had %q", got)
	}
	boundaries := d.flushes(0, synced)
	if len(boundaries) == 0 {
		t.Fatal("a sync is no boundary")
	}
	if got := left(t, d, cut{at: boundaries[0] - 1}, 0); got["synced.txt"] != "" {
		t.Errorf("just before the sync ended %q was there", got)
	}
	// A rename over a file that was never synced loses both, as it may.
	put(t, filepath.Join(at[0], "new"), "four", false)
	if err := os.Rename(filepath.Join(at[0], "new"), filepath.Join(at[0], "synced.txt")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(at[0], "later.txt"), "five", true) // commits the rename, not what is in the file
	if got := left(t, d, cut{at: d.now()}, 0); got["synced.txt"] == "four" || got["later.txt"] != "five" {
		t.Errorf("an unsynced file under a synced rename: %q", got)
	}
}

// TestFaultFS: exactly the chosen operation fails, and nothing else.
func TestFaultFS(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	seen := t.TempDir()
	f, err := newFaultFS(t.TempDir(), seen)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	file, err := os.Create(filepath.Join(seen, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir, err := os.Open(seen)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	write := func() error { _, err := file.WriteAt([]byte("12345678"), 0); return err }
	raw := func() error {
		if n, err := syscall.Pwrite(int(file.Fd()), []byte("12345678"), 0); err != nil || n != 8 {
			return fmt.Errorf("%d bytes, %v", n, err)
		}
		return nil
	}
	tests := []struct {
		name string
		plan faultPlan
		do   func() error
		want []bool // which tries succeed
		as   error
	}{
		{"no plan", faultPlan{}, file.Sync, []bool{true, true}, nil},
		{"second sync", faultPlan{sync: 2, err: syscall.EIO}, file.Sync, []bool{true, false, true}, syscall.EIO},
		{"directory", faultPlan{sync: 1, err: syscall.EIO}, dir.Sync, []bool{false, true}, syscall.EIO},
		{"for good", faultPlan{sync: 2, err: syscall.EIO, forGood: true}, file.Sync, []bool{true, false, false}, syscall.EIO},
		{"another file", faultPlan{sync: 1, err: syscall.EIO, below: "other"}, file.Sync, []bool{true}, nil},
		{"third write", faultPlan{write: 3, err: syscall.ENOSPC}, write, []bool{true, true, false, true}, syscall.ENOSPC},
		{"short write", faultPlan{write: 1, short: true}, raw, []bool{false, true}, nil},
	}
	for _, c := range tests {
		f.set(c.plan)
		for n, want := range c.want {
			if err := c.do(); (err == nil) != want || !want && c.as != nil && !errors.Is(err, c.as) {
				t.Errorf("%s: try %d ended with %v", c.name, n+1, err)
			}
		}
	}
}
