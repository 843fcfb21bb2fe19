package sqlstore

import (
	"context"
	dbsql "database/sql"
)

// AppendDecisionSteps adds what came after a decision's answer to the steps of
// that decision; nothing for one that is not kept (any more). A power cut may
// lose it.
func (l *Local) AppendDecisionSteps(ctx context.Context, id string, steps []DecisionStep) error {
	if len(steps) == 0 {
		return nil
	}
	return l.note(ctx, "write the steps of a decision", func(tx *dbsql.Tx) error {
		for _, s := range steps {
			if _, err := tx.ExecContext(ctx, `INSERT INTO decision_step (id, ord, kind, name, outcome, detail)
				SELECT d.id, (SELECT coalesce(max(ord), 0) + 1 FROM decision_step WHERE id = d.id), ?, ?, ?, ? FROM decision AS d WHERE d.id = ?`,
				s.Kind, s.Name, s.Outcome, s.Detail, id); err != nil {
				return err
			}
		}
		return nil
	})
}
