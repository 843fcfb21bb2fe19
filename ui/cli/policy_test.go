package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hexad/engine/policy"
	"hexad/ui/cli"
)

// hexadPolicy runs "hexad policy" where no hexad runs.
func hexadPolicy(t *testing.T, args ...string) (status int, out, failed string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	builtin := []policy.Script{{Name: "small", Builtin: true, Source: `local P = policy { name = "small", api = 1, hook = "keys.compare", order = 100, title = { en = "Small" } }
function P.evaluate(c) return {} end
return P
`, Tests: "function test_nothing() expect.equal(#evaluate(fixture(\"pair\")), 0) end\n"}}
	status = cli.Policy(t.Context(), builtin, append([]string{"--data-dir", t.TempDir()}, args...), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// Files are written, checked and tested without a running hexad.
func TestPolicyOffline(t *testing.T) {
	t.Chdir(t.TempDir())
	if status, _, failed := hexadPolicy(t, "new", "call.admit", "boardrooms"); status != cli.ExitOK {
		t.Fatalf("new: %d %s", status, failed)
	}
	if status, _, failed := hexadPolicy(t, "new", "call.admit", "boardrooms"); status != cli.ExitRefused {
		t.Errorf("overwrote what was there: %d %s", status, failed)
	}
	status, out, failed := hexadPolicy(t, "check", "boardrooms.lua")
	if status != cli.ExitOK || !strings.Contains(out, " passed, 0 failed") {
		t.Errorf("check: %d\n%s%s", status, out, failed)
	}
	text, err := os.ReadFile("boardrooms.lua")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("boardrooms.lua", append(text[:len(text)-1], "x = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := hexadPolicy(t, "check", "boardrooms.lua"); status != cli.ExitRefused || !strings.Contains(out, "boardrooms:") {
		t.Errorf("check of a broken file: %d\n%s", status, out)
	}
	if status, out, _ := hexadPolicy(t, "test", "--cover", "--run", "small"); status != cli.ExitOK || !strings.HasSuffix(out, "1 passed, 0 failed\n") || !strings.Contains(out, "cover small") {
		t.Errorf("test of the built-in scripts: %d\n%s", status, out)
	}
}

func TestPolicyUsage(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.lua")
	for name, tt := range map[string]struct {
		args []string
		want int
	}{
		"no command":        {nil, cli.ExitUsage},
		"unknown command":   {[]string{"bogus"}, cli.ExitUsage},
		"unknown flag":      {[]string{"status", "--bogus"}, cli.ExitUsage},
		"a word too many":   {[]string{"status", "more"}, cli.ExitUsage},
		"a file not there":  {[]string{"check", missing}, cli.ExitUsage},
		"not a Lua file":    {[]string{"put", "README"}, cli.ExitUsage},
		"nobody answers":    {[]string{"status"}, cli.ExitUnreachable},
		"an unknown hook":   {[]string{"new", "no.hook", "name"}, cli.ExitRefused},
		"a pattern":         {[]string{"test", "--run", "("}, cli.ExitUsage},
		"help":              {[]string{"--help"}, cli.ExitOK},
		"eval of no input":  {[]string{"eval"}, cli.ExitUsage},
		"import of no file": {[]string{"import"}, cli.ExitUsage},
	} {
		if status, out, failed := hexadPolicy(t, tt.args...); status != tt.want {
			t.Errorf("%s: %d, want %d\n%s%s", name, status, tt.want, out, failed)
		}
	}
}
