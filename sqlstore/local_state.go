package sqlstore

import (
	"context"
	dbsql "database/sql"

	"hexad/engine"
)

const stateDomain = "state "

// State returns a small fact that was kept for the next start, "" when none
// was. Values are sealed at rest.
func (l *Local) State(ctx context.Context, name string) (string, error) {
	l.keys.RLock()
	defer l.keys.RUnlock()
	sealed, err := one(ctx, l.read, "read a kept value", "nothing is kept as "+name, func(s scanner) (v string, err error) {
		return v, s.Scan(&v)
	}, "SELECT value FROM state WHERE name = ?", name)
	if engine.CodeOf(err) == engine.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	plain, err := l.open(stateDomain+name, sealed)
	return string(plain), err
}

// PutState keeps a small fact for the next start; "" forgets it.
func (l *Local) PutState(ctx context.Context, name, value string) error {
	if value == "" {
		return l.exec(ctx, "forget a kept value", "DELETE FROM state WHERE name = ?", name)
	}
	return l.write(ctx, "keep a value", func(tx *dbsql.Tx) error {
		sealed, err := l.seal(stateDomain+name, []byte(value))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO state VALUES (?, ?)", name, sealed)
		return err
	})
}
