package main

import (
	"context"
	"encoding/json"
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

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/shell"
)

// stall is a network namespace in which boxes are at the same loopback addresses as
// in every other one: several copies of one machine can run at the same time.
type stall struct{ name string }

var stalls struct {
	sync.Mutex
	made int
}

func newStall() (*stall, error) {
	stalls.Lock()
	stalls.made++
	s := &stall{name: fmt.Sprintf("hs%dx%d", os.Getpid()%1_000_000, stalls.made)}
	stalls.Unlock()
	if err := runTool("ip", "netns", "add", s.name); err != nil {
		return nil, Skipped("this system does not allow network namespaces: " + err.Error())
	}
	return s, runTool("ip", "-n", s.name, "link", "set", "lo", "up")
}

func (s *stall) remove() { _ = runTool("ip", "netns", "delete", s.name) }

// box is one machine with a disk: where a peer's data are, and the processes
// that serve it.
type box struct {
	stall   *stall
	program string
	name    string
	address string
	dir     string // the data directory
	log     string // file
	env     []string
	args    []string

	admin *admin
	cmd   *exec.Cmd
	done  chan struct{}
}

// boxPassword is the administrator's of every box.
const boxPassword = "a password for the campaign"

// newBox makes the data directory of machine n, 1 to 3, below dir. Its factory
// image is a stand-in: the real one is as large as everything else together.
func newBox(s *stall, program, dir, log string, n int) (*box, error) {
	b := boxAt(s, program, dir, log, n)
	reset := filepath.Join(b.dir, "reset")
	if err := os.MkdirAll(reset, 0o700); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"reset/hexad-image": "stand-in\n", "reset/rk": "AAAAAAAAAAAAAAAA\n", "../password": boxPassword} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// boxAt is a box whose data directory is there already.
func boxAt(s *stall, program, dir, log string, n int) *box {
	b := &box{stall: s, program: program, name: fmt.Sprintf("peer%d", n), address: fmt.Sprintf("127.0.114.%d", n), dir: filepath.Join(dir, "data"), log: log}
	b.admin = &admin{dir: b.dir, patience: 15 * time.Second}
	return b
}

// start starts the parent process.
func (b *box) start() error {
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"--net=/run/netns/" + b.stall.name, b.program, "serve", "--data-dir", b.dir, "--address", b.address,
		"--admin-password-file", filepath.Join(b.dir, "../password")}, b.args...)
	cmd := exec.Command("nsenter", args...) // becomes the program
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), b.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	b.cmd, b.done = cmd, done
	return nil
}

// kill ends the processes at once, as far as they are there.
func (b *box) kill() { b.end(syscall.SIGKILL) }

// stop ends them as an administrator does.
func (b *box) stop() { b.end(syscall.SIGTERM) }

func (b *box) end(s syscall.Signal) {
	b.admin.close()
	if b.cmd == nil {
		return
	}
	children := b.children()
	_ = b.cmd.Process.Signal(s)
	if s == syscall.SIGKILL {
		for _, pid := range children {
			_ = syscall.Kill(pid, s)
		}
	}
	select {
	case <-b.done:
	case <-time.After(15 * time.Second):
		_ = b.cmd.Process.Kill()
		<-b.done
	}
	for _, pid := range children {
		for alive(pid) {
			time.Sleep(2 * time.Millisecond)
		}
	}
	b.cmd = nil
}

// ended reports whether the parent has ended by itself.
func (b *box) ended() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// children are the processes that the parent has started.
func (b *box) children() []int {
	if b.cmd == nil {
		return nil
	}
	parent := b.cmd.Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	out := pids(string(text))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // the child of another thread
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		out = append(out, pids(string(text))...)
	}
	return out
}

