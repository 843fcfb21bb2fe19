// Package backup is the form of a backup: one file, encrypted with a passphrase
// (age, scrypt), in it a compressed tar of a manifest and the parts that it lists.
//
// The file says nothing without the passphrase. The names of the parts are a
// closed list, their sizes are bounded before anything is written, and each is
// checked against its SHA-256: what is read is what was written, or an error.
//
// Source: reference 8.5.
package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"hexad/engine"
)

// Parts of a backup. None has another name.
const (
	LocalPart   = "local.db"   // what belongs to this peer; its secrets are sealed with the key
	KeyPart     = "system.key" // which opens them
	ClusterPart = "cluster.db" // what is equal on every peer
)

var partNames = []string{KeyPart, LocalPart, ClusterPart}

// Limits of a backup.
const (
	MaxFile       = 32 << 20  // bytes of the encrypted file
	maxPart       = 256 << 20 // bytes of one part, unpacked
	maxManifest   = 64 << 10
	MinPassphrase = 12 // characters
	maxPassphrase = 1024
	workFactor    = 16 // scrypt: 64 MiB of memory for a fraction of a second
	maxWorkFactor = 18 // of a file that is read
)

const (
	format       = 1
	manifestName = "manifest.json"
)

// Part is one file of a backup.
type Part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// Manifest says what a backup is of.
type Manifest struct {
	Format     int               `json:"format"`
	Release    string            `json:"release"`
	System     string            `json:"system"`  // system name
	Address    string            `json:"address"` // LAN1 address
	Serial     string            `json:"serial"`
	Taken      time.Time         `json:"taken"`
	Revision   int64             `json:"revision"` // of the configuration of the cluster
	Generation engine.Generation `json:"generation"`
	Cluster    engine.Clustering `json:"cluster"` // the clustering page as it ran
	Parts      []Part            `json:"parts"`
}

// FileName is what a backup of m is called: release, serial number, time.
func (m Manifest) FileName() string {
	return fmt.Sprintf("%s_%s_%s_backup.tar.gz.age", safe(m.Release), safe(m.Serial), m.Taken.UTC().Format("20060102_150405"))
}

// safe leaves of text what stands in the name of a file anywhere.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, text)
}

// CheckPassphrase refuses one that protects nothing. Errors: Invalid.
func CheckPassphrase(passphrase string) error {
	if n := len([]rune(passphrase)); n < MinPassphrase || len(passphrase) > maxPassphrase {
		return engine.Errorf(engine.Invalid, "the passphrase of a backup has %d to %d characters", MinPassphrase, maxPassphrase).
			With("Passphrase", "choose a longer one and keep it: without it nobody can read the backup")
	}
	return nil
}

// Write packs the parts, which are files in dir, and returns the manifest with them.
//
// Errors: Invalid (passphrase), Exhausted (too large), Unavailable (a file).
func Write(w io.Writer, passphrase string, m Manifest, dir *os.Root) (Manifest, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return m, err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return m, engine.Errorf(engine.Invalid, "the passphrase cannot be used: %w", err)
	}
	recipient.SetWorkFactor(workFactor)
	m.Format, m.Parts = format, nil
	for _, name := range partNames {
		part, err := describe(dir, name)
		if err != nil {
			return m, unwritten(err)
		}
		if part.Size > maxPart {
			return m, tooLarge(name)
		}
		m.Parts = append(m.Parts, part)
	}
	bounded := &limited{w: w, left: MaxFile}
	sealed, err := age.Encrypt(bounded, recipient)
	if err != nil {
		return m, unwritten(err)
	}
	err = pack(sealed, m, dir)
	if err = errors.Join(err, sealed.Close()); errors.Is(err, errFull) {
		return m, tooLarge("the backup")
	}
	return m, unwritten(err)
}

