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
	"strings"
	"time"

	"filippo.io/age"

	"hexad/engine"
)

// MaxClusterFile is the most bytes of a backup of a whole cluster: what fits
// into a request of the administrator's socket in base64.
const MaxClusterFile = 34 << 20

const clusterName = "cluster.json"

// Member is one peer of a backup of a whole cluster. Its own backup is in the
// archive under Name, unless Missing says why it is not.
type Member struct {
	Node    string `json:"node"`
	Address string `json:"address"`
	System  string `json:"system,omitempty"` // system name
	Serial  string `json:"serial,omitempty"`
	Name    string `json:"name,omitempty"`
	Size    int64  `json:"size,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // lower-case hex
	Missing string `json:"missing,omitempty"`
}

// ClusterManifest says what a backup of a whole cluster is of.
type ClusterManifest struct {
	Format  int       `json:"format"`
	Release string    `json:"release"`
	Cluster string    `json:"cluster"` // its name
	By      string    `json:"by"`      // address of the peer that gathered it
	Taken   time.Time `json:"taken"`
	Members []Member  `json:"members"`
}

// FileName is what a backup of m is called: release, cluster, time.
func (m ClusterManifest) FileName() string {
	return fmt.Sprintf("%s_%s_%s_cluster_backup.tar.gz.age", safe(m.Release), safe(m.Cluster), m.Taken.UTC().Format("20060102_150405"))
}

// WriteCluster packs the backups of the members, in the order of the manifest,
// nil for one that is missing. Each is sealed with the passphrase already; the
// archive is sealed with it again, so that nobody can exchange one.
//
// Errors: Invalid (passphrase), Exhausted (too large), Unavailable.
func WriteCluster(w io.Writer, passphrase string, m ClusterManifest, files [][]byte) (ClusterManifest, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return m, err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return m, engine.Errorf(engine.Invalid, "the passphrase cannot be used: %w", err)
	}
	recipient.SetWorkFactor(workFactor)
	m.Format = format
	for i, file := range files {
		if file != nil {
			sum := sha256.Sum256(file)
			m.Members[i].Size, m.Members[i].SHA256 = int64(len(file)), hex.EncodeToString(sum[:])
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, unwritten(err)
	}
	sealed, err := age.Encrypt(&limited{w: w, left: MaxClusterFile}, recipient)
	if err != nil {
		return m, unwritten(err)
	}
	zipped := gzip.NewWriter(sealed)
	packed := tar.NewWriter(zipped)
	put := func(name string, content []byte) {
		if err == nil {
			err = packed.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: m.Taken, Format: tar.FormatPAX})
		}
		if err == nil {
			_, err = packed.Write(content)
		}
	}
	put(clusterName, text)
	for i, file := range files {
		if file != nil {
			put(memberName(i), file)
		}
	}
	if err = errors.Join(err, packed.Close(), zipped.Close(), sealed.Close()); errors.Is(err, errFull) {
		return m, engine.Errorf(engine.Exhausted, "the backup of the whole cluster is larger than %d MiB", MaxClusterFile>>20).With("", "take a backup on each peer instead")
	}
	return m, unwritten(err)
}

// memberName is the name of a member's backup in the archive.
func memberName(i int) string { return fmt.Sprintf("member-%d.age", i+1) }

// Extract takes the backup of one member out of that of a whole cluster: the
// first whose address, system name, serial number or node is one of want. A
// backup of one peer is returned as it is, with a nil manifest.
//
// Errors: Denied (passphrase), Invalid (not a backup, damaged), NotFound (no
// such member, or its part is missing).
func Extract(file []byte, passphrase string, want ...string) ([]byte, *ClusterManifest, error) {
	if passphrase == "" || len(passphrase) > maxPassphrase {
		return nil, nil, wrongPassphrase(nil)
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, nil, wrongPassphrase(err)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	plain, err := age.Decrypt(bytes.NewReader(file), identity)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, nil, wrongPassphrase(err)
	case err != nil:
		return nil, nil, damaged("it is no backup of hexad", err)
	}
	zipped, err := gzip.NewReader(plain)
	if err != nil {
		return nil, nil, damaged("it is not compressed as it should be", err)
	}
	packed := tar.NewReader(zipped)
	h, err := packed.Next()
	if err != nil {
		return nil, nil, damaged("it cannot be read", err)
	}
	if h.Name != clusterName {
		return file, nil, nil // of one peer: Read judges it
	}
	m, parts, err := members(packed, h.Size)
	if err != nil {
		return nil, nil, err
	}
	// The end of the encrypted stream proves that nothing was cut off.
	if n, err := io.Copy(io.Discard, io.LimitReader(zipped, maxManifest)); err != nil || n == maxManifest {
		return nil, nil, damaged("more follows its end", err)
	}
	for i, member := range m.Members {
		for _, w := range want {
			if w == "" || !strings.EqualFold(w, member.Address) && !strings.EqualFold(w, member.System) && w != member.Serial && w != member.Node {
				continue
			}
			if member.Missing != "" {
				return nil, &m, engine.Errorf(engine.NotFound, "the backup has no part of %s: %s", member.Address, member.Missing).With("Peer", "use another backup")
			}
			return parts[i], &m, nil
		}
	}
	var names []string
	for _, member := range m.Members {
		names = append(names, member.Address)
	}
	return nil, &m, engine.Errorf(engine.NotFound, "the backup is of a whole cluster and holds several systems: %s", strings.Join(names, " ")).
		With("Peer", "say which: Peer: \""+names[0]+"\", or hexad restore --peer "+names[0])
}

// members reads the manifest, of size bytes, and the part of each member.
func members(packed *tar.Reader, size int64) (m ClusterManifest, parts [][]byte, err error) {
	if size > maxManifest {
		return m, nil, damaged("its manifest is too large", nil)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		return m, nil, damaged("its manifest cannot be read", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || len(m.Members) == 0 || len(m.Members) > engine.MaxPeers {
		return m, nil, damaged("its manifest cannot be read", err)
	}
	if m.Format != format {
		return m, nil, damaged(fmt.Sprintf("it has the form %d, this release reads %d", m.Format, format), nil)
	}
	parts = make([][]byte, len(m.Members))
	for i, member := range m.Members {
		if member.Missing != "" {
			continue
		}
		h, err := packed.Next()
		if err != nil || h.Name != memberName(i) || h.Size != member.Size || h.Size < 0 || h.Size > MaxFile {
			return m, nil, damaged("the part of "+member.Address+" is not the one of the manifest", err)
		}
		if parts[i], err = io.ReadAll(packed); err != nil {
			return m, nil, damaged("it cannot be read to its end", err)
		}
		if sum := sha256.Sum256(parts[i]); hex.EncodeToString(sum[:]) != member.SHA256 {
			return m, nil, damaged("the part of "+member.Address+" has another SHA-256 than the manifest says", nil)
		}
	}
	if _, err := packed.Next(); err != io.EOF {
		return m, nil, damaged("more follows its last part", err)
	}
	return m, parts, nil
}
