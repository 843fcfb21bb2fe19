package link

import "crypto/tls"

// TLSCertificate lets tests show a peer's certificate in sessions of their own.
func TLSCertificate(c *Credentials) tls.Certificate { return c.tls }
