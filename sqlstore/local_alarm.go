package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"hexad/engine"
)

// OwnAlarms returns the alarms that this peer raised and has not lowered, by ID
// and key. Node is this peer's node id.
func (l *Local) OwnAlarms(ctx context.Context) ([]engine.RaisedAlarm, error) {
	changes, err := l.alarms(ctx, l.read, "NOT a.lowered ORDER BY a.id, a.key")
	var out []engine.RaisedAlarm
	for _, c := range changes {
		out = append(out, c.Alarm)
	}
	return out, err
}

// AlarmChange is an own alarm whose present state is not in cluster.db yet.
type AlarmChange struct {
	Sequence int64
	Lowered  bool
	Alarm    engine.RaisedAlarm
}

// UnpublishedAlarms returns the changes that are not published, oldest first.
func (l *Local) UnpublishedAlarms(ctx context.Context) ([]AlarmChange, error) {
	return l.alarms(ctx, l.read, "NOT a.published ORDER BY a.sequence")
}

func (l *Local) alarms(ctx context.Context, q querier, where string) ([]AlarmChange, error) {
	return collect(ctx, q, "read the alarms of this peer", func(s scanner) (c AlarmChange, err error) {
		var params string
		var first, last int64
		a := &c.Alarm
		if err := s.Scan(&a.Node, &a.ID, &a.Key, &a.State, &a.Peer, &params, &first, &last, &a.Count,
			&a.Acknowledged, &a.Comment, &c.Lowered, &c.Sequence); err != nil {
			return c, err
		}
		a.First, a.Last = instant(first), instant(last)
		err = json.Unmarshal([]byte(params), &a.Params)
		if len(a.Params) == 0 {
			a.Params = nil
		}
		return c, err
	}, `SELECT i.node, a.id, a.key, a.state, a.peer, a.params, a.first_ms, a.last_ms, a.count, a.acknowledged_by, a.comment,
		a.lowered, a.sequence FROM alarm_own a, identity i WHERE `+where)
}

// PutAlarm inserts or replaces the own alarm with a.ID and a.Key; a.Node is ignored.
func (l *Local) PutAlarm(ctx context.Context, a engine.RaisedAlarm) error {
	params := maps.Clone(a.Params)
	if params == nil {
		params = map[string]string{}
	}
	return l.write(ctx, fmt.Sprintf("store alarm %d", a.ID), func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE alarm_sequence SET value = value + 1"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO alarm_own
			SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, value FROM alarm_sequence`,
			a.ID, a.Key, a.State, a.Peer, jsonText(params), millis(a.First), millis(a.Last), a.Count, a.Acknowledged, a.Comment)
		return err
	})
}

// DeleteAlarm lowers an own alarm; one that is not there is no error.
func (l *Local) DeleteAlarm(ctx context.Context, id int, key string) error {
	return l.write(ctx, fmt.Sprintf("lower alarm %d", id), func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE alarm_sequence SET value = value + 1")
		_, err2 := tx.ExecContext(ctx, `UPDATE alarm_own SET lowered = 1, published = 0, sequence = (SELECT value FROM alarm_sequence)
			WHERE id = ? AND key = ? AND NOT lowered`, id, key)
		return errors.Join(err, err2)
	})
}

// AlarmsPublished notes that cluster.db has every change up to sequence. An
// alarm that changed again since stays unpublished.
func (l *Local) AlarmsPublished(ctx context.Context, sequence int64) error {
	return l.note(ctx, "note the published alarms", func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM alarm_own WHERE lowered AND sequence <= ?", sequence)
		_, err2 := tx.ExecContext(ctx, "UPDATE alarm_own SET published = 1 WHERE sequence <= ?", sequence)
		return errors.Join(err, err2)
	})
}

// RestartAlarms is what a restart does to the alarms that still hold: they are
// New again, not acknowledged by anyone, and first and last raised at now.
//
// Source: reference 4.1.
func (l *Local) RestartAlarms(ctx context.Context, now time.Time) error {
	return l.write(ctx, "renew the alarms of this peer", func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE alarm_sequence SET value = value + 1")
		_, err2 := tx.ExecContext(ctx, `UPDATE alarm_own SET state = 'New', acknowledged_by = '', comment = '', first_ms = ?1, last_ms = ?1,
			count = 1, published = 0, sequence = (SELECT value FROM alarm_sequence) WHERE NOT lowered`, millis(now))
		return errors.Join(err, err2)
	})
}
