package main

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"time"
)

// storage is tier C: one to three peers whose disks lose power, fail, fill up,
// are slow, or hold something else than was written.
//
// Source: reference/faults.md 2.2, 2.3, 3.
func storage(ctx context.Context, r *Run) error {
	if os.Geteuid() != 0 {
		return Skipped("mounting needs root")
	}
	for _, tool := range []string{"mkfs.ext4", "losetup", "fsfreeze", "nsenter", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			return Skipped("it needs " + tool + " (apt-get install e2fsprogs mount util-linux iproute2)")
		}
	}
	program, err := r.Hexad(ctx)
	if err != nil {
		return err
	}
	s, err := newStall()
	if err != nil {
		return err
	}
	defer s.remove()
	var t tally
	defer func() {
		r.Say("power_cuts", t.cuts.Load())
		r.Say("eio", t.eio.Load())
		r.Say("enospc", t.nospace.Load())
		r.Say("files_damaged", t.damaged.Load())
		r.Say("disk_states", t.states.Load())
		r.Say("acked", t.acked.Load())
		r.Say("lost", t.lost.Load())
		r.Say("database_alarms", t.alarmed.Load())
	}()
	parts := storageParts[r.Size]
	if slices.Contains(r.Tags, "hexad_nodigest") { // the one part that is about digests
		parts = []storagePart{{1, digestPart}}
	}
	for _, part := range parts {
		if ctx.Err() != nil || r.Left() <= 0 {
			break
		}
		// What is left when the part has used its share.
		until := time.Duration(float64(r.For) * (1 - part.until))
		if err := part.run(ctx, r, s, program, until, &t); err != nil {
			return err
		}
	}
	return nil
}

// storagePart is one part of the tier, and the share of the budget at which it
// is to be over, those before it included.
type storagePart struct {
	until float64
	run   func(ctx context.Context, r *Run, s *stall, program string, until time.Duration, t *tally) error
}

var storageParts = map[Size][]storagePart{
	Cut: {{0.4, cutsOf("one", 1, (*recording).recordOne, 30)}, {0.7, singles(8)}, {1, damagePart("files", 1, 6)}},
	PR: {{0.2, cutsOf("one", 1, (*recording).recordOne, 60)}, {0.4, cutsOf("forced", 2, (*recording).recordForced, 20)},
		{0.55, singles(40)}, {0.7, damagePart("files", 1, 20)}, {0.85, disksPart}, {1, digestPart}},
	Night: {{0.15, cutsOf("one", 1, (*recording).recordOne, 300)}, {0.25, cutsOf("forced", 2, (*recording).recordForced, 100)},
		{0.35, cutsOf("three", 3, (*recording).recordThree, 60)}, {0.75, singles(1200)}, {0.83, damagePart("files", 1, 200)},
		{0.95, damagePart("member", 3, 200)}, {0.98, disksPart}, {1, digestPart}},
}

// cutsOf records count peers and cuts the power at most times.
func cutsOf(name string, count int, record func(*recording, context.Context) error, most int) func(context.Context, *Run, *stall, string, time.Duration, *tally) error {
	return func(ctx context.Context, r *Run, s *stall, program string, until time.Duration, t *tally) error {
		rec, err := newRecording(r, s, program, name, count)
		if rec != nil {
			defer rec.close()
		}
		if err != nil {
			return err
		}
		if err := record(rec, ctx); err != nil {
			return err
		}
		for _, b := range rec.boxes {
			b.kill()
		}
		r.Note("%s: phases %v, %d saves", name, rec.phases, len(rec.acked))
		t.acked.Add(int64(len(rec.acked)))
		return verifyCuts(ctx, r, rec, rec.cutPlan(r.Rand("cuts of "+name), most), most/6, until, t)
	}
}

// singles lets single operations fail: every n-th of each kind when most is
// enough for that, a choice of them otherwise.
func singles(most int) func(context.Context, *Run, *stall, string, time.Duration, *tally) error {
	return func(ctx context.Context, r *Run, s *stall, program string, until time.Duration, t *tally) error {
		l, err := newLone(ctx, r, s, program, "nth")
		if l != nil {
			defer l.close()
		}
		if err != nil {
			return err
		}
		defer func() { t.acked.Add(int64(len(l.acked))) }()
		random := r.Rand("singles")
		for _, k := range nthKinds {
			ns := random.Perm(k.most)[:min(k.most, most/len(nthKinds))]
			slices.Sort(ns)
			if err := everyNth(ctx, r, l, k, ns, until, t); err != nil {
				return err
			}
		}
		return nil
	}
}
