package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// peerCount is the size of the cluster: the most that there can be.
const peerCount = 6

// clusterName is the name on every clustering page of the lab.
const clusterName = "cluster.example"

// bed is a formed cluster of six in a lab, with everything that faults need.
type bed struct {
	run       *Run
	lab       *lab
	names     *names
	peers     []*peer
	settable  bool // the peers' wall clocks can be set
	canaries  []string
	hunger    *hunger
	enforcing bool
	order     []int // the peers in the order of every peer list
	authority *authority
}

// newBed makes the lab and forms the cluster. close gives everything back, also
// after an error.
func newBed(ctx context.Context, r *Run, tags ...string) (*bed, error) {
	b := &bed{run: r, hunger: &hunger{}}
	program, settable, err := r.Skewed(ctx, tags...)
	if err != nil {
		return b, err
	}
	b.settable = settable
	if b.lab, err = newLab(ctx); err != nil {
		return b, err
	}
	for n := 1; n <= peerCount; n++ {
		p, err := b.newPeer(n, program)
		if p != nil {
			b.peers = append(b.peers, p)
		}
		if err != nil {
			return b, err
		}
	}
	if b.names, err = serveNames(ctx, b.lab, b.peers); err != nil {
		return b, err
	}
	if b.authority, err = newAuthority(); err != nil {
		return b, err
	}
	return b, b.form(ctx)
}

// newSmallBed makes a cluster of count peers on this machine's loopback
// network, on its own disk: for what needs no faults of network or disk.
func newSmallBed(ctx context.Context, r *Run, program string, count int) (*bed, error) {
	b := &bed{run: r, hunger: &hunger{}}
	for n := 1; n <= count; n++ {
		p, err := b.newHome(n, program, fmt.Sprintf("127.0.112.%d", n))
		if err != nil {
			return b, err
		}
		p.dir = filepath.Join(filepath.Dir(p.log), "data")
		b.peers = append(b.peers, p)
	}
	var err error
	if b.authority, err = newAuthority(); err != nil {
		return b, err
	}
	return b, b.form(ctx)
}

// newHome makes a peer with a place for its log and its password.
func (b *bed) newHome(n int, program, address string) (*peer, error) {
	home := filepath.Join(b.run.Dir, fmt.Sprintf("peer%d", n))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	p := &peer{n: n, name: fmt.Sprintf("peer%d", n), address: address, program: program, log: filepath.Join(home, "log"),
		skew: filepath.Join(home, "skew"), groups: &groups{}}
	password := fmt.Sprintf("canary-%d-of-the-administrator", n)
	b.canaries = append(b.canaries, password)
	if err := os.WriteFile(filepath.Join(home, "password"), []byte(password), 0o600); err != nil {
		return nil, err
	}
	return p, p.setSkew(0)
}

// newPeer makes a peer of the lab.
func (b *bed) newPeer(n int, program string) (*peer, error) {
	p, err := b.newHome(n, program, b.lab.address(n))
	if err != nil {
		return nil, err
	}
	// Not by "ip netns exec": its mount namespaces hold on to the other peers' disks.
	p.within = []string{"nsenter", "--net=/run/netns/" + b.lab.namespace(fmt.Sprintf("p%d", n))}
	name, mount := fmt.Sprintf("%s-p%d", b.lab.name, n), filepath.Join(filepath.Dir(p.log), "disk")
	p.dir = filepath.Join(mount, "data")
	if p.disk, err = newVolume(name, mount); err != nil {
		return p, fmt.Errorf("a disk for peer %d: %w", n, err)
	}
	p.groups = newGroups(name)
	return p, nil
}

// close ends the peers and the lab. What they left is kept when it is needed.
func (b *bed) close(keep bool) {
	_ = each(b.peers, (*peer).kill) // what does not end is seen by its disk
	for _, p := range b.peers {
		if p.disk == nil {
			continue
		}
		if keep {
			_ = tool("cp", "-a", p.dir, filepath.Join(filepath.Dir(p.log), "data"))
		}
		p.disk.remove()
		p.groups.remove()
	}
	if b.lab != nil {
		b.lab.down()
	}
}

