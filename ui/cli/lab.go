package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

const labHelp = `hexad lab [--peers N] [--data-dir DIR] [--network 127.0.1] [--keep]

Runs a whole cluster on this machine: N peers at 127.0.1.1 to 127.0.1.N, with the
standard ports, formed with the commands that administrators use. Prints the
addresses and the password; Ctrl-C stops all peers.

With --data-dir the peers rest in DIR/peer1 to DIR/peerN and start again from
there; without, in a directory that is removed at the end, unless --keep.

  hexad lab --peers 3 --data-dir lab
  hexad exec --data-dir lab/peer1 'xStatus Cluster'
`

// labClusterName names the lab's cluster.
const labClusterName = "cluster.lab.example"

// labPorts are the TCP ports of each peer: console, shell, peer link, cluster database.
var labPorts = []int{8443, 8022, 4371, 4372}

// lab is a running lab.
type lab struct {
	dir      string
	network  string // the first three numbers of the peers' addresses
	password string
	peers    []*labPeer
	printing sync.Mutex
	out      io.Writer
	serve    []string // arguments of hexad serve beside the lab's own
}

// Lab is "hexad lab": a cluster of real peers on this machine, until ctx ends.
func Lab(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("lab", labHelp, stdin, stdout, stderr)
	peers := t.flags.Int("peers", 3, "how many peers, 1 to 6")
	network := t.flags.String("network", "127.0.1", "first three numbers of the peers' addresses, 127.0.1 to 127.255.255: two labs can run side by side")
	keep := t.flags.Bool("keep", false, "keep the directory that the lab made for itself")
	t.flags.Lookup("data-dir").DefValue = ""
	t.flags.Lookup("data-dir").Usage = "directory that keeps the lab; without, a temporary one"
	if status, ok := t.parse(args); !ok {
		return status
	}
	switch {
	case t.flags.NArg() > 0:
		return t.usage("unexpected argument %q", t.flags.Arg(0))
	case *peers < 1 || *peers > engine.MaxPeers:
		return t.usage("--peers: a cluster has 1 to %d peers", engine.MaxPeers)
	case !net.ParseIP(*network + ".1").IsLoopback():
		return t.usage("--network: %q is not the beginning of a loopback address; for example: --network 127.0.2", *network)
	}
	dir, cleanup, err := labDir(t.flags.Changed("data-dir"), t.dataDir, *keep)
	if err != nil {
		fmt.Fprintln(stderr, "ERROR:", err)
		return ExitRefused
	}
	defer cleanup()
	if found := kept(dir); found > 0 && found != *peers {
		if t.flags.Changed("peers") {
			return t.usage("--peers: %s holds a lab of %d peers", dir, found)
		}
		*peers = found
	}
	l := &lab{dir: dir, network: *network, out: stdout}
	if err := l.run(ctx, *peers); err != nil {
		if ctx.Err() == nil {
			return t.fail(err)
		}
		l.say("stopped before the cluster was formed")
		return ExitRefused
	}
	return ExitOK
}

// labDir is where the lab rests and how it is cleared away.
func labDir(given bool, dir string, keep bool) (string, func(), error) {
	if given {
		dir, err := filepath.Abs(dir)
		if err == nil {
			err = os.MkdirAll(dir, 0o700)
		}
		return dir, func() {}, err
	}
	dir, err := os.MkdirTemp("", "hexad-lab-")
	if err != nil || keep {
		return dir, func() {}, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// kept counts the peers that an earlier run left in dir.
func kept(dir string) int {
	n := 0
	for ; n < engine.MaxPeers; n++ {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("peer%d", n+1))); err != nil {
			break
		}
	}
	return n
}

// run starts the peers, forms them into a cluster and keeps them until ctx
// ends or one of them does.
func (l *lab) run(ctx context.Context, count int) error {
	// The kernel ends the peers when the thread that started them ends, so this
	// goroutine keeps its thread for as long as the lab runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	started := time.Now()
	if err := l.makePassword(); err != nil {
		return err
	}
	if err := l.free(ctx, count); err != nil {
		return err
	}
	ended := make(chan error, count)
	defer l.stop()
	for n := 1; n <= count; n++ {
		p, err := l.start(n, ended)
		if err != nil {
			return err
		}
		l.peers = append(l.peers, p)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-ended:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	if err := l.form(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause
		}
		return err
	}
	l.announce(time.Since(started))
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// free tells early that a port of the lab is taken: by another lab, most often.
func (l *lab) free(ctx context.Context, count int) error {
	for n := 1; n <= count; n++ {
		for _, port := range labPorts {
			address := fmt.Sprintf("%s.%d:%d", l.network, n, port)
			listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
			if err != nil {
				return &engine.Error{Code: engine.Unavailable, Message: "the lab needs " + address + ", which is taken", Item: "address",
					Remedy: "does another lab run? Stop it, then start this one", Err: err}
			}
			listener.Close()
		}
	}
	return nil
}

// makePassword reads the lab's password, or makes one at its first run.
func (l *lab) makePassword() error {
	name := l.passwordFile()
	if text, err := os.ReadFile(name); err == nil {
		l.password = strings.TrimSpace(string(text))
		return nil
	}
	l.password = rand.Text()[:16]
	if err := os.WriteFile(name, []byte(l.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the lab's password: %w", err)
	}
	return nil
}

func (l *lab) passwordFile() string { return filepath.Join(l.dir, "admin-password") }

// say prints one line of progress.
func (l *lab) say(format string, args ...any) {
	l.printing.Lock()
	defer l.printing.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
}

func (l *lab) announce(took time.Duration) {
	l.say("")
	for _, p := range l.peers {
		l.say("  peer %d  %s  https://%s:8443  ssh -p 8022 admin@%s  hexad exec --data-dir %s 'xStatus Cluster'", p.n, p.address, p.address, p.address, p.dir)
	}
	l.say("")
	l.say("The cluster is up after %.1f s. Sign in as admin with the password %s", took.Seconds(), l.password)
	l.say("Ctrl-C stops all peers.")
}
