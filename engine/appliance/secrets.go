package appliance

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"sync"

	"hexad/engine"
	"hexad/sqlstore"
)

// clusterSealer seals the secrets of cluster.db with a key that is derived
// from the cluster secret: equal on every member, known to nobody else. It
// follows the identity, since joining a cluster changes the secret.
type clusterSealer struct {
	identity *identity

	mu     sync.Mutex
	secret string
	sealer *sqlstore.Sealer
}

const clusterKeyInfo = "hexad cluster configuration secrets"

func (c *clusterSealer) now() (*sqlstore.Sealer, error) {
	secret := c.identity.now().Secret
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealer != nil && c.secret == string(secret) {
		return c.sealer, nil
	}
	key, err := hkdf.Key(sha256.New, secret, nil, clusterKeyInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the cluster's secrets: %w", err)
	}
	sealer, err := sqlstore.NewSealer(key)
	if err != nil {
		return nil, err
	}
	c.secret, c.sealer = string(secret), sealer
	return sealer, nil
}

// Seal seals plain for domain.
func (c *clusterSealer) Seal(domain string, plain []byte) string {
	s, err := c.now()
	if err != nil {
		panic(err) // a key of fixed length from a secret of any length: cannot fail
	}
	return s.Seal(domain, plain)
}

// Open opens what a member sealed. Errors: Denied and those of the Sealer.
func (c *clusterSealer) Open(domain, sealed string) ([]byte, error) {
	s, err := c.now()
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the key of the cluster's secrets cannot be derived", Err: err}
	}
	return s.Open(domain, sealed)
}
