package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// historyKept is how many entries the configuration history holds.
const historyKept = 100_000

// rowsMost is how many changes one statement has. They are bound one by one: to
// take them out of JSON costs every peer several times as much as to write them.
const rowsMost = 200

// change is one engine.Change as the batch binds it, with what the history says
// of the save that it belongs to.
type change struct {
	engine.Change
	origin
	Table string
	Index int64
	Leaf  string
}

// origin is what the history says of all changes of one save.
type origin struct {
	Revision int64
	AtMS     int64
	Actor    engine.Actor
	Peer     string // node id
	Comment  string
}

func (o origin) change(c engine.Change) change {
	out := change{Change: c, origin: o}
	if c.Delete {
		out.Value = ""
	}
	out.Table, out.Index, out.Leaf = cutPath(c.Path)
	return out
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
// known whether it did, or when it did and the configuration journal of this
// peer could not be written: sent again, it is in the journal or answered so again.
func (c *Cluster) SaveConfiguration(ctx context.Context, s engine.Save) (engine.Saved, error) {
	saved, err := c.SaveConfigurations(ctx, []engine.Save{s})
	if err != nil {
		return engine.Saved{}, err
	}
	return saved[0], nil
}

// SaveConfigurations is SaveConfiguration for several saves that follow each
// other: one revision each, one write for all, and all of them or none. The
// base of each is the revision that the one before leads to, and no two change
// the same item.
//
// Errors: as SaveConfiguration, of the first save that they concern.
func (c *Cluster) SaveConfigurations(ctx context.Context, saves []engine.Save) ([]engine.Saved, error) {
	b, err := c.saveBatch(saves)
	if err != nil {
		return nil, err
	}
	a, err := c.apply(ctx, b)
	if err != nil {
		return nil, err
	}
	switch a.Outcome {
	case refused:
		return nil, c.whyRefused(ctx, saves[0])
	case doneBefore:
		first, err := c.savedBefore(ctx, saves[0], a.Index)
		if err == nil {
			err = c.recorded(nil) // up to where this copy is, which has it
		}
		return follow(first, len(saves)), err
	}
	written := make(chan error, 1)
	go func() { written <- c.recorded(stepsOf(saves, c.o.Node)) }()
	saved := engine.Saved{Revision: saves[0].Base + 1, Index: a.Index, Replication: c.replication(ctx, a.Index)}
	return follow(saved, len(saves)), <-written
}

// follow gives each save of a batch its own revision.
func follow(first engine.Saved, n int) []engine.Saved {
	out := make([]engine.Saved, n)
	for i := range out {
		out[i] = first
		out[i].Revision += int64(i)
	}
	return out
}

// bindChanges checks the saves and lists their changes; of several changes of
// one path in one save the last counts.
func bindChanges(saves []engine.Save, node string) ([]change, error) {
	var bound []change
	by := map[string]int{}
	for n, s := range saves {
		switch {
		case s.Operation == "" || len(s.Operation) > 100:
			return nil, engine.Errorf(engine.Invalid, "a save needs an operation id of 1 to 100 characters")
		case len(s.Changes) == 0:
			return nil, engine.Errorf(engine.Invalid, "there is nothing to save")
		case s.Base != saves[0].Base+int64(n):
			return nil, engine.Errorf(engine.Invalid, "saves that do not follow each other cannot be written together")
		}
		last := make(map[string]int, len(s.Changes))
		for i, ch := range s.Changes {
			last[ch.Path] = i
		}
		from := origin{Revision: s.Base + 1, AtMS: atOf(s).UnixMilli(), Actor: s.Actor, Peer: node, Comment: s.Comment}
		for i, ch := range s.Changes {
			if last[ch.Path] != i {
				continue
			}
			if strings.TrimSpace(ch.Path) != ch.Path || ch.Path == "" {
				return nil, engine.Errorf(engine.Invalid, "%q is no path of a configuration item", ch.Path)
			}
			if other, twice := by[ch.Path]; twice && other != n {
				return nil, engine.Errorf(engine.Invalid, "two saves that change %s cannot be written together", ch.Path)
			}
			by[ch.Path] = n
			bound = append(bound, from.change(ch))
		}
	}
	return bound, nil
}

// atOf is when a save was made.
func atOf(s engine.Save) time.Time {
	if s.Time.IsZero() {
		return time.Now()
	}
	return s.Time
}

// saveBatch makes the batch of saves. Its first statement is the guard.
func (c *Cluster) saveBatch(saves []engine.Save) (batch, error) {
	changes, err := bindChanges(saves, c.o.Node)
	if err != nil {
		return batch{}, err
	}
	base, n := saves[0].Base, int64(len(saves))
	b := newBatch(stmt("UPDATE agreed SET revision = revision + ?", n))
	if guarded {
		b.Statements = slices.Insert(b.Statements, 0, stmt(`INSERT OR REPLACE INTO guard (rowid, ok)
SELECT 1, count(*) FROM agreed WHERE revision = ? AND primary_node = ? AND generation_id = ?`, base, c.o.Node, c.Generation().ID))
	}
	b.Operation, b.Revision = saves[0].Operation, base+1
	if n > 1 {
		var others []string
		for _, s := range saves[1:] {
			others = append(others, s.Operation)
		}
		b.Statements = append(b.Statements, stmt("INSERT INTO operation (id, revision, at_ms) SELECT value, ? + key, ? FROM json_each(?)",
			base+2, b.AtMS, jsonText(others)))
	}
	b.Statements = append(b.Statements, changeStatements(changes)...)
	return b, nil
}

// changeStatements write the history and the items of changes, no two of one path.
func changeStatements(changes []change) []statement {
	var out []statement
	for some := range slices.Chunk(changes, rowsMost) {
		var puts, drops []change
		for _, c := range some {
			if c.Delete {
				drops = append(drops, c)
			} else {
				puts = append(puts, c)
			}
		}
		out = append(out, historyStatement(some))
		if len(drops) > 0 {
			out = append(out, rowsStatement("DELETE FROM item WHERE path IN (VALUES ", drops, ")", func(c change) []any { return []any{c.Path} }))
		}
		if len(puts) > 0 {
			out = append(out, rowsStatement("INSERT INTO item (path, tbl, idx, leaf, value) VALUES ", puts, " ON CONFLICT (path) DO UPDATE SET value = excluded.value",
				func(c change) []any { return []any{c.Path, c.Table, c.Index, c.Leaf, c.Value} }))
		}
	}
	return out
}

// historyStatement writes an entry of the history for each change that makes its
// item a different one, in their order. Secrets are masked there.
func historyStatement(changes []change) statement {
	return rowsStatement(`INSERT INTO history (revision, at_ms, user, via, source, peer, path, old_value, new_value, comment)
WITH n (revision, at_ms, user, via, source, peer, comment, path, value, del) AS (VALUES `, changes, `)
SELECT n.revision, n.at_ms, n.user, n.via, n.source, n.peer, n.path,
	CASE WHEN i.value LIKE '{cipher}%' THEN '`+mask+`' ELSE coalesce(i.value, '') END,
	CASE WHEN n.value LIKE '{cipher}%' THEN '`+mask+`' ELSE n.value END, n.comment
FROM n LEFT JOIN item AS i ON i.path = n.path
WHERE CASE n.del WHEN 1 THEN i.path IS NOT NULL ELSE i.value IS NOT n.value END`, func(c change) []any {
		del := int64(0)
		if c.Delete {
			del = 1
		}
		return []any{c.Revision, c.AtMS, c.Actor.User, c.Actor.Via, c.Actor.Source, c.Peer, c.Comment, c.Path, c.Value, del}
	})
}

// rowsStatement is a statement with a row of parameters for each entry of list
// between its begin and its end.
func rowsStatement[T any](begin string, list []T, end string, row func(T) []any) statement {
	marks := "(?" + strings.Repeat(",?", len(row(list[0]))-1) + ")"
	var args []any
	for _, entry := range list {
		args = append(args, row(entry)...)
	}
	return stmt(begin+marks+strings.Repeat(","+marks, len(list)-1)+end, args...)
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
		if sv.Voter {
			voters = append(voters, sv.Node)
		}
		if sv.Node != c.o.Node {
			others = append(others, sv.Node)
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
