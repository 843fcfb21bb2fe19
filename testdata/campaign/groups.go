package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groups are the control groups of one peer (version 1), one in each hierarchy
// that there is: what limits its processor, memory and disk.
type groups struct {
	name string
	dirs map[string]string // by controller
}

// controllers are the hierarchies that faults use.
var controllers = []string{"cpu", "memory", "blkio"}

// newGroups makes the groups that this machine has; faults whose controller
// is missing are left out.
func newGroups(name string) *groups {
	g := &groups{name: name, dirs: map[string]string{}}
	for _, c := range controllers {
		dir := filepath.Join("/sys/fs/cgroup", c, name)
		if err := os.Mkdir(dir, 0o755); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
				g.dirs[c] = dir
			}
		}
	}
	return g
}

func (g *groups) has(controller string) bool { return g.dirs[controller] != "" }

// enter puts a process into every group; its children follow it.
func (g *groups) enter(pid int) error {
	for c := range g.dirs {
		if err := g.set(c, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

func (g *groups) set(controller, file, value string) error {
	return os.WriteFile(filepath.Join(g.dirs[controller], file), []byte(value), 0o644)
}

func (g *groups) number(controller, file string) (int64, error) {
	raw, err := os.ReadFile(filepath.Join(g.dirs[controller], file))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
}

// remove removes the groups; their processes have ended.
func (g *groups) remove() {
	for _, dir := range g.dirs {
		for range 50 { // an ended process leaves a moment later
			if err := os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// volume is the disk of one peer: an ext4 image of its own, so that it can be
// full, slow, frozen or gone without anybody else noticing.
type volume struct {
	image, mount, device string
}

// volumeSize is more than a night writes; the image is sparse.
const volumeSize = 6 << 30

// newVolume makes and mounts a disk. The image is in memory where there is room:
// what a power cut leaves is the matter of tier C, and the fsyncs of six peers
// do not hold each other up.
func newVolume(name, mount string) (*volume, error) {
	dir := filepath.Dir(mount)
	var room syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &room); err == nil && room.Bavail*uint64(room.Bsize) > 6<<30 {
		dir = "/dev/shm"
	}
	d := &volume{image: filepath.Join(dir, name+".img"), mount: mount}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(volumeSize), f.Close()); err != nil {
		return nil, err
	}
	if err := tool("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", d.image); err != nil {
		return d, err
	}
	if err := os.MkdirAll(mount, 0o700); err != nil {
		return d, err
	}
	if d.device, err = printed("losetup", "-f", "--show", d.image); err != nil {
		return d, err
	}
	return d, d.attach()
}

func (d *volume) attach() error { return tool("mount", d.device, d.mount) }

// detach unmounts it; whoever had files open there may just have ended.
func (d *volume) detach() error {
	var err error
	for range 100 {
		if err = syscall.Unmount(d.mount, 0); err == nil || errors.Is(err, syscall.EINVAL) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("unmount %s: %w", d.mount, err)
}

// renew puts a copy of the disk in its place, repaired: somebody's mount
// namespace may hold on to the old one.
func (d *volume) renew() error {
	if err := d.detach(); err != nil {
		return err
	}
	fresh := d.image + ".copy"
	if err := tool("cp", "--sparse=always", d.image, fresh); err != nil {
		return err
	}
	_ = tool("losetup", "-d", d.device) // it goes when the last mount does
	if err := os.Rename(fresh, d.image); err != nil {
		return err
	}
	var err error
	if d.device, err = printed("losetup", "-f", "--show", d.image); err != nil {
		return err
	}
	// Status 1 says that something was repaired.
	if out, err := exec.Command("e2fsck", "-p", d.device).CombinedOutput(); err != nil && !strings.HasPrefix(err.Error(), "exit status 1") {
		return fmt.Errorf("e2fsck: %w: %s", err, out)
	}
	return d.attach()
}

// remove gives everything back.
func (d *volume) remove() {
	_ = d.detach()
	if d.device != "" {
		_ = tool("losetup", "-d", d.device)
	}
	_ = os.Remove(d.image)
}
