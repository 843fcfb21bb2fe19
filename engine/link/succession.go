package link

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"time"

	"hexad/engine"
)

// A peer is known by its key. When it gets another one, the key before vouches
// for it: it signs a certificate of the new key (newWithOld in RFC 4210, section
// 4.4), and both go with the peer's own certificate into every handshake with a
// peer. So nobody has to be told first: a peer that was away meanwhile knows it
// all the same, and so does one that let it in no more since its certificate
// had expired.

// successionBlock is a PEM block of one such certificate, or of the one before it
// whose key signed it; successionUnit keeps it from being taken for anything else
// that a key of a peer may have signed.
const (
	successionBlock = "HEXAD KEY SUCCESSION"
	successionUnit  = "hexad: next key of this peer"
	maxSuccession   = 4 // keys that vouch for the present one, one for the next
)

// succession is one step: the certificate before, and that of the key that
// followed, signed by the key of the one before.
type succession struct{ old, fresh []byte } // DER

// Succeed returns a PEM chain with the proof that its key follows that of a
// node's certificate before. Where the key stays, what vouched for it stays.
//
// Errors: Invalid, Internal.
func Succeed(node string, before *Credentials, certPEM []byte) ([]byte, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, engine.Errorf(engine.Invalid, "the certificate is not in PEM form")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "the certificate cannot be read: %w", err)
	}
	steps := slices.Clone(before.past)
	if Fingerprint(leaf) != before.Fingerprint() {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: node, OrganizationalUnit: []string{successionUnit}},
			NotBefore:    before.leaf.NotBefore,
			NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280: no end; it ends with the pin
		}
		der, err := x509.CreateCertificate(rand.Reader, template, before.leaf, leaf.PublicKey, before.tls.PrivateKey)
		if err != nil {
			return nil, &engine.Error{Code: engine.Internal, Message: "the key before cannot vouch for the new one", Err: err}
		}
		steps = append(steps, succession{before.leaf.Raw, der})
		steps = steps[max(0, len(steps)-maxSuccession):]
	}
	out := slices.Clone(certPEM)
	for _, s := range steps {
		for _, der := range [][]byte{s.old, s.fresh} {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: successionBlock, Bytes: der})...)
		}
	}
	return out, nil
}

// successions reads what Succeed wrote; a broken end is left out.
func successions(certPEM []byte) []succession {
	var ders [][]byte
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == successionBlock {
			ders = append(ders, block.Bytes)
		}
	}
	var out []succession
	for i := 0; i+1 < len(ders) && len(out) < maxSuccession; i += 2 {
		out = append(out, succession{ders[i], ders[i+1]})
	}
	return out
}

// shown is the key that the other side of a session proved to hold, with the
// certificates that came with it.
type shown struct {
	fingerprint string
	chain       []*x509.Certificate // the leaf first
}

// isOf reports whether a key is the one that a peer is known by, or follows it.
// What a key vouches for counts as long as it is itself the one that the peer is
// known by, and its certificate is not revoked.
func (k shown) isOf(p PeerAddress, trust Trust) bool {
	if p.Fingerprint == "" || k.fingerprint == p.Fingerprint {
		return p.Fingerprint != ""
	}
	known, steps := p.Fingerprint, 0
	for i := 1; i+1 < len(k.chain) && steps < maxSuccession; i++ {
		old, fresh := k.chain[i], k.chain[i+1]
		if Fingerprint(old) != known {
			continue
		}
		steps++
		if fresh.Subject.CommonName != p.Node || !slices.Equal(fresh.Subject.OrganizationalUnit, []string{successionUnit}) || trust.revoked(old) ||
			old.CheckSignature(fresh.SignatureAlgorithm, fresh.RawTBSCertificate, fresh.Signature) != nil {
			continue
		}
		if known = Fingerprint(fresh); known == k.fingerprint {
			return true
		}
		i++
	}
	return false
}
