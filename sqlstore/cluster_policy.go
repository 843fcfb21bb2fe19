package sqlstore

import (
	"context"

	"hexad/engine"
)

// PutPolicyDraft stores a version of a script and makes it the draft that the
// next revision takes. The same version again keeps its author and comment.
//
// Errors: Invalid; Unavailable.
func (c *Cluster) PutPolicyDraft(ctx context.Context, v engine.PolicyVersion, builtin bool) error {
	if v.Name == "" || v.SHA256 != engine.PolicyDigest(v.Name, v.Source, v.Tests) {
		return engine.Errorf(engine.Invalid, "the digest of script %q is not that of its text", v.Name)
	}
	_, err := c.applyKept(ctx, newBatch(
		stmt(`INSERT INTO policy_version (sha256, name, hook, api, source, tests, replaces, author, comment, created_ms, check_report)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sha256) DO UPDATE SET replaces = excluded.replaces, check_report = excluded.check_report`,
			v.SHA256, v.Name, v.Hook, int64(v.API), v.Source, v.Tests, v.Replaces, v.Author, v.Comment, millis(v.Created), v.Report),
		stmt(`INSERT INTO policy_script (name, hook, builtin, draft, draft_by, created_ms, created_by) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET hook = excluded.hook, builtin = excluded.builtin, draft = excluded.draft, draft_by = excluded.draft_by`,
			v.Name, v.Hook, flag(builtin), v.SHA256, v.Author, millis(v.Created), v.Author)))
	return err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// SetPolicyDraft makes draft what the next revision takes of a script:
// engine.PolicyRemoved, or "" for what the active one has.
//
// Errors: NotFound; Unavailable.
func (c *Cluster) SetPolicyDraft(ctx context.Context, name, draft, by string) error {
	a, err := c.applyKept(ctx, newBatch(
		stmt("INSERT INTO guard (ok) SELECT count(*) FROM policy_script WHERE name = ?", name),
		stmt("DELETE FROM guard"),
		stmt("UPDATE policy_script SET draft = ?, draft_by = ? WHERE name = ?", draft, by, name)))
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.NotFound, "there is no script %q of the site", name)
	}
	return err
}

// DraftPolicyData notes changes of the operators' tables for the next revision;
// a later change of the same key counts.
// Errors: Unavailable.
func (c *Cluster) DraftPolicyData(ctx context.Context, changes []engine.PolicyDatum) error {
	var statements []statement
	for _, d := range changes {
		statements = append(statements, stmt(`INSERT OR REPLACE INTO policy_data_draft (tbl, key, value, removed, author, at_ms) VALUES (?, ?, ?, ?, ?, ?)`,
			d.Table, d.Key, d.Value, flag(d.Removed), d.Author, millis(d.At)))
	}
	if len(statements) == 0 {
		return nil
	}
	_, err := c.applyKept(ctx, newBatch(statements...))
	return err
}

