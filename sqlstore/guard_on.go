//go:build !hexad_noguard

package sqlstore

// guarded makes a save depend on what it was decided on: the revision, the
// agreed primary and the generation. Without it the second of two
// administrators takes back what the first saved, and a replaced primary goes
// on saving (design 3).
const guarded = true
