package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// simulation is tier A: engine/simulation runs the product's own code on a
// fake clock, with fake links and disks. Its test prints one line of key=value
// pairs that begins with "campaign A ", which becomes this tier's.
func simulation(ctx context.Context, r *Run) error {
	line, err := r.goTest(ctx, "campaign A ", "./engine/simulation", "-run", "^TestSimulation$", "-timeout", (r.For + 5*time.Minute).String(),
		"-args", "-sim.first", fmt.Sprint(r.Seed), "-sim.for", r.Left().String())
	r.sayAll(line)
	return err
}

// goTest runs tests of the product with the tags of the run, keeps what they
// print in the tier's directory, and returns the last line that begins with prefix.
// A test that fails is something found.
func (r *Run) goTest(ctx context.Context, prefix, pkg string, args ...string) (string, error) {
	if dir := filepath.Join(source, pkg); !isDir(dir) {
		return "", Skipped("there is no " + pkg)
	}
	name := filepath.Join(r.Dir, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-")+".log")
	log, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	cmd := r.goCommand(ctx, append([]string{"test", "-count=1", "-v", "-tags", strings.Join(r.Tags, ","), pkg}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	failed := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if _, err := log.Seek(0, 0); err != nil {
		return "", err
	}
	var last, reason string
	in := bufio.NewScanner(log)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		switch text := in.Text(); {
		case strings.HasPrefix(text, prefix):
			last = strings.TrimPrefix(text, prefix)
		case reason == "" && (strings.HasPrefix(text, "--- FAIL") || strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "FAIL")):
			reason = text
		}
	}
	if failed != nil {
		r.Fail("%s: %s (%s)", pkg, firstOf(reason, failed.Error()), name)
	}
	return last, in.Err()
}

// sayAll adds the key=value pairs of a line to the summary, but for the seed,
// which is there.
func (r *Run) sayAll(line string) {
	for _, field := range strings.Fields(line) {
		if key, value, ok := strings.Cut(field, "="); ok && key != "seed" {
			r.Say(key, value)
		}
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
