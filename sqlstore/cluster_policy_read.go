package sqlstore

import (
	"context"

	"hexad/engine"
)

// PolicyBook returns what this copy has about the policies, without the texts.
// Errors: Unavailable while this peer has no copy.
func (c *Cluster) PolicyBook(ctx context.Context) (engine.PolicyBook, error) {
	rows, err := c.query(ctx,
		stmt("SELECT name, hook, builtin, draft, draft_by, created_ms, created_by FROM policy_script ORDER BY name"),
		stmt("SELECT sha256, name, hook, api, replaces, author, comment, created_ms, check_report FROM policy_version ORDER BY name, created_ms DESC, sha256"),
		stmt("SELECT n, state, based_on, author, staged_by, approver, comment, created_ms, activated_ms, reason FROM policy_revision ORDER BY n DESC"),
		stmt("SELECT n, name, sha256, mode, on_failure, ord FROM policy_item ORDER BY n DESC, name"),
		stmt("SELECT n, peer, ok, detail, at_ms FROM policy_ack ORDER BY n DESC, peer"),
		stmt("SELECT id, finding, peer, until_ms, reason, author, created_ms FROM policy_waiver ORDER BY created_ms, id"),
		stmt("SELECT tbl, key, value, removed, author, at_ms FROM policy_data_draft ORDER BY tbl, key"))
	if err != nil {
		return engine.PolicyBook{}, err
	}
	var b engine.PolicyBook
	for r := range each(rows[0]) {
		b.Scripts = append(b.Scripts, engine.PolicyScript{
			Name: r.text(), Hook: r.text(), Builtin: r.int() == 1, Draft: r.text(), DraftBy: r.text(), Created: r.instant(), CreatedBy: r.text(),
		})
	}
	for r := range each(rows[1]) {
		b.Versions = append(b.Versions, engine.PolicyVersion{
			SHA256: r.text(), Name: r.text(), Hook: r.text(), API: int(r.int()), Replaces: r.text(), Author: r.text(), Comment: r.text(),
			Created: r.instant(), Report: r.text(),
		})
	}
	at := map[int64]int{}
	for r := range each(rows[2]) {
		rev := engine.PolicyRevision{
			Number: r.int(), State: engine.PolicyState(r.text()), BasedOn: r.int(), Author: r.text(), StagedBy: r.text(), Approver: r.text(),
			Comment: r.text(), Created: r.instant(), Activated: r.instant(), Reason: r.text(),
		}
		at[rev.Number] = len(b.Revisions)
		b.Revisions = append(b.Revisions, rev)
	}
	for r := range each(rows[3]) {
		if i, ok := at[r.int()]; ok {
			b.Revisions[i].Items = append(b.Revisions[i].Items, engine.PolicyItem{
				Name: r.text(), SHA256: r.text(), Mode: r.text(), OnFailure: r.text(), Order: int(r.int()),
			})
		}
	}
	for r := range each(rows[4]) {
		b.Acks = append(b.Acks, engine.PolicyAck{Revision: r.int(), Peer: r.text(), OK: r.int() == 1, Detail: r.text(), At: r.instant()})
	}
	for r := range each(rows[5]) {
		b.Waivers = append(b.Waivers, engine.PolicyWaiver{
			ID: r.text(), Finding: r.text(), Peer: r.text(), Until: r.instant(), Reason: r.text(), Author: r.text(), Created: r.instant(),
		})
	}
	for r := range each(rows[6]) {
		b.Drafts = append(b.Drafts, engine.PolicyDatum{
			Table: r.text(), Key: r.text(), Value: r.text(), Removed: r.int() == 1, Author: r.text(), At: r.instant(),
		})
	}
	return b, nil
}

// PolicyMark tells whether anything about the policies may differ from the last
// reading: the active revision and when it became so, and the newest waiver.
// It is one small row, so that it can be asked after every change.
func (c *Cluster) PolicyMark(ctx context.Context) (active int64, mark string, err error) {
	rows, err := c.query(ctx, stmt(`SELECT coalesce((SELECT n FROM policy_revision WHERE state = 'active'), 0),
	(SELECT generation_id FROM agreed) || ' ' || (SELECT coalesce(max(activated_ms), 0) FROM policy_revision WHERE state = 'active') || ' ' ||
	(SELECT count(*) || ' ' || coalesce(max(created_ms), 0) || ' ' || coalesce(max(id), '') FROM policy_waiver)`))
	if err != nil {
		return 0, "", err
	}
	for r := range each(rows[0]) {
		active, mark = r.int(), r.text()
	}
	return active, mark, nil
}

// PolicyVersions returns versions with their texts, by SHA-256; one that is not
// there is left out.
func (c *Cluster) PolicyVersions(ctx context.Context, digests []string) (map[string]engine.PolicyVersion, error) {
	if digests == nil {
		digests = []string{}
	}
	rows, err := c.query(ctx, stmt(`SELECT sha256, name, hook, api, source, tests, replaces, author, comment, created_ms, check_report
FROM policy_version WHERE sha256 IN (SELECT value FROM json_each(?))`, jsonText(digests)))
	if err != nil {
		return nil, err
	}
	out := map[string]engine.PolicyVersion{}
	for r := range each(rows[0]) {
		v := engine.PolicyVersion{
			SHA256: r.text(), Name: r.text(), Hook: r.text(), API: int(r.int()), Source: r.text(), Tests: r.text(), Replaces: r.text(),
			Author: r.text(), Comment: r.text(), Created: r.instant(), Report: r.text(),
		}
		out[v.SHA256] = v
	}
	return out, nil
}

// PolicyData returns the operators' tables of revision n.
func (c *Cluster) PolicyData(ctx context.Context, n int64) (map[string]map[string]string, error) {
	rows, err := c.query(ctx, stmt("SELECT tbl, key, value FROM policy_data WHERE n = ?", n))
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]string{}
	for r := range each(rows[0]) {
		table := r.text()
		if out[table] == nil {
			out[table] = map[string]string{}
		}
		key := r.text()
		out[table][key] = r.text()
	}
	return out, nil
}
