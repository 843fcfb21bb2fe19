//go:build hexad_failpoints

package appliance

import (
	"os"
	"syscall"
)

// failpoint kills this process at the step that the environment names, as a
// power cut would. Only test builds have it.
func failpoint(step string) {
	if os.Getenv("HEXAD_FAILPOINT") == step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal comes
	}
}
