package link

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
)

// TLS is the certificate with its key, for other servers of this peer: the web
// console presents the same one.
func (c *Credentials) TLS() *tls.Certificate { return &c.tls }

// Covers reports whether a certificate names an address, IP or FQDN, as
// Enforcing demands of a Peer N field.
func Covers(cert *x509.Certificate, address string) bool {
	if ip, err := netip.ParseAddr(address); err == nil {
		address = ip.String()
	}
	return cert.VerifyHostname(address) == nil
}
