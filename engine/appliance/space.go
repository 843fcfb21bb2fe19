package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"hexad/engine"
)

// Room on the file system of the data directory, in hundredths of it: below
// spaceLow the alarm is raised, below spaceScarce what can be done without is
// not written any more. spaceBack more lets either end.
//
// The ballast takes room that nobody needs. When less than ballastFreed bytes
// are left it is given to whoever has to go on: Raft, the alarms, the saves of
// whoever comes to help. It is laid again when there is room for it twice over.
//
// Source: reference/faults.md 2.5.
const (
	spaceLow    = 10
	spaceScarce = 5
	spaceBack   = 2

	ballastFile  = "ballast"
	ballastSize  = 32 << 20
	ballastFreed = 8 << 20

	spaceEvery = 10 * time.Second
	spaceSoon  = time.Second // while it is low

	alarmSpace = 70025
)

// space watches the room that is left.
type space struct {
	a      *appliance
	scarce atomic.Bool
	full   chan struct{} // a write met a full disk
	left   atomic.Int64  // events and records that were not written

	low bool // of run
}

func newSpace(a *appliance) *space { return &space{a: a, full: make(chan struct{}, 1)} }

// met notes that a write found the disk full.
func (s *space) met() {
	select {
	case s.full <- struct{}{}:
	default:
	}
}

// run watches until ctx ends.
func (s *space) run(ctx context.Context) error {
	for {
		wait := spaceEvery
		if s.look(ctx, false) {
			wait = spaceSoon
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.full:
			s.look(ctx, true)
		case <-time.After(wait):
		}
	}
}

// look measures the room and acts on it; true when it is low.
func (s *space) look(ctx context.Context, full bool) bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.a.o.DataDir, &fs); err != nil || fs.Blocks == 0 {
		s.a.log.Debug("free space not known", "module", "management", "err", err)
		return s.low
	}
	free, total := int64(fs.Bavail)*int64(fs.Bsize), int64(fs.Blocks)*int64(fs.Bsize)
	if s.ballast(free, total, full) {
		free += ballastSize
	}
	share := free * 100 / total
	switch {
	case !s.low && share < spaceLow:
		s.low = true
		s.a.tracker.Raise(ctx, alarmSpace, "", map[string]string{"free": fmt.Sprintf("%d MB (%d %%)", free>>20, share), "path": s.a.o.DataDir})
	case s.low && share >= spaceLow+spaceBack:
		s.low = false
		s.a.tracker.Lower(ctx, alarmSpace, "")
	}
	switch {
	case share < spaceScarce && !s.scarce.Swap(true):
		s.a.log.Warn("events and decisions are not kept any more: too little space", "module", "management", "path", s.a.o.DataDir)
	case share >= spaceScarce+spaceBack && s.scarce.Swap(false):
		s.a.log.Warn("events and decisions are kept again", "module", "management", "left_out", s.left.Swap(0))
	}
	return s.low
}

// ballast frees the ballast or lays it again; true when it was freed.
func (s *space) ballast(free, total int64, full bool) bool {
	path := filepath.Join(s.a.o.DataDir, ballastFile)
	info, err := os.Stat(path)
	there := err == nil
	switch {
	case there && (full || free < ballastFreed):
		if err := os.Remove(path); err != nil {
			s.a.log.Warn("ballast not freed", "module", "management", "err", err)
			return false
		}
		s.a.log.Warn("ballast freed", "module", "management", "bytes", info.Size())
		return true
	case errors.Is(err, os.ErrNotExist) && free >= total*(spaceLow+spaceBack)/100+2*ballastSize:
		if err := layBallast(path); err != nil {
			s.a.log.Warn("ballast not laid", "module", "management", "err", err)
			os.Remove(path)
		}
	}
	return false
}

// layBallast makes the file with room of its own.
func layBallast(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, ballastSize)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, ballastSize))
	}
	return errors.Join(err, f.Close())
}

// keeps reports whether there is room for n records that can be done without,
// and counts them when not.
func (s *space) keeps(n int) bool {
	if !s.scarce.Load() {
		return true
	}
	s.left.Add(int64(n))
	return false
}

// spared is the event journal in local.db; it takes nothing while space is scarce.
// Events are printed nevertheless.
type spared struct{ a *appliance }

func (j spared) AppendEvents(ctx context.Context, events []engine.Event) error {
	if !j.a.space.keeps(len(events)) {
		return nil
	}
	return j.a.local.AppendEvents(ctx, events)
}
