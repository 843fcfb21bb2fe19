package fail_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hexad/engine/fail"
)

var call = regexp.MustCompile(`\bfail\.Point\(("[^"]*"|[^)]*)\)`)

// TestNames compares the list with the calls in the source, both ways.
func TestNames(t *testing.T) {
	t.Parallel()
	reached := map[string]string{"fail.test": "engine/fail"}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || path == "engine/fail") {
			return skip(err, d)
		}
		if d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		for _, m := range call.FindAllSubmatch(text, -1) {
			name := string(m[1])
			if !strings.HasPrefix(name, `"`) {
				t.Errorf("%s: the name of a point is a literal, not %s", path, name)
			}
			reached[strings.Trim(name, `"`)] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range reached {
		if !slices.Contains(fail.Names, name) {
			t.Errorf("%s: point %q is not in Names", path, name)
		}
	}
	for _, name := range fail.Names {
		if reached[name] == "" {
			t.Errorf("point %q is in Names and nowhere else", name)
		}
	}
}

func skip(err error, d fs.DirEntry) error {
	if err != nil || d == nil {
		return err
	}
	return fs.SkipDir
}
