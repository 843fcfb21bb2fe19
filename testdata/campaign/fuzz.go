package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fuzzTarget is one Fuzz function of the product.
type fuzzTarget struct {
	pkg, name string
	execs     int
	took      time.Duration
}

func (t fuzzTarget) String() string { return t.pkg + " " + t.name }

// rate is how many inputs it tries in a second.
func (t fuzzTarget) rate() float64 { return float64(t.execs) / max(t.took.Seconds(), 0.1) }

var (
	fuzzFunc  = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)
	fuzzExecs = regexp.MustCompile(`execs: (\d+)`)
	fuzzInput = regexp.MustCompile(`Failing input written to (\S+)`)
)

// leastFuzz is the least time that a target is given: go test counts from the
// moment that its workers run.
const leastFuzz = time.Second

// fuzz is tier E: every fuzz target of the product, one after the other. Half
// of the time is shared equally. The other half goes to the targets by how fast
// they are, since a parser that is tried quickly is tried more deeply for it.
func fuzz(ctx context.Context, r *Run) error {
	targets, err := fuzzTargets()
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return Skipped("there are no fuzz targets")
	}
	slices.SortFunc(targets, func(a, b *fuzzTarget) int { return strings.Compare(a.String(), b.String()) })
	r.Rand("fuzz").Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	share := r.For / 2 / time.Duration(len(targets))
	crashers, tried := 0, 0
	round := func(list []*fuzzTarget, length func(*fuzzTarget) time.Duration) error {
		for _, t := range list {
			if r.Left() <= 0 && tried >= len(targets) {
				return nil
			}
			tried++
			crashed, err := r.fuzzOne(ctx, t, max(length(t), leastFuzz))
			if err != nil {
				return err
			}
			crashers += crashed
		}
		return nil
	}
	err = round(targets, func(*fuzzTarget) time.Duration { return share })
	sum, left := 0.0, r.Left()
	for _, t := range targets {
		sum += t.rate()
	}
	if err == nil && sum > 0 && crashers == 0 {
		slices.SortFunc(targets, func(a, b *fuzzTarget) int { return int(b.rate() - a.rate()) })
		err = round(targets, func(t *fuzzTarget) time.Duration { return time.Duration(float64(left) * t.rate() / sum) })
	}
	execs := 0
	for _, t := range targets {
		execs += t.execs
		r.Note("fuzz %s: %d inputs in %s", t, t.execs, t.took.Round(time.Second))
	}
	r.Say("targets", len(targets))
	r.Say("execs", execs)
	r.Say("crashers", crashers)
	return err
}

// fuzzTargets finds the fuzz targets in the source.
func fuzzTargets() ([]*fuzzTarget, error) {
	var out []*fuzzTarget
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != source && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(source, filepath.Dir(path))
		for _, m := range fuzzFunc.FindAllSubmatch(text, -1) {
			out = append(out, &fuzzTarget{pkg: "./" + filepath.ToSlash(dir), name: string(m[1])})
		}
		return err
	})
	return out, err
}

// fuzzOne runs one target for a time and reports whether it found an input
// that breaks it; that input is kept beside the logs.
func (r *Run) fuzzOne(ctx context.Context, t *fuzzTarget, length time.Duration) (crashers int, err error) {
	name := filepath.Join(r.Dir, strings.ReplaceAll(strings.TrimPrefix(t.pkg, "./"), "/", "-")+"-"+t.name+".log")
	log, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := r.goCommand(ctx, "test", "-tags", strings.Join(r.Tags, ","), "-run", "^$", "-fuzz", "^"+t.name+"$",
		"-fuzztime", length.String(), "-fuzzminimizetime", "2s", t.pkg)
	// go test stops its workers when it is interrupted.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	failed := cmd.Run()
	if _, err := log.WriteString(out.String()); err != nil {
		return 0, err
	}
	if all := fuzzExecs.FindAllStringSubmatch(out.String(), -1); len(all) > 0 {
		n, err := strconv.Atoi(all[len(all)-1][1])
		if err != nil {
			return 0, fmt.Errorf("%s: %w", t, err)
		}
		t.execs, t.took = t.execs+n, t.took+length
	}
	if failed == nil || ctx.Err() != nil {
		return 0, ctx.Err()
	}
	input := fuzzInput.FindStringSubmatch(out.String())
	if input == nil && strings.Contains(out.String(), "\n    context deadline exceeded\n") {
		return 0, nil // go test says so when the time is over while a worker is asked, on a busy machine
	}
	if input == nil {
		r.Fail("%s does not run: %v (%s)", t, failed, name)
		return 0, nil
	}
	r.Fail("%s fails on %s (%s)", t, input[1], name)
	return 1, nil
}
