package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// lab is a small network: a namespace for each peer and one for whoever looks
// from outside, joined by a bridge. testdata/lab/netlab.sh makes and breaks it.
type lab struct{ name string }

// labs numbers the labs of this process.
var labs struct {
	sync.Mutex
	made int
}

// newLab makes a lab of six peers.
//
// Errors: Skipped, where there cannot be one.
func newLab(ctx context.Context) (*lab, error) {
	if os.Getuid() != 0 {
		return nil, Skipped("network namespaces need root")
	}
	for _, tool := range []string{"bash", "ip", "nft", "tc", "flock", "setsid", "mkfs.ext4", "losetup", "fsfreeze", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, Skipped("it needs " + tool + " (apt-get install iproute2 nftables e2fsprogs util-linux mount)")
		}
	}
	labs.Lock()
	labs.made++
	l := &lab{name: fmt.Sprintf("hc%dx%d", os.Getpid()%1_000_000, labs.made%10)}
	labs.Unlock()
	if err := l.do(ctx, "up", "6", "--no-host"); err != nil {
		l.down()
		return nil, Skipped("this system does not allow network namespaces: " + err.Error())
	}
	return l, nil
}

// do runs one command of the laboratory.
func (l *lab) do(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(source, "testdata", "lab", "netlab.sh"), args...)
	cmd.Env = append(os.Environ(), "NETLAB_NAME="+l.name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("netlab.sh %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// down ends what runs in the lab and removes it, whatever ctx says.
func (l *lab) down() { _ = l.do(context.Background(), "down") }

// address is that of peer n, 1 to 6.
func (l *lab) address(n int) string { return fmt.Sprintf("198.51.100.%d", 10+n) }

// mgmt is the address of the namespace of whoever looks from outside.
const mgmt = "198.51.100.9"

// namespace is that of a peer ("p1") or of the outside ("mgmt").
func (l *lab) namespace(who string) string { return l.name + "-" + who }

// inside runs do with new sockets belonging to a namespace of the lab.
func (l *lab) inside(who string, do func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer own.Close()
	there, err := os.Open("/run/netns/" + l.namespace(who))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = do()
	// A thread that cannot come back stays locked, and ends with its goroutine.
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return back
	}
	runtime.UnlockOSThread()
	return err
}

// dial connects to host:port, both in numbers, from the outside namespace.
func (l *lab) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = l.inside("mgmt", func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
