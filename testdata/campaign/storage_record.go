package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hexad/engine"
)

// recording is one run of one to three boxes on remembered disks: what was
// written, what was acknowledged and when, and which part of the run was what.
type recording struct {
	name  string
	dir   string
	disks *disks
	boxes []*box

	mounts []*mounted
	phases []phase

	mu      sync.Mutex
	acked   []acked
	tried   map[string]bool // every value that was sent, acknowledged or not
	witness *os.File
}

// phase is a part of the run, from one instant of the log to another.
type phase struct {
	name     string
	from, to int
}

// acked is one save that was acknowledged, and the instant at which that was known.
type acked struct {
	At       int    `json:"at"`
	Revision int64  `json:"revision"`
	Value    string `json:"value"`
}

// newRecording makes count boxes with new disks of their own in a stall.
func newRecording(r *Run, s *stall, program, name string, count int) (*recording, error) {
	dir, err := os.MkdirTemp(scratch(), "hexad-"+name+"-")
	if err != nil {
		return nil, err
	}
	rec := &recording{name: name, dir: dir, tried: map[string]bool{}}
	template := filepath.Join(dir, "template")
	if err := formatted(template); err != nil {
		return rec, Skipped("no ext4 here: " + err.Error())
	}
	if rec.disks, err = newDisks(filepath.Join(dir, "disks"), template, count); err != nil {
		return rec, Skipped("no FUSE here: " + err.Error())
	}
	for n := range count {
		m, err := mount(rec.disks.path(n), filepath.Join(dir, fmt.Sprint("machine", n+1)))
		if err != nil {
			return rec, err
		}
		rec.mounts = append(rec.mounts, m)
		b, err := newBox(s, program, m.dir, filepath.Join(r.Dir, fmt.Sprintf("%s-peer%d.log", name, n+1)), n+1)
		if err != nil {
			return rec, err
		}
		if err := m.sync(); err != nil {
			return rec, err
		}
		rec.boxes = append(rec.boxes, b)
	}
	rec.disks.forget()
	rec.witness, err = os.Create(filepath.Join(r.Dir, name+"-acknowledged.jsonl"))
	return rec, err
}

// close ends the boxes. What was recorded stays usable until drop.
func (rec *recording) close() {
	for _, b := range rec.boxes {
		b.kill()
	}
	for _, m := range rec.mounts {
		_ = m.unmount() // what is left is in memory, and goes with drop
	}
	if rec.disks != nil {
		_ = rec.disks.close()
	}
	if rec.witness != nil {
		rec.witness.Close()
	}
	_ = os.RemoveAll(rec.dir)
}

// phase runs one part.
func (rec *recording) phase(name string, do func() error) error {
	from := rec.disks.now()
	if err := do(); err != nil {
		return fmt.Errorf("%s, %s: %w", rec.name, name, err)
	}
	rec.phases = append(rec.phases, phase{name, from, rec.disks.now()})
	return nil
}

// note writes an acknowledged save down outside the disks, on disk itself when
// it returns.
func (rec *recording) note(revision int64, value string) error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	a := acked{rec.disks.now(), revision, value}
	text, err := json.Marshal(a)
	if err == nil {
		_, err = rec.witness.Write(append(text, '\n'))
	}
	if err == nil {
		err = rec.witness.Sync()
	}
	rec.acked = append(rec.acked, a)
	return err
}

