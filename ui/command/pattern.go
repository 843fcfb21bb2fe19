package command

import (
	"context"
	"regexp"
	"strings"

	"hexad/engine"
)

// Pattern is what transforms and search rules match an alias with.
//
// Type is Exact, Prefix, Suffix or Regex; Behavior is Strip, Leave, Replace,
// AddPrefix or AddSuffix. Source: reference 5.4, 7.2.
type Pattern struct {
	Type, Text, Behavior, Replace string
}

// Apply tells whether target matches, and what it becomes.
//
// Matching disregards case, as aliases do. A regular expression must match the
// whole alias, unless it says otherwise with .*; \1 to \9 in Replace stand for
// what its groups matched.
//
// Errors: Invalid, when the regular expression cannot be read.
func (p Pattern) Apply(target string) (matched bool, result string, err error) {
	switch p.Type {
	case "Regex":
		return p.regex(target)
	case "Exact":
		matched = strings.EqualFold(target, p.Text)
	case "Prefix":
		matched = len(target) >= len(p.Text) && strings.EqualFold(target[:len(p.Text)], p.Text)
	case "Suffix":
		matched = len(target) >= len(p.Text) && strings.EqualFold(target[len(target)-len(p.Text):], p.Text)
	default:
		return false, "", engine.Errorf(engine.Invalid, "there is no pattern type %q", p.Type).With("Type", "Exact, Prefix, Suffix or Regex")
	}
	if !matched {
		return false, target, nil
	}
	before, after := "", "" // what is left of the alias around the match
	switch p.Type {
	case "Prefix":
		after = target[len(p.Text):]
	case "Suffix":
		before = target[:len(target)-len(p.Text)]
	}
	switch p.Behavior {
	case "Strip":
		return true, before + after, nil
	case "Replace":
		return true, before + p.Replace + after, nil
	}
	return true, p.decorate(target), nil
}

func (p Pattern) regex(target string) (bool, string, error) {
	re, err := regexp.Compile("(?i)^(?:" + p.Text + ")$")
	if err != nil {
		return false, "", engine.Errorf(engine.Invalid, "the pattern %q is no regular expression: %s", p.Text, reason(err)).
			With("Pattern", `write special characters with a backslash: \. \+ \(`)
	}
	groups := re.FindStringSubmatch(target)
	if groups == nil {
		return false, target, nil
	}
	switch p.Behavior {
	case "Strip":
		return true, "", nil
	case "Replace":
		return true, expand(p.Replace, groups), nil
	}
	return true, p.decorate(target), nil
}

// reason is what is wrong with an expression, without the wrapping that the
// person did not type.
func reason(err error) string {
	return strings.TrimPrefix(strings.SplitN(err.Error(), ": `", 2)[0], "error parsing regexp: ")
}

// decorate is the behaviours that leave the alias whole.
func (p Pattern) decorate(target string) string {
	switch p.Behavior {
	case "AddPrefix":
		return p.Replace + target
	case "AddSuffix":
		return target + p.Replace
	}
	return target
}

// expand fills \1 to \9 in with what the groups matched.
func expand(replace string, groups []string) string {
	var b strings.Builder
	for i := 0; i < len(replace); i++ {
		c := replace[i]
		if c != '\\' || i+1 == len(replace) {
			b.WriteByte(c)
			continue
		}
		i++
		if n := int(replace[i] - '0'); n >= 1 && n <= 9 {
			if n < len(groups) {
				b.WriteString(groups[n])
			}
			continue
		}
		b.WriteByte(replace[i])
	}
	return b.String()
}

// checkPattern tries a pattern on an alias; nothing changes.
func (t *Table) checkPattern() *Entry {
	return &Entry{Group: XCommand, Name: "CheckPattern", Role: Auditor,
		Args: []Argument{
			{Name: "Target", Space: chars(1, 1024), Required: true, Help: engine.Text{EN: "Alias to try", JA: "試すエイリアス"}},
			{Name: "Pattern", Space: chars(1, 255), Required: true, Help: engine.Text{EN: "Pattern", JA: "パターン"}},
			{Name: "Type", Space: oneOf("Exact", "Prefix", "Suffix", "Regex"), Required: true, Help: engine.Text{EN: "How the pattern matches", JA: "パターンの一致方法"}},
			{Name: "Behavior", Space: oneOf("Strip", "Leave", "Replace", "AddPrefix", "AddSuffix"), Required: true, Help: engine.Text{EN: "What happens to the alias", JA: "エイリアスの変更方法"}},
			{Name: "Replace", Space: chars(0, 255), Help: engine.Text{EN: `Text for Replace, AddPrefix and AddSuffix; \1 to \9 are the groups`, JA: `Replace、AddPrefix、AddSuffix の文字列。\1 から \9 はグループ`}},
		},
		Help:    engine.Text{EN: "Tries a pattern and its behavior on an alias", JA: "パターンと動作をエイリアスで試します"},
		Example: `xCommand CheckPattern Target: "4567@example.com" Pattern: "(\d+)@.*" Type: Regex Behavior: Replace Replace: "\1"`,
		run: func(_ context.Context, call Call) (Result, error) {
			p := Pattern{Type: call.Args["Type"], Text: call.Args["Pattern"], Behavior: call.Args["Behavior"], Replace: call.Args["Replace"]}
			matched, alias, err := p.Apply(call.Args["Target"])
			if err != nil {
				return Result{}, err
			}
			state := "Failed"
			if matched {
				state = "Succeeded"
			}
			tree := Tree("CheckPattern", word("Result", state))
			if matched {
				tree.add(text("Alias", alias))
			}
			return Result{Data: map[string]any{"matched": matched, "alias": alias}, Lines: results(tree)}, nil
		}}
}
