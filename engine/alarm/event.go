package alarm

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// The process and the logger that alarm events come from, as in the seed.
const (
	managerModule = "developer.diagnostics.alarmmanager"
	managerCode   = "alarmmanager(173)"
)

// raisedEvents are the two lines of a raise: the alarm manager's, then the
// Event Log's. Source: the seed; reference 8.2.
func raisedEvents(kind engine.Alarm, a engine.RaisedAlarm, now time.Time) []engine.Event {
	manager := managerEvent(kind, a, "alarm.raising", "Raising alarm", now)
	manager.Code = managerCode
	raised := logged(kind, a, "alarm.raised", "Alarm Raised", now)
	raised.Level = level(kind.Severity)
	return []engine.Event{manager, raised}
}

func loweredEvents(kind engine.Alarm, a engine.RaisedAlarm, now time.Time) []engine.Event {
	return []engine.Event{
		managerEvent(kind, a, "alarm.lowering", "Lowering alarm", now),
		logged(kind, a, "alarm.lowered", "Alarm Lowered", now),
	}
}

func acknowledgedEvent(kind engine.Alarm, a engine.RaisedAlarm, now time.Time) engine.Event {
	ev := logged(kind, a, "alarm.acknowledged", "Alarm Acknowledged", now)
	ev.Fields = append(ev.Fields, engine.Field{Name: "User", Value: a.Acknowledged})
	if a.Comment != "" {
		ev.Fields = append(ev.Fields, engine.Field{Name: "Comment", Value: a.Comment})
	}
	return ev
}

// What the rules made of an alarm, as lines of the Event Log.

func notifiedEvent(kind engine.Alarm, a engine.RaisedAlarm, m engine.AlarmMark, to, event, script string, now time.Time) engine.Event {
	ev := logged(kind, a, "alarm.notified", "Alarm Notification", now)
	ev.Level = level(severityOf(m, kind))
	ev.Fields = append([]engine.Field{{Name: "To", Value: to}}, ev.Fields...)
	ev.Fields = append(ev.Fields, engine.Field{Name: "Peer", Value: a.Peer}, engine.Field{Name: "Reason", Value: event},
		engine.Field{Name: "Script", Value: script}, engine.Field{Name: "Decision", Value: m.Decision})
	return ev
}

func expectedEvent(kind engine.Alarm, a engine.RaisedAlarm, m engine.AlarmMark, now time.Time) engine.Event {
	ev := logged(kind, a, "alarm.expected", "Alarm Expected", now)
	ev.Fields = append(ev.Fields, engine.Field{Name: "Peer", Value: a.Peer}, engine.Field{Name: "Until", Value: m.Expected.Format(time.RFC3339)},
		engine.Field{Name: "Reason", Value: m.Reason}, engine.Field{Name: "Decision", Value: m.Decision})
	return ev
}

func severityEvent(kind engine.Alarm, a engine.RaisedAlarm, m engine.AlarmMark, now time.Time) engine.Event {
	ev := logged(kind, a, "alarm.severity_changed", "Alarm Severity Changed", now)
	ev.Fields = append(ev.Fields, engine.Field{Name: "Peer", Value: a.Peer}, engine.Field{Name: "NewSeverity", Value: string(m.Severity)},
		engine.Field{Name: "Decision", Value: m.Decision})
	return ev
}

func severityOf(m engine.AlarmMark, kind engine.Alarm) engine.Severity {
	if m.Severity != "" {
		return m.Severity
	}
	return kind.Severity
}

func managerEvent(kind engine.Alarm, a engine.RaisedAlarm, what, detail string, now time.Time) engine.Event {
	return engine.Event{
		Time: now, Kind: what, Process: "management", Module: managerModule, Level: "INFO", Detail: detail,
		Fields: []engine.Field{{Name: "UUID", Value: kind.UUID}, {Name: "Parameters", Value: parameters(a.Params)}},
	}
}

// logged is a line of the Event Log: Detail is "<title>: <detail>" in English.
func logged(kind engine.Alarm, a engine.RaisedAlarm, what, name string, now time.Time) engine.Event {
	process := "alarm"
	if byManagement[kind.ID] {
		process = "management"
	}
	text := Explain(a, engine.English)
	return engine.Event{
		Time: now, Kind: what, Process: process, Name: name, Level: "INFO", Detail: text.Title + ": " + text.Detail,
		Fields: []engine.Field{
			{Name: "Id", Value: strconv.Itoa(kind.ID)},
			{Name: "UUID", Value: kind.UUID},
			{Name: "Severity", Value: string(kind.Severity)},
		},
	}
}

// parameters writes params as JSON, "null" when there are none.
func parameters(params map[string]string) string {
	if len(params) == 0 {
		return "null"
	}
	text, err := json.Marshal(params)
	if err != nil {
		return "null"
	}
	return string(text)
}

// level gives the log level of a raise; the seed shows WARN for a warning.
func level(s engine.Severity) string {
	switch s {
	case engine.Emergency, engine.Alert, engine.Critical, engine.ErrorSeverity:
		return "ERROR"
	case engine.Warning:
		return "WARN"
	}
	return "INFO"
}

// Explanation is a raised alarm in words.
type Explanation struct {
	Title, Detail, Remedy string
}

// Explain puts a raised alarm into words; a parameter that the alarm came
// without is shown as "-".
func Explain(a engine.RaisedAlarm, l engine.Language) Explanation {
	kind, ok := Kind(a.ID)
	if !ok { // raised by a peer of a newer release
		n := strconv.Itoa(a.ID)
		return Explanation{Title: t("Alarm "+n, "アラーム "+n).In(l, nil)}
	}
	say := func(text engine.Text) string { return fill(text.In(l, nil), a.Params) }
	return Explanation{Title: say(kind.Title), Detail: say(kind.Detail), Remedy: say(kind.Remedy)}
}

// fill replaces each {name} of s once, so that a value cannot name another parameter.
func fill(s string, params map[string]string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			out.WriteString("{" + rest)
			return out.String()
		}
		if v := params[name]; v != "" {
			out.WriteString(v)
		} else {
			out.WriteString("-")
		}
		s = after
	}
}
