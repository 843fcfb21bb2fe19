package sqlstore

import (
	"context"
	"encoding/json"

	"hexad/engine"
)

// AlarmMarks returns what the rules made of raised alarms, as this copy has it,
// by node, alarm and key; nothing while the cluster has the form of a release
// without them.
func (c *Cluster) AlarmMarks(ctx context.Context) ([]engine.AlarmMark, error) {
	there, err := c.hasTable(ctx, "alarm_mark")
	if err != nil || !there {
		return nil, err
	}
	rows, err := c.query(ctx, stmt("SELECT node, alarm, occurrence, first_ms, mark FROM alarm_mark ORDER BY node, alarm, occurrence"))
	if err != nil {
		return nil, err
	}
	var out []engine.AlarmMark
	for r := range each(rows[0]) {
		node, id, key, first := r.text(), int(r.int()), r.text(), r.instant()
		var m engine.AlarmMark
		if json.Unmarshal([]byte(r.text()), &m) != nil {
			continue // written by a newer release in another form: as if nothing was said
		}
		m.Node, m.ID, m.Key, m.First = node, id, key, first
		out = append(out, m)
	}
	return out, nil
}

// PutAlarmMarks stores and removes marks in one change.
// Errors: Unavailable, also while the cluster has the form of a release without them.
func (c *Cluster) PutAlarmMarks(ctx context.Context, put, drop []engine.AlarmMark) error {
	var statements []statement
	for _, m := range drop {
		statements = append(statements, stmt("DELETE FROM alarm_mark WHERE node = ? AND alarm = ? AND occurrence = ?", m.Node, int64(m.ID), m.Key))
	}
	for _, m := range put {
		statements = append(statements, stmt("INSERT OR REPLACE INTO alarm_mark (node, alarm, occurrence, first_ms, mark) VALUES (?, ?, ?, ?, ?)",
			m.Node, int64(m.ID), m.Key, millis(m.First), jsonText(m)))
	}
	if len(statements) == 0 {
		return nil
	}
	_, err := c.apply(ctx, newBatch(statements...))
	return err
}
