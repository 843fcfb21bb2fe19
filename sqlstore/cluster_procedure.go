package sqlstore

import (
	"context"
	"encoding/json"

	"hexad/engine"
)

// proceduresKept is how many procedures are remembered.
const proceduresKept = 50

// Procedures are the guided procedures as this copy has them, the newest first;
// nothing while the cluster has the form of a release without them.
// Errors: Unavailable.
func (c *Cluster) Procedures(ctx context.Context) ([]engine.Procedure, error) {
	there, err := c.hasTable(ctx, "procedure")
	if err != nil || !there {
		return nil, err
	}
	rows, err := c.query(ctx, stmt("SELECT seq, record FROM procedure ORDER BY started_ms DESC, id"))
	if err != nil {
		return nil, err
	}
	var out []engine.Procedure
	for r := range each(rows[0]) {
		seq := r.int()
		var p engine.Procedure
		if json.Unmarshal([]byte(r.text()), &p) != nil {
			continue // written by a newer release in another form
		}
		p.Seq = seq
		out = append(out, p)
	}
	return out, nil
}

// PutProcedure stores p if it is new, or if what is there is older, and forgets
// the oldest that are over.
// Errors: Conflict when what is there is as new, or when another one is open;
// Unavailable.
func (c *Cluster) PutProcedure(ctx context.Context, p engine.Procedure) error {
	if there, err := c.hasTable(ctx, "procedure"); err != nil || !there {
		if err == nil {
			err = engine.Errorf(engine.Unavailable, "the cluster database has the form of an older release").With("", "upgrade the other peers")
		}
		return err
	}
	open := int64(0)
	if p.State.Open() {
		open = 1
	}
	_, err := c.apply(ctx, newBatch(
		// The row that is there already has the same id: a change that is not newer
		// is refused as a second row with it.
		stmt("DELETE FROM procedure WHERE id = ? AND seq < ?", p.ID, p.Seq),
		stmt("INSERT INTO procedure (id, kind, state, open, owner, seq, started_ms, updated_ms, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.Kind, string(p.State), open, p.Owner, p.Seq, millis(p.Started), millis(p.Updated), jsonText(p)),
		stmt("DELETE FROM procedure WHERE open = 0 AND id NOT IN (SELECT id FROM procedure ORDER BY started_ms DESC LIMIT ?)", int64(proceduresKept))))
	if engine.CodeOf(err) == engine.Conflict {
		return &engine.Error{Code: engine.Conflict, Message: "another procedure is open, or this one was changed meanwhile", Remedy: "look at xCommand ProcedureList", Err: err}
	}
	return err
}

// hasTable reports whether this copy has a table, which comes with a migration.
func (c *Cluster) hasTable(ctx context.Context, name string) (bool, error) {
	rows, err := c.query(ctx, stmt("SELECT count(*) FROM sqlite_schema WHERE name = ?", name))
	if err != nil {
		return false, err
	}
	for r := range each(rows[0]) {
		return r.int() > 0, nil
	}
	return false, nil
}
