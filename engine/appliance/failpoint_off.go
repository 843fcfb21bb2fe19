//go:build !hexad_failpoints

package appliance

// failpoint is where a test build can be cut off.
func failpoint(string) {}
