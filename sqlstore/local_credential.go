package sqlstore

import (
	"context"
	dbsql "database/sql"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Credentials is the server certificate with its chain and its private key
// (sealed at rest), both PEM.
type Credentials struct {
	Certificate []byte
	PrivateKey  []byte
	Changed     time.Time // zero: none yet
}

// HostKey is one SSH host key: its algorithm ("ssh-ed25519"), the
// authorized_keys line, and the private key in PEM (sealed at rest).
type HostKey struct {
	Algorithm string
	Public    string
	Private   []byte
}

const serverCredential, pendingCredential, hostKeyPrefix = "server", "pending", "ssh:"

// PendingKey is a key that a certificate was requested for and that waits for
// it: the request in PEM, and the key (sealed at rest), which never leaves this peer.
type PendingKey struct {
	Request    []byte
	PrivateKey []byte
	Made       time.Time
}

// PendingKey returns the one that waits, an empty one when none does.
//
// Errors: Unavailable with ErrKey.
func (l *Local) PendingKey(ctx context.Context) (PendingKey, error) {
	found, err := l.credentials(ctx, l.read, "name = ?", pendingCredential)
	if err != nil || len(found) == 0 {
		return PendingKey{}, err
	}
	return PendingKey{[]byte(found[0].public), found[0].private, found[0].changed}, nil
}

// PutPendingKey replaces the key that waits; an empty one forgets it.
func (l *Local) PutPendingKey(ctx context.Context, k PendingKey) error {
	return l.write(ctx, "store the key of a certificate request", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM credential WHERE name = ?", pendingCredential); err != nil || len(k.PrivateKey) == 0 {
			return err
		}
		return l.putCredential(ctx, tx, pendingCredential, string(k.Request), k.PrivateKey, k.Made)
	})
}

func credentialDomain(name string) string { return "credential " + name }

// stored is one row of table credential, opened.
type stored struct {
	name, public string
	private      []byte
	changed      time.Time
}

func (l *Local) credentials(ctx context.Context, q querier, where string, args ...any) ([]stored, error) {
	l.keys.RLock()
	defer l.keys.RUnlock()
	return collect(ctx, q, "read the credentials", func(s scanner) (c stored, err error) {
		var sealed string
		var changed int64
		if err := s.Scan(&c.name, &c.public, &sealed, &changed); err != nil {
			return c, err
		}
		c.changed = instant(changed)
		c.private, err = l.open(credentialDomain(c.name), sealed)
		return c, err
	}, "SELECT name, public, sealed, changed_ms FROM credential WHERE "+where+" ORDER BY name", args...)
}

// Credentials returns them; empty ones on a peer that has none yet.
//
// Errors: Unavailable with ErrKey.
func (l *Local) Credentials(ctx context.Context) (Credentials, error) {
	var c Credentials
	found, err := l.credentials(ctx, l.read, "name = ?", serverCredential)
	if err != nil {
		return c, err
	}
	for _, s := range found {
		c.Certificate, c.PrivateKey, c.Changed = []byte(s.public), s.private, s.changed
	}
	return c, nil
}

// PutCredentials replaces certificate and key together, so that no crash leaves
// a certificate with another's key. Errors: Invalid.
func (l *Local) PutCredentials(ctx context.Context, c Credentials) error {
	if (len(c.Certificate) == 0) != (len(c.PrivateKey) == 0) {
		return engine.Errorf(engine.Invalid, "a certificate and its private key are stored together")
	}
	return l.write(ctx, "store the credentials", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM credential WHERE name = ?", serverCredential); err != nil {
			return err
		}
		if len(c.Certificate) == 0 {
			return nil
		}
		return l.putCredential(ctx, tx, serverCredential, string(c.Certificate), c.PrivateKey, c.Changed)
	})
}

// TrustStore returns the certificate authorities that this peer trusts, in PEM.
func (l *Local) TrustStore(ctx context.Context) ([]string, error) {
	return collect(ctx, l.read, "read the trust store", func(s scanner) (pem string, err error) {
		return pem, s.Scan(&pem)
	}, "SELECT pem FROM trusted ORDER BY ord")
}

// PutTrustStore replaces the certificate authorities that this peer trusts.
func (l *Local) PutTrustStore(ctx context.Context, authorities []string) error {
	return l.write(ctx, "store the trust list", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM trusted"); err != nil {
			return err
		}
		for _, pem := range authorities {
			if _, err := tx.ExecContext(ctx, "INSERT INTO trusted (pem) VALUES (?)", pem); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Local) putCredential(ctx context.Context, tx *dbsql.Tx, name, public string, private []byte, at time.Time) error {
	if at.IsZero() {
		at = time.Now()
	}
	sealed, err := l.seal(credentialDomain(name), private)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO credential VALUES (?, ?, ?, ?)", name, public, sealed, millis(at))
	return err
}

// HostKeys returns the SSH host keys, by algorithm. Errors: Unavailable with ErrKey.
func (l *Local) HostKeys(ctx context.Context) ([]HostKey, error) {
	found, err := l.credentials(ctx, l.read, "name LIKE ?", hostKeyPrefix+"%")
	var keys []HostKey
	for _, s := range found {
		keys = append(keys, HostKey{strings.TrimPrefix(s.name, hostKeyPrefix), s.public, s.private})
	}
	return keys, err
}

// PutHostKeys replaces the SSH host keys. Errors: Invalid.
func (l *Local) PutHostKeys(ctx context.Context, keys []HostKey) error {
	if slices.ContainsFunc(keys, func(k HostKey) bool { return k.Algorithm == "" || len(k.Private) == 0 }) {
		return engine.Errorf(engine.Invalid, "an SSH host key needs its algorithm and its private key")
	}
	return l.write(ctx, "store the SSH host keys", func(tx *dbsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM credential WHERE name LIKE ?", hostKeyPrefix+"%"); err != nil {
			return err
		}
		for _, k := range keys {
			if err := l.putCredential(ctx, tx, hostKeyPrefix+k.Algorithm, k.Public, k.Private, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}
