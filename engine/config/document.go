package config

import (
	"fmt"
	"io"
	"strings"

	"hexad/engine"
)

// columns are the headings of the documentation, by language.
var columns = map[engine.Language]string{
	engine.English:  "| Item | Values | Default | Rests | Takes effect | Meaning |",
	engine.Japanese: "| 項目 | 値 | 既定値 | 範囲 | 反映 | 意味 |",
}

var (
	scopeText = map[Scope]engine.Text{
		Replicated:   {EN: "all peers", JA: "全ピア"},
		PeerSpecific: {EN: "this peer", JA: "このピア"},
		Clustering:   {EN: "clustering page", JA: "クラスタリング画面"},
	}
	nowText     = engine.Text{EN: "at once", JA: "すぐに"}
	restartText = engine.Text{EN: "on restart ({alarm})", JA: "再起動後({alarm})"}
	notYetText  = engine.Text{EN: "{why}", JA: "未対応({why})"}
)

// Document writes the whole registry as Markdown: a heading and a table for
// each area.
func (r *Registry) Document(w io.Writer, lang engine.Language) error {
	for _, area := range r.areas {
		if _, err := fmt.Fprintf(w, "## %s\n\n%s\n|---|---|---|---|---|---|\n", area.Title.In(lang, nil), columns[lang]); err != nil {
			return err
		}
		for _, i := range r.items {
			if i.Area != area.Name {
				continue
			}
			if _, err := fmt.Fprintln(w, i.documentRow(lang)); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

func (i *Item) documentRow(lang engine.Language) string {
	effect := nowText.In(lang, nil)
	if i.Effect.Restart {
		effect = restartText.In(lang, map[string]string{"alarm": fmt.Sprint(i.Effect.Alarm)})
	}
	if !i.InEffect() {
		effect = notYetText.In(lang, map[string]string{"why": i.Later.In(lang, nil)})
	}
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", code(i.Path), code(i.Space.String()), code(i.Default),
		scopeText[i.Scope].In(lang, nil), effect, i.Help.In(lang, nil))
}
