package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/hex"
	"time"

	"hexad/engine"
)

// Pin is the public key that belongs to a listed address.
//
// Fingerprint is SHA-256 of the SubjectPublicKeyInfo in lower-case hex; Offered
// is a changed one that waits for the administrator, "" for none. State is
// engine/link's word.
type Pin struct {
	Address     string
	Node        string
	Fingerprint string
	Offered     string
	State       string
	FirstSeen   time.Time
	AcceptedBy  string
	AcceptedAt  time.Time
}

// Pins returns all pins, by address.
func (l *Local) Pins(ctx context.Context) ([]Pin, error) {
	return collect(ctx, l.read, "read the pinned keys", func(s scanner) (p Pin, err error) {
		var seen, accepted int64
		err = s.Scan(&p.Address, &p.Node, &p.Fingerprint, &p.Offered, &p.State, &seen, &p.AcceptedBy, &accepted)
		p.FirstSeen, p.AcceptedAt = instant(seen), instant(accepted)
		return p, err
	}, "SELECT address, node, fingerprint, offered, state, first_seen_ms, accepted_by, accepted_ms FROM pin ORDER BY address")
}

// PutPin stores the pin of its address. Errors: Invalid.
func (l *Local) PutPin(ctx context.Context, p Pin) error {
	if p.Address == "" {
		return engine.Errorf(engine.Invalid, "a pinned key needs an address")
	}
	return l.exec(ctx, "store a pinned key", "INSERT OR REPLACE INTO pin VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		p.Address, p.Node, p.Fingerprint, p.Offered, p.State, millis(p.FirstSeen), p.AcceptedBy, millis(p.AcceptedAt))
}

// DeletePin forgets the key of an address; one that is not there is no error.
func (l *Local) DeletePin(ctx context.Context, address string) error {
	return l.exec(ctx, "forget a pinned key", "DELETE FROM pin WHERE address = ?", address)
}

// JoinToken authenticates the first contact of a joining peer once. Only the
// hash of the token rests here.
type JoinToken struct {
	Hash      string // lower-case hex SHA-256
	Address   string // whom it is for; "" for any listed address
	Created   time.Time
	CreatedBy string
	Expires   time.Time
	Used      time.Time // zero: not yet
	UsedBy    string
}

// JoinTokens returns all tokens that were made, newest first.
func (l *Local) JoinTokens(ctx context.Context) ([]JoinToken, error) {
	return collect(ctx, l.read, readTokens, scanToken, selectToken+" ORDER BY created_ms DESC, hash")
}

const (
	readTokens  = "read the join tokens"
	selectToken = "SELECT hash, address, created_ms, created_by, expires_ms, used_ms, used_by FROM join_token"
)

func scanToken(s scanner) (t JoinToken, err error) {
	var created, expires, used int64
	err = s.Scan(&t.Hash, &t.Address, &created, &t.CreatedBy, &expires, &used, &t.UsedBy)
	t.Created, t.Expires, t.Used = instant(created), instant(expires), instant(used)
	return t, err
}

// PutJoinToken stores a new token and forgets those that ended a day before it.
//
// Errors: Invalid.
func (l *Local) PutJoinToken(ctx context.Context, t JoinToken) error {
	if err := validHash(t.Hash); err != nil {
		return err
	}
	return l.write(ctx, "store a join token", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM join_token WHERE expires_ms < ?", millis(t.Created.Add(-24*time.Hour))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO join_token VALUES (?, ?, ?, ?, ?, 0, '')",
			t.Hash, t.Address, millis(t.Created), t.CreatedBy, millis(t.Expires))
		return err
	})
}

// UseJoinToken uses a token up for node: of two users at once, one gets it. The
// same node may use it again until it expires, since an answer can be lost.
//
// Errors: NotFound, Denied (expired, or used by another).
func (l *Local) UseJoinToken(ctx context.Context, hash, node string, now time.Time) (JoinToken, error) {
	var t JoinToken
	err := l.write(ctx, "use a join token", func(tx *dbsql.Tx) error {
		var err error
		if t, err = one(ctx, tx, readTokens, "there is no such join token", scanToken, selectToken+" WHERE hash = ?", hash); err != nil {
			return err
		}
		switch {
		case !now.Before(t.Expires):
			return engine.Errorf(engine.Denied, "the join token has expired").With("", "make a new one on the primary")
		case !t.Used.IsZero() && t.UsedBy != node:
			return engine.Errorf(engine.Denied, "the join token was used already").With("", "make a new one on the primary")
		}
		t.Used, t.UsedBy = now.UTC().Truncate(time.Millisecond), node
		_, err = tx.ExecContext(ctx, "UPDATE join_token SET used_ms = ?, used_by = ? WHERE hash = ?", millis(now), node, hash)
		return err
	})
	return t, err
}

// DeleteJoinToken withdraws a token; one that is not there is no error.
func (l *Local) DeleteJoinToken(ctx context.Context, hash string) error {
	return l.exec(ctx, "withdraw a join token", "DELETE FROM join_token WHERE hash = ?", hash)
}

// validHash refuses what cannot be a SHA-256: most of all the token itself.
func validHash(hash string) error {
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 32 {
		return engine.Errorf(engine.Invalid, "not a SHA-256 hash in hexadecimal")
	}
	return nil
}
