package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// harm is something that happens to one file while its peer does not run.
type harm struct {
	name string
	do   func(path string, random *rand.Rand) error
}

var harms = []harm{
	{"flipped", func(path string, random *rand.Rand) error {
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			return err
		}
		text[random.IntN(len(text))] ^= 1 << random.IntN(8)
		return os.WriteFile(path, text, 0o600)
	}},
	{"cut short", func(path string, random *rand.Rand) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, random.Int64N(info.Size()+1))
	}},
	{"removed", func(path string, _ *rand.Rand) error { return os.Remove(path) }},
}

// harmed reports whether a file of a data directory is one to harm: what a
// process makes anew at each start and what it never reads is none.
func harmed(name string) bool {
	for _, part := range []string{"reset/", "admin.sock", "lock", ".probe", "ballast", "cluster.opening"} {
		if strings.Contains(name, part) {
			return false
		}
	}
	return true
}

// damagePart harms each file of the data directory of the last of count peers,
// one at a time.
func damagePart(name string, count, most int) func(context.Context, *Run, *stall, string, time.Duration, *tally) error {
	return func(ctx context.Context, r *Run, s *stall, program string, until time.Duration, t *tally) error {
		rec, err := newRecording(r, s, program, name, count)
		if rec != nil {
			defer rec.close()
		}
		if err != nil {
			return err
		}
		if err := rec.all(func() error { return rec.begin(ctx) }, func() error { return rec.saves(ctx, rec.boxes[0], 20) }); err != nil {
			return err
		}
		if count == 1 { // with a snapshot and the log behind it
			if err := errors.Join(rec.untilSnapshot(ctx, rec.boxes[0]), rec.saves(ctx, rec.boxes[0], 10)); err != nil {
				return err
			}
		}
		for _, b := range rec.boxes {
			if err := rec.caughtUp(ctx, b); err != nil {
				return err
			}
		}
		for _, b := range rec.boxes {
			b.stop()
		}
		for _, m := range rec.mounts {
			if err := m.sync(); err != nil {
				return err
			}
		}
		t.acked.Add(int64(len(rec.acked)))
		var files []string
		victim := rec.boxes[count-1].dir
		if err := filepath.WalkDir(victim, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(victim, path)
			if err == nil && d.Type().IsRegular() && harmed(rel) {
				files = append(files, rel)
			}
			return err
		}); err != nil {
			return err
		}
		type cell struct {
			file string
			harm harm
		}
		var cells []cell
		for _, f := range files {
			for _, h := range harms {
				cells = append(cells, cell{f, h})
			}
		}
		random := r.Rand("damage of " + name)
		random.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		for _, c := range cells[:min(most, len(cells))] {
			if ctx.Err() != nil || r.Left() < until {
				return nil
			}
			if err := damageCell(ctx, r, s, rec, c.file, c.harm, random, t); err != nil {
				return err
			}
		}
		return nil
	}
}

