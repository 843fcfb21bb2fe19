// Bench measures a replicated database: hexad beside stock rqlited of the module
// version that hexad embeds, and beside Debian's etcd when it is installed. All
// run on this machine and are asked in turn; every value is the median of -runs
// runs, with the least and the most.
//
//	visible   from the request until the save is on every node, 3 and 6 nodes
//	saves     saves a second, latency and CPU of all servers at 1, 8 and 64 writers
//	failover  the leader killed, until the next replicated write, 6 nodes
//	start     from exec until a node serves, and until all of six do
//	idle      CPU of six idle nodes, and their memory, before and after load
//	distance  visible at 80 ms round trip, in network namespaces (root; not etcd)
//	inside    saves of the configuration service, without processes around it
//	size      the stripped programs
//
// A hexad save is one line of the administrator's shell on admin.sock with all
// that belongs to it: parsing, rules, guard, history, audit, event log, journal.
// An rqlited save is INSERT OR REPLACE of a key of 32 and a value of 256 bytes
// over HTTP, an etcd save is a Put of the same over gRPC.
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
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	hexad, rqlited, etcd string
	dir                  string
	runs                 int
	seconds              time.Duration
	saves                int
	patience             time.Duration
	only                 string
	network              string
}

// parts are what can be measured, in order.
var parts = []string{"visible", "saves", "failover", "start", "idle", "distance", "inside", "size"}

func (o options) wants(part string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), part)
}

func main() {
	var o options
	flag.StringVar(&o.hexad, "hexad", "../../bin/hexad", "the hexad to measure")
	flag.StringVar(&o.rqlited, "rqlited", "", "a stock rqlited; built here (with cgo) when empty")
	flag.StringVar(&o.etcd, "etcd", "etcd", "an etcd; left out when it is not there")
	flag.StringVar(&o.dir, "dir", "", "directory for the data, on a disk; a temporary one when empty")
	flag.IntVar(&o.runs, "runs", 5, "runs of each measurement")
	flag.DurationVar(&o.seconds, "time", 3*time.Second, "how long the writers of one run write")
	flag.IntVar(&o.saves, "saves", 200, "saves of one run of visible")
	flag.DurationVar(&o.patience, "patience", 2*time.Minute, "how long to wait for a quiet machine, in all")
	flag.StringVar(&o.only, "only", "", "parts, with commas between: "+strings.Join(parts, ", ")+"; all when empty")
	flag.StringVar(&o.network, "network", "127.0.117", "first three numbers of hexad's addresses")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) error {
	for _, part := range strings.Split(o.only, ",") {
		if part != "" && !slices.Contains(parts, part) {
			return fmt.Errorf("-only: %q is none of %s", part, strings.Join(parts, ", "))
		}
	}
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
	if o.etcd, err = exec.LookPath(o.etcd); err != nil {
		fmt.Println("etcd is not installed (apt-get install etcd-server): its column stays empty")
		o.etcd = ""
	}
	m := newMachine(o.patience)
	fmt.Printf("%s, %d cores, %s; -runs %d -time %s -saves %d -only %q\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), m.memory(),
		o.runs, o.seconds, o.saves, o.only)
	b := &run{o: o, dir: dir, machine: m}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"visible", b.visibleParts}, {"saves", b.savesPart}, {"failover", b.failoverPart}, {"start", b.startPart},
		{"idle", b.idlePart}, {"distance", b.distancePart}, {"inside", b.insidePart}, {"size", b.sizePart},
	} {
		if !o.wants(part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			b.report(os.Stdout)
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.report(os.Stdout)
	return nil
}

// buildRqlited builds the anchor; cgo and a C compiler are needed for it alone.
func buildRqlited(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "rqlited")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", out, "github.com/rqlite/rqlite/v8/cmd/rqlited")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("rqlited was not built (a C compiler is needed; or give -rqlited): %w\n%s", err, text)
	}
	return out, nil
}
