package link

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// KeyKind is what key a certificate is requested for.
type KeyKind string

// The kinds of key. With PresentKey the pins of the other peers go on holding.
const (
	PresentKey KeyKind = "Present"
	ECDSAKey   KeyKind = "ECDSA"   // P-256
	RSAKey     KeyKind = "RSA3072" // for authorities that issue for nothing else
)

// NewKey makes a private key in PEM (PKCS #8). Errors: Invalid (kind), Internal.
func NewKey(kind KeyKind) ([]byte, error) {
	var key crypto.Signer
	var err error
	switch kind {
	case ECDSAKey:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSAKey:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		return nil, engine.Errorf(engine.Invalid, "there is no kind of key %q", kind)
	}
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "key not made", Err: err}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "key not encoded", Err: err}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// NewRequest makes a certificate signing request in PEM for a key. The first
// name is the CN; names that are IP addresses become IP SANs.
//
// Errors: Invalid (no name, not a key), Internal.
func NewRequest(keyPEM []byte, names []string, organization string) ([]byte, error) {
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
		} else if name != "" && !slices.Contains(template.DNSNames, strings.ToLower(name)) {
			template.DNSNames = append(template.DNSNames, strings.ToLower(name))
		}
	}
	if len(template.DNSNames)+len(template.IPAddresses) == 0 {
		return nil, engine.Errorf(engine.Invalid, "a certificate needs a name").With("IP DNS Hostname", "give this system a host name and a domain first")
	}
	cn := names[0]
	if len(cn) > 64 { // RFC 5280, ub-common-name
		cn = cn[:64]
	}
	template.Subject = pkix.Name{CommonName: cn}
	if organization != "" {
		template.Subject.Organization = []string{organization}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "the certificate cannot be requested: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// Fits reports whether a certificate in PEM, leaf first, was issued for a key.
func Fits(certPEM, keyPEM []byte) bool {
	_, err := LoadCredentials(certPEM, keyPEM)
	return err == nil
}

// SelfMade reports whether hexad made the certificate itself: nobody but its
// own key vouches for it.
func (c *Credentials) SelfMade() bool {
	// CheckSignatureFrom would ask for an authority, which a peer's own is not.
	return bytes.Equal(c.leaf.RawIssuer, c.leaf.RawSubject) && !c.leaf.IsCA &&
		c.leaf.CheckSignature(c.leaf.SignatureAlgorithm, c.leaf.RawTBSCertificate, c.leaf.Signature) == nil
}

// ChainFault is why a chain does not lead to a trusted authority as server and
// as client, "" when it does.
func (c *Credentials) ChainFault(trust Trust, now time.Time) string {
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := verifyChain(c.leaf, c.intermediates(), trust, now, use); err != nil {
			return reason(err)
		}
	}
	return ""
}
