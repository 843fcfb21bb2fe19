package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/backup"
)

const passphrase = "a passphrase of some length"

var contents = map[string]string{backup.KeyPart: strings.Repeat("k", 32), backup.LocalPart: "local rows", backup.ClusterPart: strings.Repeat("cluster rows ", 9999)}

func root(t testing.TB, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func manifest() backup.Manifest {
	return backup.Manifest{Release: "1.2.3", System: "hq", Serial: "0A1B2C3D", Taken: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Revision: 42}
}

func written(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := backup.Write(&b, passphrase, manifest(), root(t, contents)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBackup(t *testing.T) {
	t.Parallel()
	file := written(t)
	for _, secret := range contents {
		if bytes.Contains(file, []byte(secret)) {
			t.Error("a part stands in the file as it is")
		}
	}
	dir := root(t, nil)
	m, err := backup.Read(bytes.NewReader(file), passphrase, dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Revision != 42 || m.System != "hq" || !m.Taken.Equal(manifest().Taken) || len(m.Parts) != 3 {
		t.Errorf("manifest is %+v", m)
	}
	if got, want := m.FileName(), "1.2.3_0A1B2C3D_20260304_050607_backup.tar.gz.age"; got != want {
		t.Errorf("file name %q, want %q", got, want)
	}
	for name, want := range contents {
		if got, err := dir.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %d bytes, want %d (%v)", name, len(got), len(want), err)
		}
	}
}

// TestRefusedFiles: a file that is not whole, or not opened with its own
// passphrase, gives an error with the right code.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	file := written(t)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	for _, c := range []struct {
		name, passphrase string
		file             []byte
		want             engine.Code
	}{
		{"another passphrase", "a passphrase of another kind", file, engine.Denied},
		{"no passphrase", "", file, engine.Denied},
		{"nothing", passphrase, nil, engine.Invalid},
		{"no backup", passphrase, []byte("hello"), engine.Invalid},
		{"cut off", passphrase, file[:len(file)-20], engine.Invalid},
		{"one bit", passphrase, flipped, engine.Invalid},
		{"longer", passphrase, append(bytes.Clone(file), 'x'), engine.Invalid},
		{"a scrypt that would take all memory", passphrase, bytes.Replace(file, []byte(" 16\n"), []byte(" 30\n"), 1), engine.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := backup.Read(bytes.NewReader(c.file), c.passphrase, root(t, nil)); engine.CodeOf(err) != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	for _, short := range []string{"", "short", strings.Repeat("x", 5000)} {
		if _, err := backup.Write(&bytes.Buffer{}, short, manifest(), root(t, contents)); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("passphrase of %d bytes: %v", len(short), err)
		}
	}
}

type file struct {
	name string
	text string
	kind byte
	link string
}

// packed is an archive as somebody who knows the form could make it.
func packed(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		kind := f.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: kind, Name: f.name, Linkname: f.link, Size: int64(len(f.text)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func listed(names ...string) file {
	m := manifest()
	m.Format = 1
	for _, name := range names {
		sum := sha256.Sum256([]byte(contents[name]))
		m.Parts = append(m.Parts, backup.Part{Name: name, Size: int64(len(contents[name])), SHA256: hex.EncodeToString(sum[:])})
	}
	text, _ := json.Marshal(m)
	return file{name: "manifest.json", text: string(text)}
}

func part(name string) file { return file{name: name, text: contents[name]} }

// TestHostileArchives: whoever knows the passphrase still writes nothing but the
// parts, where they belong, and no more than they may hold.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	all := listed(backup.KeyPart, backup.LocalPart, backup.ClusterPart)
	key, local, cluster := part(backup.KeyPart), part(backup.LocalPart), part(backup.ClusterPart)
	if _, err := backup.Unpack(bytes.NewReader(packed(t, all, key, local, cluster)), root(t, nil)); err != nil {
		t.Fatalf("the sound one: %v", err)
	}
	huge := all
	huge.text = strings.Replace(huge.text, `"size":32`, fmt.Sprintf(`"size":%d`, int64(1)<<40), 1)
	other := local
	other.text = "LOCAL ROWS"
	for name, files := range map[string][]file{
		"no manifest":         {key, local, cluster},
		"climbs out":          {all, {name: "../" + backup.KeyPart, text: key.text}, local, cluster},
		"absolute":            {all, {name: "/tmp/" + backup.KeyPart, text: key.text}, local, cluster},
		"climbs by manifest":  {listed("../escaped"), {name: "../escaped"}},
		"symbolic link":       {all, {name: backup.KeyPart, kind: tar.TypeSymlink, link: "/etc/passwd"}, local, cluster},
		"hard link":           {all, {name: backup.KeyPart, kind: tar.TypeLink, link: "/etc/passwd"}, local, cluster},
		"device":              {all, {name: backup.KeyPart, kind: tar.TypeChar}, local, cluster},
		"a part is missing":   {all, key, local},
		"a part twice":        {all, key, key, local, cluster},
		"one part too many":   {all, key, local, cluster, {name: "more", text: "x"}},
		"another content":     {all, key, other, cluster},
		"longer than said":    {all, {name: key.name, text: key.text + "x"}, local, cluster},
		"size of a bomb":      {huge, key, local, cluster},
		"bomb in manifest":    {{name: "manifest.json", text: strings.Repeat(" ", 1<<20)}},
		"unknown field":       {{name: "manifest.json", text: strings.Replace(all.text, `"format"`, `"more":1,"format"`, 1)}, key, local, cluster},
		"form of tomorrow":    {{name: "manifest.json", text: strings.Replace(all.text, `"format":1`, `"format":2`, 1)}, key, local, cluster},
		"order of its own":    {listed(backup.LocalPart, backup.KeyPart, backup.ClusterPart), local, key, cluster},
		"negative size":       {{name: "manifest.json", text: strings.Replace(all.text, `"size":32`, `"size":-32`, 1)}, key, local, cluster},
		"a directory instead": {all, {name: backup.KeyPart + "/", kind: tar.TypeDir}, local, cluster},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := root(t, nil)
			if _, err := backup.Unpack(bytes.NewReader(packed(t, files...)), dir); engine.CodeOf(err) != engine.Invalid {
				t.Errorf("error %v, want invalid", err)
			}
			entries, err := os.ReadDir(filepath.Dir(dir.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() != filepath.Base(dir.Name()) && !strings.HasPrefix(e.Name(), "00") {
					t.Errorf("it wrote %s", e.Name())
				}
			}
		})
	}
	t.Run("bomb", func(t *testing.T) {
		t.Parallel()
		bomb := packed(t, all, key, local, cluster)
		var b bytes.Buffer
		z := gzip.NewWriter(&b) // a second stream behind the archive that unpacks to much
		if _, err := z.Write(make([]byte, 64<<20)); err != nil {
			t.Fatal(err)
		}
		z.Close()
		if _, err := backup.Unpack(bytes.NewReader(append(bomb, b.Bytes()...)), root(t, nil)); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("error %v, want invalid", err)
		}
	})
}

// FuzzUnpack: whatever is sent, the reader neither panics nor accepts what it
// would not itself find sound, nor writes a file of another name.
func FuzzUnpack(f *testing.F) {
	all := listed(backup.KeyPart, backup.LocalPart, backup.ClusterPart)
	f.Add(packed(f, all, part(backup.KeyPart), part(backup.LocalPart), part(backup.ClusterPart)))
	f.Add(packed(f, all, file{name: "../x", text: "y"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := root(t, nil)
		m, err := backup.Unpack(bytes.NewReader(raw), dir)
		for _, name := range []string{backup.KeyPart, backup.LocalPart, backup.ClusterPart} {
			text, readErr := dir.ReadFile(name)
			if err == nil && (readErr != nil || len(text) == 0 && sizeOf(m, name) != 0 || int64(len(text)) != sizeOf(m, name)) {
				t.Errorf("accepted, but %s holds %d bytes: %v", name, len(text), readErr)
			}
			dir.Remove(name)
		}
		if left, _ := os.ReadDir(dir.Name()); len(left) > 0 {
			t.Errorf("it wrote %s", left[0].Name())
		}
	})
}

func sizeOf(m backup.Manifest, name string) int64 {
	for _, p := range m.Parts {
		if p.Name == name {
			return p.Size
		}
	}
	return -1
}