func pids(list string) []int {
	var out []int
	for _, f := range strings.Fields(list) {
		if pid, err := strconv.Atoi(f); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// alive reports whether a process runs: one that waits to be reaped does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	i := strings.LastIndexByte(string(text), ')')
	return i > 0 && len(text) > i+2 && text[i+2] != 'Z'
}

// await looks until missing says nothing.
func await(ctx context.Context, what string, within time.Duration, missing func() string) error {
	deadline := time.Now().Add(within)
	for {
		last := missing()
		if last == "" {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("waited %v in vain: %s: %s", within, what, last)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// answers waits until the shell answers.
func (b *box) answers(ctx context.Context, within time.Duration) error {
	return await(ctx, b.name+" answers", within, func() string {
		if b.ended() {
			return "it has ended"
		}
		_, err := b.admin.run(ctx, "xStatus SystemUnit")
		return reason(err)
	})
}

// up starts and waits.
func (b *box) up(ctx context.Context) error {
	if err := b.start(); err != nil {
		return err
	}
	return b.answers(ctx, patience)
}

// patience is how long a machine that starts may take, on one that is busy.
const patience = 40 * time.Second

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// do runs lines that must succeed.
func (b *box) do(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if _, err := b.admin.run(ctx, "%s", line); err != nil {
			return fmt.Errorf("%s: %s: %w", b.name, line, err)
		}
	}
	return nil
}

// restart restarts it with a command and waits for the new process.
func (b *box) restart(ctx context.Context) error {
	before := fmt.Sprint(b.children())
	if err := b.do(ctx, "xCommand Restart"); err != nil {
		return err
	}
	b.admin.close()
	if err := await(ctx, b.name+" restarts", patience, func() string {
		if now := fmt.Sprint(b.children()); now == before || now == "[]" {
			return "old process"
		}
		return ""
	}); err != nil {
		return err
	}
	return b.answers(ctx, patience)
}

// writable waits until a cluster that this box is primary of can be written.
func (b *box) writable(ctx context.Context, within time.Duration) error {
	return await(ctx, b.name+" can be written", within, func() string {
		v, err := b.admin.view(ctx)
		switch {
		case err != nil:
			return err.Error()
		case !v.Writable:
			return fmt.Sprintf("database %s, read-only: %s", v.Database, v.ReadOnly)
		}
		return ""
	})
}

// The item that every save of tier C changes: a free text, replicated.
const savedItem = "Transform 1 Description"

// prepare makes what savedItem belongs to.
func (b *box) prepare(ctx context.Context) error {
	if err := b.writable(ctx, patience); err != nil {
		return err
	}
	return b.do(ctx, fmt.Sprintf("xConfiguration IP DNS Hostname: %q", b.name), `xConfiguration IP DNS Domain Name: "example.com"`, "xConfiguration H323 Mode: On")
}

// save saves one value. Errors as of admin.ask: a refusal, or the outcome is unknown.
func (b *box) save(ctx context.Context, value string) (revision int64, err error) {
	reply, err := b.admin.ask(ctx, shell.Request{Lines: []string{fmt.Sprintf("xConfiguration %s: %q", savedItem, value)}})
	if err != nil {
		return 0, err
	}
	var result command.Result
	if err := jsonInto(reply.Result, &result); err != nil {
		return 0, err
	}
	if result.Saved == nil {
		return 0, errors.New("an answer without a revision")
	}
	return result.Saved.Revision, nil
}

// history is what this copy has: the value that each revision gave to savedItem.
func (b *box) history(ctx context.Context) (map[int64]string, error) {
	rows, err := b.admin.rows(ctx, "cluster", "SELECT coalesce(group_concat(revision || '=' || new_value), '') FROM diag_history WHERE path = '"+savedItem+"'")
	if err != nil {
		return nil, err
	}
	if len(rows.Rows) != 1 || len(rows.Rows[0]) != 1 {
		return nil, fmt.Errorf("the history answers %v", rows.Rows)
	}
	out := map[int64]string{}
	for _, part := range strings.Split(fmt.Sprint(rows.Rows[0][0]), ",") {
		if number, value, ok := strings.Cut(part, "="); ok {
			revision, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return nil, err
			}
			out[revision] = value
		}
	}
	return out, nil
}

// value is savedItem as it is now, by this copy.
func (b *box) value(ctx context.Context) (string, error) {
	lines, err := b.admin.run(ctx, "xConfiguration "+savedItem)
	if err != nil {
		return "", err
	}
	text := strings.Join(lines, "\n")
	_, text, _ = strings.Cut(text, savedItem+`: "`)
	text, _, _ = strings.Cut(text, `"`)
	return text, nil
}

// alarms are the numbers of the alarms that hold on this box.
func (b *box) alarms(ctx context.Context) map[int]string {
	var list []engine.RaisedAlarm
	if err := b.admin.status(ctx, "Alarm", &list); err != nil {
		return nil
	}
	out := map[int]string{}
	for _, a := range list {
		if a.Peer == b.address {
			out[a.ID] = fmt.Sprint(a.Params)
		}
	}
	return out
}

func jsonInto(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w in %.200s", err, raw)
	}
	return nil
}
