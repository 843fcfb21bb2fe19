//go:build hexad_staleread

package config

// fresh is off in this build, which exists only for the test that shows that a
// stale answer is found.
const fresh = false