// damageCell starts copies of the machines, one file of the last of which is harmed.
func damageCell(ctx context.Context, r *Run, s *stall, rec *recording, file string, h harm, random *rand.Rand, t *tally) error {
	dir, err := os.MkdirTemp(scratch(), "hexad-harm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t.damaged.Add(1)
	what := fmt.Sprintf("%s of %d: %s %s", rec.boxes[len(rec.boxes)-1].name, len(rec.boxes), file, h.name)
	var boxes []*box
	defer func() {
		for _, b := range boxes {
			b.kill()
		}
	}()
	for n, original := range rec.boxes {
		machine := filepath.Join(dir, fmt.Sprint("machine", n+1))
		if err := runTool("cp", "-a", filepath.Dir(original.dir), machine); err != nil {
			return err
		}
		boxes = append(boxes, boxAt(s, original.program, machine, filepath.Join(r.Dir, fmt.Sprintf("harm%d-peer%d.log", t.damaged.Load(), n+1)), n+1))
	}
	victim := boxes[len(boxes)-1]
	if err := h.do(filepath.Join(victim.dir, file), random); err != nil {
		return err
	}
	began := time.Now()
	verdict, problem := survivesHarm(ctx, r, boxes, rec, t)
	r.Note("%s: %s%s in %v", what, verdict, problem, time.Since(began).Round(time.Millisecond))
	if problem != "" {
		r.Fail("%s: %s", what, problem)
		return nil
	}
	for _, b := range boxes {
		_ = os.Remove(b.log)
	}
	return nil
}

// survivesHarm judges a group of which one peer was harmed. That one must have
// everything in the end, or say plainly that it has not: it ends and names the file,
// or it raises an alarm; it never shows something else than was acknowledged. The
// others go on.
func survivesHarm(ctx context.Context, r *Run, boxes []*box, rec *recording, t *tally) (verdict, problem string) {
	victim, others := boxes[len(boxes)-1], boxes[:len(boxes)-1]
	for _, b := range boxes {
		if err := b.start(); err != nil {
			return "", err.Error()
		}
	}
	known := rec.known(rec.disks.now())
	if len(others) > 0 {
		for _, b := range others {
			if err := b.answers(ctx, patience); err != nil {
				return "", err.Error()
			}
		}
		primary, err := primaryOf(ctx, others, patience)
		if err != nil {
			return "", err.Error()
		}
		got, err := primary.history(ctx)
		if err != nil || differs(got, known, rec.tried) != "" {
			t.lost.Add(1)
			return "", fmt.Sprintf("the others: %v %s", err, differs(got, known, rec.tried))
		}
		if _, err := primary.save(ctx, "after"); err != nil {
			return "", "the others cannot save: " + err.Error()
		}
	}
	wrong := "it does not answer"
	err := await(ctx, "the harmed peer has everything, or says that it has not", patience/2, func() string {
		if victim.ended() {
			text, _ := os.ReadFile(victim.log)
			if i := bytes.LastIndex(text, []byte("hexad: ")); i >= 0 && bytes.Contains(text[i:], []byte(victim.dir)) {
				verdict = "it ended and said why"
				return ""
			}
			return "it has ended without saying which file"
		}
		got, err := victim.history(ctx)
		if err == nil {
			if wrong = differs(got, known, rec.tried); wrong == "" {
				verdict = "it has everything"
				return ""
			}
		} else {
			wrong = err.Error()
		}
		alarms := victim.alarms(ctx)
		for _, id := range []int{15005, 15008} {
			if alarms[id] != "" && err != nil {
				verdict = fmt.Sprintf("alarm %d", id)
				t.alarmed.Add(1)
				return ""
			}
		}
		return wrong
	})
	if err != nil {
		return "", fmt.Sprintf("%v; alarms %v", err, victim.alarms(ctx))
	}
	if !victim.ended() { // the faces go on
		if _, err := victim.admin.run(ctx, "xStatus SystemUnit"); err != nil {
			return verdict, "its shell: " + err.Error()
		}
	}
	return verdict, ""
}

// disksPart keeps the disk of a cluster of one full, read-only, slow and frozen
// for a while: what was acknowledged stays, its shell answers where the disk lets it,
// and it saves again by itself.
func disksPart(ctx context.Context, r *Run, s *stall, program string, until time.Duration, t *tally) error {
	rec, err := newRecording(r, s, program, "states", 1)
	if rec != nil {
		defer rec.close()
	}
	if err != nil {
		return err
	}
	b, m, disk := rec.boxes[0], rec.mounts[0], rec.disks.list[0]
	if err := rec.all(func() error { return rec.begin(ctx) }, func() error { return rec.saves(ctx, b, 5) }); err != nil {
		return err
	}
	filler := filepath.Join(m.dir, "filler")
	states := []struct {
		name    string
		in, out func() error
		answers bool // the shell answers meanwhile
		saves   bool // saves succeed meanwhile
	}{
		{"slow", func() error { disk.spoil(fault{flush: 200 * time.Millisecond}); return nil }, func() error { disk.spoil(fault{}); return nil }, true, true},
		{"full", func() error { return fillUp(filler) }, func() error { return os.Remove(filler) }, true, false},
		{"frozen", m.freeze, m.thaw, false, false},
	}
	for _, state := range states {
		if ctx.Err() != nil || r.Left() < until {
			return nil
		}
		if err := state.in(); err != nil {
			r.Note("%s: not possible here: %v", state.name, err)
			continue
		}
		saved, end := 0, time.Now().Add(2*time.Second)
		b.admin.close()
		quick := &admin{dir: b.dir, patience: 3 * time.Second}
		b.admin = quick
		answered := false
		for time.Now().Before(end) && ctx.Err() == nil {
			if _, err := rec.try(ctx, b); err == nil {
				saved++
			}
			if state.answers && !answered {
				_, err := b.admin.run(ctx, "xStatus SystemUnit")
				answered = err == nil
			}
		}
		err := state.out()
		b.admin.close()
		b.admin = &admin{dir: b.dir, patience: 15 * time.Second}
		if err != nil {
			return fmt.Errorf("%s: %w", state.name, err)
		}
		if state.answers && !answered {
			r.Fail("disk %s: the shell does not answer", state.name)
		}
		if state.saves && saved == 0 {
			r.Fail("disk %s: nothing could be saved", state.name)
		}
		began := time.Now()
		if err := await(ctx, "it saves again", patience, func() string {
			if b.ended() {
				return "it has ended"
			}
			_, err := rec.try(ctx, b)
			return reason(err)
		}); err != nil {
			r.Fail("disk %s: %v", state.name, err)
			return nil
		}
		if err := rec.caughtUp(ctx, b); err != nil {
			t.lost.Add(1)
			r.Fail("disk %s: %v", state.name, err)
		}
		r.Note("disk %s: %d saved meanwhile, saves again after %v", state.name, saved, time.Since(began).Round(time.Millisecond))
		t.states.Add(1)
	}
	return deadPart(ctx, r, s, rec, t)
}

// deadPart lets the disk fail for good: every write and flush ends with EIO, so the file
// system turns read-only. What is acknowledged in that state has to be on
// another disk that takes its place, as much as what was before.
func deadPart(ctx context.Context, r *Run, s *stall, rec *recording, t *tally) error {
	b := rec.boxes[0]
	b.admin.close()
	b.admin = &admin{dir: b.dir, patience: 3 * time.Second}
	rec.disks.list[0].spoil(fault{err: syscall.EIO})
	saved, answered, end := 0, 0, time.Now().Add(5*time.Second)
	for time.Now().Before(end) && ctx.Err() == nil {
		if _, err := rec.try(ctx, b); err == nil {
			saved++
		}
		if _, err := b.admin.run(ctx, "xStatus SystemUnit"); err == nil {
			answered++
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.Note("disk dead: %d saved and %d answers meanwhile, parent ended: %v", saved, answered, b.ended())
	t.states.Add(1)
	at := rec.disks.now()
	b.kill()
	rec.disks.list[0].spoil(fault{})
	t.acked.Add(int64(len(rec.acked)))
	return verifyCut(ctx, r, s, rec, cut{at: at}, t)
}

// fillUp takes all room that is left.
func fillUp(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(piece)
		if errors.Is(err, syscall.ENOSPC) && len(piece) > 512 {
			piece, err = piece[:len(piece)/2], nil
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
