package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"hexad/engine/policy"
)

// example is a code block of a guide that carries a file's name.
var example = regexp.MustCompile("(?s)```lua ([a-z0-9_]+)\\.lua\n(.*?)```\n")

// Every named example of the guides passes its check and its tests.
func TestGuideExamples(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"../../docs/policies.md", "../../docs/policies.ja.md"} {
		text := readText(t, page)
		if n := strings.Count(text, "```lua"); n != strings.Count(text, "```lua ") {
			t.Errorf("%s: a Lua example without a name is run by nobody", page)
		}
		files, scripts := map[string]string{}, []string{}
		for _, m := range example.FindAllStringSubmatch(text, -1) {
			files[m[1]] = m[2]
			if !strings.HasSuffix(m[1], "_test") {
				scripts = append(scripts, m[1])
			}
		}
		if len(scripts) == 0 {
			t.Errorf("%s has no examples", page)
		}
		for _, name := range scripts {
			passes(t, policy.Script{Name: name, Source: files[name], Tests: files[name+"_test"]})
		}
	}
}
