package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

// Marks of alarms are the same on every peer, whoever writes them.
func TestMarksOfAlarms(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	at := time.Date(2026, 11, 22, 12, 0, 0, 123e6, time.UTC)
	one := engine.AlarmMark{Node: "node1", ID: 20004, First: at, Severity: engine.Notice, Expected: at.Add(time.Hour), Reason: "line switching",
		Suggested: []string{"restart"}, Notified: map[string]time.Time{"ops": at}, Decision: "d-1"}
	two := engine.AlarmMark{Node: "node2", ID: 70001, Key: "script", First: at, Suggested: []string{"rollback"}}
	all := func(p *sqlstoretest.Peer) string {
		t.Helper()
		marks, err := p.AlarmMarks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(marks)
	}
	if err := g.Peers[1].PutAlarmMarks(t.Context(), []engine.AlarmMark{one, two}, nil); err != nil { // forwarded
		t.Fatal(err)
	}
	g.Equal()
	for _, p := range g.Peers {
		if got, want := all(p), fmt.Sprint([]engine.AlarmMark{one, two}); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
	one.Severity = engine.Critical
	if err := g.Peers[0].PutAlarmMarks(t.Context(), []engine.AlarmMark{one}, []engine.AlarmMark{two}); err != nil {
		t.Fatal(err)
	}
	if got, want := all(g.Peers[0]), fmt.Sprint([]engine.AlarmMark{one}); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	before := g.Peers[0].Status().Applied
	if err := g.Peers[0].PutAlarmMarks(t.Context(), nil, nil); err != nil || g.Peers[0].Status().Applied != before {
		t.Errorf("nothing: %v, index %d, want %d", err, g.Peers[0].Status().Applied, before)
	}
}
