package sqlstore

import (
	"context"
	dbsql "database/sql"
	"time"

	"hexad/engine"
)

// AuthorizedKey is a public key that may sign in as an account over SSH. Line
// is "<algorithm> <base64>", Fingerprint "SHA256:…" of it.
type AuthorizedKey struct {
	Account     string
	Fingerprint string
	Line        string
	Comment     string
	Added       time.Time
	AddedBy     string
}

// MaxAuthorizedKeys is the most keys of one account.
const MaxAuthorizedKeys = 100

// AuthorizedKeys returns the keys of all accounts, by account and time.
func (l *Local) AuthorizedKeys(ctx context.Context) ([]AuthorizedKey, error) {
	return collect(ctx, l.read, "read the authorised keys", func(s scanner) (k AuthorizedKey, err error) {
		var added int64
		err = s.Scan(&k.Account, &k.Fingerprint, &k.Line, &k.Comment, &added, &k.AddedBy)
		k.Added = instant(added)
		return k, err
	}, "SELECT account, fingerprint, line, comment, added_ms, added_by FROM authorized_key ORDER BY account, added_ms, fingerprint")
}

// Authorized reports whether the account has a key of that fingerprint.
func (l *Local) Authorized(ctx context.Context, account, fingerprint string) (bool, error) {
	return one(ctx, l.read, "look for an authorised key", "", func(s scanner) (found bool, err error) {
		return found, s.Scan(&found)
	}, "SELECT EXISTS (SELECT 1 FROM authorized_key WHERE account = ? AND fingerprint = ?)", account, fingerprint)
}

// AddAuthorizedKey stores a key of an account that is there.
//
// Errors: Conflict (the account has it already), NotFound (the account),
// Exhausted (it has MaxAuthorizedKeys).
func (l *Local) AddAuthorizedKey(ctx context.Context, k AuthorizedKey) error {
	return l.write(ctx, "store an authorised key", func(tx *dbsql.Tx) error {
		var exists, has bool
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM account WHERE name = ?1),
			EXISTS (SELECT 1 FROM authorized_key WHERE account = ?1 AND fingerprint = ?2),
			(SELECT count(*) FROM authorized_key WHERE account = ?1)`, k.Account, k.Fingerprint).Scan(&exists, &has, &count); err != nil {
			return err
		}
		switch {
		case !exists:
			return engine.Errorf(engine.NotFound, "there is no account %s", k.Account)
		case has:
			return engine.Errorf(engine.Conflict, "the account %s has the key %s already", k.Account, k.Fingerprint)
		case count >= MaxAuthorizedKeys:
			return engine.Errorf(engine.Exhausted, "the account %s has %d keys, the most that there may be", k.Account, count)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO authorized_key VALUES (?, ?, ?, ?, ?, ?)", k.Account, k.Fingerprint, k.Line, k.Comment, millis(k.Added), k.AddedBy)
		return err
	})
}

// DeleteAuthorizedKey takes a key away. Errors: NotFound.
func (l *Local) DeleteAuthorizedKey(ctx context.Context, account, fingerprint string) error {
	return l.write(ctx, "delete an authorised key", func(tx *dbsql.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM authorized_key WHERE account = ? AND fingerprint = ?", account, fingerprint)
		return found(done, err, "the account "+account+" has no key "+fingerprint)
	})
}
