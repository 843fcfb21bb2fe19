package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// peer is one system of the lab: a disk of its own, the processes that serve
// it, their control groups and their log.
type peer struct {
	n       int // 1 to 6
	name    string
	address string
	program string
	dir     string // data directory, on the disk
	log     string // file of what the processes write
	skew    string // file of the seconds that the processes' wall clock is off by
	env     []string
	within  []string // the command that runs a program in the peer's namespace
	disk    *volume
	groups  *groups

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// fqdn is the name that the other peers know it by.
func (p *peer) fqdn() string { return p.name + ".example.com" }

// start starts the parent process, without waiting for an answer.
func (p *peer) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	line := append(append([]string(nil), p.within...), p.program, "serve", "--data-dir", p.dir, "--address", p.address,
		"--admin-password-file", filepath.Join(filepath.Dir(p.log), "password"))
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(os.Environ(), "HEXAD_LAB_SKEW="+p.skew), p.env...)
	// Nothing outlives the campaign, however it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
	return p.groups.enter(cmd.Process.Pid)
}

// end sends the parent a signal and waits for the end of parent and child. A
// parent that does not end within patience is killed, and that is an error.
func (p *peer) end(s syscall.Signal, patience time.Duration) error {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	child := p.child()
	_ = cmd.Process.Signal(s) // it may have ended
	if s == syscall.SIGKILL && child != 0 {
		_ = syscall.Kill(child, syscall.SIGKILL) // a paused one too
	}
	var late error
	select {
	case <-done:
	case <-time.After(patience):
		late = fmt.Errorf("peer %d did not end within %v of signal %d", p.n, patience, s)
		_ = syscall.Kill(child, syscall.SIGQUIT) // its log shows what it waited for
		time.Sleep(time.Second)
		_ = cmd.Process.Kill()
		<-done
	}
	for until := time.Now().Add(10 * time.Second); child != 0 && lives(child); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return errors.Join(late, fmt.Errorf("process %d of peer %d does not end", child, p.n))
		}
	}
	return late
}

// kill is kill -9 of parent and child.
func (p *peer) kill() error { return p.end(syscall.SIGKILL, 10*time.Second) }

// stop ends the peer as its administrator would.
func (p *peer) stop() error { return p.end(syscall.SIGTERM, 20*time.Second) }

// runs reports whether the parent process lives.
func (p *peer) runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// parent is the id of the parent process, 0 before there was one.
func (p *peer) parent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// child is the process id of the child, 0 while there is none.
func (p *peer) child() int {
	parent := p.parent()
	if parent == 0 {
		return 0
	}
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent)) // of its first thread
	for _, word := range strings.Fields(string(raw)) {
		if pid, err := strconv.Atoi(word); err == nil && lives(pid) {
			return pid
		}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // another thread may have started it
	for _, name := range stats {
		if pid, ppid, state := stat(name); ppid == parent && state != "Z" {
			return pid
		}
	}
	return 0
}

// signal sends a signal to the child alone.
func (p *peer) signal(s syscall.Signal) error {
	child := p.child()
	if child == 0 {
		return fmt.Errorf("peer %d has no child", p.n)
	}
	return syscall.Kill(child, s)
}

// answers waits until the shell of a started peer answers.
func (p *peer) answers(ctx context.Context, patience time.Duration) error {
	return waitFor(ctx, patience, fmt.Sprintf("peer %d answers", p.n), func() error {
		a := p.administrator(5 * time.Second)
		defer a.close()
		_, err := a.run(ctx, "xStatus SystemUnit")
		return err
	})
}

// setSkew sets how far the wall clock of the peer's processes is off. They have
// the file mapped: it is written in place.
func (p *peer) setSkew(by time.Duration) error {
	f, err := os.OpenFile(p.skew, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(int64(by.Seconds()))))
	return errors.Join(err, f.Close())
}

// waitFor looks until ready says nothing.
//
// Errors: what was missing last, when patience ends first.
func waitFor(ctx context.Context, patience time.Duration, what string, ready func() error) error {
	until := time.Now().Add(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return fmt.Errorf("waited %v in vain: %s: %w", patience, what, errors.Join(err, ctx.Err()))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lives reports whether a process runs; one that waits to be reaped does not.
func lives(pid int) bool {
	_, _, state := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z" && state != "X"
}

// stat reads a process's own id, its parent's and its state.
func stat(name string) (pid, ppid int, state string) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, ""
	}
	i := bytes.LastIndexByte(raw, ')') // a program's name may hold anything
	fields := strings.Fields(string(raw[i+1:]))
	if i < 0 || len(fields) < 2 {
		return 0, 0, ""
	}
	pid, _ = strconv.Atoi(strings.Fields(string(raw))[0])
	ppid, _ = strconv.Atoi(fields[1])
	return pid, ppid, fields[0]
}
