package command

import (
	"strings"
	"unicode/utf8"

	"hexad/engine/config"
)

// maxCandidates is the most words that Complete offers.
const maxCandidates = 200

// Complete lists what the word at byte pos of line could become, each as the
// whole word with what follows it ("ZoneAdd ", "Type: ", "Neighbor "). The
// word begins after the last space before pos.
func (t *Table) Complete(line string, pos int) []string {
	if pos < 0 || pos > len(line) || len(line) > MaxLine || !utf8.ValidString(line) {
		return nil
	}
	line = strings.TrimPrefix(line[:pos], "*c ")
	if quoted(line) {
		return nil
	}
	start := strings.LastIndexAny(line, " \t") + 1
	before, word := strings.TrimSpace(line[:start]), line[start:]
	var all []string
	if before == "" {
		for _, g := range groups {
			all = append(all, string(g)+" ")
		}
		all = append(all, "exit ")
	} else if g, err := group(strings.Fields(before)[0]); err == nil {
		all = t.following(g, strings.TrimSpace(before[len(strings.Fields(before)[0]):]), word)
	}
	var out []string
	for _, c := range all {
		if strings.HasPrefix(strings.ToLower(c), strings.ToLower(word)) && len(out) < maxCandidates {
			out = append(out, c)
		}
	}
	return out
}

// quoted reports whether the line ends inside quotes.
func quoted(line string) bool {
	return strings.Count(strings.ReplaceAll(line, `\"`, ""), `"`)%2 == 1
}

func (t *Table) following(g Group, before, word string) []string {
	switch g {
	case XCommand:
		return t.afterCommand(before)
	case XConfiguration:
		return t.afterItem(before)
	case XStatus:
		if before != "" {
			return nil
		}
		var out []string
		for _, e := range t.status {
			out = append(out, e.name+" ")
		}
		return out
	}
	return []string{"Configuration ", "Event "}
}

func (t *Table) afterCommand(before string) []string {
	if before == "" {
		var out []string
		for _, e := range t.entries {
			if e.Group == XCommand {
				out = append(out, e.Name+" ")
			}
		}
		return out
	}
	words := strings.Fields(strings.SplitN(before, ":", 2)[0])
	e, _, err := t.entryOf(words, words)
	if err != nil {
		return nil
	}
	fields := strings.Fields(before)
	if last := fields[len(fields)-1]; strings.HasSuffix(last, ":") {
		if a, ok := e.Argument(strings.TrimSuffix(last, ":")); ok {
			return values(a.Space)
		}
		return nil
	}
	var out []string
	for _, a := range e.Args {
		if !strings.Contains(strings.ToLower(before), strings.ToLower(a.Name)+":") {
			out = append(out, a.Name+": ")
		}
	}
	return out
}

func (t *Table) afterItem(before string) []string {
	if t.parts.Registry == nil {
		return nil
	}
	if path, found := strings.CutSuffix(before, ":"); found {
		m, err := t.parts.Registry.Lookup(path)
		if err != nil {
			return nil
		}
		return values(m.Item.Space)
	}
	if strings.Contains(before, ":") {
		return nil
	}
	children, err := t.parts.Registry.Children(before)
	if err != nil {
		return nil
	}
	var out []string
	for _, c := range children {
		switch {
		case c.List != nil:
			out = append(out, t.indices(before)...)
		case c.Item != nil && !c.Inner:
			out = append(out, c.Word+": ")
		default:
			out = append(out, c.Word+" ")
		}
	}
	return out
}

// values are the words of an enumeration; texts are in quotes.
func values(s config.Space) []string {
	var out []string
	for _, v := range s.Values {
		out = append(out, v+" ")
	}
	if len(out) == 0 && !s.Bare() {
		out = []string{`"`}
	}
	return out
}
