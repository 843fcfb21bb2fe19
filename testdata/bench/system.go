package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// system is a cluster under measurement.
type system interface {
	name() string
	roots() []int // pids of its processes; what they started belongs to them
	nodes() []int // pid of the first process of each node
	// view sees the saves of a writer arrive on all nodes.
	view(writer int) (view, error)
	// writer returns a function that saves once more as writer number n, and
	// one that releases it.
	writer(n int) (save func(context.Context) error, release func(), err error)
	stop()
}

// view sees what the nodes have: a number that grows with each save.
type view interface {
	most() (int64, error) // the greatest that any node has
	// await waits until every node has want and returns when that was.
	await(ctx context.Context, want int64) (time.Time, error)
	close()
}

// child starts a process that ends with this one.
func child(log string, name string, args ...string) (*exec.Cmd, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	return cmd, cmd.Start()
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-done
	}
}

// await asks again until ready says nothing.
func await(ctx context.Context, patience time.Duration, ready func() error) error {
	return awaitEvery(ctx, 50*time.Millisecond, patience, ready)
}

func awaitEvery(ctx context.Context, every, patience time.Duration, ready func() error) error {
	end := time.Now().Add(patience)
	for {
		err := ready()
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		time.Sleep(every)
	}
}

// writers is the most writers of a run: each has an item of its own.
const writers = 64

// value is 256 bytes that differ at each call; hexad takes 255.
func value(n int, seq int64, size int) string {
	s := fmt.Sprintf("writer%02d-%016d-", n, seq)
	return s + strings.Repeat("v", size-len(s))
}
