package appliancetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority is a certificate authority that issues for tests.
type Authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewAuthority makes an authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority of tests"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	a.key, a.cert = a.sign(template, nil, nil)
	return a
}

func (a *Authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if parent == nil {
		parent, by = template, key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

// Issue makes a certificate and its key for an address and other names of the
// same system, valid until the given time.
func (a *Authority) Issue(address string, until time.Time, more ...string) (certificate *x509.Certificate, key *ecdsa.PrivateKey) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "peer " + address}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range append([]string{address}, more...) {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, certificate = a.sign(template, a.cert, a.key)
	return certificate, key
}

// Pair is a new certificate for an address and other names, for TLS.
func (a *Authority) Pair(address string, until time.Time, more ...string) tls.Certificate {
	cert, key := a.Issue(address, until, more...)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// PEM is a certificate and its key as a peer takes them.
func PEM(t testing.TB, pair tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return Encode(pair.Leaf) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Root is the authority's own certificate in PEM.
func (a *Authority) Root() string { return Encode(a.cert) }

// Encode writes a certificate in PEM.
func Encode(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Certify gives a peer a certificate for its full name and others, and the
// authority to trust.
func (a *Authority) Certify(p *Peer, more ...string) {
	p.T.Helper()
	if err := a.TryCertify(p, more...); err != nil {
		p.T.Fatalf("%s: %v", p.Name, err)
	}
}

// TryCertify is Certify where it may be refused.
func (a *Authority) TryCertify(p *Peer, more ...string) error {
	p.T.Helper()
	for _, set := range []struct{ name, text string }{
		{"TrustListSet", a.Root()},
		{"ServerCertificateSet", PEM(p.T, a.Pair(p.FQDN(), time.Now().AddDate(0, 3, 0), more...))},
	} {
		reply, err := p.Call(set.name, set.text, nil)
		if err != nil {
			return err
		}
		if reply.Error != nil {
			return reply.Error.Err()
		}
	}
	return nil
}
