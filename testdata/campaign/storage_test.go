package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
