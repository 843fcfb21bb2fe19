package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/ui/shell"
)

// Times of the lab.
const (
	labPoll     = 20 * time.Millisecond // between looks at a peer that something is awaited of
	labPatience = 60 * time.Second      // for one step
	labGrace    = 5 * time.Second       // for the peers to end before they are killed
)

// labPeer is one peer of the lab: a child process.
type labPeer struct {
	n       int
	address string
	dir     string
	logName string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
}

// start starts peer n and tells ended when its process ends.
func (l *lab) start(n int, ended chan<- error) (*labPeer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &labPeer{n: n, address: fmt.Sprintf("%s.%d", l.network, n), dir: filepath.Join(l.dir, fmt.Sprintf("peer%d", n)),
		logName: filepath.Join(l.dir, fmt.Sprintf("peer%d.log", n)), done: make(chan struct{})}
	log, err := os.OpenFile(p.logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of peer %d: %w", n, err)
	}
	defer log.Close() // the child has its own
	args := append([]string{"serve", "--data-dir", p.dir, "--address", p.address,
		"--admin-password-file", l.passwordFile()}, l.serve...)
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// An own group keeps the terminal's Ctrl-C away: the lab stops its peers itself.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start peer %d: %w", n, err)
	}
	go func() {
		err := p.cmd.Wait()
		close(p.done)
		ended <- p.obituary(err)
	}()
	return p, nil
}

// obituary says that a peer ended, with the end of its log.
func (p *labPeer) obituary(err error) error {
	text, _ := os.ReadFile(p.logName) // the message is useful without it too
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-5):]
	return &engine.Error{Code: engine.Unavailable, Message: fmt.Sprintf("peer %d ended (%v); the end of its log:\n%s", p.n, err, strings.Join(lines, "\n")),
		Remedy: "are its address and ports free? The whole log is " + p.logName, Err: err}
}

// stop ends all peers, and kills those that do not end in time.
func (l *lab) stop() {
	var wg sync.WaitGroup
	for _, p := range l.peers {
		wg.Go(func() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			select {
			case <-p.done:
			case <-time.After(labGrace):
				_ = p.cmd.Process.Kill()
				<-p.done
			}
		})
	}
	wg.Wait()
}

// run carries out one command on the peer.
func (p *labPeer) run(ctx context.Context, request shell.Request) (shell.Reply, error) {
	response, err := shell.Client{Dir: p.dir}.Do(ctx, request)
	if err != nil {
		return shell.Reply{}, err
	}
	for _, reply := range response.Answers {
		if reply.Error != nil {
			err := reply.Error.Err()
			var e *engine.Error
			if errors.As(err, &e) {
				e.Message = fmt.Sprintf("peer %d: %s", p.n, e.Message)
			}
			return reply, err
		}
	}
	if len(response.Answers) == 0 {
		return shell.Reply{}, nil
	}
	return response.Answers[0], nil
}

// lines runs lines of the shell, as one paste.
func (p *labPeer) lines(ctx context.Context, lines ...string) error {
	_, err := p.run(ctx, shell.Request{Lines: lines})
	return err
}

// view is the clustering page as the peer sees it.
func (p *labPeer) view(ctx context.Context) (engine.ClusterView, error) {
	var answer struct {
		Data engine.ClusterView `json:"data"`
	}
	reply, err := p.run(ctx, shell.Request{Call: &shell.Call{Name: "xStatus", Args: map[string]string{"Path": "Cluster"}}})
	if err != nil {
		return answer.Data, err
	}
	err = json.Unmarshal(reply.Result, &answer)
	return answer.Data, err
}

// await looks at the peer until what it sees is as wanted. missing says what
// is not yet so, "" when all is.
func (p *labPeer) await(ctx context.Context, missing func(engine.ClusterView) string) (engine.ClusterView, error) {
	ctx, cancel := context.WithTimeout(ctx, labPatience)
	defer cancel()
	ticker := time.NewTicker(labPoll)
	defer ticker.Stop()
	last := "it does not answer"
	for {
		view, err := p.view(ctx)
		if err == nil {
			if last = missing(view); last == "" {
				return view, nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return view, &engine.Error{Code: engine.Unavailable, Message: fmt.Sprintf("peer %d: waited in vain: %s", p.n, last),
				Remedy: "see " + p.logName, Err: err}
		}
	}
}
