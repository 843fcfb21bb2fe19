package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// Banner is what precedes every answer of the shell: an armed factory reset, a
// database that failed, a restart that is waited for.
func (t *Table) Banner(_ context.Context, l engine.Language) []string {
	if t.parts.Cluster == nil {
		return nil
	}
	view := t.parts.Cluster.Pending()
	var out []string
	if view.Reset != nil {
		text := view.Reset.Banner.In(l, nil)
		if text == "" {
			text = say(l, engine.Text{EN: "A factory reset is armed: the next restart carries it out.", JA: "工場出荷時リセットが予約されています。次の再起動時に実行されます。"})
		}
		out = append(out, "! "+text)
		if len(view.Reset.Keep) > 0 {
			out = append(out, "! "+say(l, engine.Text{EN: "Kept: ", JA: "保持されるもの: "})+strings.Join(resetKept(view.Reset, l), ", ")+
				say(l, engine.Text{EN: ". Everything else is lost: ", JA: "。それ以外はすべて失われます: "})+"xCommand FactoryResetShow")
		}
		out = append(out, BackupLine(l))
		if view.Reset.Blocked != "" {
			out = append(out, "! "+say(l, engine.Text{EN: "It cannot be carried out now: ", JA: "現在は実行できません: "})+say(l, engine.ResetText(view.Reset.Blocked)))
		}
	}
	if len(view.Restart) > 0 {
		out = append(out, "! "+say(l, engine.Text{EN: "A restart is pending: ", JA: "再起動が必要です: "})+strings.Join(view.Restart, "; "))
	}
	return out
}

// resetKept is what an armed reset keeps, for people.
func resetKept(r *engine.Reset, l engine.Language) []string {
	var out []string
	for _, name := range r.Keep {
		out = append(out, say(l, engine.ResetText(name)))
	}
	return out
}
