package appliance

import (
	"crypto/x509"
	"encoding/pem"
	"strings"

	"hexad/engine"
	"hexad/engine/link"
)

// stateToken is the join token that was entered here, for the join after the restart.
const stateToken = "join token"

// loadTrust makes the trusted certificate authorities the ones in use.
func (a *appliance) loadTrust(pems []string) error {
	pool := x509.NewCertPool()
	for _, text := range pems {
		if !pool.AppendCertsFromPEM([]byte(text)) {
			return engine.Errorf(engine.Invalid, "a trusted certificate authority cannot be read").With("trust list", "upload the list again as PEM")
		}
	}
	a.trusted.Store(&link.Trust{Roots: pool})
	return nil
}

// split gives the certificates and the private key of a PEM text; what is
// neither is left out.
func split(text []byte) (certs, key []byte) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return certs, key
		}
		text = rest
		switch {
		case block.Type == "CERTIFICATE":
			certs = append(certs, pem.EncodeToMemory(block)...)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = pem.EncodeToMemory(block)
		}
	}
}

// offered is the key that a peer showed instead of the pinned one.
func (a *appliance) offered(address string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, ok := a.offers[address]
	return key, ok
}

// offer remembers the key that a member showed instead of its pinned one, so
// that the administrator can compare and accept it.
func (a *appliance) offer(address, fingerprint string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.offers[address]; known || len(a.offers) < 2*engine.MaxPeers {
		a.offers[address] = fingerprint
	}
}
