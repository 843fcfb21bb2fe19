package sqlstore

import (
	"context"
	dbsql "database/sql"
	"time"

	"hexad/engine"
)

// Account is who may log in on this peer. Hash is opaque here.
type Account struct {
	Name     string
	Role     string
	Hash     string
	Created  time.Time
	Changed  time.Time
	Disabled bool
}

// Session is one login. It ends at Idle unless it is used before, and at
// Absolute in any case; all times UTC, whole milliseconds.
type Session struct {
	Account  string
	Via      string // web, ssh, api
	Source   string // "ip:port"
	Created  time.Time
	Used     time.Time
	Idle     time.Time
	Absolute time.Time
}

// How many sessions there are at most; the one that was unused the longest
// gives way to a new one.
const (
	MaxSessions        = 1000
	MaxAccountSessions = 32
)

const selectAccount = "SELECT name, role, hash, created_ms, changed_ms, disabled FROM account"

func scanAccount(s scanner) (a Account, err error) {
	var created, changed int64
	err = s.Scan(&a.Name, &a.Role, &a.Hash, &created, &changed, &a.Disabled)
	a.Created, a.Changed = instant(created), instant(changed)
	return a, err
}

// Accounts returns all accounts, by name.
func (l *Local) Accounts(ctx context.Context) ([]Account, error) {
	return collect(ctx, l.read, "read the accounts", scanAccount, selectAccount+" ORDER BY name")
}

// Account returns one account. Errors: NotFound.
func (l *Local) Account(ctx context.Context, name string) (Account, error) {
	return one(ctx, l.read, "read an account", "there is no account "+name, scanAccount, selectAccount+" WHERE name = ?", name)
}

// PutAccount stores an account. A changed hash or role, or disabling it, ends
// its sessions in the same transaction.
//
// Errors: Invalid.
func (l *Local) PutAccount(ctx context.Context, a Account) error {
	if a.Name == "" || a.Role == "" || a.Hash == "" {
		return engine.Errorf(engine.Invalid, "an account needs a name, a role and a password hash")
	}
	return l.write(ctx, "store an account", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE account = ?1 AND
			(?4 OR NOT EXISTS (SELECT 1 FROM account WHERE name = ?1 AND role = ?2 AND hash = ?3))`,
			a.Name, a.Role, a.Hash, a.Disabled); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO account VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
			role = excluded.role, hash = excluded.hash, changed_ms = excluded.changed_ms, disabled = excluded.disabled`,
			a.Name, a.Role, a.Hash, millis(a.Created), millis(a.Changed), a.Disabled)
		return err
	})
}

// DeleteAccount deletes an account with its sessions and authorised keys. Errors: NotFound.
func (l *Local) DeleteAccount(ctx context.Context, name string) error {
	return l.write(ctx, "delete an account", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE account = ?", name); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM authorized_key WHERE account = ?", name); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "DELETE FROM account WHERE name = ?", name)
		return found(done, err, "there is no account "+name)
	})
}

// found turns a statement that met no row into NotFound.
func found(done dbsql.Result, err error, missing string) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return engine.Errorf(engine.NotFound, "%s", missing)
}

// PutSession stores a login under the SHA-256 of its token in lower-case hex.
// Ended sessions are deleted; beyond the limits the least recently used gives way.
//
// Errors: Invalid.
func (l *Local) PutSession(ctx context.Context, hash string, s Session) error {
	if err := validHash(hash); err != nil {
		return err
	}
	return l.write(ctx, "store a session", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE min(idle_ms, absolute_ms) <= ?", millis(s.Created)); err != nil {
			return err
		}
		for _, bound := range []struct {
			where string
			args  []any
		}{
			{"account = ?", []any{s.Account, MaxAccountSessions - 1}},
			{"true", []any{MaxSessions - 1}},
		} {
			_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE token_sha256 IN (SELECT token_sha256 FROM session
				WHERE `+bound.where+` ORDER BY used_ms DESC LIMIT -1 OFFSET ?)`, bound.args...)
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)", hash, s.Account, s.Via, s.Source,
			millis(s.Created), millis(s.Used), millis(s.Idle), millis(s.Absolute))
		return err
	})
}

const selectSession = "SELECT account, via, source, created_ms, used_ms, idle_ms, absolute_ms FROM session"

func scanSession(s scanner) (out Session, err error) {
	var created, used, idle, absolute int64
	err = s.Scan(&out.Account, &out.Via, &out.Source, &created, &used, &idle, &absolute)
	out.Created, out.Used, out.Idle, out.Absolute = instant(created), instant(used), instant(idle), instant(absolute)
	return out, err
}

// Session returns a session that has not ended at now. Errors: NotFound.
func (l *Local) Session(ctx context.Context, hash string, now time.Time) (Session, error) {
	return one(ctx, l.read, "read a session", "there is no such session", scanSession,
		selectSession+" WHERE token_sha256 = ? AND min(idle_ms, absolute_ms) > ?", hash, millis(now))
}

// UseSession moves the idle end of a session that has not ended. A power cut may
// undo it. Errors: NotFound.
func (l *Local) UseSession(ctx context.Context, hash string, now, idle time.Time) error {
	return l.note(ctx, "use a session", func(tx *dbsql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE session SET used_ms = ?1, idle_ms = min(?2, absolute_ms)
			WHERE token_sha256 = ?3 AND min(idle_ms, absolute_ms) > ?1`, millis(now), millis(idle), hash)
		return found(done, err, "there is no such session")
	})
}

// Sessions returns the sessions that have not ended, the last used first.
func (l *Local) Sessions(ctx context.Context, now time.Time) ([]Session, error) {
	return collect(ctx, l.read, "read the sessions", scanSession,
		selectSession+" WHERE min(idle_ms, absolute_ms) > ? ORDER BY used_ms DESC", millis(now))
}

// DeleteSession ends a session; one that is not there is no error.
func (l *Local) DeleteSession(ctx context.Context, hash string) error {
	return l.exec(ctx, "end a session", "DELETE FROM session WHERE token_sha256 = ?", hash)
}

// DeleteSessions ends all sessions of an account.
func (l *Local) DeleteSessions(ctx context.Context, account string) error {
	return l.exec(ctx, "end the sessions of an account", "DELETE FROM session WHERE account = ?", account)
}
