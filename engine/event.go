package engine

import "time"

// Field is one name="value" of an event line.
type Field struct {
	Name, Value string
}

// Event is one thing that happened on this peer: a line of its event log.
//
// Process is the word before the colon (alarm, management, replication, tvcs,
// web …; may be empty), Module the logger (developer.replication,
// network.h323 …) or "" for lines of the Event Log proper, which have Name
// instead. Fields keep their order in the line. Level is INFO, WARN, ERROR or
// DEBUG, or "1" to "4" for lines of the Event Log.
//
// Source: reference 8.2, the seed's log section.
type Event struct {
	Time    time.Time
	Kind    string // noun.verb-ed, for programs: "alarm.raised"
	Process string
	Module  string
	Name    string // Event="…": "Alarm Raised", "System Configuration Changed"
	Level   string
	Detail  string
	Code    string // CodeLocation, "" for none
	Fields  []Field
}
