package command

import (
	"fmt"
	"slices"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// Help answers "?" and "??" after the words of a line: what can follow and,
// with ??, value spaces and defaults.
//
// Errors: Invalid, NotFound.
func (t *Table) Help(line Line, l engine.Language) ([]string, error) {
	words := line.Tail
	switch line.Group {
	case "":
		return t.groupHelp(l), nil
	case XCommand:
		return t.commandHelp(line, l)
	case XConfiguration:
		return t.itemHelp(words, line.Help > 1, l)
	case XStatus:
		rows := [][2]string{}
		for _, e := range t.status {
			rows = append(rows, [2]string{e.name, e.help.In(l, nil)})
		}
		return columns(rows), nil
	}
	return columns([][2]string{
		{"Configuration", say(l, engine.Text{EN: "Changes of the configuration, newest first", JA: "設定の変更履歴(新しい順)"})},
		{"Event", say(l, engine.Text{EN: "Events of this system, newest last", JA: "このシステムのイベント(新しいものが最後)"})},
	}), nil
}

func (t *Table) groupHelp(l engine.Language) []string {
	rows := [][2]string{
		{"xCommand", say(l, engine.Text{EN: "does something: xCommand ? lists the commands", JA: "操作を行います。xCommand ? でコマンド一覧"})},
		{"xConfiguration", say(l, engine.Text{EN: "shows or sets the configuration: xConfiguration SystemUnit Name: \"x\"", JA: "設定を表示または変更します: xConfiguration SystemUnit Name: \"x\""})},
		{"xStatus", say(l, engine.Text{EN: "shows what is so now: xStatus Cluster", JA: "現在の状態を表示します: xStatus Cluster"})},
		{"xHistory", say(l, engine.Text{EN: "shows what happened: xHistory Configuration", JA: "履歴を表示します: xHistory Configuration"})},
		{"? / ??", say(l, engine.Text{EN: "after any words: what can follow; ?? adds values and defaults", JA: "任意の語の後: 次に続く要素。?? は値と既定値も表示"})},
		{"exit", say(l, engine.Text{EN: "ends the session", JA: "セッションを終了します"})},
	}
	return columns(rows)
}

func (t *Table) commandHelp(line Line, l engine.Language) ([]string, error) {
	words := line.Tail
	if len(line.Segments) > 0 {
		words = line.Segments[0].Words[:max(0, len(line.Segments[0].Words)-1)]
	}
	if len(words) == 0 {
		var rows [][2]string
		for _, e := range t.entries {
			if e.Group == XCommand {
				rows = append(rows, [2]string{e.Name, e.Help.In(l, nil)})
			}
		}
		return columns(rows), nil
	}
	e, _, err := t.entryOf(words, words)
	if err != nil {
		return t.matching(words, l, err)
	}
	lines := []string{e.Name + " - " + e.Help.In(l, nil)}
	var rows [][2]string
	for _, a := range e.Args {
		rows = append(rows, [2]string{a.Name + required(a) + ": " + a.Space.String(), aside(a.Help.In(l, nil), a.Default, line.Help > 1)})
	}
	lines = append(lines, columns(rows)...)
	return append(lines, "  "+say(l, engine.Text{EN: "for example: ", JA: "例: "})+e.Example), nil
}

// matching lists the commands that begin with words, or returns err.
func (t *Table) matching(words []string, l engine.Language, err error) ([]string, error) {
	var rows [][2]string
	for _, e := range t.entries {
		if e.Group == XCommand && strings.HasPrefix(fold(e.Name), fold(strings.Join(words, ""))) {
			rows = append(rows, [2]string{e.Name, e.Help.In(l, nil)})
		}
	}
	if len(rows) == 0 {
		return nil, err
	}
	return columns(rows), nil
}

func required(a Argument) string {
	if a.Required {
		return "(r)"
	}
	return ""
}

func aside(help, value string, full bool) string {
	if full && value != "" {
		return help + " [" + value + "]"
	}
	return help
}

// itemHelp lists what follows words in the registry, or describes the item
// that they name.
func (t *Table) itemHelp(words []string, full bool, l engine.Language) ([]string, error) {
	if t.parts.Registry == nil {
		return nil, nil
	}
	prefix := strings.Join(words, " ")
	children, err := t.parts.Registry.Children(prefix)
	if err != nil {
		return nil, err
	}
	if len(children) == 0 {
		found, err := t.parts.Registry.Lookup(zeroth(prefix))
		if err != nil {
			return nil, err
		}
		return describeItem(found.Item, l), nil
	}
	var rows [][2]string
	for _, c := range children {
		name, help := c.Word, ""
		if c.Item != nil {
			name += ": " + c.Item.Space.String()
			help = aside(c.Item.Help.In(l, nil), c.Item.Default, full)
		}
		if c.Inner {
			name += " …"
		}
		rows = append(rows, [2]string{name, help})
		if full && c.Inner {
			rows = append(rows, t.below(prefix+" "+c.Word, "  ", l)...)
		}
	}
	return columns(rows), nil
}

// below lists every item under a prefix, with value spaces and defaults.
func (t *Table) below(prefix, indent string, l engine.Language) [][2]string {
	children, err := t.parts.Registry.Children(strings.TrimSpace(prefix))
	if err != nil {
		return nil
	}
	var rows [][2]string
	for _, c := range children {
		if c.Item != nil {
			rows = append(rows, [2]string{indent + c.Word + ": " + c.Item.Space.String(), aside(c.Item.Help.In(l, nil), c.Item.Default, true)})
		}
		if c.Inner {
			rows = append(rows, [2]string{indent + c.Word + " …", ""})
			rows = append(rows, t.below(prefix+" "+c.Word, indent+"  ", l)...)
		}
	}
	return rows
}

// zeroth fills the index patterns of a path with 1, to look its item up.
func zeroth(path string) string {
	words := strings.Fields(path)
	for i, w := range words {
		if strings.HasPrefix(w, "[") {
			words[i] = "1"
		}
	}
	return strings.Join(words, " ")
}

func describeItem(i *config.Item, l engine.Language) []string {
	lines := []string{"xConfiguration " + i.Path + ": " + i.Space.String(), "  " + i.Help.In(l, nil)}
	if i.Default != "" {
		lines = append(lines, "  "+say(l, engine.Text{EN: "default: ", JA: "既定値: "})+i.Default)
	}
	if i.Scope == config.PeerSpecific || i.Scope == config.Clustering {
		lines = append(lines, "  "+say(l, engine.Text{EN: "belongs to this system; it is not replicated", JA: "このシステム固有の設定で、複製されません"}))
	}
	if i.Effect.Restart {
		lines = append(lines, "  "+say(l, engine.Text{EN: "takes effect after a restart", JA: "再起動後に有効になります"}))
	}
	if !i.InEffect() {
		lines = append(lines, "  "+i.Later.In(l, nil))
	}
	return lines
}

// columns aligns the second texts of rows.
func columns(rows [][2]string) []string {
	const widest = 60
	width := 0
	for _, r := range rows {
		if n := len([]rune(r[0])); n <= widest {
			width = max(width, n)
		}
	}
	var out []string
	for _, r := range rows {
		out = append(out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, r[0], r[1]), " "))
	}
	return slices.Clip(out)
}
