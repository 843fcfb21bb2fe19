//go:build !hexad_noguard

package simulation_test

// guarded is the guard of a configuration save: it is carried out only on the
// revision that it was decided on, by the primary of that generation.
const guarded = true
