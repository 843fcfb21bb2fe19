package command

import (
	"context"
	"fmt"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// importLines applies the lines of call.Body. Each line that was not applied
// is answered with its reason, and all are counted.
func (t *Table) importLines(ctx context.Context, call Call) (Result, error) {
	if strings.TrimSpace(call.Body) == "" {
		return Result{}, usage("Import: there are no lines").With(usageItem, "paste xConfiguration lines, or use: hexad import FILE")
	}
	if call.Base != 0 {
		if now := t.parts.Configuration.Current().Revision; now != call.Base {
			return Result{}, t.outdated(ctx, call.Base, now, "look at it again, then repeat the import")
		}
	}
	var held []engine.Finding
	if t.parts.Gate != nil {
		var err error
		if held, err = t.parts.Gate(ctx, "import", "import"); err != nil {
			return Result{}, err
		}
	}
	report, err := t.parts.Configuration.Import(ctx, call.Actor, strings.NewReader(call.Body),
		config.ImportOptions{Machine: call.Args["Machine"] == "On"})
	result := changed(call.Language, report.Outcome)
	result.Findings = append(held, result.Findings...)
	result.Data = report
	if err != nil {
		if report.Saved == nil {
			return Result{}, err
		}
		return result, err
	}
	var lines []string
	for _, d := range report.Lines {
		if d.Outcome != config.Applied || call.Args["All"] == "On" {
			lines = append(lines, disposition(call.Language, d))
		}
	}
	lines = append(append(lines, counted(call.Language, report)), foundLines(call.Language, held)...)
	result.Lines = append(lines, result.Lines...)
	return result, nil
}

func disposition(l engine.Language, d config.Disposition) string {
	path := d.Path
	if path == "" {
		path = "?"
	}
	line := fmt.Sprintf("line %d: %s: %s", d.Number, path, d.Outcome)
	if reason := d.Reason.In(l, nil); reason != "" {
		line += ": " + reason
	}
	return line
}

func counted(l engine.Language, r config.Report) string {
	return say(l, engine.Text{
		EN: fmt.Sprintf("%d lines: %d applied, %d left alone, %d not applicable, %d unknown, %d invalid",
			len(r.Lines), r.Applied, r.LeftAlone, r.NotApplicable, r.Unknown, r.Invalid),
		JA: fmt.Sprintf("%d 行: 適用 %d、対象外(機器固有) %d、該当なし %d、不明 %d、無効 %d",
			len(r.Lines), r.Applied, r.LeftAlone, r.NotApplicable, r.Unknown, r.Invalid),
	})
}
