package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocument: docs/document.md names no test that is not in the source, and
// every row names one or says why there is none.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("docs", "document.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := testsOfTheSource(t)
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+|[a-z0-9_]+_test\\.lua)`")
	for _, m := range named.FindAllStringSubmatch(string(text), -1) {
		if !have[m[1]] {
			t.Errorf("docs/document.md names %s, which is not in the source", m[1])
		}
	}
	rows := 0
	for n, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| the document |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| "), "|")
		if len(cells) != 3 {
			t.Errorf("docs/document.md:%d has %d columns", n+1, len(cells))
			continue
		}
		if shown := cells[2]; !named.MatchString(shown) && !strings.Contains(shown, "– (") {
			t.Errorf("docs/document.md:%d names neither a test nor why there is none: %s", n+1, shown)
		}
	}
	if rows < 50 {
		t.Errorf("the table has only %d rows", rows)
	}
}

// testsOfTheSource are the names of all Go tests, and of the files with tests of rules.
func testsOfTheSource(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "data"):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.lua"):
			out[d.Name()] = true
		case strings.HasSuffix(path, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
					out[f.Name.Name] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
