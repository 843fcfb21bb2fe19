//go:build hexad_nodigest

package sqlstore

// digested is off in this build, which exists only for the test that shows that
// unequal copies go unnoticed then.
const digested = false
