package console_test

import (
	"strings"
	"testing"
	"time"

	"hexad/engine"
)

// What the rules made of an alarm is shown with it in both languages, and an
// expected one does not ring the bell.
func TestPagesOfMarkedAlarms(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	a.alarms = []engine.RaisedAlarm{{
		Node: "n1", Peer: "192.0.2.1", ID: 20007, State: engine.AlarmNew, First: noon, Last: noon, Count: 1,
		Mark: &engine.AlarmMark{Severity: engine.Notice, Expected: time.Now().Add(time.Hour), Reason: "line switching <b>", Suggested: []string{"restart", "call the carrier"},
			Notified: map[string]time.Time{"ops@example.test": noon}, Decision: "d-abcdefghij"},
	}}
	a.view.Capacity = &engine.CapacityView{Calls: 450, Registrations: 120, CountedPeers: 3, Reason: "licences", Licences: map[string]int{"room_registrations": 120}, Decision: "d-klmnopqrst"}
	c := signedIn(t, start(t, a), "admin")
	for path, want := range map[string][]string{
		"/alarms":                      {"Expected until", "line switching &lt;b&gt;", "Restart that peer", "call the carrier"},
		"/alarms?severity=notice":      {"Expected until"},
		"/alarms/one?id=20007&node=n1": {"Expected until", "Restart that peer", "ops@example.test", "The rules suggest"},
		"/":                            {"450 calls, 120 registrations", "3 peers counted", "room_registrations 120", "/policies/decision?id=d-klmnopqrst", "1 expected"},
	} {
		_, body := c.get(path)
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: %q is not shown", path, w)
			}
		}
		if strings.Contains(body, "1 new alarms") {
			t.Errorf("%s: an expected alarm rings the bell", path)
		}
	}
}
