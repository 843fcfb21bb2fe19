package migrations_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"hexad/migrations"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	for folder, steps := range map[string][]migrations.Migration{"cluster": migrations.Cluster(), "local": migrations.Local()} {
		if len(steps) == 0 {
			t.Errorf("%s: no migrations", folder)
		}
		for i, m := range steps {
			if m.Version != i+1 || m.Name == "" || m.SQL == "" || len(m.Checksum) != 64 {
				t.Errorf("%s: %+v", folder, m)
			}
		}
	}
}

var (
	comment  = regexp.MustCompile(`(?m)--.*$`)
	unstable = regexp.MustCompile(`(?i)\b(now|random|randomblob|current_timestamp|current_date|current_time)\b|\b(changes|total_changes|last_insert_rowid|uuid)\s*\(`)
	table    = regexp.MustCompile(`(?is)CREATE TABLE\s+(\w+)\s*\(.*?\)\s*(\w*)\s*;`)
	timed    = regexp.MustCompile(`(?i)\b(\w*(?:time|date|expires|created|changed))\s+(?:TEXT|INTEGER)`)
)

// Replicated SQL runs on each peer for itself, so it may not ask for the time
// or for chance; tables are strict, and times rest in …_ms columns.
func TestReplicatedSQL(t *testing.T) {
	t.Parallel()
	for _, m := range migrations.Cluster() {
		text := comment.ReplaceAllString(m.SQL, "")
		if found := unstable.FindString(text); found != "" {
			t.Errorf("%04d_%s: uses %s", m.Version, m.Name, found)
		}
		if strings.Contains(strings.ToUpper(text), "PRAGMA") {
			t.Errorf("%04d_%s: uses a PRAGMA", m.Version, m.Name)
		}
		for _, created := range table.FindAllStringSubmatch(text, -1) {
			if created[2] != "STRICT" {
				t.Errorf("%04d_%s: table %s is not STRICT", m.Version, m.Name, created[1])
			}
			if column := timed.FindStringSubmatch(created[0]); column != nil {
				t.Errorf("%04d_%s: table %s has column %s, not …_ms", m.Version, m.Name, created[1], column[1])
			}
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	file := func(names ...string) fstest.MapFS {
		out := fstest.MapFS{}
		for _, n := range names {
			out["cluster/"+n] = &fstest.MapFile{Data: []byte("SELECT 1;")}
		}
		return out
	}
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"in order":  {file("0001_a.sql", "0002_b_c.sql", "README"), ""},
		"a gap":     {file("0001_a.sql", "0003_b.sql"), "number 0002 expected"},
		"twice":     {file("0001_a.sql", "0001_b.sql"), "number 0002 expected"},
		"no number": {file("a.sql"), "not of the form"},
		"no name":   {file("0001.sql"), "not of the form"},
		"short":     {file("1_a.sql"), "not of the form"},
		"no folder": {fstest.MapFS{}, "cluster"},
	} {
		steps, err := migrations.Read(tt.files, "cluster")
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err == nil && (len(steps) != 2 || steps[1].Name != "b_c" || steps[0].Checksum != steps[1].Checksum) {
			t.Errorf("%s: %+v", name, steps)
		}
	}
}
