package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Run is one run of one tier: what it is given, and where it tells what it
// did and found. Say, Fail and Note are safe for concurrent use.
type Run struct {
	Seed  uint64
	Size  Size
	For   time.Duration // the budget, start and end included
	Dir   string        // its own, for data, history and logs; kept when it fails
	Tags  []string      // build tags of the product: a deliberate bug
	Kinds []string      // only faults that are named so; all without
	// Patient: other tiers run beside this one, and come first.
	Patient bool

	builder *builder
	began   time.Time

	mu       sync.Mutex
	said     []string
	problems []string
	notes    io.WriteCloser
}

// Skipped is returned by a tier that this machine cannot run; it says why.
type Skipped string

func (s Skipped) Error() string { return string(s) }

// Rand is a source of chance for one purpose: the same for the same seed,
// whatever the others draw.
func (r *Run) Rand(purpose string) *rand.Rand {
	var h uint64 = 14695981039346656037
	for _, b := range []byte(purpose) {
		h = (h ^ uint64(b)) * 1099511628211 // FNV-1a
	}
	return rand.New(rand.NewPCG(r.Seed, h))
}

// Hexad is the program to try, built with the tags of the run and these.
func (r *Run) Hexad(ctx context.Context, tags ...string) (string, error) {
	return r.builder.program(ctx, append(append([]string(nil), r.Tags...), tags...), "")
}

// goCommand is the go tool at work on the product, after all else when the run is patient.
func (r *Run) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	if r.Patient {
		cmd = exec.CommandContext(ctx, "nice", append([]string{"-n", "19", "go"}, args...)...)
	}
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// Left is how much of the budget is left.
func (r *Run) Left() time.Duration { return r.For - time.Since(r.began) }

// Say adds key=value to the summary line.
func (r *Run) Say(key string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf("%s=%v", key, value))
}

// Fail reports something that the tier found: it has failed, and may go on.
func (r *Run) Fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.Note("FOUND %s", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	const shown = 20
	if r.problems = append(r.problems, text); len(r.problems) <= shown {
		fmt.Printf("  found: %s\n", text)
	}
}

// Failed reports whether anything was found.
func (r *Run) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.problems) > 0
}

// Note writes a line to the history of the tier, with the time since its begin.
func (r *Run) Note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes != nil {
		fmt.Fprintf(r.notes, "%9.3f %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// tier runs t and prints its summary line. It returns the exit status.
func (r *Run) tier(ctx context.Context, t tier, keep bool) int {
	status, err := r.carryOut(ctx, t)
	line := fmt.Sprintf("campaign %s seed=%d", t.letter, r.Seed)
	if len(r.said) > 0 {
		line += " " + strings.Join(r.said, " ")
	}
	var skipped Skipped
	switch {
	case errors.As(err, &skipped):
		fmt.Printf("%s skipped: %s\n", line, skipped)
	case status == statusPassed:
		fmt.Printf("%s passed in %s\n", line, time.Since(r.began).Round(100*time.Millisecond))
	case status == statusFound:
		first, _, _ := strings.Cut(r.problems[0], "\n")
		fmt.Printf("%s FAILED found=%d: %s\n", line, len(r.problems), first)
		fmt.Printf("  kept: %s (history, logs, data); again: go run . -tier %s -size %s -seed %d -for %s", r.Dir, t.letter, r.Size, r.Seed, r.For)
		if len(r.Kinds) > 0 {
			fmt.Printf(" -kinds '%s'", strings.Join(r.Kinds, ","))
		}
		fmt.Println()
	default:
		fmt.Printf("%s could not run: %v\n  kept: %s\n", line, err, r.Dir)
	}
	if status == statusPassed && !keep {
		_ = os.RemoveAll(r.Dir) // what is left is named by the next run
	}
	return status
}

func (r *Run) carryOut(ctx context.Context, t tier) (int, error) {
	r.began = time.Now()
	if err := os.RemoveAll(r.Dir); err != nil { // of an earlier run
		return statusBroken, err
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return statusBroken, err
	}
	notes, err := os.Create(filepath.Join(r.Dir, "history.log"))
	if err != nil {
		return statusBroken, err
	}
	defer notes.Close()
	r.notes = notes
	r.Note("tier %s, %s; seed %d, %s, %s", t.letter, t.what, r.Seed, r.Size, r.For)
	err = t.run(ctx, r)
	var skipped Skipped
	switch {
	case r.Failed():
		return statusFound, err
	case errors.As(err, &skipped):
		return statusPassed, err
	case err != nil:
		r.Note("could not run: %v", err)
		return statusBroken, err
	}
	return statusPassed, nil
}
