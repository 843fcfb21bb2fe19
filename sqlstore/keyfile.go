package sqlstore

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"hexad/engine"
)

// KeyFile is the name of the system key in the data directory: 32 random
// bytes, mode 0600. Who has it and local.db has all secrets of this peer.
//
// Beside it lies a copy, so that damage of the one file loses nothing. A key
// that takes its place lies in the third file until local.db is sealed with it
// and it is in both others: which of the three counts is always said by
// local.db, whose check opens with one of them.
const (
	KeyFile     = "system.key"
	keyCopyFile = "system.key.copy"
	keyNextFile = "system.key.next"
)

// ErrKey is the cause of every error about a key: alarm 40055 when it is the
// system key.
var ErrKey = errors.New("key")

func keyError(format string, args ...any) *engine.Error {
	e := engine.Errorf(engine.Unavailable, format, args...)
	e.Err = ErrKey
	e.Remedy = "put back " + KeyFile + " from a backup of this peer, or take the peer out of the cluster, reset it and add it again"
	return e
}

// systemKey is a system key and what is made of it.
type systemKey struct {
	key     []byte
	sealer  *Sealer
	private *ecdh.PrivateKey // X25519: what others seal for this peer
	lost    bool             // no key opens local.db: this one is of this process alone
}

func newSystemKey(key []byte) (*systemKey, error) {
	sealer, err := NewSealer(key)
	if err != nil {
		return nil, err
	}
	scalar, err := hkdf.Key(sha256.New, key, nil, "hexad system key exchange", 32)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "system key: %w", err)
	}
	private, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return nil, engine.Errorf(engine.Internal, "system key: %w", err)
	}
	return &systemKey{key: key, sealer: sealer, private: private}, nil
}

// readKey reads one key file.
//
// Errors: Unavailable with ErrKey (missing, not 32 bytes); the file's.
func readKey(path string) (*systemKey, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, keyError("the system key %s is missing", path)
	case err != nil:
		return nil, fileError("read the system key", err)
	case len(key) != KeySize:
		return nil, keyError("the system key %s is damaged: %d bytes, not %d", path, len(key), KeySize)
	}
	return newSystemKey(key)
}

// firstKey is that of a first start, taken up or made: one that was cut short
// has sealed nothing yet.
func firstKey(dir string) (*systemKey, error) {
	if k, err := readKey(filepath.Join(dir, KeyFile)); err == nil {
		return k, errors.Join(writeKey(dir, keyCopyFile, k), removeKey(dir, keyNextFile))
	}
	k, err := newSystemKey(randomKey())
	if err != nil {
		return nil, err
	}
	return k, errors.Join(writeKey(dir, KeyFile, k), writeKey(dir, keyCopyFile, k), removeKey(dir, keyNextFile))
}

func randomKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails since Go 1.24
	return key
}

func writeKey(dir, name string, k *systemKey) error {
	return fileError("write the system key", writeSynced(filepath.Join(dir, name), k.key, 0o600))
}

func removeKey(dir, name string) error {
	err := os.Remove(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fileError("write the system key", errors.Join(err, syncDir(dir)))
}

// findKey is the key that opens check, from whichever file has it. A change of
// key that was cut short is finished, or forgotten. The file's own fault stays,
// for CheckKey to tell.
//
// Errors: Unavailable with ErrKey, that of KeyFile, when no file has it.
func findKey(dir, check string) (*systemKey, error) {
	var first error
	for _, name := range []string{KeyFile, keyCopyFile, keyNextFile} {
		k, err := readKey(filepath.Join(dir, name))
		if err == nil {
			if _, err = k.sealer.Open(checkDomain, check); err == nil {
				return k, settleKey(dir, name, k)
			}
			err = keyError("the system key %s is not the one that the local database was sealed with", filepath.Join(dir, name))
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// settleKey brings the files in order around the one that counts.
func settleKey(dir, name string, k *systemKey) error {
	switch name {
	case KeyFile:
		return errors.Join(keepCopy(dir, k), removeKey(dir, keyNextFile))
	case keyNextFile:
		return placeKey(dir, k)
	}
	return removeKey(dir, keyNextFile)
}

// keepCopy writes the copy unless it is there.
func keepCopy(dir string, k *systemKey) error {
	if has, err := os.ReadFile(filepath.Join(dir, keyCopyFile)); err == nil && bytes.Equal(has, k.key) {
		return nil
	}
	return writeKey(dir, keyCopyFile, k)
}

// LostKey reports whether no key file opens local.db: its secrets are closed,
// and none can be kept.
func (l *Local) LostKey() bool {
	l.keys.RLock()
	defer l.keys.RUnlock()
	return l.key.lost
}

// CheckKey compares the key file on disk with the key in use. The copy is
// written again when it is not as it should be.
//
// Errors: Unavailable with ErrKey: alarm 40055.
func (l *Local) CheckKey() error {
	l.keys.RLock()
	defer l.keys.RUnlock()
	if l.key.lost {
		return l.keyFault
	}
	path := filepath.Join(l.dir, KeyFile)
	k, err := readKey(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(k.key, l.key.key) {
		return keyError("the system key %s is not the one in use", path)
	}
	return keepCopy(l.dir, l.key)
}

// KeyTo writes the system key in use to a file that is not there yet, for a backup.
//
// Errors: Unavailable with ErrKey when there is none.
func (l *Local) KeyTo(path string) error {
	l.keys.RLock()
	defer l.keys.RUnlock()
	if l.key.lost {
		return l.keyFault
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError("copy the system key", err)
	}
	_, err = f.Write(l.key.key)
	return fileError("copy the system key", errors.Join(err, f.Close()))
}

// PublicKey is the public part of this peer's system key, 64 lower-case
// hexadecimal digits: what others wrap data keys for. "" while the key is lost.
func (l *Local) PublicKey() string {
	l.keys.RLock()
	defer l.keys.RUnlock()
	if l.key.lost {
		return ""
	}
	return hex.EncodeToString(l.key.private.PublicKey().Bytes())
}

// Unwrap opens a data key that was wrapped for this peer.
//
// Errors: Unavailable with ErrKey (for another key, or damaged).
func (l *Local) Unwrap(number int64, wrapped string) ([]byte, error) {
	l.keys.RLock()
	defer l.keys.RUnlock()
	return unwrap(l.key.private, number, wrapped)
}

// seal seals plain for local.db. Callers hold mu, as RenewKey does.
//
// Errors: Unavailable with ErrKey while the key is lost.
func (l *Local) seal(domain string, plain []byte) (string, error) {
	if l.key.lost {
		return "", keyError("%s cannot be kept: %s", domain, l.keyFault.Error())
	}
	return l.key.sealer.Seal(domain, plain), nil
}

// open opens what seal sealed; nothing at all while the key is lost. Callers
// hold keys from before they read.
func (l *Local) open(domain, sealed string) ([]byte, error) {
	if l.key.lost {
		return nil, nil
	}
	return l.key.sealer.Open(domain, sealed)
}
