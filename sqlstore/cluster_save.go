package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hexad/engine"
)

// historyKept is how many entries the configuration history holds.
const historyKept = 100_000

// change is one engine.Change as the batch binds it.
type change struct {
	Path   string `json:"path"`
	Table  string `json:"tbl"`
	Index  int64  `json:"idx"`
	Leaf   string `json:"leaf"`
	Value  string `json:"value"`
	Delete int    `json:"del"`
}

// SaveConfiguration brings the next revision about: all changes of s or none,
// and an entry of the history for each item that becomes different.
//
// It is done only while the configuration is at revision s.Base and this peer
// is the agreed primary. Sending the same s again after an unknown outcome is
// answered as the first time.
//
// Errors: Conflict when the configuration has changed since s.Base, naming who
// changed what; Denied when another peer is the primary, naming it; Invalid;
// Exhausted (too large); Unavailable when the group cannot commit, or it is not
// known whether it did.
func (c *Cluster) SaveConfiguration(ctx context.Context, s engine.Save) (engine.Saved, error) {
	changes, err := bindChanges(s)
	if err != nil {
		return engine.Saved{}, err
	}
	before, err := c.Agreed(ctx)
	if err != nil {
		return engine.Saved{}, err
	}
	a, err := c.apply(ctx, c.saveBatch(s, before.Generation, changes))
	if err != nil {
		return engine.Saved{}, err
	}
	switch a.Outcome {
	case refused:
		return engine.Saved{}, c.whyRefused(ctx, s)
	case doneBefore:
		return c.savedBefore(ctx, s, a.Index)
	}
	return engine.Saved{Revision: s.Base + 1, Index: a.Index, Replication: c.replication(ctx, a.Index)}, nil
}

// bindChanges checks s and turns its changes into one JSON array; of several
// changes of one path the last counts.
func bindChanges(s engine.Save) (string, error) {
	if s.Operation == "" || len(s.Operation) > 100 {
		return "", engine.Errorf(engine.Invalid, "a save needs an operation id of 1 to 100 characters")
	}
	if len(s.Changes) == 0 {
		return "", engine.Errorf(engine.Invalid, "there is nothing to save")
	}
	last := make(map[string]int, len(s.Changes))
	for i, ch := range s.Changes {
		last[ch.Path] = i
	}
	bound := make([]change, 0, len(last))
	for i, ch := range s.Changes {
		if last[ch.Path] != i {
			continue
		}
		if strings.TrimSpace(ch.Path) != ch.Path || ch.Path == "" {
			return "", engine.Errorf(engine.Invalid, "%q is no path of a configuration item", ch.Path)
		}
		b := change{Path: ch.Path, Value: ch.Value}
		b.Table, b.Index, b.Leaf = cutPath(ch.Path)
		if ch.Delete {
			b.Value, b.Delete = "", 1
		}
		bound = append(bound, b)
	}
	text, err := json.Marshal(bound)
	if err != nil {
		return "", engine.Errorf(engine.Internal, "changes not encoded: %w", err)
	}
	return string(text), nil
}

// saveBatch makes the batch of a save. Its first statements are the guard.
func (c *Cluster) saveBatch(s engine.Save, g engine.Generation, changes string) batch {
	at := s.Time
	if at.IsZero() {
		at = time.Now()
	}
	return batch{Operation: s.Operation, Revision: s.Base + 1, AtMS: at.UnixMilli(), Statements: []statement{
		stmt("INSERT INTO guard (ok) SELECT count(*) FROM agreed WHERE revision = ? AND primary_node = ? AND generation_id = ?",
			s.Base, c.o.Node, g.ID),
		stmt("DELETE FROM guard"),
		stmt("UPDATE agreed SET revision = revision + 1"),
		stmt("INSERT INTO staging (changes) VALUES (?)", changes),
		stmt(`INSERT INTO history (revision, at_ms, user, via, source, peer, path, old_value, new_value, comment)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, n.value ->> 'path',
	CASE WHEN i.value LIKE '{cipher}%' THEN '`+mask+`' ELSE coalesce(i.value, '') END,
	CASE WHEN n.value ->> 'value' LIKE '{cipher}%' THEN '`+mask+`' ELSE n.value ->> 'value' END, ?7
FROM staging, json_each(staging.changes) AS n LEFT JOIN item AS i ON i.path = n.value ->> 'path'
WHERE CASE n.value ->> 'del' WHEN 1 THEN i.path IS NOT NULL ELSE i.value IS NOT n.value ->> 'value' END
ORDER BY n.key`,
			s.Base+1, at.UnixMilli(), s.Actor.User, s.Actor.Via, s.Actor.Source, c.o.Node, s.Comment),
		stmt(`DELETE FROM item WHERE path IN
	(SELECT value ->> 'path' FROM staging, json_each(staging.changes) WHERE value ->> 'del' = 1)`),
		stmt(`INSERT INTO item (path, tbl, idx, leaf, value)
SELECT value ->> 'path', value ->> 'tbl', value ->> 'idx', value ->> 'leaf', value ->> 'value'
FROM staging, json_each(staging.changes) WHERE value ->> 'del' = 0 ORDER BY key
ON CONFLICT (path) DO UPDATE SET value = excluded.value`),
		stmt("DELETE FROM staging"),
		stmt("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", int64(historyKept)),
	}}
}

