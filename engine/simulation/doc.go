// Package simulation runs a cluster of six peers in one process on a fake
// clock, under faults: tier A of the campaign. It is tests only, since
// testing/synctest needs one, and holds nothing that hexad runs.
//
// Real are engine/cluster (page, contact, joining, rules, alarms, the group's
// reconciliation), the tracker of engine/alarm, the fence and the first contact
// of engine/link, the decision of engine which peers vote, and the built-in
// rules in Lua. Models are what lies below their interfaces:
//
//	world_test.go     one run: machines, clock, dice, what was seen
//	plan_test.go      the faults of a seed
//	fault_test.go     what each of them does
//	admin_test.go     administrators: saves, pages, adding and removing peers
//	check_test.go     the invariants
//	network_test.go   the links: cuts, one-way cuts, delays, loss
//	link_test.go      the peer link over them: fence, joining, both ports
//	disk_test.go      what a machine keeps, and what a power cut takes
//	process_test.go   one run of a peer: its parts connected as in engine/appliance
//	replica_test.go   a copy of cluster.db: terms, votes, log, commit, snapshots
//	election_test.go  who leads; leases; the time between
//	state_test.go     what the log carries out
//	store_test.go     sqlstore's promises: one outcome of a write, or unknown
//	rules_test.go     the rules, asked once for each question
//	campaign_test.go  flags, seeds, shrinking, the summary
//
// The faults of a seed are the same in every run. What is not: which of several
// goroutines that wake in one instant goes first, and which ready case a select
// takes, for the Go runtime decides those without a seed. A run of a seed can
// thus differ from the one before; a failure is run again a few times.
//
// The wall clock of one machine cannot be moved inside a bubble: a clock that
// jumped is seen in what carries its time, the age of a save and the state of
// the time servers.
//
// Source: reference faults 2.1 to 2.3.
package simulation
