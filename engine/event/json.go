package event

import (
	"encoding/json"
	"strconv"
	"time"

	"hexad/engine"
)

// object is an event for machines. Time is RFC 3339 in UTC with milliseconds;
// a field that occurs twice gets a number: Node, Node_2.
type object struct {
	Time    string            `json:"time"`
	Host    string            `json:"host"`
	Kind    string            `json:"kind,omitempty"`
	Process string            `json:"process,omitempty"`
	Module  string            `json:"module,omitempty"`
	Event   string            `json:"event,omitempty"`
	Level   string            `json:"level,omitempty"`
	Detail  string            `json:"detail,omitempty"`
	Code    string            `json:"code,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// JSON is ev as one JSON object on one line, without its end.
func JSON(ev engine.Event, host string) string {
	o := object{
		Time: ev.Time.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z"), Host: host, Kind: ev.Kind, Process: ev.Process,
		Module: ev.Module, Event: ev.Name, Level: ev.Level, Detail: ev.Detail, Code: ev.Code, Fields: fields(ev.Fields),
	}
	text, err := json.Marshal(o)
	if err != nil { // strings always marshal
		return "{}"
	}
	return string(text)
}

func fields(list []engine.Field) map[string]string {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]string, len(list))
	for _, f := range list {
		name := f.Name
		for i := 2; ; i++ {
			if _, taken := out[name]; !taken {
				break
			}
			name = f.Name + "_" + strconv.Itoa(i)
		}
		out[name] = f.Value
	}
	return out
}
