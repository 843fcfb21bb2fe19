package command_test

import (
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, pattern, behavior, replace, target string
		matched                                  bool
		want                                     string
	}{
		{"Exact", "Bob@Example.com", "Leave", "", "bob@example.com", true, "bob@example.com"},
		{"Exact", "bob", "Strip", "", "bob", true, ""},
		{"Exact", "bob", "Leave", "", "bobby", false, "bobby"},
		{"Prefix", "9", "Strip", "", "9123", true, "123"},
		{"Prefix", "9", "Replace", "8", "9123", true, "8123"},
		{"Prefix", "9", "AddPrefix", "0", "9123", true, "09123"},
		{"Prefix", "9", "AddSuffix", "@example.com", "9123", true, "9123@example.com"},
		{"Prefix", "12345", "Strip", "", "123", false, "123"},
		{"Suffix", "@EXAMPLE.com", "Strip", "", "bob@example.com", true, "bob"},
		{"Suffix", "@example.com", "Replace", "@example.org", "bob@example.com", true, "bob@example.org"},
		{"Regex", `(\d{4})@.*`, "Replace", `\1@lab.example`, "4567@example.com", true, "4567@lab.example"},
		{"Regex", `(\d{4})`, "Replace", `\1`, "4567@example.com", false, "4567@example.com"},
		{"Regex", `a|b`, "Leave", "", "ab", false, "ab"},
		{"Regex", `(a)(b)?`, "Replace", `\2-\1-\9-\\-\`, "A", true, `-A--\-\`},
		{"Regex", `.*`, "Strip", "", "bob", true, ""},
		{"Regex", `BOB`, "AddSuffix", "x", "bob", true, "bobx"},
	} {
		p := command.Pattern{Type: c.kind, Text: c.pattern, Behavior: c.behavior, Replace: c.replace}
		matched, got, err := p.Apply(c.target)
		if err != nil || matched != c.matched || got != c.want {
			t.Errorf("%+v on %q = %v, %q, %v, want %v, %q", p, c.target, matched, got, err, c.matched, c.want)
		}
	}
	for _, p := range []command.Pattern{{Type: "Regex", Text: "(?!a).*"}, {Type: "Glob"}} {
		if _, _, err := p.Apply("a"); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("%+v: %v, want invalid", p, err)
		}
	}
}
