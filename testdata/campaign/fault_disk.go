package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// diskFaults fill, slow, freeze and break the disk of one peer.
func diskFaults() []kind {
	return []kind{
		{name: "disk full", least: time.Second, most: 3 * time.Second, inject: diskFull},
		{name: "disk frozen", least: 300 * time.Millisecond, most: 2500 * time.Millisecond, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			mount := s.peer(n).disk.mount
			s.heal(func() error { return tool("fsfreeze", "-u", mount) })
			return tool("fsfreeze", "-f", mount)
		}},
		{name: "disk slow", least: time.Second, most: 3 * time.Second, needs: controlled("blkio"), inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			p := s.peer(n)
			device, err := number(p.disk.device)
			if err != nil {
				return err
			}
			s.heal(func() error { return p.groups.set("blkio", "blkio.throttle.write_iops_device", device+" 0") })
			return p.groups.set("blkio", "blkio.throttle.write_iops_device", device+" 20")
		}},
		{name: "disk read-only", least: 500 * time.Millisecond, most: 2 * time.Second, long: true, inject: func(s *scene) error {
			n := s.one()
			s.aim("%d", n)
			p := s.peer(n)
			s.heal(func() error { // as after a failed disk: end, copy, repair, mount, start
				return errors.Join(p.kill(), p.disk.renew(), p.start())
			})
			return tool("mount", "-o", "remount,abort", p.disk.mount)
		}},
	}
}

// diskFull takes all the room there is on the disk of one peer.
func diskFull(s *scene) error {
	n := s.one()
	s.aim("%d", n)
	p := s.peer(n)
	name := filepath.Join(p.disk.mount, "filler")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	s.heal(func() error { return os.Remove(name) })
	const step = 64 << 20
	size := int64(0)
	for room := int64(step); room >= 4096; {
		if err := syscall.Fallocate(int(f.Fd()), 0, size, room); err != nil {
			room /= 4
			continue
		}
		size += room
	}
	return nil
}

// number is the device's number, "major:minor".
func number(device string) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(device, &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d", st.Rdev>>8&0xfff, st.Rdev&0xff|st.Rdev>>12&0xfff00), nil
}
