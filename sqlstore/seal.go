package sqlstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hexad/engine"
)

// SealedPrefix begins every sealed value, as in the model product's dumps.
const SealedPrefix = "{cipher}"

// KeyFile is the name of the system key in the data directory: 32 random
// bytes, mode 0600. Who has it and local.db has all secrets of this peer.
const KeyFile = "system.key"

const systemKeySize = 32

// Sealer seals secrets with this peer's system key: AES-256-GCM with a random
// nonce and the domain as additional data, so that a value copied into another
// place does not open there. Safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
}

// NewSealer makes a Sealer of a key of 32 bytes.
//
// Errors: Invalid (length).
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != systemKeySize {
		return nil, engine.Errorf(engine.Invalid, "the system key has %d bytes, not %d", len(key), systemKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "system key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "system key: %w", err)
	}
	return &Sealer{aead}, nil
}

// Seal returns plain as "{cipher}" and base64 text that opens only with the
// same key and the same domain.
func (s *Sealer) Seal(domain string, plain []byte) string {
	return SealedPrefix + base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(domain)))
}

// Open returns what was sealed for domain.
//
// Errors: Invalid (not a sealed value), Unavailable with ErrKey as its cause
// (another key, another domain, or damage).
func (s *Sealer) Open(domain, sealed string) ([]byte, error) {
	text, marked := strings.CutPrefix(sealed, SealedPrefix)
	if !marked {
		return nil, engine.Errorf(engine.Invalid, "%s: not a sealed value", domain)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "%s: not a sealed value", domain)
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(domain))
	if err != nil {
		return nil, keyError("%s cannot be opened with the system key of this peer", domain)
	}
	return plain, nil
}

// ErrKey is the cause of every error about the system key: alarm 40055.
var ErrKey = errors.New("system key")

func keyError(format string, args ...any) *engine.Error {
	e := engine.Errorf(engine.Unavailable, format, args...)
	e.Err = ErrKey
	e.Remedy = "put back " + KeyFile + " from a backup of this peer, or take the peer out of the cluster, reset it and add it again"
	return e
}

// loadKey reads the system key. It makes one only when create is set, that is
// at the first start: a new key beside rows sealed with an old one would lose them.
func loadKey(dir string, create bool) ([]byte, error) {
	path := filepath.Join(dir, KeyFile)
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		return makeKey(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, keyError("the system key %s is missing", path)
	case err != nil:
		return nil, fileError("read the system key", err)
	case len(key) != systemKeySize && create:
		return makeKey(path) // a first start that was cut short: nothing is sealed yet
	case len(key) != systemKeySize:
		return nil, keyError("the system key %s is damaged: %d bytes, not %d", path, len(key), systemKeySize)
	}
	return key, nil
}

func makeKey(path string) ([]byte, error) {
	key := make([]byte, systemKeySize)
	rand.Read(key) // never fails since Go 1.24
	if err := writeSynced(path, key, 0o600); err != nil {
		return nil, fileError("write the system key", err)
	}
	return key, nil
}

// writeSynced writes path whole or not at all, and returns when it is on disk.
func writeSynced(path string, content []byte, mode fs.FileMode) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
