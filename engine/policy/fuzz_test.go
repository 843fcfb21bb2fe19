package policy_test

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// FuzzCheck holds any text against the check: it never panics, takes no longer
// than a file's limit, and what passes can be activated.
func FuzzCheck(f *testing.F) {
	for _, s := range builtin() {
		f.Add(s.Source)
	}
	for i, a := range attacks {
		if i%10 == 0 && len(a.body) < 500 { // all of them are tried elsewhere; here each costs its whole budget at every start
			f.Add(scriptOf("call.admit", a.body).Source)
		}
	}
	f.Add("local P = policy { name = 'hostile', api = 1, hook = 'call.admit', order = 500, title = { en = 'x' } } function P.evaluate(c) return accept { ttl = c } end return P")
	f.Fuzz(func(t *testing.T, source string) {
		name := "hostile"
		if _, rest, ok := strings.Cut(source, `name = "`); ok {
			if n, _, ok := strings.Cut(rest, `"`); ok {
				name = n
			}
		}
		s := policy.Script{Name: name, Source: source}
		began := time.Now()
		problems := policy.Check(s, nil)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("took %s", took)
		}
		refused := false
		for _, p := range problems {
			refused = refused || !p.Warning
		}
		if refused {
			return // making the states of a revision is what costs most here
		}
		if _, err := policy.Compile(1, []policy.Script{s}, nil); err != nil {
			t.Errorf("passes the check and cannot be activated: %v", err)
		}
	})
}

// FuzzArchive reads any bytes as an archive of policies: it is refused as
// damaged, or holds the three files that every archive has, none too long and
// none with a name that leads elsewhere.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"manifest.json", "signature", "certificate.pem", "scripts/a.lua"} {
		text := `{"format":1}`
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:1024])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		files, err := policy.Unpack(archive)
		if err != nil {
			if engine.CodeOf(err) != engine.Invalid {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for name, text := range files {
			if len(text) > 1<<20 || name != path.Clean(name) {
				t.Fatalf("%q of %d bytes", name, len(text))
			}
		}
		if files["manifest.json"] == nil || files["signature"] == nil || files["certificate.pem"] == nil {
			t.Fatal("a file is missing")
		}
	})
}
