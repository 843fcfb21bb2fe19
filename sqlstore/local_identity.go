package sqlstore

import (
	"context"
	dbsql "database/sql"
	"errors"
	"time"

	"hexad/engine"
)

// IdentityState is where this peer stands towards a cluster.
type IdentityState string

// The states of a peer's identity.
const (
	Standalone IdentityState = "standalone"
	Joining    IdentityState = "joining"
	Membership IdentityState = "member"
	Removed    IdentityState = "removed"
	Superseded IdentityState = "superseded" // another generation was founded without this peer
)

// Identity is who this peer is.
//
// Node and Serial are made at the first start; a factory reset makes a new
// Node. Secret is the cluster secret, sealed at rest. StoreDir is the directory
// of the Raft store that belongs to Generation, relative to the data directory.
type Identity struct {
	Node       string
	Cluster    string // random id of the cluster, "" when standalone
	Secret     []byte
	Generation engine.Generation
	StoreDir   string
	Serial     string
	State      IdentityState
}

const secretDomain = "cluster secret"

// Identity returns who this peer is; without Secret while the key is lost.
// Errors: Unavailable with ErrKey.
func (l *Local) Identity(ctx context.Context) (Identity, error) {
	l.keys.RLock()
	defer l.keys.RUnlock()
	const doing = "read the identity"
	var sealed string
	id, err := one(ctx, l.read, doing, "this peer has no identity", func(s scanner) (id Identity, err error) {
		return id, s.Scan(&id.Node, &id.Cluster, &sealed, &id.Generation.Number, &id.Generation.ID, &id.Generation.Parent,
			&id.StoreDir, &id.Serial, &id.State)
	}, `SELECT node, cluster, sealed_secret, generation, generation_id, generation_parent, store_dir, serial, state FROM identity`)
	if err != nil || sealed == "" {
		return id, err
	}
	id.Secret, err = l.open(secretDomain, sealed)
	return id, err
}

// PutIdentity replaces the identity and the copy of the members in one
// transaction, so that no crash leaves a peer with the secret of one cluster and
// the members of another.
//
// Errors: Invalid.
func (l *Local) PutIdentity(ctx context.Context, id Identity, members []engine.Member) error {
	return l.putIdentity(ctx, id, members, func(*dbsql.Tx) error { return nil })
}

// PutIdentityAndPage is PutIdentity and PutPage in one transaction: who becomes
// the primary of a new generation says so on its page from the same moment.
//
// Errors: Invalid.
func (l *Local) PutIdentityAndPage(ctx context.Context, id Identity, members []engine.Member, p Page) error {
	if err := errors.Join(validPage(p.Entered), validPage(p.Running)); err != nil {
		return err
	}
	return l.putIdentity(ctx, id, members, func(tx *dbsql.Tx) error { return putPage(ctx, tx, p) })
}

func (l *Local) putIdentity(ctx context.Context, id Identity, members []engine.Member, also func(*dbsql.Tx) error) error {
	if id.Node == "" || id.Serial == "" {
		return engine.Errorf(engine.Invalid, "an identity needs a node id and a serial number")
	}
	return l.write(ctx, "store the identity", func(tx *dbsql.Tx) (err error) {
		sealed := ""
		if len(id.Secret) > 0 {
			if sealed, err = l.seal(secretDomain, id.Secret); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE identity SET node = ?, cluster = ?, sealed_secret = CASE WHEN ? THEN sealed_secret ELSE ? END, generation = ?,
			generation_id = ?, generation_parent = ?, store_dir = ?, serial = ?, state = ?, changed_ms = ?`,
			id.Node, id.Cluster, l.key.lost && sealed == "", sealed, id.Generation.Number, id.Generation.ID, id.Generation.Parent,
			id.StoreDir, id.Serial, id.State, time.Now().UnixMilli())
		if err != nil {
			return err
		}
		return errors.Join(putMembers(ctx, tx, members), also(tx))
	})
}

// Members returns the copy of the members, by node id.
func (l *Local) Members(ctx context.Context) ([]engine.Member, error) {
	return collect(ctx, l.read, "read the members", func(s scanner) (m engine.Member, err error) {
		return m, s.Scan(&m.Node, &m.Address, &m.Fingerprint, &m.Release)
	}, "SELECT node, address, fingerprint, release FROM member ORDER BY node")
}

// PutMembers replaces the copy of the members. Errors: Invalid.
func (l *Local) PutMembers(ctx context.Context, members []engine.Member) error {
	return l.write(ctx, "store the members", func(tx *dbsql.Tx) error { return putMembers(ctx, tx, members) })
}

func putMembers(ctx context.Context, tx *dbsql.Tx, members []engine.Member) error {
	if len(members) > engine.MaxPeers {
		return engine.Errorf(engine.Invalid, "%d members: a cluster has at most %d peers", len(members), engine.MaxPeers)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM member"); err != nil {
		return err
	}
	for _, m := range members {
		if _, err := tx.ExecContext(ctx, "INSERT INTO member VALUES (?, ?, ?, ?)", m.Node, m.Address, m.Fingerprint, m.Release); err != nil {
			return err
		}
	}
	return nil
}
