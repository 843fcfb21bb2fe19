//go:build hexad_noguard

package simulation_test

// guarded is off in this build, as it is in sqlstore's: the run must fail.
const guarded = false
