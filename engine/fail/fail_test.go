//go:build failpoints

package fail_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine/fail"
)

// TestMain is also the process that the points are armed in.
func TestMain(m *testing.M) {
	if os.Getenv("FAIL_CHILD") == "" {
		os.Exit(m.Run())
	}
	for range 3 {
		began := time.Now()
		err := fail.Point("fail.test")
		os.Stdout.WriteString("passed")
		if err != nil {
			os.Stdout.WriteString(" with " + err.Error())
		}
		if time.Since(began) >= 50*time.Millisecond {
			os.Stdout.WriteString(" late")
		}
		os.Stdout.WriteString("\n")
	}
}

// TestPoint runs each action in a process of its own.
// Run it with: go test -tags failpoints ./engine/fail
func TestPoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, armed, want string
		killed            bool
		status            int
	}{
		{"unarmed", "", "passed\npassed\npassed\n", false, 0},
		{"kill", "fail.test=kill", "", true, -1},
		{"kill the second time", "fail.test=kill@2", "passed\n", true, -1},
		{"panic the third time", "fail.test=panic@3", "passed\npassed\n", false, 2},
		{"error each time", "fail.test=error", strings.Repeat("passed with failpoint fail.test\n", 3), false, 0},
		{"sleep once", "fail.test=sleep:50ms@1", "passed late\npassed\npassed\n", false, 0},
		{"unknown point", "fail.nowhere=kill", "", false, 2},
		{"unknown action", "fail.test=explode", "", false, 2},
		{"no such time", "fail.test=kill@0", "", false, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "FAIL_CHILD=1", fail.Env+"="+test.armed)
			out, _ := cmd.Output() // the status says it
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if string(out) != test.want || (status.Signal() == syscall.SIGKILL) != test.killed || !test.killed && status.ExitStatus() != test.status {
				t.Errorf("%s=%q: said %q and ended with %v, want %q", fail.Env, test.armed, out, cmd.ProcessState, test.want)
			}
		})
	}
}
