package sqlstore

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hexad/engine"
)

// SealedPrefix begins every sealed value, as in the model product's dumps.
const SealedPrefix = "{cipher}"

// KeySize is the size of a system key and of a data key, in bytes.
const KeySize = 32

// Sealer seals secrets with one key: AES-256-GCM with a random nonce and the
// domain as additional data, so that a value copied into another place does not
// open there. Safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
	mark string // between the prefix and the base64 text: which key it is
	what string // names the key in errors
}

// NewSealer makes a Sealer of a key of 32 bytes, as local.db is sealed:
// "{cipher}" and base64 text.
//
// Errors: Invalid (length).
func NewSealer(key []byte) (*Sealer, error) {
	return newSealer(key, "", "the system key of this peer")
}

// NewDataSealer makes the Sealer of a data key of the cluster. Its texts name
// the number: "{cipher}k7:" and base64 text.
//
// Errors: Invalid (length).
func NewDataSealer(number int64, key []byte) (*Sealer, error) {
	n := strconv.FormatInt(number, 10)
	return newSealer(key, "k"+n+":", "data key "+n+" of the cluster")
}

func newSealer(key []byte, mark, what string) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, engine.Errorf(engine.Invalid, "%s has %d bytes, not %d", what, len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "%s: %w", what, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "%s: %w", what, err)
	}
	return &Sealer{aead, mark, what}, nil
}

// SealedWith tells which data key a text was sealed with: 0 for one that names
// none. sealed is false for what is no sealed text.
func SealedWith(text string) (number int64, sealed bool) {
	text, sealed = strings.CutPrefix(text, SealedPrefix)
	if !sealed || !strings.HasPrefix(text, "k") {
		return 0, sealed
	}
	digits, _, named := strings.Cut(text[1:], ":") // base64 has no colon
	if n, ok := whole(digits); ok && named {
		return n, true
	}
	return 0, true
}

// Seal returns plain as text that opens only with the same key and the same domain.
func (s *Sealer) Seal(domain string, plain []byte) string {
	return SealedPrefix + s.mark + base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(domain)))
}

// Open returns what was sealed for domain.
//
// Errors: Invalid (not a sealed value), Unavailable with ErrKey as its cause
// (another key, another domain, or damage).
func (s *Sealer) Open(domain, sealed string) ([]byte, error) {
	text, marked := strings.CutPrefix(sealed, SealedPrefix+s.mark)
	if with, is := SealedWith(sealed); is && (!marked || with > 0 && s.mark == "") {
		return nil, keyError("%s was not sealed with %s", domain, s.what)
	}
	if !marked {
		return nil, engine.Errorf(engine.Invalid, "%s: not a sealed value", domain)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "%s: not a sealed value", domain)
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(domain))
	if err != nil {
		return nil, keyError("%s cannot be opened with %s", domain, s.what)
	}
	return plain, nil
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