// StagePolicy writes revision r, the next one, with its items and tables. A
// revision that was staged before it is retired.
//
// It is written only while r.Number-1 is the newest and r.BasedOn the active
// revision. An r that is active already, a rollback, retires the active one.
//
// Errors: Conflict; Exhausted (too large); Unavailable.
func (c *Cluster) StagePolicy(ctx context.Context, r engine.PolicyRevision, data map[string]map[string]string) error {
	statements := []statement{
		stmt(`INSERT INTO guard (ok) SELECT coalesce((SELECT max(n) FROM policy_revision), 0) = ?
	AND coalesce((SELECT n FROM policy_revision WHERE state = 'active'), 0) = ?`, r.Number-1, r.BasedOn),
		stmt("DELETE FROM guard"),
		stmt("UPDATE policy_revision SET state = 'retired', reason = ? WHERE state IN ('staging', 'staged')", "replaced before it was activated"),
	}
	if r.State == engine.PolicyActive {
		statements = append(statements, stmt("UPDATE policy_revision SET state = 'retired', reason = ? WHERE state = 'active'", r.Reason))
	}
	statements = append(statements,
		stmt(`INSERT INTO policy_revision (n, state, based_on, author, staged_by, approver, comment, created_ms, activated_ms, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Number, string(r.State), r.BasedOn, r.Author, r.StagedBy, r.Approver, r.Comment, millis(r.Created), millis(r.Activated), r.Reason),
		stmt(`INSERT INTO policy_item (n, name, sha256, mode, on_failure, ord)
SELECT ?, value ->> 'name', coalesce(value ->> 'sha256', ''), coalesce(value ->> 'mode', ''), coalesce(value ->> 'on_failure', ''), coalesce(value ->> 'order', 0)
FROM json_each(?)`, r.Number, jsonText(orEmpty(r.Items))))
	for table, rows := range data {
		statements = append(statements, stmt("INSERT INTO policy_data (n, tbl, key, value) SELECT ?, ?, key, value FROM json_each(?)",
			r.Number, table, jsonText(rows)))
	}
	a, err := c.applyKept(ctx, newBatch(statements...))
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.Conflict, "the policies changed meanwhile: revision %d exists, or another one than %d is active", r.Number, r.BasedOn).
			With("", "look at the revisions, then repeat")
	}
	return err
}

func orEmpty(items []engine.PolicyItem) []engine.PolicyItem {
	if items == nil {
		return []engine.PolicyItem{}
	}
	return items
}

// AnswerPolicyStage writes what the peers said of revision n, and what it is from
// now on: staged or refused.
//
// Errors: Conflict when it is neither being staged nor staged any more; Unavailable.
func (c *Cluster) AnswerPolicyStage(ctx context.Context, n int64, acks []engine.PolicyAck, state engine.PolicyState, reason string) error {
	statements := []statement{
		stmt("INSERT INTO guard (ok) SELECT count(*) FROM policy_revision WHERE n = ? AND state IN ('staging', 'staged')", n),
		stmt("DELETE FROM guard"),
		stmt("UPDATE policy_revision SET state = ?, reason = ? WHERE n = ?", string(state), reason, n),
	}
	for _, k := range acks {
		statements = append(statements, stmt("INSERT OR REPLACE INTO policy_ack (n, peer, ok, detail, at_ms) VALUES (?, ?, ?, ?, ?)",
			n, k.Peer, flag(k.OK), k.Detail, millis(k.At)))
	}
	a, err := c.applyKept(ctx, newBatch(statements...))
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.Conflict, "revision %d of the policies was replaced meanwhile", n)
	}
	return err
}

// ActivatePolicy makes r, which is staged, the active revision of the whole
// cluster in one write, with the items' settings as r has them. Drafts that it
// took are drafts no more.
//
// Errors: Conflict when it is no longer staged, or another revision than the
// one it is based on is active; Unavailable.
func (c *Cluster) ActivatePolicy(ctx context.Context, r engine.PolicyRevision) error {
	a, err := c.applyKept(ctx, newBatch(
		stmt(`INSERT INTO guard (ok) SELECT count(*) FROM policy_revision AS r WHERE r.n = ? AND r.state = 'staged'
	AND r.based_on = coalesce((SELECT n FROM policy_revision WHERE state = 'active'), 0)`, r.Number),
		stmt("DELETE FROM guard"),
		stmt("UPDATE policy_revision SET state = 'retired', reason = ? WHERE state = 'active'", r.Reason),
		stmt("UPDATE policy_revision SET state = 'active', approver = ?, activated_ms = ?, reason = '' WHERE n = ?", r.Approver, millis(r.Activated), r.Number),
		stmt(`UPDATE policy_item SET
	mode = (SELECT coalesce(value ->> 'mode', '') FROM json_each(?1) WHERE value ->> 'name' = name),
	on_failure = (SELECT coalesce(value ->> 'on_failure', '') FROM json_each(?1) WHERE value ->> 'name' = name),
	ord = (SELECT coalesce(value ->> 'order', 0) FROM json_each(?1) WHERE value ->> 'name' = name)
WHERE n = ?2 AND name IN (SELECT value ->> 'name' FROM json_each(?1))`, jsonText(orEmpty(r.Items)), r.Number),
		stmt(`UPDATE policy_script SET draft = '', draft_by = '' WHERE draft IN (SELECT sha256 FROM policy_item WHERE n = ?1)
	OR draft = ?2 AND name NOT IN (SELECT name FROM policy_item WHERE n = ?1 AND sha256 <> '')`, r.Number, engine.PolicyRemoved),
		stmt(`DELETE FROM policy_data_draft WHERE at_ms <= (SELECT created_ms FROM policy_revision WHERE n = ?)`, r.Number)))
	if err == nil && a.Outcome == refused {
		return engine.Errorf(engine.Conflict, "revision %d is not staged, or another revision than the one it was made from is active", r.Number).
			With("Revision", "stage it again")
	}
	return err
}

// PutPolicyWaiver stores a waiver; DeletePolicyWaiver ends one.
// Errors: Unavailable.
func (c *Cluster) PutPolicyWaiver(ctx context.Context, w engine.PolicyWaiver) error {
	_, err := c.applyKept(ctx, newBatch(
		stmt("INSERT OR REPLACE INTO policy_waiver (id, finding, peer, until_ms, reason, author, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
			w.ID, w.Finding, w.Peer, millis(w.Until), w.Reason, w.Author, millis(w.Created))))
	return err
}

// DeletePolicyWaiver ends a waiver; one that is not there is no error.
// Errors: Unavailable.
func (c *Cluster) DeletePolicyWaiver(ctx context.Context, id string) error {
	_, err := c.applyKept(ctx, newBatch(stmt("DELETE FROM policy_waiver WHERE id = ?", id)))
	return err
}
