package sqlstore

import (
	"context"
	dbsql "database/sql"

	"hexad/engine"
)

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
