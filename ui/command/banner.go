package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// Banner is what precedes every answer of the shell: an armed factory reset,
// a restart that is waited for.
func (t *Table) Banner(ctx context.Context, l engine.Language) []string {
	if t.parts.Cluster == nil {
		return nil
	}
	view := t.parts.Cluster.View(ctx)
	var out []string
	if view.Reset != nil {
		text := view.Reset.Banner.In(l, nil)
		if text == "" {
			text = say(l, engine.Text{EN: "A factory reset is armed: the next restart carries it out.", JA: "工場出荷時リセットが予約されています。次の再起動時に実行されます。"})
		}
		out = append(out, "! "+text)
		if view.Reset.Blocked != "" {
			out = append(out, "! "+view.Reset.Blocked)
		}
	}
	if len(view.Restart) > 0 {
		out = append(out, "! "+say(l, engine.Text{EN: "A restart is pending: ", JA: "再起動が必要です: "})+strings.Join(view.Restart, "; "))
	}
	return out
}
