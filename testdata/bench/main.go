// Bench measures a replicated save: hexad beside stock rqlited of the module
// version that hexad embeds, both on this machine, alternating in one run.
//
//	visible   from the request on the primary until the save is in the database
//	          file of every peer, and until it is acknowledged
//	saves     saves a second, latency and CPU of all servers at 1 and 64 writers
//
// A hexad save is one line of the administrator's shell on admin.sock with all
// that belongs to it: parsing, rules, guard, history, audit, event log. An
// rqlited save is INSERT OR REPLACE of a key of 32 and a value of 256 bytes
// over HTTP. Every value is the median of -runs runs, with the least and the most.
//
// It runs from testdata/bench: make bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"
)

// options are the flags.
type options struct {
	hexad, rqlited string
	dir            string
	runs           int
	seconds        time.Duration
	saves          int
	patience       time.Duration
	only           string
}

func main() {
	var o options
	flag.StringVar(&o.hexad, "hexad", "../../bin/hexad", "the hexad to measure")
	flag.StringVar(&o.rqlited, "rqlited", "", "a stock rqlited; built here (with cgo) when empty")
	flag.StringVar(&o.dir, "dir", "", "directory for the data, on a disk; a temporary one when empty")
	flag.IntVar(&o.runs, "runs", 5, "runs of each measurement")
	flag.DurationVar(&o.seconds, "time", 3*time.Second, "how long the writers of one run write")
	flag.IntVar(&o.saves, "saves", 200, "saves of one run of visible")
	flag.DurationVar(&o.patience, "patience", 2*time.Minute, "how long to wait for a quiet machine, in all")
	flag.StringVar(&o.only, "only", "", "visible or saves; both when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "hexad-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.rqlited == "" {
		if o.rqlited, err = buildRqlited(ctx, dir); err != nil {
			return err
		}
	}
	if o.hexad, err = filepath.Abs(o.hexad); err != nil {
		return err
	}
	m := newMachine(o.patience)
	fmt.Printf("%s, %d cores, %s\n", time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), m.memory())
	b := &run{o: o, dir: dir, machine: m}
	for _, peers := range []int{3, 6} {
		if err := b.size(ctx, peers); err != nil {
			return err
		}
	}
	b.report(os.Stdout)
	return nil
}

// buildRqlited builds the anchor; cgo and a C compiler are needed for it alone.
func buildRqlited(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "rqlited")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "github.com/rqlite/rqlite/v8/cmd/rqlited")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("rqlited was not built (a C compiler is needed; or give -rqlited): %w\n%s", err, text)
	}
	return out, nil
}
