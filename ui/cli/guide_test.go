package cli_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"hexad/ui/cli"
)

// commandLines are the lines "hexad policy …" of a guide's examples, as words.
func commandLines(t *testing.T, page string) [][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	remark := regexp.MustCompile(`\s+#.*|\s{3,}\S.*`)
	word := regexp.MustCompile(`"([^"]*)"|(\S+)`)
	var out [][]string
	for line := range strings.Lines(string(text)) {
		line, found := strings.CutPrefix(strings.TrimSpace(line), "hexad policy ")
		if !found {
			continue
		}
		var words []string
		for _, m := range word.FindAllStringSubmatch(remark.ReplaceAllString(line, ""), -1) {
			words = append(words, m[1]+m[2])
		}
		out = append(out, words)
	}
	return out
}

// Every command line of the policy guides is understood; those that need no
// running hexad are carried out.
func TestGuideCommands(t *testing.T) {
	var lines [][]string
	for _, page := range []string{"policies.md", "policies.ja.md", "policy-cookbook.md"} {
		lines = append(lines, commandLines(t, "../../docs/"+page)...)
	}
	if len(lines) < 20 {
		t.Fatalf("the guides hold %d command lines", len(lines))
	}
	t.Chdir(t.TempDir())
	fill := strings.NewReplacer("NAME.lua", "boardrooms.lua", "NAME", "round_trip", "N+1", "3", "d-7f3k2abcde", "d-7f3k2abcde")
	for _, words := range lines {
		for i, w := range words {
			if words[i] = fill.Replace(w); w == "N" {
				words[i] = "2"
			}
		}
		var out, errs bytes.Buffer
		status := cli.Policy(t.Context(), nil, append([]string{"--data-dir", "none"}, words...), strings.NewReader(""), &out, &errs)
		want := cli.ExitUnreachable
		if w := words[0]; w == "new" || w == "check" || w == "test" {
			want = cli.ExitOK
		}
		if status != want {
			t.Errorf("hexad policy %s: status %d, want %d\n%s%s", strings.Join(words, " "), status, want, out.String(), errs.String())
		}
	}
}
