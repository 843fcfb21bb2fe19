package link

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Lifetime is how long a certificate that hexad makes for itself is valid.
const Lifetime = 825 * 24 * time.Hour

// minRSABits is the smallest RSA key that is accepted, in either mode.
const minRSABits = 2048

// Credentials are a peer's certificate chain and its key. They never change;
// a new certificate makes new ones.
type Credentials struct {
	tls   tls.Certificate
	peers tls.Certificate // with what vouches for the key
	leaf  *x509.Certificate
	past  []succession
}

// Fingerprint is the SHA-256 of the public key (SubjectPublicKeyInfo) in
// lower-case hex: it stays when a certificate is renewed with the same key.
func (c *Credentials) Fingerprint() string { return Fingerprint(c.leaf) }

// Certificate is the leaf.
func (c *Credentials) Certificate() *x509.Certificate { return c.leaf }

// Fingerprint is the SHA-256 of cert's SubjectPublicKeyInfo, lower-case hex.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// NewCredentials makes the certificate of a first start: a new ECDSA P-256
// key, self-signed. The first name is the CN, all of them and ips are SANs.
// NotBefore lies a day back, so that clocks need not agree.
//
// Errors: Invalid (no name), Internal.
func NewCredentials(names []string, ips []net.IP, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, &engine.Error{Code: engine.Internal, Message: "key not made", Err: err}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, &engine.Error{Code: engine.Internal, Message: "key not encoded", Err: err}
	}
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	certPEM, err = RenewCertificate(keyPEM, names, ips, now)
	return certPEM, keyPEM, err
}

// RenewCertificate makes a new self-signed certificate for the key that is
// there, so that the pins of the other peers go on holding.
//
// Errors: Invalid (no name, not a key), Internal.
func RenewCertificate(keyPEM []byte, names []string, ips []net.IP, now time.Time) ([]byte, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	if len(names) == 0 {
		return nil, engine.Errorf(engine.Invalid, "a certificate needs a name")
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "serial number not made", Err: err}
	}
	cn := names[0]
	if len(cn) > 64 { // RFC 5280, ub-common-name
		cn = cn[:64]
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: cn},
		NotBefore:             now.Add(-24 * time.Hour).UTC(),
		NotAfter:              now.Add(Lifetime).UTC(),
		DNSNames:              slices.Compact(names),
		IPAddresses:           ips,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "certificate not made", Err: err}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// LoadCredentials reads a PEM chain, leaf first, what Succeed added to it, and its key.
//
// Errors: Invalid.
func LoadCredentials(certPEM, keyPEM []byte) (*Credentials, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, (&engine.Error{Code: engine.Invalid, Message: "the certificate and the key do not fit: " + reason(err), Err: err}).
			With("Server certificate", "upload the certificate that was issued for this peer's own key, in PEM form")
	}
	c := &Credentials{tls: pair, peers: pair, leaf: pair.Leaf, past: successions(certPEM)}
	c.peers.Certificate = slices.Clone(pair.Certificate)
	for _, s := range c.past {
		c.peers.Certificate = append(c.peers.Certificate, s.old, s.fresh)
	}
	return c, nil
}

func parseKey(keyPEM []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, engine.Errorf(engine.Invalid, "the private key is not in PEM form")
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if s, ok := k.(crypto.Signer); ok {
			return s, nil
		}
	}
	if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	return nil, engine.Errorf(engine.Invalid, "the private key is neither PKCS #8, EC nor RSA")
}

// Trust is what certificates are judged by: this peer's trusted CA
// certificates and the revocation lists uploaded with them.
type Trust struct {
	Roots   *x509.CertPool
	Revoked []*x509.RevocationList
}

