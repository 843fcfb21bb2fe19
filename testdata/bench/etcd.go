package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcd is a group of Debian's servers, asked by gRPC.
type etcd struct {
	program string
	list    []etcdNode
}

type etcdNode struct {
	args    []string
	log     string
	address string // of clients
	cmd     *exec.Cmd
	client  *clientv3.Client
}

// newEtcd makes a group that is not started yet.
func newEtcd(program, dir string, count int) *etcd {
	e := &etcd{program: program}
	var members, peers []string
	for n := range count {
		peers = append(peers, "http://"+freeAddress())
		members = append(members, fmt.Sprintf("n%d=%s", n, peers[n]))
	}
	for n := range count {
		address := freeAddress()
		e.list = append(e.list, etcdNode{log: dir + ".log", address: address, args: []string{
			"--name", fmt.Sprintf("n%d", n), "--data-dir", filepath.Join(dir, fmt.Sprintf("node%d", n)), "--log-level", "error",
			"--listen-client-urls", "http://" + address, "--advertise-client-urls", "http://" + address,
			"--listen-peer-urls", peers[n], "--initial-advertise-peer-urls", peers[n],
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-token", filepath.Base(dir),
		}})
	}
	return e
}

// startEtcd starts a new group, all nodes at once, as etcd wants it.
func startEtcd(ctx context.Context, program, dir string, count int) (*etcd, error) {
	e := newEtcd(program, dir, count)
	if err := e.startAll(ctx); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// startAll starts every node and waits until each carries a write out.
func (e *etcd) startAll(ctx context.Context) error {
	for n := range e.list {
		if err := e.start(n); err != nil {
			return err
		}
	}
	for n := range e.list {
		if err := e.serving(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (e *etcd) start(n int) (err error) {
	node := &e.list[n]
	if node.cmd, err = child(node.log, e.program, node.args...); err != nil {
		return err
	}
	if node.client == nil {
		node.client, err = clientv3.New(clientv3.Config{Endpoints: []string{node.address}, Logger: zap.NewNop()})
	}
	return err
}

// serving waits until node n takes a write.
func (e *etcd) serving(ctx context.Context, n int) error {
	return awaitEvery(ctx, 5*time.Millisecond, 60*time.Second, func() error { return e.put(ctx, n, "serving", "yes", 200*time.Millisecond) })
}

func (e *etcd) put(ctx context.Context, n int, key, value string, patience time.Duration) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	_, err := e.list[n].client.Put(ctx, key, value)
	return err
}

func (e *etcd) name() string { return "etcd" }

func (e *etcd) roots() []int {
	var out []int
	for _, n := range e.list {
		out = append(out, n.cmd.Process.Pid)
	}
	return out
}

func (e *etcd) nodes() []int { return e.roots() }

func (e *etcd) leader(ctx context.Context) (int, error) {
	for n, node := range e.list {
		status, err := node.client.Status(ctx, node.address)
		if err == nil && status.Header.MemberId == status.Leader {
			return n, nil
		}
	}
	return 0, errors.New("etcd has no leader")
}

func (e *etcd) writer(n int) (func(context.Context) error, func(), error) {
	at, err := e.leader(context.Background())
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) error {
		return e.put(ctx, at, key(n), value(n, time.Now().UnixNano(), 256), 10*time.Second)
	}, func() {}, nil
}

func (e *etcd) stop() {
	for n := range e.list {
		node := &e.list[n]
		if node.client != nil {
			node.client.Close()
			node.client = nil
		}
		if node.cmd != nil {
			end(node.cmd)
		}
	}
}

// watches are watches of one key, one on each node: they are told when their
// node has applied a write.
type watches struct {
	seen []atomic.Int64 // newest revision of each node
	stop context.CancelFunc
}

func (e *etcd) view(writer int) (view, error) {
	ctx, stop := context.WithCancel(context.Background())
	w := &watches{seen: make([]atomic.Int64, len(e.list)), stop: stop}
	for n, node := range e.list {
		got, err := node.client.Get(ctx, key(writer), clientv3.WithSerializable())
		if err != nil {
			stop()
			return nil, err
		}
		w.seen[n].Store(got.Header.Revision)
		changes := node.client.Watch(ctx, key(writer), clientv3.WithRev(got.Header.Revision+1), clientv3.WithCreatedNotify())
		<-changes // it is in place
		go func() {
			for c := range changes {
				w.seen[n].Store(c.Header.Revision)
			}
		}()
	}
	return w, nil
}

func (w *watches) most() (int64, error) {
	var out int64
	for n := range w.seen {
		out = max(out, w.seen[n].Load())
	}
	return out, nil
}

func (w *watches) await(ctx context.Context, want int64) (time.Time, error) {
	return awaitAll(ctx, func() (missing int, err error) {
		for n := range w.seen {
			if w.seen[n].Load() < want {
				missing++
			}
		}
		return missing, nil
	})
}

func (w *watches) close() { w.stop() }

func (e *etcd) kill(n int) (func() error, error) {
	cmd := e.list[n].cmd
	err := cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return func() error { return e.start(n) }, err
}

func (e *etcd) next(ctx context.Context, n int) (func() (time.Time, error), error) {
	return func() (time.Time, error) {
		return try(ctx, len(e.list), n, func(ctx context.Context, node int) error { return e.put(ctx, node, "next", "yes", time.Second) })
	}, nil
}

func (e *etcd) whole(ctx context.Context) error {
	for n := range e.list {
		if err := e.serving(ctx, n); err != nil {
			return err
		}
	}
	return nil
}
