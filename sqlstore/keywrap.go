package sqlstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"

	"hexad/engine"
)

// A data key is wrapped for a peer with X25519: an ephemeral key's public part,
// then the data key under AES-256-GCM with a key that HKDF makes of what both
// share, salted with both public parts. The number of the data key is
// additional data. Base64 text.

// Wrap wraps a data key for the peer with this public key; see Local.PublicKey.
//
// Errors: Invalid (public or key have another form).
func Wrap(number int64, public string, key []byte) (string, error) {
	raw, err := hex.DecodeString(public)
	if err != nil {
		return "", engine.Errorf(engine.Invalid, "a system key's public part is not hexadecimal: %w", err)
	}
	to, err := ecdh.X25519().NewPublicKey(raw)
	if err != nil || len(key) != KeySize {
		return "", engine.Errorf(engine.Invalid, "a system key's public part, or a data key, has another length")
	}
	once, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return "", engine.Errorf(engine.Internal, "wrap a data key: %w", err)
	}
	aead, err := shared(once, to, once.PublicKey().Bytes(), raw)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(once.PublicKey().Bytes(), nil, key, wrapLabel(number))), nil
}

func unwrap(private *ecdh.PrivateKey, number int64, wrapped string) ([]byte, error) {
	closed := keyError("data key %d of the cluster was not wrapped for this peer's system key", number)
	raw, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil || len(raw) < 32 {
		return nil, closed
	}
	from, err := ecdh.X25519().NewPublicKey(raw[:32])
	if err != nil {
		return nil, closed
	}
	aead, err := shared(private, from, raw[:32], private.PublicKey().Bytes())
	if err != nil {
		return nil, closed
	}
	key, err := aead.Open(nil, nil, raw[32:], wrapLabel(number))
	if err != nil || len(key) != KeySize {
		return nil, closed
	}
	return key, nil
}

// shared is the cipher that both sides make of their keys.
func shared(private *ecdh.PrivateKey, public *ecdh.PublicKey, once, to []byte) (cipher.AEAD, error) {
	secret, err := private.ECDH(public)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "a system key's public part cannot be used: %w", err)
	}
	key, err := hkdf.Key(sha256.New, secret, slices.Concat(once, to), "hexad data key", KeySize)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "wrap a data key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "wrap a data key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "wrap a data key: %w", err)
	}
	return aead, nil
}

func wrapLabel(number int64) []byte { return []byte("data key " + strconv.FormatInt(number, 10)) }
