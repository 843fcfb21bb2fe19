package policy

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// archiveLimit bounds an archive that is read.
const archiveLimit = 32 << 20

// manifest says what an archive holds; its bytes are what is signed.
type manifest struct {
	Format   int                          `json:"format"`
	Revision int64                        `json:"revision"`
	Comment  string                       `json:"comment,omitempty"`
	Author   string                       `json:"author,omitempty"`
	Made     time.Time                    `json:"made"`
	Items    []engine.PolicyItem          `json:"items"`
	Files    map[string]string            `json:"files"` // name in the archive -> SHA-256
	Data     map[string]map[string]string `json:"data,omitempty"`
}

// Export writes a revision (-1: the active one) as a tar: manifest.json, the
// scripts with their tests, and the signature of this peer over the manifest, which
// holds the digest of every file.
//
// Errors: NotFound.
func (l *Lifecycle) Export(ctx context.Context, n int64) ([]byte, error) {
	book, err := l.o.Store.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		n = book.Active().Number
	}
	r, ok := book.Revision(n)
	if !ok {
		return nil, engine.Errorf(engine.NotFound, "there is no revision %d", n).With("Revision", "PolicyHistory lists them")
	}
	c, err := l.revision(ctx, r)
	if err != nil {
		return nil, err
	}
	m := manifest{Format: 1, Revision: n, Comment: r.Comment, Author: r.Author, Made: time.Now().UTC().Truncate(time.Second), Items: r.Items, Files: map[string]string{}, Data: c.data}
	files := map[string]string{}
	for _, item := range r.Items {
		if item.SHA256 == "" {
			continue
		}
		v := c.texts[item.SHA256]
		files["scripts/"+item.Name+".lua"] = v.Source
		if v.Tests != "" {
			files["scripts/"+item.Name+"_test.lua"] = v.Tests
		}
	}
	for name, text := range files {
		m.Files[name] = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	head, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(head)
	signature, certificate, err := l.o.Signer.Sign(digest[:])
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, text []byte) {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: m.Made}))
		_, failed := w.Write(text)
		err = errors.Join(err, failed)
	}
	add("manifest.json", head)
	add("signature", signature)
	add("certificate.pem", []byte(certificate))
	for _, name := range sorted(files) {
		add(name, []byte(files[name]))
	}
	err = errors.Join(err, w.Close()) // writes the end of the archive
	return out.Bytes(), err
}

// Imported is what an archive brought: drafts, to be checked, staged and
// activated here like any other.
type Imported struct {
	From     int64                  `json:"from"` // revision there
	Signer   string                 `json:"signer"`
	Known    bool                   `json:"known"` // a member of this cluster signed it
	Versions []engine.PolicyVersion `json:"versions"`
	Tables   []string               `json:"tables,omitempty"`
}

// Import stores the scripts and tables of an archive as drafts. Its signature
// has to be right; one of a key that is no member's needs trust.
//
// Errors: Invalid (damaged), Denied (the signature, or an unknown signer),
// Unavailable.
func (l *Lifecycle) Import(ctx context.Context, actor engine.Actor, archive []byte, trust string) (Imported, error) {
	files, err := unpack(archive)
	if err != nil {
		return Imported{}, err
	}
	digest := sha256.Sum256(files["manifest.json"])
	signer, known, err := l.o.Signer.Verify(digest[:], files["signature"], string(files["certificate.pem"]))
	if err != nil {
		return Imported{}, err
	}
	if !known && !strings.EqualFold(trust, signer) {
		return Imported{Signer: signer}, engine.Errorf(engine.Denied, "the archive is signed by a key that is no peer's of this cluster: %s", signer).
			With("Trust", "compare the fingerprint with that of the peer that exported it, then give it as Trust")
	}
	var m manifest
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil || m.Format != 1 {
		return Imported{}, engine.Errorf(engine.Invalid, "the archive's manifest cannot be read").With("", "export it again")
	}
	for name, want := range m.Files {
		if got := fmt.Sprintf("%x", sha256.Sum256(files[name])); got != want {
			return Imported{}, engine.Errorf(engine.Invalid, "%s in the archive is not the one that was signed", name).With("", "export it again")
		}
	}
	return l.importDrafts(ctx, actor, m, files, Imported{From: m.Revision, Signer: signer, Known: known})
}

func (l *Lifecycle) importDrafts(ctx context.Context, actor engine.Actor, m manifest, files map[string][]byte, out Imported) (Imported, error) {
	var sources []SourceFile
	for _, item := range m.Items {
		name := "scripts/" + item.Name
		if _, signed := m.Files[name+".lua"]; !signed {
			continue
		}
		f := SourceFile{Name: item.Name, Source: string(files[name+".lua"])}
		if _, signed := m.Files[name+"_test.lua"]; signed {
			f.Tests = string(files[name+"_test.lua"])
		}
		sources = append(sources, f)
	}
	for _, table := range sorted(m.Data) { // first: scripts may use them
		if err := l.SetData(ctx, actor, table, m.Data[table], false); err != nil {
			return out, err
		}
		out.Tables = append(out.Tables, table)
	}
	if len(sources) == 0 {
		return out, nil
	}
	comment := fmt.Sprintf("imported: revision %d, signed by %s", m.Revision, short(out.Signer))
	var err error
	out.Versions, err = l.Put(ctx, actor, sources, comment)
	return out, err
}

func unpack(archive []byte) (map[string][]byte, error) {
	damaged := func(err error) error {
		return engine.Errorf(engine.Invalid, "the archive cannot be read: %w", err).With("", "give a file that hexad policy export wrote")
	}
	if len(archive) > archiveLimit {
		return nil, damaged(errors.New("it is too large"))
	}
	out := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, damaged(err)
		}
		if h.Typeflag != tar.TypeReg || path.Clean(h.Name) != h.Name || len(out) > 500 {
			return nil, damaged(fmt.Errorf("%q does not belong there", h.Name))
		}
		if out[h.Name], err = io.ReadAll(io.LimitReader(r, 1<<20)); err != nil {
			return nil, damaged(err)
		}
	}
	for _, name := range []string{"manifest.json", "signature", "certificate.pem"} {
		if !slices.Contains(sorted(out), name) {
			return nil, damaged(fmt.Errorf("%s is missing", name))
		}
	}
	return out, nil
}
