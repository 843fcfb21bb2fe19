package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// nth is a kind of fault that strikes the n-th operation since the start of
// the machine, for every n up to most.
type nth struct {
	name string
	most int
	plan func(n int) faultPlan
}

// nthKinds are the faults of single operations. Source: reference/faults.md 1.2
// (errors at every n-th I/O, not at random moments only).
var nthKinds = []nth{
	{"eio-sync", 300, func(n int) faultPlan { return faultPlan{sync: n, err: syscall.EIO} }},
	{"eio-write", 300, func(n int) faultPlan { return faultPlan{write: n, err: syscall.EIO} }},
	{"enospc-write", 300, func(n int) faultPlan { return faultPlan{write: n, err: syscall.ENOSPC} }},
	{"short-write", 300, func(n int) faultPlan { return faultPlan{write: n, short: true} }},
}

// lone is a cluster of one whose data directory is seen through a faultFS.
type lone struct {
	*box
	faults *faultFS
	dir    string
	acked  []acked
	tried  map[string]bool
}

// newLone makes one and forms its cluster.
func newLone(ctx context.Context, r *Run, s *stall, program, name string) (*lone, error) {
	dir, err := os.MkdirTemp(scratch(), "hexad-"+name+"-")
	if err != nil {
		return nil, err
	}
	l := &lone{dir: dir, tried: map[string]bool{}}
	seen := filepath.Join(dir, "seen")
	for _, d := range []string{seen, filepath.Join(dir, "real")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return l, err
		}
	}
	if l.faults, err = newFaultFS(filepath.Join(dir, "real"), seen); err != nil {
		return l, Skipped("no FUSE here: " + err.Error())
	}
	if l.box, err = newBox(s, program, seen, filepath.Join(r.Dir, name+".log"), 1); err != nil {
		return l, err
	}
	if err := l.up(ctx); err != nil {
		return l, err
	}
	if err := l.prepare(ctx); err != nil {
		return l, err
	}
	return l, l.do(ctx, `xCommand TransformAdd Pattern: "nobody" Behavior: Strip State: Enabled Description: "s0"`)
}

func (l *lone) close() {
	if l.box != nil {
		l.kill()
	}
	if l.faults != nil {
		_ = l.faults.close() // what stays is named below
	}
	_ = os.RemoveAll(l.dir)
}

// try saves one value and remembers it when it was acknowledged.
func (l *lone) try(ctx context.Context) error {
	value := fmt.Sprintf("s%d", len(l.tried)+1)
	l.tried[value] = true
	revision, err := l.save(ctx, value)
	if err == nil {
		l.acked = append(l.acked, acked{Revision: revision, Value: value})
	}
	return err
}

// everyNth tries the kind at each of the given n.
func everyNth(ctx context.Context, r *Run, l *lone, kind nth, ns []int, until time.Duration, t *tally) error {
	for _, n := range ns {
		n++ // the first is 1
		if ctx.Err() != nil || r.Left() < until {
			return nil
		}
		l.kill()
		l.faults.set(kind.plan(n))
		if err := l.start(); err != nil {
			return err
		}
		if err := await(ctx, "the fault strikes", patience, func() string {
			if len(l.faults.hit()) > 0 {
				return ""
			}
			if err := l.try(ctx); err != nil {
				return err.Error()
			}
			return "not yet"
		}); err != nil {
			syncs, writes := l.faults.counts()
			r.Fail("%s at %d: %v (%d syncs, %d writes)", kind.name, n, err, syncs, writes)
			continue
		}
		began := time.Now()
		problem := l.recovers(ctx)
		r.Note("%s at %d struck %v, recovered in %v %s", kind.name, n, l.faults.hit(), time.Since(began).Round(time.Millisecond), problem)
		if problem != "" {
			r.Fail("%s at %d, %v: %s", kind.name, n, l.faults.hit(), problem)
			if err := l.again(ctx); err != nil {
				return fmt.Errorf("after %s at %d: %w", kind.name, n, err)
			}
		}
		if kind.name == "enospc-write" {
			t.nospace.Add(1)
		} else {
			t.eio.Add(1)
		}
	}
	return nil
}

// recovers says what is wrong a while after a fault that has passed: the box is
// to serve and save again by itself, with all that was acknowledged.
func (l *lone) recovers(ctx context.Context) string {
	if err := await(ctx, "it saves again", 15*time.Second, func() string {
		if l.ended() {
			return "it has ended"
		}
		return reason(l.try(ctx))
	}); err != nil {
		return err.Error()
	}
	return l.intact(ctx)
}

// intact says which acknowledged save is not there.
func (l *lone) intact(ctx context.Context) string {
	got, err := l.history(ctx)
	if err != nil {
		return err.Error()
	}
	return differs(got, l.acked, l.tried)
}

// again restarts a box that did not recover by itself.
func (l *lone) again(ctx context.Context) error {
	l.kill()
	l.faults.set(faultPlan{})
	if err := l.up(ctx); err != nil {
		return err
	}
	if problem := l.recovers(ctx); problem != "" {
		return fmt.Errorf("even after a restart: %s", problem)
	}
	return nil
}
