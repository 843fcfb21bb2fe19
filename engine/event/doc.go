// Package event writes this peer's event log: the form of its lines, the
// constructors of the lines that administrators' filters know, and the journal
// that prints, stores and hands them to live readers without ever holding up
// the part that something happened in.
//
//	line.go      text form           names.go    names of the Event Log
//	json.go      form for machines   lines.go    clustering, replication, database
//	journal.go   print, store, read  handler.go  log/slog in the same form
//
// Alarm lines are made by engine/alarm, RAS lines by engine/h323.
//
// Source: reference 8.1 to 8.3; the seed, "Details of the logs".
package event
