package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The network of the distance: a delay each way, and the addresses of the peers.
const (
	delayEach = 40 * time.Millisecond
	farNet    = "198.18.117" // for benchmarks: RFC 2544
)

// wire is a laboratory of namespaces with a delay between all peers. This
// machine reaches each without one.
type wire struct{ name string }

func newWire(ctx context.Context) (*wire, error) {
	w := &wire{name: fmt.Sprintf("hb%d", os.Getpid()%1_000_000)}
	err := w.do(ctx, "up", "6")
	if err == nil {
		err = w.do(ctx, "delay", "all", "all", fmt.Sprint(delayEach.Milliseconds()))
	}
	if err != nil {
		w.down()
		return nil, err
	}
	return w, nil
}

func (w *wire) do(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("..", "lab", "netlab.sh"), args...)
	cmd.Env = append(os.Environ(), "NETLAB_NAME="+w.name, "NETLAB_NET4="+farNet)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("netlab.sh %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(text)))
	}
	return nil
}

func (w *wire) down() { _ = w.do(context.Background(), "down") }

// within is the command that runs another one in the namespace of peer n.
func (w *wire) within(n int) []string {
	return []string{"ip", "netns", "exec", fmt.Sprintf("%s-p%d", w.name, n)}
}

// distancePart measures how long a save takes to be everywhere when all peers
// are 80 ms of round trip apart.
func (b *run) distancePart(ctx context.Context) error {
	if os.Getuid() != 0 {
		fmt.Println("distance needs root, for network namespaces: left out")
		return nil
	}
	w, err := newWire(ctx)
	if err != nil {
		return err
	}
	defer w.down()
	h, err := startHexadApart(ctx, b.o, filepath.Join(b.dir, "hexad-far"), w)
	if err != nil {
		return err
	}
	defer h.stop()
	var list []rqliteNode
	for n := 1; n <= 6; n++ {
		address := fmt.Sprintf("%s.%d", farNet, 10+n)
		list = append(list, rqliteNode{within: w.within(n), web: net.JoinHostPort(address, "4001"), group: net.JoinHostPort(address, "4002")})
	}
	r, err := startRqlitedAt(ctx, b.o, filepath.Join(b.dir, "rqlited-far"), list)
	if err != nil {
		return err
	}
	defer r.stop()
	return b.inTurn(ctx, []system{h, r}, func(s system, count bool) error {
		return b.visible(ctx, s, "6 peers, 80 ms round trip", 2*delayEach, count)
	})
}

// far is a hexad whose peers are on machines of their own, as it were.
type far struct{ *hexad }

func (f far) stop() {
	for _, cmd := range f.cmds {
		end(cmd)
	}
}

func (f far) roots() (out []int) {
	for _, cmd := range f.cmds {
		out = append(out, cmd.Process.Pid)
	}
	return out
}

// startHexadApart starts a peer in each namespace and forms a cluster of them,
// as the lab does.
func startHexadApart(ctx context.Context, o options, dir string, w *wire) (_ far, err error) {
	f := far{&hexad{dir: dir, peers: 6, net: farNet}}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f, err
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("a password of the bench\n"), 0o600); err != nil {
		return f, err
	}
	var pages []string
	for n := 1; n <= f.peers; n++ {
		address := fmt.Sprintf("%s.%d", farNet, 10+n)
		peer := filepath.Join(dir, fmt.Sprintf("peer%d", n))
		args := append(w.within(n), o.hexad, "serve", "--data-dir", peer, "--address", address, "--admin-password-file", password)
		cmd, err := child(peer+".log", args[0], args[1:]...)
		if err != nil {
			return f, err
		}
		f.cmds = append(f.cmds, cmd)
		pages = append(pages, fmt.Sprintf(`Peer%d: "%s"`, n, address))
	}
	save := func(n, peers int, restart bool) error {
		lines := []string{`xCommand ClusterSave Name: "far.example" Primary: 1 IPVersion: IPv4 TLSMode: Permissive ` + strings.Join(pages[:peers], " ")}
		if restart {
			lines = append(lines, "xCommand Restart")
		}
		return f.lines(n, lines...)
	}
	for n := 1; n <= f.peers; n++ {
		if err := f.awaitPage(ctx, n, func(p page) bool { return p.Database == "Active" }); err != nil {
			return f, err
		}
		name := fmt.Sprintf("far%d", n)
		if err := f.lines(n, fmt.Sprintf("xConfiguration SystemUnit Name: %q", name), fmt.Sprintf("xConfiguration IP DNS Hostname: %q", name),
			`xConfiguration IP DNS Domain Name: "far.example"`, "xConfiguration H323 Mode: On"); err != nil {
			return f, err
		}
	}
	if err := save(1, 1, true); err != nil {
		return f, err
	}
	if err := f.awaitPage(ctx, 1, func(p page) bool { return p.Database == "Active" && len(p.Running.Peers) == 1 }); err != nil {
		return f, err
	}
	if err := save(1, f.peers, false); err != nil {
		return f, err
	}
	for n := 2; n <= f.peers; n++ {
		if err := save(n, f.peers, true); err != nil {
			return f, err
		}
	}
	if err := f.awaitPage(ctx, 1, func(p page) bool {
		for _, other := range p.Peers {
			if other.State != "Active" && other.State != "This system" || other.Applied == 0 {
				return false
			}
		}
		return len(p.Peers) == f.peers
	}); err != nil {
		return f, err
	}
	return f, f.prepare(ctx)
}

func (f far) awaitPage(ctx context.Context, n int, ready func(page) bool) error {
	return await(ctx, time.Minute, func() error {
		p, err := f.page(n)
		if err == nil && !ready(p) {
			text, _ := json.Marshal(p)
			err = fmt.Errorf("peer %d is not ready: %s", n, text)
		}
		return err
	})
}

func (f far) lines(n int, lines ...string) error {
	c, err := f.dialPeer(n)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	return c.do(map[string]any{"lines": lines})
}
