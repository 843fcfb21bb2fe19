package console_test

import (
	"strings"
	"testing"

	"hexad/ui/console"
)

func TestColour(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"local x = 1.5":                "k:local x = n:1.5",
		"-- note\nreturn":              "c:-- note/k:return",
		"--[[ a\nb ]] x":               "c:--[[ a/c:b ]] x",
		`s = "a\"b" .. 'c'`:            `s = s:"a\"b" .. s:'c'`,
		"s = [==[ ]] ]==] y":           "s = s:[==[ ]] ]==] y",
		`why("x", c.alias) alias.user`: `f:why(s:"x", c.alias) f:alias.user`,
		"t[1] = t[[x]]":                "t[n:1] = ts:[[x]]",
		`"open`:                        `s:"open`,
		"\"open\nend":                  "s:\"open/k:end",
		"名前 = nil\n":                   "名前 = k:nil",
		"":                             "",
	} {
		var lines []string
		for i, line := range console.Colour(source) {
			if line.Number != i+1 {
				t.Errorf("%q: line %d has the number %d", source, i+1, line.Number)
			}
			var b strings.Builder
			for _, token := range line.Tokens {
				if token.Class != "" {
					b.WriteString(token.Class + ":")
				}
				b.WriteString(token.Text)
			}
			lines = append(lines, b.String())
		}
		if got := strings.Join(lines, "/"); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}

// Whatever is typed, nothing of it is lost and nothing is made up.
func FuzzColour(f *testing.F) {
	for _, seed := range []string{"--[==[", "[[", "'\\", "\"", "[=", "--[", "a..b", "\n\n", "1e5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		var lines []string
		for _, line := range console.Colour(source) {
			var b strings.Builder
			for _, token := range line.Tokens {
				b.WriteString(token.Text)
			}
			lines = append(lines, b.String())
		}
		if got := strings.Join(lines, "\n"); got != source && got+"\n" != source {
			t.Errorf("%q became %q", source, got)
		}
	})
}
