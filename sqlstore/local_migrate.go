package sqlstore

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"time"

	"hexad/engine"
	"hexad/migrations"
)

// migrate applies the steps that db has not seen, each in its own transaction.
//
// Errors: Unavailable with ErrNewer when db has a step that this release does
// not know; Internal when a step that was applied differs from the one in this release.
func migrate(ctx context.Context, db *dbsql.DB, steps []migrations.Migration, release string) error {
	const doing = "migrate the local database"
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (
		version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
		applied_ms INTEGER NOT NULL, release TEXT NOT NULL) STRICT`); err != nil {
		return sqliteError(doing, err)
	}
	scan := func(s scanner) (m migrations.Migration, err error) {
		return m, s.Scan(&m.Version, &m.Name, &m.Checksum)
	}
	applied, err := collect(ctx, db, doing, scan, "SELECT version, name, checksum FROM migration ORDER BY version")
	if err != nil {
		return err
	}
	if err := compareMigrations(applied, steps); err != nil {
		return err
	}
	for _, step := range steps[len(applied):] {
		if err := apply(ctx, db, step, release); err != nil {
			return sqliteError(fmt.Sprintf("%s to step %d (%s)", doing, step.Version, step.Name), err)
		}
	}
	return nil
}

// compareMigrations refuses a database that went another way than steps.
func compareMigrations(applied, steps []migrations.Migration) error {
	if len(applied) > len(steps) {
		e := engine.Errorf(engine.Unavailable, "the local database has the form of a newer release (step %d, this release knows %d)",
			applied[len(applied)-1].Version, len(steps))
		e.Remedy, e.Err = "start the release that ran here last, or a newer one", ErrNewer
		return e
	}
	for i, a := range applied {
		if a.Version != steps[i].Version || a.Checksum != steps[i].Checksum {
			e := engine.Errorf(engine.Internal, "step %d (%s) of the local database is not the one of this release", a.Version, a.Name)
			e.Remedy, e.Err = "start the release that ran here last", errors.New("checksums differ")
			return e
		}
	}
	return nil
}

func apply(ctx context.Context, db *dbsql.DB, step migrations.Migration, release string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, step.SQL); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO migration VALUES (?, ?, ?, ?, ?)",
		step.Version, step.Name, step.Checksum, time.Now().UnixMilli(), release)
	if err != nil {
		return err
	}
	return tx.Commit()
}
