package sqlstore

import (
	"context"
	"maps"
	"slices"

	"hexad/engine"
)

// auditKept is how many entries the audit holds.
const auditKept = 50_000

// SetPrimary makes node to the agreed primary if it is still node from; doing
// so again is no error.
//
// Errors: Conflict when the primary is another one meanwhile; NotFound when to
// is no member; Unavailable.
func (c *Cluster) SetPrimary(ctx context.Context, from, to string) error {
	a, err := c.applyKept(ctx, newBatch(
		stmt(`INSERT INTO guard (ok) SELECT count(*) FROM agreed
WHERE primary_node IN (?1, ?2) AND EXISTS (SELECT 1 FROM member WHERE node = ?2)`, from, to),
		stmt("DELETE FROM guard"),
		stmt("UPDATE agreed SET primary_node = ?", to)))
	if err != nil || a.Outcome != refused {
		return err
	}
	now, err := c.Agreed(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(now.Members, func(m engine.Member) bool { return m.Node == to }) {
		return engine.Errorf(engine.NotFound, "node %s is no member of this cluster", to)
	}
	return engine.Errorf(engine.Conflict, "the primary is %s meanwhile", addressOf(now, now.Primary)).
		With("", "look again, then name the primary")
}

// PutMember inserts or replaces the row of a member. The Raft group follows
// with Reconcile.
// Errors: Unavailable.
func (c *Cluster) PutMember(ctx context.Context, m engine.Member) error {
	if m.Node == "" {
		return engine.Errorf(engine.Invalid, "a member needs a node id")
	}
	_, err := c.applyKept(ctx, newBatch(insertMember(m, 0)))
	return err
}

func insertMember(m engine.Member, known int) statement {
	return stmt(`INSERT INTO member (node, address, fingerprint, release, known) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (node) DO UPDATE SET address = excluded.address, fingerprint = excluded.fingerprint, release = excluded.release`,
		m.Node, m.Address, m.Fingerprint, m.Release, int64(known))
}

// RenameMember changes the address of a member; one that is not there is no
// error. The rest of the row is the member's own to change.
// Errors: Unavailable.
func (c *Cluster) RenameMember(ctx context.Context, node, address string) error {
	_, err := c.applyKept(ctx, newBatch(stmt("UPDATE member SET address = ? WHERE node = ?", address, node)))
	return err
}

// PutMemberKey changes the key that a member is known by, by its fingerprint; a
// member that is not there is no error.
// Errors: Unavailable.
func (c *Cluster) PutMemberKey(ctx context.Context, node, fingerprint string) error {
	_, err := c.applyKept(ctx, newBatch(stmt("UPDATE member SET fingerprint = ? WHERE node = ?", fingerprint, node)))
	return err
}

// RemoveMember removes the row of a member and its alarms; one that is not
// there is no error. The primary stays.
//
// Errors: Conflict for the primary; Unavailable.
func (c *Cluster) RemoveMember(ctx context.Context, node string) error {
	a, err := c.applyKept(ctx, newBatch(
		stmt("INSERT INTO guard (ok) SELECT count(*) FROM agreed WHERE primary_node <> ?", node),
		stmt("DELETE FROM guard"),
		stmt("DELETE FROM alarm WHERE node = ?", node),
		stmt("DELETE FROM member WHERE node = ?", node)))
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.Conflict, "the primary cannot be removed").With("", "name another primary first")
	}
	return err
}

type alarmKey struct {
	id  int
	key string
}

// PublishAlarms makes raised the whole set of node's alarms. It writes the
// differences to this copy only, and nothing when there are none; but for the
// first time after the store was opened and after a failure: what was written
// before may then be on its way into this copy.
// Errors: Unavailable.
func (c *Cluster) PublishAlarms(ctx context.Context, node string, raised []engine.RaisedAlarm) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	published, err := c.PublishedAlarms(ctx)
	if err != nil {
		return err
	}
	had := map[alarmKey]engine.RaisedAlarm{}
	for _, a := range published {
		if a.Node == node {
			had[alarmKey{a.ID, a.Key}] = a
		}
	}
	var statements []statement
	_, sure := s.alarms.Load(node)
	if !sure {
		clear(had)
		statements = append(statements, stmt("DELETE FROM alarm WHERE node = ?", node))
	}
	for _, a := range raised {
		key := alarmKey{a.ID, a.Key}
		if old, ok := had[key]; !ok || !sameAlarm(old, a) {
			statements = append(statements, insertAlarm(node, a))
		}
		delete(had, key)
	}
	for key := range had {
		statements = append(statements, stmt("DELETE FROM alarm WHERE node = ? AND alarm = ? AND occurrence = ?",
			node, int64(key.id), key.key))
	}
	if len(statements) == 0 {
		return nil
	}
	s.alarms.Delete(node)
	if _, err = c.apply(ctx, newBatch(statements...)); err == nil {
		s.alarms.Store(node, true)
	}
	return err
}

func insertAlarm(node string, a engine.RaisedAlarm) statement {
	params := ""
	if len(a.Params) > 0 {
		params = jsonText(a.Params)
	}
	return stmt(`INSERT OR REPLACE INTO alarm
(node, alarm, occurrence, address, state, params, first_ms, last_ms, count, acknowledged_by, comment)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		node, int64(a.ID), a.Key, a.Peer, string(a.State), params, millis(a.First), millis(a.Last), int64(a.Count),
		a.Acknowledged, a.Comment)
}

// sameAlarm compares what is stored of two alarms of one peer.
func sameAlarm(a, b engine.RaisedAlarm) bool {
	return a.Peer == b.Peer && a.State == b.State && a.Count == b.Count &&
		a.Acknowledged == b.Acknowledged && a.Comment == b.Comment &&
		millis(a.First) == millis(b.First) && millis(a.Last) == millis(b.Last) && maps.Equal(a.Params, b.Params)
}

// AppendAudit keeps administrator commands, and removes what is older than is
// kept of them, of the configuration history and of the operation ids: there
// is no change without a command. The caller has masked the arguments.
// Errors: Unavailable.
func (c *Cluster) AppendAudit(ctx context.Context, entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	b := newBatch()
	for some := range slices.Chunk(entries, rowsMost) {
		b.Statements = append(b.Statements, rowsStatement("INSERT INTO audit (at_ms, user, via, source, peer, command, arguments, result) VALUES ", some, "", func(e AuditEntry) []any {
			return []any{millis(e.Time), e.Actor.User, e.Actor.Via, e.Actor.Source, e.Peer, e.Command, e.Arguments, e.Result}
		}))
	}
	b.Statements = append(b.Statements,
		stmt("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", int64(auditKept)),
		stmt("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", int64(historyKept)),
		stmt("DELETE FROM operation WHERE at_ms < ?", b.AtMS-operationKept.Milliseconds()))
	b.Calm = true
	_, err := c.apply(ctx, b)
	return err
}
