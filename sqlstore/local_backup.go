package sqlstore

import (
	"context"
	dbsql "database/sql"
	"errors"
	"os"
	"time"

	"hexad/engine"
)

// unkept are the tables of local.db that no backup has: what is of this moment
// only, and what logs hold. Source: reference 8.5.
var unkept = []string{"session", "join_token", "restart_reason", "reset", "event", "fact", "decision", "decision_step", "alarm_own", "state"}

// BackupTo writes a copy of local.db for a backup to path, which must not be
// there; its secrets stay sealed with the system key.
func (l *Local) BackupTo(ctx context.Context, path string) (err error) {
	const doing = "copy the local database"
	if _, err := os.Lstat(path); err == nil {
		return fileError(doing, &os.PathError{Op: "create", Path: path, Err: os.ErrExist})
	}
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	if _, err := l.journal.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return sqliteError(doing, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fileError(doing, err)
	}
	db, err := dbsql.Open("sqlite", fileURI(path)+"?_pragma=journal_mode(DELETE)&_pragma=secure_delete(1)")
	if err != nil {
		return sqliteError(doing, err)
	}
	db.SetMaxOpenConns(1)
	for _, table := range unkept {
		if err == nil {
			_, err = db.ExecContext(ctx, "DELETE FROM "+table)
		}
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "VACUUM")
	}
	return sqliteError(doing, errors.Join(err, db.Close()))
}

// Restored is what local.db says of the peer that a backup is restored as.
type Restored struct {
	Identity Identity      // as it is from now on
	Member   engine.Member // the only one
}

// Restore makes a copy of local.db, as BackupTo wrote it, that of a system
// outside any cluster: who it is, nobody whose key it has pinned, an empty
// clustering page.
func (l *Local) Restore(ctx context.Context, r Restored) error {
	return l.putIdentity(ctx, r.Identity, []engine.Member{r.Member}, func(tx *dbsql.Tx) error {
		statements := []resetStep{
			{`UPDATE clustering SET name = '', primary_index = 1, ip_version = 'IPv4', tls_mode = 'Permissive', peers = '[]',
				saved_ms = 0, created_ms = 0`, nil},
			{"DELETE FROM pin", nil},
			{"UPDATE local_item SET value = 'Off' WHERE path = 'SystemUnit Maintenance Mode'", nil},
			{"UPDATE identity SET changed_ms = ?", []any{time.Now().UnixMilli()}},
		}
		for _, table := range unkept {
			statements = append(statements, resetStep{"DELETE FROM " + table, nil})
		}
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unsealed opens every secret of local.db, to find out whether the key fits all of them.
//
// Errors: Unavailable with ErrKey.
func (l *Local) Unsealed(ctx context.Context) error {
	if _, err := l.Identity(ctx); err != nil {
		return err
	}
	if _, err := l.credentials(ctx, l.read, "true"); err != nil {
		return err
	}
	_, err := l.Items(ctx)
	return err
}

// NewNode is a random node id.
func NewNode() string { return newNode() }
