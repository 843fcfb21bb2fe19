package engine

import "time"

// Severity is how bad an alarm is, in the syslog order.
type Severity string

// The severities, worst first. Source: reference 4.1.
const (
	Emergency     Severity = "emergency"
	Alert         Severity = "alert"
	Critical      Severity = "critical"
	ErrorSeverity Severity = "error"
	Warning       Severity = "warning"
	Notice        Severity = "notice"
	Info          Severity = "info"
	Debug         Severity = "debug"
)

// Severities lists every severity, worst first.
var Severities = []Severity{Emergency, Alert, Critical, ErrorSeverity, Warning, Notice, Info, Debug}

// Alarm is one kind of condition that can hold on a peer: an entry of the
// catalogue in engine/alarm.
//
// ID is the five-digit number that administrators know; UUID identifies the
// kind, not the occurrence, and is equal on every peer.
//
// Source: reference 4.1, 4.2.
type Alarm struct {
	ID       int      `json:"id"`
	UUID     string   `json:"uuid"`
	Severity Severity `json:"severity"`
	Title    Text     `json:"title"`
	Detail   Text     `json:"detail"` // may hold {parameters}
	Remedy   Text     `json:"remedy"`
}

// AlarmState is where a raised alarm stands.
type AlarmState string

// The states. An alarm that is lowered has no state: it is gone from the list.
const (
	AlarmNew          AlarmState = "New"
	AlarmAcknowledged AlarmState = "Acknowledged"
)

// RaisedAlarm is one condition that holds on one peer.
//
// Key tells occurrences of the same kind apart (one per finding, one per
// script); it is "" for kinds that hold once. Times are UTC, whole
// milliseconds; First and Last are since the peer's last restart.
type RaisedAlarm struct {
	Node         string            `json:"node"` // node id of the peer that it holds on
	Peer         string            `json:"peer"` // that peer's address, for people
	ID           int               `json:"id"`
	Key          string            `json:"key,omitempty"`
	State        AlarmState        `json:"state"`
	Params       map[string]string `json:"params,omitempty"`
	First        time.Time         `json:"first"`
	Last         time.Time         `json:"last"`
	Count        int               `json:"count"`
	Acknowledged string            `json:"acknowledged_by,omitempty"`
	Comment      string            `json:"comment,omitempty"`
	Mark         *AlarmMark        `json:"mark,omitempty"` // what the rules made of it; nil for nothing
}

// ExpectedAt reports whether the rules expect the alarm at that time: it is
// listed and counted, and calls nobody.
func (a RaisedAlarm) ExpectedAt(at time.Time) bool {
	return a.Mark != nil && at.Before(a.Mark.Expected)
}

// SeverityOf is how bad the alarm is: its kind's severity, or the one that the
// rules gave it.
func (a RaisedAlarm) SeverityOf(kind Severity) Severity {
	if a.Mark != nil && a.Mark.Severity != "" {
		return a.Mark.Severity
	}
	return kind
}

// AlarmMark is what the rules made of one occurrence of a raised alarm (hook
// alarm.react). The alarm itself is untouched by it. Node, ID, Key and First say
// which occurrence; Notified is when each destination was told last.
type AlarmMark struct {
	Node      string               `json:"-"`
	ID        int                  `json:"-"`
	Key       string               `json:"-"`
	First     time.Time            `json:"-"`
	Severity  Severity             `json:"severity,omitempty"`
	Expected  time.Time            `json:"expected_until,omitzero"`
	Reason    string               `json:"reason,omitempty"` // why it is expected
	Suggested []string             `json:"suggested,omitempty"`
	Notified  map[string]time.Time `json:"notified,omitempty"`
	Decision  string               `json:"decision,omitempty"` // on the peer that decided
}

// Empty reports whether a mark says nothing.
func (m AlarmMark) Empty() bool {
	return m.Severity == "" && m.Expected.IsZero() && len(m.Suggested) == 0 && len(m.Notified) == 0
}
