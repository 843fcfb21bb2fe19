//go:build !hexad_staleread

package simulation_test

// reads makes a write be seen by the next read of the copy that it was made on.
const reads = true
