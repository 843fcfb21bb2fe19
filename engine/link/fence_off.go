//go:build hexad_nofence

package link

// fenced is off in this build, which exists only for the test that shows what
// the fence prevents.
const fenced = false