// savedBefore answers a save whose operation was done already.
func (c *Cluster) savedBefore(ctx context.Context, s engine.Save, index uint64) (engine.Saved, error) {
	rows, err := c.query(ctx, stmt("SELECT revision FROM operation WHERE id = ?", s.Operation))
	if err != nil {
		return engine.Saved{}, err
	}
	for r := range each(rows[0]) {
		return engine.Saved{Revision: r.int(), Index: index, Replication: c.replication(ctx, index)}, nil
	}
	return engine.Saved{}, engine.Errorf(engine.Unavailable, "the change was saved, but this copy does not have it yet")
}

// whyRefused reads back why the guard of a save did not hold.
func (c *Cluster) whyRefused(ctx context.Context, s engine.Save) error {
	now, err := c.Agreed(ctx)
	if err != nil {
		return err
	}
	if now.Primary != c.o.Node {
		return notPrimary(now)
	}
	if now.Revision < s.Base {
		return engine.Errorf(engine.Conflict, "the configuration is at revision %d, not at %d", now.Revision, s.Base).
			With("", "look at the present configuration, then save again")
	}
	since, err := c.History(ctx, RevisionFilter{After: s.Base, Limit: 4})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("the configuration changed since revision %d: it is at %d", s.Base, now.Revision)
	if what := describe(since, now); what != "" {
		text += "; " + what
	}
	return (&engine.Error{Code: engine.Conflict, Message: text}).
		With("", "look at the present configuration, then save again")
}

// describe tells who changed what, newest first, at most three of them.
func describe(entries []engine.HistoryEntry, a engine.Agreed) string {
	var parts []string
	for i, e := range entries {
		if i == 3 {
			parts = append(parts, "and more")
			break
		}
		parts = append(parts, fmt.Sprintf("%s changed %s on %s at %s", e.Actor.User, e.Path,
			addressOf(a, e.Peer), e.Time.Format("15:04:05 UTC")))
	}
	return strings.Join(parts, ", ")
}

func notPrimary(a engine.Agreed) error {
	return (&engine.Error{
		Code:    engine.Denied,
		Message: "the configuration is edited on the primary only, which is " + addressOf(a, a.Primary),
	}).With("", "make the change on "+addressOf(a, a.Primary))
}

// addressOf is the address of a member for people, its node id when it is not listed.
func addressOf(a engine.Agreed, node string) string {
	for _, m := range a.Members {
		if m.Node == node {
			return m.Address
		}
	}
	return node
}

// replication tells how far a committed save has gone. A group with several
// voters has it on most of their disks; a sole voter waits a moment for one
// follower to report it.
func (c *Cluster) replication(ctx context.Context, index uint64) engine.Replication {
	s, err := c.current()
	if err != nil {
		return engine.NotReplicated
	}
	servers, err := s.servers()
	if err != nil {
		return engine.NotReplicated
	}
	var voters, others []string
	for _, sv := range servers {
		if sv.voter {
			voters = append(voters, sv.node)
		}
		if sv.node != c.o.Node {
			others = append(others, sv.node)
		}
	}
	switch {
	case len(servers) <= 1:
		return engine.ReplicatedNone
	case len(voters) > 1:
		return engine.Replicated
	case voters[0] != c.o.Node && s.store.DBAppliedIndex() >= index:
		return engine.Replicated // the voter's copy and this one
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.FollowerGrace)
	defer cancel()
	if c.followers.await(ctx, others, index) {
		return engine.Replicated
	}
	return engine.NotReplicated
}
