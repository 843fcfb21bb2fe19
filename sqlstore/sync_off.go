//go:build hexad_nosync

package sqlstore

// synced is off in this build, which exists only for the test that shows what a
// power cut takes then.
const synced = false
