// Package sqlstore keeps both databases of a peer.
//
// Cluster is this peer's copy of cluster.db: what must be equal on every peer.
// It is written when the Raft group can commit and read always, from the own
// copy. Local is local.db: what belongs to this peer alone; it is written
// always.
//
// Both turn rows into the engine's vocabulary and back; no other package sees
// SQL, Raft or SQLite. One SQLite library serves all of it: rqlite runs on
// modernc.org/sqlite through the driver stand-in in sqlite3 (docs/driver.md).
//
//	cluster.go           options, the current store, reading and closing
//	cluster_open.go      opening, founding, following, founding anew
//	cluster_apply.go     one batch: encoded, executed or forwarded, its outcome
//	cluster_save.go      configuration saves: guard, history, how far they have gone
//	cluster_rows.go      members, primary, alarms, audit
//	cluster_read.go      rows to vocabulary
//	cluster_migrate.go   migrations through Raft
//	cluster_voters.go    which members vote, and moving the group there
//	cluster_status.go    the state of the group and of this copy
//	cluster_copy.go      the last copy, read until a restarted store has caught up
//	cluster_watch.go     news of changes; how far the followers are
//	raft.go              one rqlite store in one directory
//	raft_log.go          the lines that rqlite and Raft write, as slog records
package sqlstore
