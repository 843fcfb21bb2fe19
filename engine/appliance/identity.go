package appliance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/link"
	"hexad/sqlstore"
)

// identity is who this peer is, in memory and in local.db.
type identity struct {
	local *sqlstore.Local
	mu    sync.Mutex
	id    sqlstore.Identity
}

// openIdentity reads the identity; at the first start it makes a cluster of
// this peer's own: an id, a secret and a first generation.
func openIdentity(ctx context.Context, local *sqlstore.Local) (*identity, error) {
	id, err := local.Identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the identity: %w", err)
	}
	if id.Generation.ID != "" {
		return &identity{local: local, id: id}, nil
	}
	id.Cluster, id.Secret = randomID(), randomBytes(32)
	id.Generation = engine.Generation{Number: 1, ID: randomID()}
	id.State = sqlstore.Standalone
	if err := local.PutIdentity(ctx, id, nil); err != nil {
		return nil, fmt.Errorf("store the identity: %w", err)
	}
	return &identity{local: local, id: id}, nil
}

func (i *identity) now() sqlstore.Identity {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.id
}

// cluster is the identity as engine/cluster needs it.
func (i *identity) cluster() cluster.Identity {
	id := i.now()
	return cluster.Identity{
		Cluster: id.Cluster, Generation: id.Generation, Secret: id.Secret,
		Standalone: id.State == sqlstore.Standalone || id.State == sqlstore.Joining,
	}
}

// adopt makes this peer a member of the cluster that granted it.
func (i *identity) adopt(ctx context.Context, g cluster.Grant, dir string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := i.id
	id.Cluster, id.Secret, id.Generation, id.State, id.StoreDir = g.Cluster, g.Secret, g.Generation, sqlstore.Membership, dir
	if err := i.local.PutIdentity(ctx, id, g.Members); err != nil {
		return fmt.Errorf("store the identity: %w", err)
	}
	i.id = id
	return nil
}

// stored notes that the store of this generation was founded.
func (i *identity) stored(ctx context.Context, dir string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := i.id
	id.StoreDir = dir
	members, err := i.local.Members(ctx)
	if err == nil {
		err = i.local.PutIdentity(ctx, id, members)
	}
	if err == nil {
		i.id = id
	}
	return err
}

// regenerate makes this peer one of another generation of its own cluster, and
// in the same moment gives it another clustering page when there is one.
func (i *identity) regenerate(ctx context.Context, g engine.Generation, dir string, p *sqlstore.Page) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := i.id
	id.Generation, id.StoreDir, id.State = g, dir, sqlstore.Membership
	members, err := i.local.Members(ctx)
	if err == nil && p != nil {
		err = i.local.PutIdentityAndPage(ctx, id, members, *p)
	} else if err == nil {
		err = i.local.PutIdentity(ctx, id, members)
	}
	if err != nil {
		return fmt.Errorf("store the identity: %w", err)
	}
	i.id = id
	return nil
}

// rebuilt makes this peer one of a generation that it founded on what was left
// of its own; it stays the member, or the system of its own, that it was.
func (i *identity) rebuilt(ctx context.Context, g engine.Generation, dir string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := i.id
	id.Generation, id.StoreDir = g, dir
	members, err := i.local.Members(ctx)
	if err == nil {
		err = i.local.PutIdentity(ctx, id, members)
	}
	if err != nil {
		return fmt.Errorf("store the identity: %w", err)
	}
	i.id = id
	return nil
}

// founded notes that this peer's own cluster has another member now: it will
// not leave it for another by itself.
func (i *identity) founded(ctx context.Context, cluster string, members []engine.Member) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if cluster != "" && cluster != i.id.Cluster {
		return nil // read before this peer joined another
	}
	if i.id.State != sqlstore.Standalone || len(members) < 2 {
		return i.local.PutMembers(ctx, members)
	}
	id := i.id
	id.State = sqlstore.Membership
	if err := i.local.PutIdentity(ctx, id, members); err != nil {
		return err
	}
	i.id = id
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func randomID() string { return hex.EncodeToString(randomBytes(16)) }

// refusals names the link's refusals that matter to alarms in the words of
// engine/cluster.
var refusals = map[link.Refusal]string{
	link.OtherGeneration: "generation",
	link.OtherCluster:    "cluster",
	link.WrongSecret:     "secret",
	link.Removed:         "removed",
	link.KeyChanged:      "key",
	link.NodeMismatch:    "key",
	link.BadCertificate:  "certificate",
}
