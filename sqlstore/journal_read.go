package sqlstore

import (
	"slices"

	"github.com/rqlite/rqlite/v8/command/proto"

	"hexad/engine"
)

// journalTables are the tables, besides agreed, that a whole record holds: what
// no other source could give back. Alarms come again, and history and audit are
// in the copies.
var journalTables = []string{
	"member", "item", "data_key", "data_key_wrap", "system_key", "policy_script", "policy_version", "policy_revision", "policy_item", "policy_data", "policy_data_draft", "policy_ack", "policy_waiver",
}

// wholeRecord is the record of everything that s has now.
// Errors: Unavailable while it has nothing.
func (s *raftStore) wholeRecord() (JournalRecord, error) {
	known, err := s.query(stmt("SELECT name FROM sqlite_schema WHERE type = 'table'"))
	if err != nil {
		return JournalRecord{}, err
	}
	var present []string
	for r := range each(known[0]) {
		present = append(present, r.text())
	}
	statements := []statement{stmt("SELECT cluster, generation, generation_id, parent, primary_node, revision FROM agreed")}
	var tables []string
	for _, t := range journalTables {
		if slices.Contains(present, t) {
			tables = append(tables, t)
			statements = append(statements, stmt("SELECT * FROM "+t))
		}
	}
	rows, err := s.query(statements...)
	if err != nil {
		return JournalRecord{}, err
	}
	if len(rows[0].GetValues()) == 0 {
		return JournalRecord{}, errNoCopy
	}
	out := JournalRecord{Whole: &JournalWhole{Tables: map[string]JournalTable{}}}
	for r := range each(rows[0]) {
		out.Cluster = r.text()
		out.Generation = engine.Generation{Number: r.int(), ID: r.text(), Parent: r.text()}
		out.Whole.Primary, out.Whole.Revision = r.text(), r.int()
	}
	for i, t := range tables {
		table := JournalTable{Columns: rows[i+1].GetColumns(), Rows: [][]any{}}
		for r := range each(rows[i+1]) {
			table.Rows = append(table.Rows, r.all())
		}
		out.Whole.Tables[t] = table
	}
	return out, nil
}

// all are the values of a row: int64, string or nil.
func (r *row) all() []any {
	out := make([]any, len(r.values))
	for i, p := range r.values {
		out[i] = plain(p)
	}
	return out
}

// stepsSince are the revisions after an earlier one, as the history tells them;
// whole when it does not reach back so far. A sealed value, which the history
// masks, is the present one: what it was between is not known any more.
func (s *raftStore) stepsSince(revision int64) (steps []JournalStep, whole bool, err error) {
	rows, err := s.query(
		stmt("SELECT revision, (SELECT revision FROM history ORDER BY id LIMIT 1), (SELECT count(DISTINCT revision) FROM history WHERE revision > ?) FROM agreed", revision),
		stmt(`SELECT h.revision, h.at_ms, h.user, h.via, h.source, h.peer, h.comment, h.path, h.new_value, i.value
FROM history AS h INDEXED BY history_revision LEFT JOIN item AS i ON i.path = h.path
WHERE h.revision > ? ORDER BY h.revision, h.id`, revision))
	if err != nil {
		return nil, false, err
	}
	now := int64(-1)
	for r := range each(rows[0]) {
		now = r.int()
		oldest := r.int()
		whole = now > revision && (oldest == 0 || oldest > revision+1)
	}
	if now < 0 {
		return nil, false, errNotCaught
	}
	if now <= revision || whole {
		return nil, whole, nil
	}
	present := map[string]any{} // by path
	for r := range each(rows[1]) {
		st := JournalStep{Revision: r.int(), AtMS: r.int(), Actor: engine.Actor{User: r.text(), Via: r.text(), Source: r.text()}, Peer: r.text(), Comment: r.text()}
		ch := engine.Change{Path: r.text(), Value: r.text()}
		value := plain(r.take())
		present[ch.Path] = value
		if text, ok := value.(string); ok && ch.Value == mask {
			ch.Value = text
		}
		for next := lastStep(steps, revision) + 1; next < st.Revision; next++ {
			steps = append(steps, JournalStep{Revision: next, Peer: st.Peer, AtMS: st.AtMS}) // nothing became different
		}
		if lastStep(steps, revision) != st.Revision {
			steps = append(steps, st)
		}
		at := &steps[len(steps)-1]
		at.Changes = append(at.Changes, ch)
	}
	for next := lastStep(steps, revision) + 1; next <= now; next++ {
		steps = append(steps, JournalStep{Revision: next})
	}
	settleValues(steps, present)
	return steps, false, nil
}

func lastStep(steps []JournalStep, from int64) int64 {
	if n := len(steps); n > 0 {
		return steps[n-1].Revision
	}
	return from
}

// settleValues gives the last change of each path the value that the database has: a
// removed item looks in the history like one that was emptied.
func settleValues(steps []JournalStep, present map[string]any) {
	for i := len(steps) - 1; i >= 0; i-- {
		for k := range steps[i].Changes {
			ch := &steps[i].Changes[k]
			value, open := present[ch.Path]
			if !open {
				continue
			}
			delete(present, ch.Path)
			if text, ok := value.(string); ok {
				ch.Value = text
			} else {
				ch.Value, ch.Delete = "", true
			}
		}
	}
}

// stepsOf are the revisions that saves lead to.
func stepsOf(saves []engine.Save, node string) []JournalStep {
	out := make([]JournalStep, len(saves))
	for i, s := range saves {
		out[i] = JournalStep{
			Revision: s.Base + 1, Operation: s.Operation, Peer: node, AtMS: atOf(s).UnixMilli(), Actor: s.Actor, Comment: s.Comment, Changes: trimmed(s.Changes),
		}
	}
	return out
}

// trimmed are the changes of which the last for each path counts.
func trimmed(changes []engine.Change) []engine.Change {
	last := make(map[string]int, len(changes))
	for i, ch := range changes {
		last[ch.Path] = i
	}
	if len(last) == len(changes) {
		return changes
	}
	var out []engine.Change
	for i, ch := range changes {
		if last[ch.Path] == i {
			out = append(out, ch)
		}
	}
	return out
}

// plain is a value of a row: int64, string or nil.
func plain(p *proto.Parameter) any {
	switch v := p.GetValue().(type) {
	case *proto.Parameter_I:
		return v.I
	case *proto.Parameter_S:
		return v.S
	default:
		return nil
	}
}
