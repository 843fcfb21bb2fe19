package appliance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/event"
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

// certificates replaces this peer's own certificate and its trust list.
type certificates struct{ a *appliance }

func (c certificates) SetServer(ctx context.Context, actor engine.Actor, text string) (engine.CertFacts, error) {
	stored, err := c.a.local.Credentials(ctx)
	if err != nil {
		return engine.CertFacts{}, err
	}
	cert, key := split([]byte(text))
	if len(key) == 0 {
		key = stored.PrivateKey
	}
	facts, err := link.CheckCertificate(cert, key, c.a.trust(), time.Now())
	if err != nil {
		return facts, err
	}
	fresh, err := link.LoadCredentials(cert, key)
	if err != nil {
		return facts, err
	}
	if err := c.announce(ctx, fresh); err != nil {
		return facts, err
	}
	stored.Certificate, stored.PrivateKey, stored.Changed = cert, key, time.Now().UTC()
	if err := c.a.local.PutCredentials(ctx, stored); err != nil {
		return facts, err
	}
	c.a.journal.Emit(event.By(actor, "Certificate Management", "server certificate replaced: "+facts.Fingerprint))
	return facts, nil
}

// announce uses the new certificate from now on. The other peers learn of a new
// key over the connections that the old one still holds.
func (c certificates) announce(ctx context.Context, fresh *link.Credentials) error {
	before := c.a.link.Credentials()
	c.a.link.SetCredentials(fresh)
	if fresh.Fingerprint() == before.Fingerprint() {
		return nil
	}
	for _, m := range c.a.cluster.Agreed().Members {
		if m.Node != c.a.identity.now().Node {
			continue
		}
		m.Fingerprint = fresh.Fingerprint()
		if err := c.a.store.PutMember(ctx, m); err != nil {
			c.a.link.SetCredentials(before)
			return &engine.Error{Code: engine.Unavailable, Err: err, Item: "Server certificate",
				Message: "the certificate was not replaced: its key is new, and the other peers cannot be told now",
				Remedy:  "wait until the cluster database can commit, or have the certificate issued for the present key"}
		}
	}
	return nil
}

func (c certificates) SetTrust(ctx context.Context, actor engine.Actor, text string) (int, error) {
	authorities, _ := split([]byte(text))
	pool := x509.NewCertPool()
	if len(bytes.TrimSpace([]byte(text))) > 0 && !pool.AppendCertsFromPEM(authorities) {
		return 0, engine.Errorf(engine.Invalid, "the trust list holds no certificate in PEM form").With("trust list", "send the certificate authorities' certificates as PEM")
	}
	stored, err := c.a.local.Credentials(ctx)
	if err != nil {
		return 0, err
	}
	stored.TrustStore = nil
	if len(authorities) > 0 {
		stored.TrustStore = []string{string(authorities)}
	}
	stored.Changed = time.Now().UTC()
	if err := c.a.local.PutCredentials(ctx, stored); err != nil {
		return 0, err
	}
	if err := c.a.loadTrust(stored.TrustStore); err != nil {
		return 0, err
	}
	c.a.link.Recheck()
	c.a.journal.Emit(event.By(actor, "Certificate Management", "trust list replaced"))
	return bytes.Count(authorities, []byte("-----BEGIN CERTIFICATE-----")), nil
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
