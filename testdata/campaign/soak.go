package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// soak is tier F: six peers at half load and no faults; what each process holds
// returns to what it held a while after the start (I14).
func soak(ctx context.Context, r *Run) error {
	b, err := newBed(ctx, r)
	defer func() { b.close(r.Failed()) }()
	if err != nil {
		return err
	}
	s, err := newSiege(ctx, b)
	if err != nil {
		return err
	}
	s.load.pause.Store(int64(2 * soloWriters * time.Second / 100)) // about 50 saves a second
	warm := min(60*time.Second, r.Left()/4)
	sleep(ctx, warm)
	first := s.leanest(ctx, min(10*time.Second, r.Left()/6))
	r.Note("baseline after %v: %v", warm, first)
	sleep(ctx, r.Left()-35*time.Second)
	last := s.leanest(ctx, min(10*time.Second, r.Left()/3))
	r.Note("at the end: %v", last)
	for i := range first {
		s.grown(i+1, first[i], last[i])
	}
	r.Say("fds", fmt.Sprintf("%d/%d", sum(first, func(h held) int64 { return h.files }), sum(last, func(h held) int64 { return h.files })))
	r.Say("threads", fmt.Sprintf("%d/%d", sum(first, func(h held) int64 { return h.threads }), sum(last, func(h held) int64 { return h.threads })))
	r.Say("rss_mib", fmt.Sprintf("%d/%d", sum(first, func(h held) int64 { return h.memory >> 20 }), sum(last, func(h held) int64 { return h.memory >> 20 })))
	r.Say("disk_mib", fmt.Sprintf("%d/%d", sum(last, func(h held) int64 { return h.data >> 20 }), sum(last, func(h held) int64 { return h.disk >> 20 })))
	s.finish(ctx)
	return ctx.Err()
}

// held is what one peer's child holds.
type held struct {
	files, threads int64
	memory         int64 // bytes resident
	disk, data     int64 // bytes of the data directory, and of the databases in it
}

// leanest is the least of what each peer holds over a time: a heap grows and
// shrinks between two collections.
func (s *siege) leanest(ctx context.Context, during time.Duration) [peerCount]held {
	var out [peerCount]held
	for until := time.Now().Add(during); ; sleep(ctx, 200*time.Millisecond) {
		for i, p := range s.peers {
			now, err := holds(p)
			if err != nil {
				s.run.Fail("I14: peer %d: %v", p.n, err)
				continue
			}
			if had := out[i]; had.files > 0 {
				now.files, now.threads, now.memory = min(now.files, had.files), min(now.threads, had.threads), min(now.memory, had.memory)
			}
			out[i] = now
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return out
		}
	}
}

func holds(p *peer) (held, error) {
	var h held
	child := p.child()
	if child == 0 {
		return h, fmt.Errorf("it has no child")
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", child))
	if err != nil {
		return h, err
	}
	h.files = int64(len(files))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child))
	if err != nil {
		return h, err
	}
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "Threads":
			h.threads = n
		case "VmRSS":
			h.memory = n << 10
		}
	}
	err = filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // it is gone already
		}
		info, err := d.Info()
		if err != nil || filepath.Base(filepath.Dir(path)) == "reset" {
			return nil // gone, or the software image
		}
		h.disk += info.Size()
		if strings.HasPrefix(d.Name(), "db.sqlite") || strings.HasPrefix(d.Name(), "local.db") {
			h.data += info.Size()
		}
		return nil
	})
	return h, err
}

// grown reports what grew beyond 5 % and a little that is always in motion.
func (s *siege) grown(n int, first, last held) {
	for _, t := range []struct {
		what              string
		first, last, more int64
	}{
		{"descriptors", first.files, last.files, 8},
		{"threads", first.threads, last.threads, 4},
		{"resident bytes", first.memory, last.memory, 12 << 20},
	} {
		if limit := t.first + t.first/20 + t.more; t.last > limit {
			s.run.Fail("I14: peer %d: %d %s, %d after the start, limit %d", n, t.last, t.what, t.first, limit)
		}
	}
	const ballast = 64 << 20 // the ballast file and logs that are about to be cut
	if limit := 3*last.data + ballast; last.disk > limit {
		s.run.Fail("I14: peer %d: %d bytes on disk for %d of data", n, last.disk, last.data)
	}
}

func sum(list [peerCount]held, of func(held) int64) (total int64) {
	for _, h := range list {
		total += of(h)
	}
	return total
}