// each does something for several peers at once.
func each(peers []*peer, do func(*peer) error) error {
	var wg sync.WaitGroup
	problems := make([]error, len(peers))
	for i, p := range peers {
		wg.Go(func() { problems[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(problems...)
}

// page is the command that saves a whole clustering page: the peers in order,
// with one of them as the primary.
func (b *bed) page(primary int) string {
	line := fmt.Sprintf(`xCommand ClusterSave Name: "%s" Primary: %d IPVersion: IPv4 TLSMode: %s`, clusterName, slices.Index(b.order, primary)+1, b.mode())
	for i := range peerCount {
		address := ""
		if i < len(b.order) {
			address = b.peers[b.order[i]-1].fqdn()
		}
		line += fmt.Sprintf(` Peer%d: "%s"`, i+1, address)
	}
	return line
}

// mode is the TLS mode of the pages.
func (b *bed) mode() string {
	if b.enforcing {
		return "Enforcing"
	}
	return "Permissive"
}

// form makes the peers a cluster by the procedures: a cluster of one on the
// first, its restart, then the others at once.
func (b *bed) form(ctx context.Context) error {
	if err := each(b.peers, func(p *peer) error { return b.prepare(ctx, p) }); err != nil {
		return err
	}
	first := b.peers[0]
	b.order = []int{1}
	if err := b.save(ctx, first, b.page(1), true); err != nil {
		return err
	}
	for _, p := range b.peers[1:] {
		b.order = append(b.order, p.n)
	}
	if err := b.save(ctx, first, b.page(1), false); err != nil {
		return err
	}
	if err := each(b.peers[1:], func(p *peer) error { return b.save(ctx, p, b.page(1), true) }); err != nil {
		return err
	}
	if err := b.ready(ctx, 90*time.Second); err != nil {
		return err
	}
	return each(b.peers, func(p *peer) error { return b.trust(ctx, p) })
}

// prepare starts a peer that has never run and gives it its names.
func (b *bed) prepare(ctx context.Context, p *peer) error {
	if err := p.start(); err != nil {
		return err
	}
	if err := p.answers(ctx, 60*time.Second); err != nil {
		return err
	}
	a := p.administrator(30 * time.Second)
	defer a.close()
	if err := waitFor(ctx, 30*time.Second, fmt.Sprintf("peer %d has its database", p.n), func() error {
		v, err := a.view(ctx)
		if err == nil && v.Database != "Active" {
			return fmt.Errorf("database %s", v.Database)
		}
		return err
	}); err != nil {
		return err
	}
	for _, line := range b.lines(p) {
		if _, err := a.run(ctx, "%s", line); err != nil {
			return fmt.Errorf("peer %d: %s: %w", p.n, line, err)
		}
	}
	return nil
}

// lines are the settings of a peer that has never run: its names, and where it
// finds those of the others. In the lab that is DNS, else the address mapping.
func (b *bed) lines(p *peer) []string {
	out := []string{fmt.Sprintf(`xConfiguration IP DNS Hostname: "%s"`, p.name), `xConfiguration IP DNS Domain Name: "example.com"`, `xConfiguration H323 Mode: On`}
	if b.lab != nil {
		return append(out, fmt.Sprintf(`xConfiguration DNS Server 1 Address: "%s"`, mgmt))
	}
	for i, q := range b.peers {
		out = append(out, fmt.Sprintf(`xConfiguration ClusterConfiguration AddressMapping %d FQDN: "%s"`, i+1, q.fqdn()),
			fmt.Sprintf(`xConfiguration ClusterConfiguration AddressMapping %d IPAddress: "%s"`, i+1, q.address))
	}
	return append(out, `xConfiguration ClusterConfiguration AddressMapping Mode: On`)
}

// save saves a page on one peer, and restarts it when asked to.
func (b *bed) save(ctx context.Context, p *peer, line string, restart bool) error {
	a := p.administrator(30 * time.Second)
	defer a.close()
	if out, err := a.run(ctx, "%s", line); err != nil {
		return fmt.Errorf("peer %d: %s: %w %s", p.n, line, err, strings.Join(out, " "))
	}
	if !restart {
		return nil
	}
	return p.restart(ctx)
}

// trust makes a peer trust the lab's certificate authority.
func (b *bed) trust(ctx context.Context, p *peer) error {
	a := p.administrator(30 * time.Second)
	defer a.close()
	_, err := a.call(ctx, "TrustListSet", b.authority.root(), nil)
	return err
}

// restart restarts a peer by its command and waits until the new process answers.
func (p *peer) restart(ctx context.Context) error {
	a := p.administrator(30 * time.Second)
	defer a.close()
	before := p.child()
	if _, err := a.run(ctx, "xCommand Restart"); err != nil {
		return fmt.Errorf("peer %d: restart: %w", p.n, err)
	}
	if err := waitFor(ctx, 40*time.Second, fmt.Sprintf("peer %d has a new process", p.n), func() error {
		if now := p.child(); now == 0 || now == before {
			return errors.New("old process")
		}
		return nil
	}); err != nil {
		return err
	}
	return p.answers(ctx, 40*time.Second)
}

// ready waits until every peer sees every peer and the group has its voters.
func (b *bed) ready(ctx context.Context, patience time.Duration) error {
	return each(b.peers, func(p *peer) error {
		a := p.administrator(10 * time.Second)
		defer a.close()
		return waitFor(ctx, patience, fmt.Sprintf("peer %d is ready", p.n), func() error {
			v, err := a.view(ctx)
			if err != nil {
				return err
			}
			return unready(v, len(b.peers))
		})
	})
}

// unready says what a view lacks for a cluster of count that is whole.
func unready(v engine.ClusterView, count int) error {
	switch {
	case len(v.Running.Peers) != count:
		return fmt.Errorf("runs with %d peers", len(v.Running.Peers))
	case v.Database != "Active":
		return fmt.Errorf("database %s", v.Database)
	case len(v.Restart) > 0:
		return fmt.Errorf("restart pending: %s", strings.Join(v.Restart, ", "))
	}
	voters := 0
	for _, p := range v.Peers {
		if p.Voter {
			voters++
		}
		if p.State != engine.PeerActive && p.State != engine.ThisSystem {
			return fmt.Errorf("peer %d is %s: %s", p.Index, p.State, p.Cause)
		}
	}
	if want := (count-1)/2*2 + 1; voters != want {
		return fmt.Errorf("%d voters, want %d", voters, want)
	}
	return nil
}
