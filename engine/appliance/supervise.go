package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/engine/host"
)

// Exit statuses by which a child tells its parent what to do next.
const (
	exitStop    = 0
	exitFatal   = 78 // the administrator has to act first: starting again would not help
	exitRestart = 86 // start again with the saved values
	exitTrial   = 85 // the restored system cannot be used: see restore.go
	exitDisk    = 87 // the disk did not take a change of the cluster database
)

// Environment of a child.
const (
	envChild   = "HEXAD_CHILD"
	envCrashes = "HEXAD_CRASHES"
	envCause   = "HEXAD_CRASH_CAUSE"
	envReset   = "HEXAD_RESET_FAILED"
)

// Back-off of a child that ends by itself: at once the first time, at most
// once in ten seconds when it keeps ending. A child that lived for a minute
// starts from the beginning.
const (
	backOffFirst = 100 * time.Millisecond
	backOffMost  = 10 * time.Second
	lived        = time.Minute
	graceful     = 10 * time.Second
)

// IsChild reports whether this process is a child of Supervise.
func IsChild() bool { return os.Getenv(envChild) != "" }

// Crashes is how often the child before this one ended by itself, and why.
func Crashes() (int, string) {
	n, err := strconv.Atoi(os.Getenv(envCrashes))
	if err != nil {
		return 0, ""
	}
	return n, os.Getenv(envCause)
}

// ResetFailed is why the armed factory reset was not carried out, "" otherwise.
func ResetFailed() string { return os.Getenv(envReset) }

// Supervise runs the appliance as a child process until ctx ends or the child
// says that it cannot go on. args are those of this process. It returns the
// exit status.
//
// A disk error panics the Raft library; a child of its own keeps that from
// ending the process that restarts it.
//
// An armed factory reset is carried out before the first child and at a restart
// that was asked for, never because a child ended by itself.
func Supervise(ctx context.Context, args []string, o Options, stdout, stderr io.Writer) int {
	lock, err := lockDataDir(o.DataDir)
	if err != nil {
		fmt.Fprintf(stderr, "hexad: %v\n", err)
		return 1
	}
	defer lock.Close()
	c := child{args: args, stdout: stdout, stderr: stderr}
	restore := restoring{o}
	if err := restore.advance(false); err != nil {
		fmt.Fprintf(stderr, "hexad: %v\n", err)
		return 1
	}
	c.reset = betweenChildren(ctx, o, stdout)
	wait := backOffFirst
	for {
		began := time.Now()
		status, err := c.run(ctx)
		switch {
		case ctx.Err() != nil:
			return exitStop
		case status == exitStop && err == nil:
			return exitStop
		case status == exitRestart:
			c.crashes, c.cause, wait = 0, "", backOffFirst
			o.Log.Info("restarting with the saved values", "module", "management")
			if err := restore.advance(true); err != nil {
				fmt.Fprintf(stderr, "hexad: %v\n", err)
				return 1
			}
			c.reset = betweenChildren(ctx, o, stdout)
			continue
		case status == exitFatal, status == exitTrial, c.crashes+1 >= trialCrashes:
			back, err := restore.putBack(describe(status, err))
			if err != nil {
				fmt.Fprintf(stderr, "hexad: %v\n", err)
				return 1
			}
			if back {
				c.crashes, c.cause, wait = 0, "", backOffFirst
				continue
			}
			if status == exitFatal || status == exitTrial {
				return 1
			}
		}
		if time.Since(began) > lived {
			c.crashes, wait = 0, backOffFirst
		}
		c.crashes++
		c.disarmed = true
		c.cause = describe(status, err)
		o.Log.Error("the appliance ended by itself; starting it again", "module", "management", "cause", c.cause, "crashes", c.crashes, "in", wait.String())
		if !pause(ctx, wait) {
			return exitStop
		}
		wait = min(2*wait, backOffMost)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// causeDisk is why a child ended with exitDisk.
const causeDisk = "the disk did not take a change of the cluster database"

func describe(status int, err error) string {
	if status == exitDisk {
		return causeDisk
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Error()
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("exit status %d", status)
}

// child is how the next child is started, and what it is told.
type child struct {
	args           []string
	stdout, stderr io.Writer
	crashes        int
	cause          string
	reset          string // why the armed factory reset was not carried out
	disarmed       bool   // a child ended by itself: failpoints have shown what they do
}

// run runs one child to its end. The kernel kills it when this process dies.
func (c child) run(ctx context.Context) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("find own executable: %w", err)
	}
	// Pdeathsig is bound to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(self, c.args...)
	cmd.Env = os.Environ()
	if c.disarmed {
		cmd.Env = append(cmd.Env, fail.Env+"=")
	}
	cmd.Env = append(cmd.Env, envChild+"=1", envCrashes+"="+strconv.Itoa(c.crashes), envCause+"="+c.cause, envReset+"="+c.reset)
	cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start the appliance: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		time.AfterFunc(graceful, func() { _ = cmd.Process.Kill() })
	})
	defer stop()
	err = cmd.Wait()
	return cmd.ProcessState.ExitCode(), err
}

// ParentLog is what the parent writes with: lines in the form of the event
// log, which only its children keep. Its lines are written until ctx ends.
func ParentLog(ctx context.Context, out io.Writer, format string) *slog.Logger {
	j := event.New(event.Options{Host: host.HostName, Out: out, Format: event.Format(format)})
	go func() { _ = j.Run(context.WithoutCancel(ctx)) }() // ends with the process
	return slog.New(event.NewHandler(j))
}
