package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startPart measures the time from exec until a node serves: hexad and rqlited
// when /readyz says so, etcd when it takes a write, which is what /readyz
// promises. On an empty disk, then again on what that left; then six together,
// formed before.
func (b *run) startPart(ctx context.Context) error {
	for n := range b.o.runs {
		list := []starter{newAlone(b.o, filepath.Join(b.dir, fmt.Sprintf("alone-%d", n)))}
		for _, name := range []string{"rqlited", "etcd"} {
			if s := b.single(name, n); s != nil {
				list = append(list, s)
			}
		}
		for _, question := range []string{"1 peer, empty disk, exec to serving", "1 peer, started again, exec to serving"} {
			for _, s := range list {
				b.machine.quiet()
				began := time.Now()
				if err := s.up(ctx); err != nil {
					s.down()
					return fmt.Errorf("%s: %w", s.name(), err)
				}
				b.add(question, "s", true, s.name(), time.Since(began).Seconds())
				time.Sleep(time.Second) // what is begun at the start comes to its end
				s.down()
			}
		}
	}
	return b.startSix(ctx)
}

// starter can be started and ended again and again; up returns when it serves.
type starter interface {
	name() string
	up(ctx context.Context) error
	down()
}

// single is one node of an anchor; nil when there is none.
func (b *run) single(name string, n int) starter {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-alone-%d", name, n))
	switch {
	case name == "rqlited":
		node := rqliteNode{web: freeAddress(), group: freeAddress(), dir: dir, log: dir + ".log"}
		node.args = []string{b.o.rqlited, "-node-id", "0", "-http-addr", node.web, "-raft-addr", node.group, dir}
		return &rqlitedStart{&rqlited{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, list: []rqliteNode{node}}}
	case b.o.etcd != "":
		return &etcdStart{newEtcd(b.o.etcd, dir, 1)}
	}
	return nil
}

type rqlitedStart struct{ *rqlited }

func (r *rqlitedStart) down() { r.stop() }

func (r *rqlitedStart) up(ctx context.Context) error {
	for n := range r.list {
		if err := r.start(n); err != nil {
			return err
		}
	}
	return r.whole(ctx)
}

type etcdStart struct{ *etcd }

func (e *etcdStart) up(ctx context.Context) error { return e.startAll(ctx) }
func (e *etcdStart) down()                        { e.stop() }

// startSix forms groups of six, ends them and starts them again. What it takes
// to form one is in the table, too.
func (b *run) startSix(ctx context.Context) error {
	type formed struct {
		name string
		make func(dir string) (starter, error)
	}
	list := []formed{
		{"hexad", func(dir string) (starter, error) {
			h, err := startHexad(ctx, b.o, dir, 6)
			if err != nil {
				return nil, err
			}
			return &hexadStart{h, b.o}, nil
		}},
		{"rqlited", func(dir string) (starter, error) {
			r, err := startRqlited(ctx, b.o, dir, 6)
			return &rqlitedStart{r}, err
		}},
		{"etcd", func(dir string) (starter, error) {
			e, err := startEtcd(ctx, b.o.etcd, dir, 6)
			return &etcdStart{e}, err
		}},
	}
	for _, f := range list {
		if f.name == "etcd" && b.o.etcd == "" {
			continue
		}
		b.machine.quiet()
		began := time.Now()
		s, err := f.make(filepath.Join(b.dir, "six-"+f.name))
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		b.add("6 peers, formed on empty disks", "s", true, f.name, time.Since(began).Seconds())
		for range b.o.runs {
			time.Sleep(time.Second)
			s.down()
			b.machine.quiet()
			began := time.Now()
			if err := s.up(ctx); err != nil {
				s.down()
				return fmt.Errorf("%s: %w", f.name, err)
			}
			b.add("6 peers started again, exec to all serving", "s", true, f.name, time.Since(began).Seconds())
		}
		s.down()
	}
	return nil
}

// console asks peers whether they serve; nobody vouches for their certificates here.
var console = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// servingAt waits until the peer at an address says that it is ready.
func servingAt(ctx context.Context, address string) error {
	return awaitEvery(ctx, 5*time.Millisecond, 60*time.Second, func() error {
		resp, err := console.Get("https://" + net.JoinHostPort(address, "8443") + "/readyz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", address, resp.Status)
		}
		return nil
	})
}

// hexadStart is a lab that is formed already: each peer is started by itself.
type hexadStart struct {
	*hexad
	o options
}

func (h *hexadStart) down() {
	for _, cmd := range h.cmds {
		end(cmd)
	}
	h.cmds = nil
	if h.cmd != nil {
		end(h.cmd)
		h.cmd = nil
	}
}

func (h *hexadStart) up(ctx context.Context) error {
	for n := 1; n <= h.peers; n++ {
		peer := fmt.Sprintf("peer%d", n)
		cmd, err := child(filepath.Join(h.dir, peer+".log"), h.o.hexad, "serve", "--data-dir", filepath.Join(h.dir, peer), "--address", h.address(n))
		if err != nil {
			return err
		}
		h.cmds = append(h.cmds, cmd)
	}
	for n := 1; n <= h.peers; n++ {
		if err := servingAt(ctx, h.address(n)); err != nil {
			return err
		}
	}
	return nil
}

// alone is one hexad that is in no cluster.
type alone struct {
	o   options
	dir string
	cmd *exec.Cmd
}

func newAlone(o options, dir string) *alone { return &alone{o: o, dir: dir} }

func (a *alone) name() string { return "hexad" }
func (a *alone) down()        { end(a.cmd) }

func (a *alone) up(ctx context.Context) (err error) {
	password := a.dir + ".password"
	if err := os.WriteFile(password, []byte("a password of the bench\n"), 0o600); err != nil {
		return err
	}
	address := a.o.network + ".1"
	if a.cmd, err = child(a.dir+".log", a.o.hexad, "serve", "--data-dir", a.dir, "--address", address, "--admin-password-file", password); err != nil {
		return err
	}
	return servingAt(ctx, address)
}
