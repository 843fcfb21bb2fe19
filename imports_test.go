package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// homes gives each library that must not spread its one home.
var homes = map[string][]string{
	"github.com/rqlite/rqlite":    {"hexad/sqlstore"},
	"github.com/hashicorp/raft":   {"hexad/sqlstore"},
	"modernc.org/sqlite":          {"hexad/sqlstore"},
	"github.com/yuin/gopher-lua":  {"hexad/engine/policy"},
	"github.com/labstack/echo":    {"hexad/ui/console"},
	"github.com/miekg/dns":        {"hexad/engine/host"},
	"github.com/beevik/ntp":       {"hexad/engine/host"},
	"github.com/spf13/pflag":      {"hexad", "hexad/ui/cli"},
	"golang.org/x/term":           {"hexad/ui/cli", "hexad/ui/ssh"},
	"golang.org/x/crypto/ssh":     {"hexad/ui/ssh"},
	"golang.org/x/crypto/argon2":  {"hexad/ui/signin"},
	"filippo.io/age":              {"hexad/engine/backup"},
	"github.com/chromedp":         nil, // tests only
	"pgregory.net/rapid":          nil,
	"github.com/mattn/go-sqlite3": {"hexad/sqlstore"}, // the stand-in for it that rqlite uses
}

// allowed reports whether package from may import package to, both of this module.
//
// engine is the vocabulary; its sub-packages know it and nobody else;
// engine/appliance and main connect everything.
func allowed(from, to string) bool {
	switch {
	case from == "hexad", from == "hexad/engine/appliance", testHelper(from):
		return true
	case to == "hexad/engine", to == "hexad/engine/fail": // fail knows nobody and does nothing in a release
		return true
	case from == "hexad/engine":
		return false
	case strings.HasPrefix(from, "hexad/engine/"):
		return strings.HasPrefix(to, from+"/")
	case strings.HasPrefix(from, "hexad/sqlstore"):
		return to == "hexad/migrations" || strings.HasPrefix(to, "hexad/sqlstore")
	case strings.HasPrefix(from, "hexad/ui/"):
		return to != "hexad/engine/appliance" && (strings.HasPrefix(to, "hexad/engine/") || strings.HasPrefix(to, "hexad/ui/"))
	default: // migrations, policies
		return false
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 12 {
		t.Fatalf("go list named only %d packages", len(lines))
	}
	for _, line := range lines {
		from, imports, _ := strings.Cut(line, " ")
		for _, to := range strings.Fields(imports) {
			if (to == "hexad" || strings.HasPrefix(to, "hexad/")) && !allowed(from, to) {
				t.Errorf("%s imports %s, against the direction of imports (docs/architecture.md)", from, to)
			}
			if home, library := homeOf(to, homes); library && !contains(home, from) && !testHelper(from) {
				t.Errorf("%s imports %s, whose home is %v", from, to, home)
			}
			if from == "hexad/engine" && strings.Contains(strings.Split(to, "/")[0], ".") {
				t.Errorf("%s imports %s; the vocabulary uses the standard library only", from, to)
			}
		}
	}
}

func homeOf(path string, homes map[string][]string) ([]string, bool) {
	for library, home := range homes {
		if path == library || strings.HasPrefix(path, library+"/") {
			return home, true
		}
	}
	return nil, false
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// testHelper reports whether a package only serves tests ("…test").
func testHelper(path string) bool { return strings.HasSuffix(path, "test") }