// CheckCertificate judges a certificate that an administrator uploads for this
// peer: the key matches, both EKUs, valid now, a strong key. Whether the chain
// verifies against trust is told in the facts and refuses nothing.
//
// Errors: Invalid, naming what to do.
func CheckCertificate(certPEM, keyPEM []byte, trust Trust, now time.Time) (engine.CertFacts, error) {
	c, err := LoadCredentials(certPEM, keyPEM)
	if err != nil {
		return engine.CertFacts{}, err
	}
	facts := Describe(c.leaf, trust, c.intermediates(), now)
	if fault := basicFault(c.leaf, trust, now); fault != "" {
		return facts, engine.Errorf(engine.Invalid, "the certificate cannot be used: %s", fault).
			With("Server certificate", "have a certificate issued that is valid now, with a key of at least 2048 bits (RSA)")
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if !hasUsage(c.leaf, use) {
			return facts, engine.Errorf(engine.Invalid, "the certificate lacks the extended key usage for %s authentication",
				map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "server", x509.ExtKeyUsageClientAuth: "client"}[use]).
				With("Server certificate", "a peer is both server and client: have a certificate issued with both usages")
		}
	}
	return facts, nil
}

// Describe tells a certificate's names and end, and whether it would pass
// Enforcing but for its name, which Directory.Identify judges.
func Describe(leaf *x509.Certificate, trust Trust, more []*x509.Certificate, now time.Time) engine.CertFacts {
	f := engine.CertFacts{Fingerprint: Fingerprint(leaf), CN: leaf.Subject.CommonName, SANs: sans(leaf), NotAfter: leaf.NotAfter.UTC()}
	err := verifyChain(leaf, more, trust, now, x509.ExtKeyUsageServerAuth)
	f.Chain = err == nil
	f.Reason = basicFault(leaf, trust, now)
	if f.Reason == "" && err != nil {
		f.Reason = reason(err)
	}
	f.Valid = f.Reason == ""
	return f
}

func (c *Credentials) intermediates() []*x509.Certificate {
	var out []*x509.Certificate
	for _, der := range c.tls.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			out = append(out, cert)
		}
	}
	return out
}

// basicFault is what makes a certificate unusable in every mode, "" for none.
// Names and chains are not looked at: Permissive relaxes those, nothing else.
func basicFault(leaf *x509.Certificate, trust Trust, now time.Time) string {
	if now.After(leaf.NotAfter) {
		return "expired at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	if now.Before(leaf.NotBefore) {
		return "not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339)
	}
	if k, ok := leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < minRSABits {
		return "its RSA key is shorter than 2048 bits"
	}
	if trust.revoked(leaf) {
		return "revoked by its issuer"
	}
	return ""
}

func (t Trust) revoked(cert *x509.Certificate) bool {
	for _, list := range t.Revoked {
		if string(list.RawIssuer) != string(cert.RawIssuer) {
			continue
		}
		for _, e := range list.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				return true
			}
		}
	}
	return false
}

func verifyChain(leaf *x509.Certificate, more []*x509.Certificate, trust Trust, now time.Time, use x509.ExtKeyUsage) error {
	roots := trust.Roots
	if roots == nil {
		roots = x509.NewCertPool() // nil would mean the trust store of the operating system
	}
	between := x509.NewCertPool()
	for _, c := range more {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}

func hasUsage(leaf *x509.Certificate, use x509.ExtKeyUsage) bool {
	return slices.Contains(leaf.ExtKeyUsage, use) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// sans lists DNS names, then IP addresses.
func sans(leaf *x509.Certificate) []string {
	out := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// names lists SANs, then the CN when no SAN equals it.
func names(leaf *x509.Certificate) []string {
	out := sans(leaf)
	if cn := leaf.Subject.CommonName; cn != "" && !slices.ContainsFunc(out, func(s string) bool { return strings.EqualFold(s, cn) }) {
		out = append(out, cn)
	}
	return out
}

// reason is err without the prefixes of the libraries.
func reason(err error) string {
	s := err.Error()
	for _, prefix := range []string{"tls: ", "x509: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}
