package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// KeyRenewal is what takes the place of secrets that no key opens any more.
// An empty part leaves its secret away.
type KeyRenewal struct {
	Secret      []byte // of the cluster
	Credentials Credentials
	HostKeys    []HostKey
	// State are facts that are kept from the same moment on; see PutState.
	State map[string]string
	Actor engine.Actor
}

// stateLost is where RenewKey keeps what could not be opened until somebody was told.
const stateLost = "system key lost"

// RenewKey makes a new system key and seals every secret of local.db with it.
// What could not be opened is replaced by what r has, or removed, and named:
// LostSecrets tells it until ForgetLost.
//
// A crash leaves local.db sealed with the old key or with the new one, and the
// file that fits it. When the last error is of a file, the key is in effect.
//
// Errors: those of every method.
func (l *Local) RenewKey(ctx context.Context, r KeyRenewal) error {
	next, err := newSystemKey(randomKey())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys.Lock()
	defer l.keys.Unlock()
	if err := writeKey(l.dir, keyNextFile, next); err != nil {
		return err
	}
	if err := fail.Point("systemkey.next"); err != nil {
		return err
	}
	const doing = "seal the secrets of this peer with a new system key"
	tx, err := l.durable.BeginTx(ctx, nil)
	if err != nil {
		return sqliteError(doing, err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := (renewing{l.key, next, tx}).all(ctx, r); err != nil {
		return sqliteError(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return sqliteError(doing, err)
	}
	l.key, l.keyFault = next, nil
	if err := fail.Point("systemkey.resealed"); err != nil {
		return err
	}
	if err := placeKey(l.dir, next); err != nil {
		return err
	}
	_, err = l.durable.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // the old rows are overwritten then
	return sqliteError(doing, err)
}

// placeKey makes the key in the third file the one in both others.
func placeKey(dir string, k *systemKey) error {
	if err := writeKey(dir, KeyFile, k); err != nil {
		return err
	}
	if err := fail.Point("systemkey.placed"); err != nil {
		return err
	}
	return errors.Join(writeKey(dir, keyCopyFile, k), removeKey(dir, keyNextFile))
}

// renewing seals the rows of local.db anew in one transaction.
type renewing struct {
	old, next *systemKey
	tx        *dbsql.Tx
}

// sealedRow is one secret and where it is.
type sealedRow struct {
	key, sealed string
}

func (n renewing) all(ctx context.Context, r KeyRenewal) error {
	var lost []string
	for _, step := range []func(context.Context, KeyRenewal) ([]string, error){n.identity, n.credentials, n.items, n.states} {
		names, err := step(ctx, r)
		if err != nil {
			return err
		}
		lost = append(lost, names...)
	}
	for name, value := range r.State {
		if _, err := n.tx.ExecContext(ctx, "INSERT OR REPLACE INTO state VALUES (?, ?)", name, n.next.sealer.Seal(stateDomain+name, []byte(value))); err != nil {
			return err
		}
	}
	if len(lost) == 0 {
		return nil
	}
	_, err := n.tx.ExecContext(ctx, "INSERT OR REPLACE INTO state VALUES (?, ?)", stateLost, n.next.sealer.Seal(stateDomain+stateLost, []byte(jsonText(lost))))
	return err
}

// reseal seals one secret anew; ok is false for one that does not open.
func (n renewing) reseal(domain, sealed string) (text string, ok bool) {
	if n.old.lost {
		return "", false
	}
	plain, err := n.old.sealer.Open(domain, sealed)
	if err != nil {
		return "", false
	}
	return n.next.sealer.Seal(domain, plain), true
}

func (n renewing) identity(ctx context.Context, r KeyRenewal) (lost []string, err error) {
	var sealed string
	if err := n.tx.QueryRowContext(ctx, "SELECT sealed_secret FROM identity").Scan(&sealed); err != nil {
		return nil, err
	}
	if sealed != "" {
		text, ok := n.reseal(secretDomain, sealed)
		if !ok {
			lost = append(lost, secretDomain)
			if len(r.Secret) > 0 {
				text = n.next.sealer.Seal(secretDomain, r.Secret)
			}
		}
		sealed = text
	}
	_, err = n.tx.ExecContext(ctx, "UPDATE identity SET sealed_secret = ?, sealed_check = ?, changed_ms = ?",
		sealed, n.next.sealer.Seal(checkDomain, nil), time.Now().UnixMilli())
	return lost, err
}

// rows reads the secrets of a table before any of them is written.
func (n renewing) rows(ctx context.Context, query string) ([]sealedRow, error) {
	return collect(ctx, n.tx, "read the secrets of this peer", func(s scanner) (r sealedRow, err error) {
		return r, s.Scan(&r.key, &r.sealed)
	}, query)
}

func (n renewing) credentials(ctx context.Context, r KeyRenewal) (lost []string, err error) {
	rows, err := n.rows(ctx, "SELECT name, sealed FROM credential ORDER BY name")
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		public, private := replacement(row.key, r)
		text, ok := n.reseal(credentialDomain(row.key), row.sealed)
		switch {
		case ok:
			_, err = n.tx.ExecContext(ctx, "UPDATE credential SET sealed = ? WHERE name = ?", text, row.key)
		case len(private) > 0:
			_, err = n.tx.ExecContext(ctx, "UPDATE credential SET public = ?, sealed = ?, changed_ms = ? WHERE name = ?",
				public, n.next.sealer.Seal(credentialDomain(row.key), private), time.Now().UnixMilli(), row.key)
		default:
			_, err = n.tx.ExecContext(ctx, "DELETE FROM credential WHERE name = ?", row.key)
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			lost = append(lost, credentialName(row.key))
		}
	}
	return lost, nil
}

// replacement is what r has for a credential.
func replacement(name string, r KeyRenewal) (public string, private []byte) {
	if name == serverCredential {
		return string(r.Credentials.Certificate), r.Credentials.PrivateKey
	}
	for _, k := range r.HostKeys {
		if name == hostKeyPrefix+k.Algorithm {
			return k.Public, k.Private
		}
	}
	return "", nil
}

// credentialName is what people call a credential.
func credentialName(name string) string {
	switch name {
	case serverCredential:
		return "private key of the server certificate"
	case pendingCredential:
		return "private key of the certificate request"
	}
	return "SSH host key " + strings.TrimPrefix(name, hostKeyPrefix)
}

// items removes a peer-specific item that does not open, with a row of the history.
func (n renewing) items(ctx context.Context, r KeyRenewal) (lost []string, err error) {
	rows, err := n.rows(ctx, "SELECT path, value FROM local_item WHERE secret = 1 ORDER BY path")
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		text, ok := n.reseal(itemDomain(row.key), row.sealed)
		if ok {
			_, err = n.tx.ExecContext(ctx, "UPDATE local_item SET value = ? WHERE path = ?", text, row.key)
		} else {
			lost = append(lost, row.key)
			_, err = n.tx.ExecContext(ctx, "DELETE FROM local_item WHERE path = ?", row.key)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(lost) == 0 {
		return nil, nil
	}
	if _, err := n.tx.ExecContext(ctx, "UPDATE local_revision SET value = value + 1"); err != nil {
		return nil, err
	}
	for _, path := range lost {
		if _, err := n.tx.ExecContext(ctx, `INSERT INTO local_history (revision, at_ms, user, via, source, peer, path, old, new, comment)
			SELECT r.value, ?, ?, ?, ?, i.node, ?, ?, '', 'the system key that it was sealed with is lost' FROM local_revision r, identity i`,
			time.Now().UnixMilli(), r.Actor.User, r.Actor.Via, r.Actor.Source, path, mask); err != nil {
			return nil, err
		}
	}
	return lost, nil
}

func (n renewing) states(ctx context.Context, _ KeyRenewal) (lost []string, err error) {
	rows, err := n.rows(ctx, "SELECT name, value FROM state ORDER BY name")
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		text, ok := n.reseal(stateDomain+row.key, row.sealed)
		if ok {
			_, err = n.tx.ExecContext(ctx, "UPDATE state SET value = ? WHERE name = ?", text, row.key)
		} else {
			lost = append(lost, "kept value: "+row.key)
			_, err = n.tx.ExecContext(ctx, "DELETE FROM state WHERE name = ?", row.key)
		}
		if err != nil {
			return nil, err
		}
	}
	return lost, nil
}

// LostSecrets names what RenewKey could not open, until ForgetLost.
func (l *Local) LostSecrets(ctx context.Context) ([]string, error) {
	text, err := l.State(ctx, stateLost)
	if err != nil || text == "" {
		return nil, err
	}
	var lost []string
	if err := json.Unmarshal([]byte(text), &lost); err != nil {
		return nil, engine.Errorf(engine.Internal, "read what was lost with the system key: %w", err)
	}
	return slices.Compact(lost), nil
}

// ForgetLost ends LostSecrets: whoever asked for the repair was told.
func (l *Local) ForgetLost(ctx context.Context) error { return l.PutState(ctx, stateLost, "") }
