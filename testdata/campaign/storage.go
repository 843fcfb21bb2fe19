package main

import (
	"context"
	"os"
	"os/exec"
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
		r.Say("acked", t.acked.Load())
		r.Say("lost", t.lost.Load())
	}()
	if os.Getenv("TRY") == "nth" {
		l, err := newLone(ctx, r, s, program, "nth")
		if l != nil {
			defer l.close()
		}
		if err != nil {
			return err
		}
		defer func() { r.Say("eio", t.eio.Load()) }()
		for _, k := range nthKinds {
			var ns []int
			for n := 1; n <= 60; n += 4 {
				if k.name == "eio-sync" {
					break
				}
				ns = append(ns, n)
			}
			if err := everyNth(ctx, r, l, k, ns, time.Second, &t); err != nil {
				return err
			}
		}
		return nil
	}
	rec, err := newRecording(r, s, program, "one", 1)
	if rec != nil {
		defer rec.close()
	}
	if err != nil {
		return err
	}
	if err := rec.begin(ctx); err != nil {
		return err
	}
	if err := rec.phase("saves", func() error { return rec.saves(ctx, rec.boxes[0], 30) }); err != nil {
		return err
	}
	if err := rec.phase("snapshot", func() error { return rec.untilSnapshot(ctx, rec.boxes[0]) }); err != nil {
		return err
	}
	if err := rec.phase("after the snapshot", func() error { return rec.saves(ctx, rec.boxes[0], 10) }); err != nil {
		return err
	}
	if err := rec.phase("stop and start", func() error { rec.boxes[0].stop(); return rec.boxes[0].up(ctx) }); err != nil {
		return err
	}
	if err := rec.phase("saves again", func() error { return rec.saves(ctx, rec.boxes[0], 10) }); err != nil {
		return err
	}
	r.Note("phases %v", rec.phases)
	t.acked.Add(int64(len(rec.acked)))
	return verifyCuts(ctx, r, rec, rec.cutPlan(r.Rand("cuts"), 1000), 2*time.Second, &t)
}
