package ssh

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"hexad/engine"
)

// What is offered to clients, the best first: nothing with SHA-1, CBC, NIST
// curves or MACs over the plain text. Source: reference/faults.md 4.2.
var (
	keyExchanges = []string{ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, ssh.KeyExchangeDH16SHA512}
	ciphers      = []string{ssh.CipherAES256GCM, ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305, ssh.CipherAES256CTR, ssh.CipherAES128CTR}
	macs         = []string{ssh.HMACSHA512ETM, ssh.HMACSHA256ETM}
	signatures   = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
)

// HostKeyAlgorithm is the one kind of host key. Every client of the last ten
// years knows it, and it takes no time to make at the first start.
const HostKeyAlgorithm = ssh.KeyAlgoED25519

// MakeHostKey makes the host key of a peer: the private key in PEM, and the
// public one as a line of known_hosts has it, without the host.
func MakeHostKey() (private []byte, public string, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, "", fmt.Errorf("write the SSH host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("use the SSH host key: %w", err)
	}
	return pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}

// Key is one public key of an administrator.
type Key struct {
	Line        string // "<algorithm> <base64>", without the comment
	Fingerprint string // "SHA256:…", as ssh-keygen -l shows it
	Comment     string
}

// Limits of a line that names a key.
const (
	maxKeyLine = 8 << 10
	maxComment = 128
	leastRSA   = 2048 // bits
)

// ParseKey reads a line of an authorized_keys or .pub file.
//
// Errors: Invalid: no key, more than one, options before it (they would not be
// obeyed), a certificate, a kind or a length that is not accepted.
func ParseKey(text string) (Key, error) {
	refuse := func(format string, args ...any) (Key, error) {
		return Key{}, engine.Errorf(engine.Invalid, format, args...).With("Key", "give one line of a .pub file, for example that of ssh-keygen -t ed25519")
	}
	text = strings.TrimSpace(text)
	switch {
	case len(text) > maxKeyLine:
		return refuse("the key has %d bytes; %d is the most", len(text), maxKeyLine)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		return refuse("the key is not one line of text")
	}
	public, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case err != nil:
		return refuse("that is no public key")
	case len(options) > 0:
		return refuse("options before a key are not supported")
	case len(bytes.TrimSpace(rest)) > 0:
		return refuse("that is more than one key")
	case !accepted(public):
		return refuse("a key of the kind %s is not accepted", public.Type())
	case utf8.RuneCountInString(comment) > maxComment:
		return refuse("the comment of the key has more than %d characters", maxComment)
	}
	return Key{Line: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))), Fingerprint: ssh.FingerprintSHA256(public), Comment: comment}, nil
}

// Fingerprint is that of a public key as MakeHostKey returns it, "" for any other text.
func Fingerprint(public string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

func accepted(key ssh.PublicKey) bool {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return true
	case ssh.KeyAlgoRSA:
		c, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return false
		}
		public, ok := c.CryptoPublicKey().(*rsa.PublicKey)
		return ok && public.N.BitLen() >= leastRSA
	}
	return false
}
