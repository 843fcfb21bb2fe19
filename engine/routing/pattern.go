package routing

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"hexad/engine"
)

// pattern is a compiled pattern. It is held against lower-case aliases.
type pattern struct {
	kind engine.PatternType
	text string // lower case; of a regular expression as typed
	re   *regexp.Regexp
}

const maxRegex = 1024

// compilePattern compiles a pattern. Errors: Invalid.
func compilePattern(kind engine.PatternType, text string) (pattern, error) {
	p := pattern{kind: kind, text: strings.ToLower(text)}
	switch kind {
	case engine.PatternExact, engine.PatternPrefix, engine.PatternSuffix:
		if text == "" {
			return p, engine.Errorf(engine.Invalid, "the pattern is empty")
		}
		return p, nil
	case engine.PatternRegex:
	default:
		return p, engine.Errorf(engine.Invalid, "unknown pattern type %q", kind)
	}
	if len(text) > maxRegex {
		return p, engine.Errorf(engine.Invalid, "the regular expression is longer than %d bytes", maxRegex)
	}
	re, err := regexp.Compile("(?is)^(?:" + text + ")$")
	if err != nil {
		return p, engine.Errorf(engine.Invalid, "the regular expression: %w", err).
			With("", "look-ahead and look-behind are not known here; use several rules")
	}
	p.text, p.re = text, re
	return p, nil
}

// span is the part of alias that matches, false when none does.
func (p pattern) span(alias string) (from, to int, ok bool) {
	switch p.kind {
	case engine.PatternExact:
		return 0, len(alias), alias == p.text
	case engine.PatternPrefix:
		return 0, len(p.text), strings.HasPrefix(alias, p.text)
	case engine.PatternSuffix:
		return len(alias) - len(p.text), len(alias), strings.HasSuffix(alias, p.text)
	}
	return 0, len(alias), p.re.MatchString(alias)
}

// literals are what every alias that a pattern matches begins and ends with; ""
// where nothing is known.
func (p pattern) literals() (prefix, suffix string) {
	switch p.kind {
	case engine.PatternExact, engine.PatternPrefix:
		return p.text, ""
	case engine.PatternSuffix:
		return "", p.text
	}
	tree, err := syntax.Parse(p.text, syntax.Perl)
	if err != nil {
		return "", ""
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	return literal(parts[0]), literal(parts[len(parts)-1])
}

// literal is the lower-case text of a node that is one, "" otherwise.
func literal(r *syntax.Regexp) string {
	for r.Op == syntax.OpCapture {
		r = r.Sub[0]
	}
	if r.Op != syntax.OpLiteral {
		return ""
	}
	for _, c := range r.Rune {
		if c >= 0x80 || c == 'k' || c == 's' || c == 'K' || c == 'S' { // these fold beyond ASCII
			return ""
		}
	}
	return strings.ToLower(string(r.Rune))
}

// action is what a match does to the alias.
type action struct {
	behavior engine.Behavior
	text     string
	template string // of Replace with a regular expression, for regexp.Expand
}

var group = regexp.MustCompile(`\\([0-9])`)

// compileAction checks that the behavior fits the pattern. Errors: Invalid.
func compileAction(b engine.Behavior, kind engine.PatternType, text string) (action, error) {
	a := action{behavior: b, text: strings.ToLower(text)}
	switch b {
	case engine.Leave, "", engine.AddPrefix, engine.AddSuffix:
	case engine.Strip:
		if kind != engine.PatternPrefix && kind != engine.PatternSuffix {
			return a, engine.Errorf(engine.Invalid, "behavior Strip needs a prefix or a suffix")
		}
	case engine.Replace:
		escaped := strings.ReplaceAll(a.text, "$", "$$")
		a.template = group.ReplaceAllString(escaped, "$${$1}")
	default:
		return a, engine.Errorf(engine.Invalid, "unknown behavior %q", b)
	}
	return a, nil
}

// apply gives the alias after a match of p from from to to.
func (a action) apply(p pattern, alias string, from, to int) string {
	switch a.behavior {
	case engine.Strip:
		return alias[:from] + alias[to:]
	case engine.AddPrefix:
		return a.text + alias
	case engine.AddSuffix:
		return alias + a.text
	case engine.Replace:
		if p.re == nil {
			return alias[:from] + a.text + alias[to:]
		}
		return string(p.re.ExpandString(nil, a.template, alias, p.re.FindStringSubmatchIndex(alias)))
	}
	return alias
}
