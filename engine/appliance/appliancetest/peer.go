package appliancetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Password is the administrator's on every peer.
const Password = "a password for tests"

// Peer is one system: a data directory and the processes that serve it.
type Peer struct {
	T       testing.TB
	Name    string // host name, "peer1"
	Address string
	Dir     string
	Args    []string // beside --data-dir and --address
	Within  []string // the command that the program is run by: "ip netns exec NAME"
	Variant Variant
	Env     []string // beside this process's own

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	log  bytes.Buffer
}

// New makes a peer that has never run, at an address of its own.
func New(t testing.TB, n int, address string, args ...string) *Peer {
	t.Helper()
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Peer{T: t, Name: "peer" + strconv.Itoa(n), Address: address, Dir: filepath.Join(dir, "data"),
		Args: append([]string{"--admin-password-file", password}, args...)}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s (%s):\n%s", p.Name, p.Address, p.tail())
		}
	})
	return p
}

// FQDN is the peer's full name.
func (p *Peer) FQDN() string { return p.Name + ".example.com" }

// Write takes a part of the peer's log.
func (p *Peer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// Log is everything that the peer has written so far.
func (p *Peer) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// tail is the end of the peer's log without the line for each changed item, of
// which one new zone writes two hundred.
func (p *Peer) tail() string {
	var lines []string
	for line := range strings.Lines(p.Log()) {
		if !strings.Contains(line, "- changed from: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-200):], "")
}

// Start starts the parent process, without waiting for an answer.
func (p *Peer) Start() {
	p.T.Helper()
	args := append([]string{"serve", "--data-dir", p.Dir, "--address", p.Address}, p.Args...)
	line := slices.Concat(p.Within, []string{Program(p.T, p.Variant)}, args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = p, p, append(os.Environ(), p.Env...)
	// Nothing outlives the test: neither when it ends nor when it is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
}

// Up starts the peer and waits until its shell answers.
func (p *Peer) Up() *Peer {
	p.T.Helper()
	p.Start()
	p.Await("answers", 40*time.Second, func() string {
		_, err := p.Try("xStatus SystemUnit")
		return why(err)
	})
	return p
}

// Stop ends the peer as an administrator would, and waits for its end.
func (p *Peer) Stop() { p.end(syscall.SIGTERM) }

// Kill kills the parent with kill -9; the kernel kills the child with it.
func (p *Peer) Kill() { p.end(syscall.SIGKILL) }

func (p *Peer) end(s syscall.Signal) {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	child := p.Child()
	_ = cmd.Process.Signal(s) // it may have ended
	if child != 0 && s == syscall.SIGKILL {
		_ = syscall.Kill(child, syscall.SIGKILL) // a paused one too
	}
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		_ = cmd.Process.Kill()
		p.T.Errorf("%s did not end", p.Name)
		<-done
	}
	Await(p.T, p.Name+" has no child any more", 5*time.Second, func() string {
		if child != 0 && Alive(child) {
			return fmt.Sprintf("process %d lives", child)
		}
		return ""
	})
}

// Ended is closed when the parent process has ended.
func (p *Peer) Ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// AwaitEnd waits until the parent process ends by itself, and returns its exit status.
func (p *Peer) AwaitEnd(within time.Duration) int {
	p.T.Helper()
	select {
	case <-p.Ended():
	case <-time.After(within):
		p.T.Fatalf("%s has not ended by itself within %v", p.Name, within)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.ProcessState.ExitCode()
}

// Parent is the id of the parent process.
func (p *Peer) Parent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Child is the process id of the child, 0 while there is none.
func (p *Peer) Child() int {
	parent := p.Parent()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if pid, ppid, state := stat(name); ppid == parent && state != "Z" {
			return pid
		}
	}
	return 0
}

// Signal sends a signal to the child.
func (p *Peer) Signal(s syscall.Signal) {
	p.T.Helper()
	child := p.Child()
	if child == 0 {
		p.T.Fatalf("%s has no child", p.Name)
	}
	if err := syscall.Kill(child, s); err != nil {
		p.T.Fatal(err)
	}
}

// Pause makes the peer silent: its connections stay, nothing answers.
func (p *Peer) Pause() { p.Signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (p *Peer) Resume() { p.Signal(syscall.SIGCONT) }

// Alive reports whether a process runs; one that waits to be reaped does not.
func Alive(pid int) bool {
	_, _, state := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z"
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
