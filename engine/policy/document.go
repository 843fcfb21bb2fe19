package policy

import (
	"fmt"
	"strings"

	"hexad/engine"
)

// words of the reference in both languages.
var documentWords = map[string]engine.Text{
	"title":    {EN: "Policy reference", JA: "ポリシーリファレンス"},
	"lead":     {EN: "Every hook with what a script is asked and what it may answer, and every function that hexad adds to the language. Written from the hooks themselves by `make golden`; how to write policies is in [policies.md](policies.md).", JA: "各フックでスクリプトに渡される入力と許される回答、およびhexadが言語に加える関数の一覧です。`make golden`がフックの定義から書き出します。ポリシーの書き方は[policies.ja.md](policies.ja.md)にあります。"},
	"hooks":    {EN: "Hooks", JA: "フック"},
	"records":  {EN: "Records", JA: "レコード"},
	"asked":    {EN: "Asked", JA: "契機"},
	"answer":   {EN: "Answer", JA: "回答"},
	"failsafe": {EN: "When it fails", JA: "失敗したとき"},
	"limits":   {EN: "Limits", JA: "上限"},
	"limit":    {EN: "%d instructions, %s for one script and %s for all, %d KiB", JA: "%d命令、1スクリプト%s、全体%s、%d KiB"},
	"fixtures": {EN: "Fixtures", JA: "フィクスチャ"},
	"field":    {EN: "Field", JA: "項目"},
	"type":     {EN: "Type", JA: "型"},
	"meaning":  {EN: "Meaning", JA: "意味"},
	"input":    {EN: "Input", JA: "入力"},
	"function": {EN: "Functions", JA: "関数"},
	"tests":    {EN: "In test files only", JA: "テストファイルでのみ使えるもの"},
	"call":     {EN: "Call", JA: "呼び出し"},
	"returns":  {EN: "Returns", JA: "戻り値"},
	"kind":     {EN: "Kind", JA: "種類"},
}

// Document writes the reference of all hooks and functions as Markdown.
func Document(l engine.Language) string {
	w := func(key string) string { return documentWords[key].In(l, nil) }
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n## %s\n", w("title"), w("lead"), w("hooks"))
	classes, order := map[string]Field{}, []string{}
	for _, info := range Descriptions() {
		fmt.Fprintf(&b, "\n### %s\n\n- %s: %s\n- %s: %s\n- %s: %s\n- %s: %s\n", info.Name,
			w("kind"), info.Kind, w("asked"), info.When.In(l, nil), w("answer"), info.Answers.In(l, nil), w("failsafe"), info.FailSafe.In(l, nil))
		lim := info.Limits
		fmt.Fprintf(&b, "- %s: "+w("limit")+"\n- %s: `%s`\n", w("limits"), lim.Instructions, lim.Time, lim.Chain, lim.Bytes>>10,
			w("fixtures"), strings.Join(info.Fixtures, "` `"))
		documentFields(&b, w, w("input")+" `c`", info.Input, l)
		collect(info.Input.Fields, classes, &order)
		answer := info.Answer
		for answer.Elem != nil {
			answer = *answer.Elem
		}
		if answer.Class == "finding" {
			collect([]Field{answer}, classes, &order)
			fmt.Fprintf(&b, "\n%s: `%s`\n", w("answer"), annotated(info.Answer))
			continue
		}
		documentFields(&b, w, w("answer"), answer, l)
		collect(answer.Fields, classes, &order)
	}
	fmt.Fprintf(&b, "\n## %s\n", w("records"))
	for _, class := range order {
		documentFields(&b, w, "hexad."+class, classes[class], l)
	}
	documentFunctions(&b, w, l)
	return b.String()
}

// collect notes the records that fields hold, in the order in which they come.
func collect(fields []Field, classes map[string]Field, order *[]string) {
	for _, f := range fields {
		for f.Elem != nil {
			f = *f.Elem
		}
		if f.Type != "record" {
			continue
		}
		if _, ok := classes[f.Class]; !ok {
			classes[f.Class] = f
			*order = append(*order, f.Class)
		}
		collect(f.Fields, classes, order)
	}
}

func documentFields(b *strings.Builder, w func(string) string, heading string, f Field, l engine.Language) {
	fmt.Fprintf(b, "\n#### %s\n\n", heading)
	if f.Type != "record" {
		fmt.Fprintf(b, "`%s`\n", annotated(f))
		return
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n| --- | --- | --- |\n", w("field"), w("type"), w("meaning"))
	for _, one := range f.Fields {
		mark := ""
		if one.Optional {
			mark = "?"
		}
		fmt.Fprintf(b, "| `%s%s` | `%s` | %s |\n", one.Name, mark, strings.ReplaceAll(annotated(one), "|", `\|`), one.Note.In(l, nil))
	}
}

func documentFunctions(b *strings.Builder, w func(string) string, l engine.Language) {
	for _, test := range []bool{false, true} {
		if test {
			fmt.Fprintf(b, "\n### %s\n", w("tests"))
		} else {
			fmt.Fprintf(b, "\n## %s\n", w("function"))
		}
		fmt.Fprintf(b, "\n| %s | %s | %s |\n| --- | --- | --- |\n", w("call"), w("returns"), w("meaning"))
		for _, f := range Functions() {
			if f.Test == test {
				fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", f.Call, strings.ReplaceAll(f.Returns, "|", `\|`), f.Note.In(l, nil))
			}
		}
	}
}
