//go:build hexad_noguard

package sqlstore

// guarded is off in this build, which exists only for the test that shows what
// the guard prevents.
const guarded = false
