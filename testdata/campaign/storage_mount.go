package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// diskSize is room for everything of a peer, ballast included.
const diskSize = 160 << 20

// scratch is where images and mounts are: memory, so that the machine's own
// disk is no part of what is measured.
func scratch() string {
	if isDir("/dev/shm") {
		return "/dev/shm"
	}
	return os.TempDir()
}

// formatted makes an image with an empty ext4 on it.
func formatted(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := f.Truncate(diskSize); err != nil {
		return err
	}
	f.Close()
	// No work is left for the kernel to do later behind the back of the log.
	return runTool("mkfs.ext4", "-q", "-F", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-N", "8192", path)
}

// mounted is a mounted file system and its loop device.
type mounted struct {
	dir  string
	loop string
}

// ext4Options keep in memory for long what nobody syncs, and do nothing for
// programs that rename without syncing.
const ext4Options = "commit=300,noauto_da_alloc,nodiscard"

// mount mounts the image at dir.
func mount(image, dir string) (*mounted, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out, err := exec.Command("losetup", "-f", "--show", image).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("losetup: %w: %s", err, out)
	}
	m := &mounted{dir: dir, loop: strings.TrimSpace(string(out))}
	if err := syscall.Mount(m.loop, dir, "ext4", syscall.MS_NOATIME, ext4Options); err != nil {
		_ = runTool("losetup", "-d", m.loop)
		return nil, fmt.Errorf("mount %s: %w", image, err)
	}
	return m, nil
}

// unmount takes it away again, at once when nothing uses it.
func (m *mounted) unmount() error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := syscall.Unmount(m.dir, 0)
		if err == nil {
			break
		}
		if time.Now().After(deadline) { // whoever still ends there does it alone
			_ = syscall.Unmount(m.dir, syscall.MNT_DETACH)
			_ = runTool("losetup", "-d", m.loop) // by itself when the last one has gone
			return fmt.Errorf("unmount %s: %w", m.dir, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return runTool("losetup", "-d", m.loop)
}

// freeze stops every write until thaw.
func (m *mounted) freeze() error { return runTool("fsfreeze", "-f", m.dir) }
func (m *mounted) thaw() error   { return runTool("fsfreeze", "-u", m.dir) }

// sync writes everything out.
func (m *mounted) sync() error { return runTool("sync", "-f", m.dir) }

func runTool(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out)
	}
	return nil
}
