//go:build !hexad_nosync

package sqlstore

// synced makes the configuration journal, the copies of the cluster database
// and its snapshots wait for the disk. Without it a power cut takes what was
// acknowledged (reference/faults.md 0).
const synced = true