// saves saves count values on box b, one after the other.
func (rec *recording) saves(ctx context.Context, b *box, count int) error {
	for range count {
		if _, err := rec.try(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// try saves one value; a refusal or a lost answer is returned.
func (rec *recording) try(ctx context.Context, b *box) (int64, error) {
	rec.mu.Lock()
	value := fmt.Sprintf("s%d", len(rec.tried)+1)
	rec.tried[value] = true
	rec.mu.Unlock()
	revision, err := b.save(ctx, value)
	if err != nil {
		return 0, err
	}
	return revision, rec.note(revision, value)
}

// known is what had been acknowledged at an instant.
func (rec *recording) known(at int) []acked {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var out []acked
	for _, a := range rec.acked {
		if a.At <= at {
			out = append(out, a)
		}
	}
	return out
}

// begin starts the boxes for the first time and makes them a cluster.
func (rec *recording) begin(ctx context.Context) error {
	if err := rec.phase("first start", func() error {
		for _, b := range rec.boxes {
			if err := b.start(); err != nil {
				return err
			}
		}
		for _, b := range rec.boxes {
			if err := errors.Join(b.answers(ctx, patience), b.prepare(ctx)); err != nil {
				return err
			}
		}
		return rec.boxes[0].do(ctx, `xCommand TransformAdd Pattern: "nobody" Behavior: Strip State: Enabled Description: "s0"`)
	}); err != nil {
		return err
	}
	if err := rec.phase("first saves", func() error { return rec.saves(ctx, rec.boxes[0], 5) }); err != nil {
		return err
	}
	return rec.phase("forming", func() error { return form(ctx, rec.boxes) })
}

// form makes the boxes one cluster, the first of them its primary.
func form(ctx context.Context, boxes []*box) error {
	page := func(n int) string {
		line := `xCommand ClusterSave Name: "cluster.example" Primary: 1 IPVersion: IPv4 TLSMode: Permissive`
		for i := range engine.MaxPeers {
			address := ""
			if i < n {
				address = boxes[i].address
			}
			line += fmt.Sprintf(` Peer%d: "%s"`, i+1, address)
		}
		return line
	}
	first := boxes[0]
	if err := errors.Join(first.do(ctx, page(1)), first.restart(ctx), first.writable(ctx, patience)); err != nil {
		return err
	}
	if len(boxes) == 1 {
		return nil
	}
	if err := first.do(ctx, page(len(boxes))); err != nil {
		return err
	}
	for _, b := range boxes[1:] {
		if err := errors.Join(b.do(ctx, page(len(boxes))), b.restart(ctx)); err != nil {
			return err
		}
	}
	return together(ctx, boxes)
}

// together waits until all see each other and all vote that should.
func together(ctx context.Context, boxes []*box) error {
	for _, b := range boxes {
		if err := await(ctx, b.name+" is a member", 2*patience, func() string {
			v, err := b.admin.view(ctx)
			if err != nil {
				return err.Error()
			}
			voters := 0
			for _, p := range v.Peers {
				if p.Voter {
					voters++
				}
				if p.State != engine.PeerActive && p.State != engine.ThisSystem || p.Applied == 0 {
					return fmt.Sprintf("peer %d is %s: %s", p.Index, p.State, p.Cause)
				}
			}
			if want := (len(boxes)-1)/2*2 + 1; len(v.Peers) != len(boxes) || voters != want {
				return fmt.Sprintf("%d peers, %d voters, want %d", len(v.Peers), voters, want)
			}
			return ""
		}); err != nil {
			return err
		}
	}
	return nil
}

// untilSnapshot saves on b until its store has taken another snapshot. They
// are taken at quiet times, so there are pauses.
func (rec *recording) untilSnapshot(ctx context.Context, b *box) error {
	before := b.snapshots()
	for range 10 {
		if err := rec.saves(ctx, b, 150); err != nil { // some 40 KiB of write-ahead log each
			return err
		}
		if err := await(ctx, b.name+" takes a snapshot", 4*time.Second, func() string {
			if now := b.snapshots(); now == before {
				return "snapshots " + now
			}
			return ""
		}); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s takes no snapshot", b.name)
}

// snapshots lists those of all stores of b.
func (b *box) snapshots() string {
	list, _ := filepath.Glob(filepath.Join(b.dir, "cluster", "*", "rsnapshots", "*-*-*"))
	return fmt.Sprint(list)
}

// recordOne is everything that one peer does with its disk.
func (rec *recording) recordOne(ctx context.Context) error {
	b := rec.boxes[0]
	return rec.all(
		func() error { return rec.begin(ctx) },
		func() error { return rec.phase("saves", func() error { return rec.saves(ctx, b, 30) }) },
		func() error {
			return rec.phase("stop and start", func() error { b.stop(); return errors.Join(b.up(ctx), b.writable(ctx, patience)) })
		},
		func() error { return rec.phase("snapshot", func() error { return rec.untilSnapshot(ctx, b) }) },
		func() error {
			return rec.phase("saves after the snapshot", func() error { return rec.saves(ctx, b, 10) })
		},
		func() error {
			return rec.phase("start from the snapshot", func() error {
				b.kill()
				return errors.Join(b.up(ctx), b.writable(ctx, patience), rec.saves(ctx, b, 5))
			})
		})
}

// recordForced is two peers of which the primary is lost and replaced by force, and
// comes back: a generation is founded anew with ReadFrom, a snapshot is
// installed on a follower, ForceConfigUpdate sets a copy aside.
func (rec *recording) recordForced(ctx context.Context) error {
	a, b := rec.boxes[0], rec.boxes[1]
	return rec.all(
		func() error { return rec.begin(ctx) },
		func() error { return rec.phase("saves", func() error { return rec.saves(ctx, a, 20) }) },
		func() error { return rec.caughtUp(ctx, b) },
		func() error {
			return rec.phase("RE-FOUND", func() error {
				a.kill()
				if err := await(ctx, "the primary can be replaced by force", patience, func() string {
					_, err := b.admin.run(ctx, "xCommand ClusterForceShow")
					return reason(err)
				}); err != nil {
					return err
				}
				return errors.Join(b.do(ctx, "xCommand ClusterSave Primary: 2 Force: On"), b.writable(ctx, patience))
			})
		},
		func() error {
			return rec.phase("saves on the survivor", func() error { return rec.saves(ctx, b, 10) })
		},
		func() error {
			return rec.phase("ForceConfigUpdate", func() error {
				if err := a.up(ctx); err != nil {
					return err
				}
				if err := await(ctx, "the returned primary is kept apart", patience, func() string {
					return reason(a.do(ctx, "xCommand ForceConfigUpdate Confirm: On"))
				}); err != nil {
					return err
				}
				return rec.caughtUp(ctx, a)
			})
		},
		func() error {
			return rec.phase("saves of the new generation", func() error {
				return errors.Join(rec.saves(ctx, b, 10), rec.caughtUp(ctx, a))
			})
		})
}

// recordThree is three peers that vote, one of which is away for a while.
func (rec *recording) recordThree(ctx context.Context) error {
	first, third := rec.boxes[0], rec.boxes[2]
	return rec.all(
		func() error { return rec.begin(ctx) },
		func() error { return rec.phase("saves", func() error { return rec.saves(ctx, first, 40) }) },
		func() error {
			return rec.phase("one is away", func() error { third.kill(); return rec.saves(ctx, first, 20) })
		},
		func() error {
			return rec.phase("it comes back", func() error { return errors.Join(third.up(ctx), rec.caughtUp(ctx, third)) })
		},
		func() error {
			return rec.phase("saves of three", func() error { return rec.saves(ctx, first, 20) })
		})
}

func (rec *recording) all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// caughtUp waits until b has everything that was acknowledged.
func (rec *recording) caughtUp(ctx context.Context, b *box) error {
	return await(ctx, b.name+" has everything", patience, func() string {
		got, err := b.history(ctx)
		if err != nil {
			return err.Error()
		}
		return differs(got, rec.known(rec.disks.now()), rec.tried)
	})
}
