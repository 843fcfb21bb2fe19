//go:build hexad_staleread

package simulation_test

// reads is off in this build, as it is in sqlstore's: the run must fail.
const reads = false
