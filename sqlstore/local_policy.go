package sqlstore

import (
	"context"
	dbsql "database/sql"

	"hexad/engine"
)

// DecisionStep is one stage or script that a decision went through, in order.
// Detail is JSON or a line of text.
type DecisionStep struct {
	Kind    string `json:"kind"` // script, transform, rule, answer
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

// DecisionSteps returns what a decision went through, in order; nothing for one
// that is not kept.
func (l *Local) DecisionSteps(ctx context.Context, id string) ([]DecisionStep, error) {
	return collect(ctx, l.read, "read the steps of a decision", func(s scanner) (d DecisionStep, err error) {
		return d, s.Scan(&d.Kind, &d.Name, &d.Outcome, &d.Detail)
	}, "SELECT kind, name, outcome, detail FROM decision_step WHERE id = ? ORDER BY ord", id)
}

// PolicyPins returns the scripts that are pinned on this peer, by name.
func (l *Local) PolicyPins(ctx context.Context) ([]engine.PolicyPin, error) {
	return collect(ctx, l.read, "read the pinned scripts", func(s scanner) (p engine.PolicyPin, err error) {
		var at int64
		err = s.Scan(&p.Script, &p.Version, &p.Runs, &p.Reason, &p.By, &at)
		p.At = instant(at)
		return p, err
	}, "SELECT script, version, runs, reason, set_by, set_ms FROM policy_pin ORDER BY script")
}

// PutPolicyPins makes pins the whole set of this peer's pinned scripts.
func (l *Local) PutPolicyPins(ctx context.Context, pins []engine.PolicyPin) error {
	return l.write(ctx, "store the pinned scripts", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM policy_pin"); err != nil {
			return err
		}
		for _, p := range pins {
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO policy_pin (script, version, runs, reason, set_by, set_ms) VALUES (?, ?, ?, ?, ?, ?)",
				p.Script, p.Version, p.Runs, p.Reason, p.By, millis(p.At)); err != nil {
				return err
			}
		}
		return nil
	})
}