func pack(w io.Writer, m Manifest, dir *os.Root) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(w)
	packed := tar.NewWriter(zipped)
	put := func(name string, size int64, from io.Reader) error {
		if err := packed.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: m.Taken, Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := io.Copy(packed, from)
		return err
	}
	if err := put(manifestName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for _, part := range m.Parts {
		f, err := dir.Open(part.Name)
		if err != nil {
			return err
		}
		if err := errors.Join(put(part.Name, part.Size, f), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(packed.Close(), zipped.Close())
}

func describe(dir *os.Root, name string) (Part, error) {
	f, err := dir.Open(name)
	if err != nil {
		return Part{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return Part{Name: name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return &engine.Error{Code: engine.Unavailable, Message: "the backup could not be made: " + err.Error(), Err: err}
}

func tooLarge(what string) error {
	return engine.Errorf(engine.Exhausted, "%s is larger than a backup may be", what).
		With("", "copy the data directory while hexad is stopped instead")
}

var errFull = errors.New("too large")

// limited is a writer that takes so many bytes.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, errFull
	}
	l.left -= int64(len(b))
	return l.w.Write(b)
}

// Read unpacks a backup into dir, which is empty, and returns its manifest.
// After an error dir may hold parts of it, none of which is to be used.
//
// Errors: Denied (passphrase), Invalid (not a backup, damaged), Unavailable (dir).
func Read(r io.Reader, passphrase string, dir *os.Root) (Manifest, error) {
	var m Manifest
	if passphrase == "" || len(passphrase) > maxPassphrase {
		return m, wrongPassphrase(nil)
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return m, wrongPassphrase(err)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	sealed := io.LimitReader(r, MaxFile+1)
	plain, err := age.Decrypt(sealed, identity)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return m, wrongPassphrase(err)
	case err != nil:
		return m, damaged("it is no backup of hexad", err)
	}
	return Unpack(plain, dir)
}

// Unpack is Read behind the encryption.
func Unpack(r io.Reader, dir *os.Root) (Manifest, error) {
	var m Manifest
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return m, damaged("it is not compressed as it should be", err)
	}
	zipped.Multistream(false)
	packed := tar.NewReader(zipped)
	if m, err = readManifest(packed); err != nil {
		return m, err
	}
	for _, part := range m.Parts {
		if err := unpackPart(packed, part, dir); err != nil {
			return m, err
		}
	}
	if _, err := packed.Next(); err != io.EOF {
		return m, damaged("more follows its last part", err)
	}
	// The end of the encrypted stream proves that nothing was cut off.
	if n, err := io.Copy(io.Discard, io.LimitReader(zipped, maxManifest)); err != nil || n == maxManifest {
		return m, damaged("more follows its end", err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil || n > 0 {
		return m, damaged("more follows its end", err)
	}
	return m, nil
}

func readManifest(packed *tar.Reader) (Manifest, error) {
	var m Manifest
	h, err := packed.Next()
	if err != nil {
		return m, damaged("it cannot be read", err)
	}
	if h.Name != manifestName || h.Typeflag != tar.TypeReg || h.Size > maxManifest {
		return m, damaged("it does not begin with a manifest", nil)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		return m, damaged("its manifest cannot be read", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, damaged("its manifest cannot be read", err)
	}
	if m.Format != format {
		return m, damaged(fmt.Sprintf("it has the form %d, this release reads %d", m.Format, format), nil)
	}
	var names []string
	for _, p := range m.Parts {
		if p.Size < 0 || p.Size > maxPart {
			return m, damaged("a part is larger than it may be", nil)
		}
		names = append(names, p.Name)
	}
	if !slices.Equal(names, partNames) {
		return m, damaged("its parts are not those of a backup", nil)
	}
	return m, nil
}

// unpackPart writes one part under the name of the closed list, never that of
// the archive, and not one byte more than the manifest says.
func unpackPart(packed *tar.Reader, part Part, dir *os.Root) error {
	h, err := packed.Next()
	if err != nil {
		return damaged("it ends too early", err)
	}
	if h.Name != part.Name || h.Typeflag != tar.TypeReg || h.Size != part.Size {
		return damaged("a part is not the one of the manifest", nil)
	}
	f, err := dir.OpenFile(part.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unread(err)
	}
	sum := sha256.New()
	from := &noted{r: packed}
	_, err = io.Copy(io.MultiWriter(f, sum), from)
	closed := errors.Join(f.Sync(), f.Close())
	switch {
	case from.err != nil:
		return damaged("it cannot be read to its end", from.err)
	case err != nil || closed != nil:
		return unread(errors.Join(err, closed))
	case hex.EncodeToString(sum.Sum(nil)) != part.SHA256:
		return damaged("the part "+part.Name+" has another SHA-256 than the manifest says", nil)
	}
	return nil
}

// noted is a reader that remembers its own failure, to tell it from that of the writer.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(b []byte) (int, error) {
	k, err := n.r.Read(b)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}

func unread(err error) error {
	return &engine.Error{Code: engine.Unavailable, Message: "the backup could not be unpacked: " + err.Error(), Err: err}
}

func wrongPassphrase(err error) error {
	e := engine.Errorf(engine.Denied, "the backup does not open with this passphrase")
	e.Item, e.Remedy, e.Err = "Passphrase", "enter the passphrase that was given when the backup was made", err
	return e
}

func damaged(what string, err error) error {
	e := engine.Errorf(engine.Invalid, "the backup cannot be used: %s", what)
	e.Item, e.Remedy, e.Err = "Backup", "send the file as it was downloaded, or use another backup", err
	return e
}
