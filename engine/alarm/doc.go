// Package alarm holds the catalogue of every condition that a peer can show and
// the tracker that raises, lowers and acknowledges them.
//
// A peer's own alarms live in memory, are kept in local.db, and are published
// to cluster.db whenever that can be written; what a console shows is the union
// of this peer's own and of what the others published.
//
// Source: reference 4.1; design 2.
package alarm
