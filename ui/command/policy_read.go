package command

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

func (t *Table) policyReadEntries() []*Entry {
	return []*Entry{
		{Group: XCommand, Name: "PolicyStatus", Role: Auditor,
			Help:    engine.Text{EN: "Shows which revision runs on which peer, pins, failures and times", JA: "各ピアで動作中のリビジョン、固定、失敗、処理時間を表示します"},
			Example: "xCommand PolicyStatus", run: t.policyStatus},
		{Group: XCommand, Name: "PolicyList", Role: Auditor,
			Help:    engine.Text{EN: "Lists the scripts by hook, with drafts", JA: "スクリプトをフックごとに、下書きとともに一覧表示します"},
			Example: "xCommand PolicyList", run: t.policyList},
		{Group: XCommand, Name: "PolicyShow", Role: Auditor,
			Args: []Argument{argScript, argVersion("Version", engine.Text{EN: "Version: SHA-256, draft, builtin or a revision", JA: "版: SHA-256、draft、builtin、またはリビジョン"}),
				argFlag("Tests", engine.Text{EN: "Its tests instead", JA: "代わりにテストを表示"})},
			Help:    engine.Text{EN: "Shows the text of a script", JA: "スクリプトの本文を表示します"},
			Example: `xCommand PolicyShow Script: "option_keys"`, run: t.policyShow},
		{Group: XCommand, Name: "PolicyDiff", Role: Auditor,
			Args: []Argument{argScript, argVersion("From", engine.Text{EN: "Without it the built-in, or what is active", JA: "省略すると組み込みまたは有効な版"}),
				argVersion("To", engine.Text{EN: "Without it the draft, or what is active", JA: "省略すると下書きまたは有効な版"})},
			Help:    engine.Text{EN: "Compares two versions of a script", JA: "スクリプトの 2 つの版を比較します"},
			Example: `xCommand PolicyDiff Script: "round_trip"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				lines, same, err := t.parts.Policies.Diff(ctx, call.Args["Script"], call.Args["From"], call.Args["To"])
				if err != nil {
					return Result{}, err
				}
				return Result{Data: map[string]any{"lines": lines}, Lines: lines, Differs: !same}, nil
			}},
		{Group: XCommand, Name: "PolicyHistory", Role: Auditor,
			Help:    engine.Text{EN: "Lists the revisions, newest first", JA: "リビジョンを新しい順に一覧表示します"},
			Example: "xCommand PolicyHistory", run: t.policyHistory},
		{Group: XCommand, Name: "PolicyExport", Role: Auditor, Args: []Argument{argRevision(engine.Text{EN: "Revision; without it the active one", JA: "リビジョン。省略すると有効なもの"})},
			Help:    engine.Text{EN: "Writes a revision as a signed archive (base64); save it with: hexad policy export FILE", JA: "リビジョンを署名付きアーカイブ(base64)として書き出します。保存には hexad policy export FILE を使います"},
			Example: "xCommand PolicyExport",
			run: func(ctx context.Context, call Call) (Result, error) {
				archive, err := t.parts.Policies.Export(ctx, revisionOf(call, -1))
				if err != nil {
					return Result{}, err
				}
				text := base64.StdEncoding.EncodeToString(archive)
				return Result{Data: map[string]string{"archive": text}, Lines: []string{text}}, nil
			}},
		{Group: XCommand, Name: "PolicyData", Role: Auditor,
			Args:    []Argument{{Name: "Table", Space: chars(0, 40), Help: engine.Text{EN: "Only this table", JA: "この表のみ"}}},
			Help:    engine.Text{EN: "Lists the operators' tables, as they are and as they would be staged now", JA: "運用者の表を、現在の内容と次にステージされる内容で一覧表示します"},
			Example: "xCommand PolicyData", run: t.policyData},
		{Group: XCommand, Name: "PolicyWaivers", Role: Auditor,
			Help:    engine.Text{EN: "Lists the waivers that have not ended", JA: "有効な免除を一覧表示します"},
			Example: "xCommand PolicyWaivers", run: t.policyWaivers},
		{Group: XCommand, Name: "PolicyDecisions", Role: Auditor,
			Args:    []Argument{argSince, argHook, {Name: "Limit", Space: from(1, 1000), Default: "100", Help: engine.Text{EN: "Most decisions", JA: "最大件数"}}},
			Help:    engine.Text{EN: "Lists decisions that this system made, newest first", JA: "このシステムの判断を新しい順に一覧表示します"},
			Example: "xCommand PolicyDecisions Since: 1h", run: t.policyDecisions},
		{Group: XCommand, Name: "PolicyExplain", Role: Auditor,
			Args: []Argument{{Name: "Id", Space: chars(1, 64), Required: true, Help: engine.Text{EN: "Id of the decision", JA: "判断の ID"}},
				argFlag("Lines", engine.Text{EN: "Evaluates it again and marks the lines that ran", JA: "再評価し、実行された行に印を付ける"}),
				{Name: "With", Space: from(0, 1_000_000_000), Help: engine.Text{EN: "Evaluates it again with this revision", JA: "このリビジョンで再評価"}}},
			Help:    engine.Text{EN: "Explains a decision that this system made", JA: "このシステムの判断を説明します"},
			Example: `xCommand PolicyExplain Id: "d-7f3k2"`, run: t.policyExplain},
	}
}

func argVersion(name string, help engine.Text) Argument {
	return Argument{Name: name, Space: chars(0, 64), Help: help}
}

func (t *Table) policyStatus(ctx context.Context, call Call) (Result, error) {
	w, err := t.parts.Policies.Status(ctx)
	if err != nil {
		return Result{}, err
	}
	lines := []string{fmt.Sprintf("active: revision %d", w.Active.Number)}
	if w.Staged != nil {
		lines = append(lines, fmt.Sprintf("%s: revision %d", w.Staged.State, w.Staged.Number))
	}
	if len(w.Drafts) > 0 {
		lines = append(lines, "drafts: "+strings.Join(w.Drafts, ", "))
	}
	peers := Rows{Columns: []string{"peer", "revision", "decisions", "failures", "p99 ms", "changed", "pinned"}}
	for _, p := range w.Peers {
		if !p.Reachable {
			peers.Rows = append(peers.Rows, []any{p.Address, "?", "?", "?", "?", "?", "does not answer"})
			continue
		}
		revision := strconv.FormatInt(p.Revision, 10)
		if p.Unloadable != 0 {
			revision += fmt.Sprintf(" (cannot load %d)", p.Unloadable)
		}
		var pins []string
		for _, pin := range p.Pins {
			pins = append(pins, pin.Script+" ("+pin.Reason+")")
		}
		peers.Rows = append(peers.Rows, []any{p.Address, revision, p.Decisions, p.Failures, fmt.Sprintf("%.3f", float64(p.P99US)/1000), p.Changed, strings.Join(pins, ", ")})
	}
	lines = append(lines, peers.Table()...)
	scripts := Rows{Columns: []string{"script", "hook", "version", "mode", "decisions", "failures", "p99 ms"}}
	for _, s := range w.Scripts {
		if s.Evaluations == 0 && s.Builtin {
			continue
		}
		scripts.Rows = append(scripts.Rows, []any{s.Script, s.Hook, s.Version[:min(12, len(s.Version))], string(s.Mode), s.Evaluations, s.Failures, fmt.Sprintf("%.3f", s.P99.Seconds()*1000)})
	}
	if len(scripts.Rows) > 0 {
		lines = append(append(lines, ""), scripts.Table()...)
	}
	return Result{Data: w, Lines: lines}, nil
}

func (t *Table) policyList(ctx context.Context, call Call) (Result, error) {
	list, err := t.parts.Policies.List(ctx)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"hook", "order", "script", "origin", "version", "mode", "draft"}}
	for _, s := range list {
		origin := s.Origin
		if s.Outdated {
			origin += " (outdated)"
		}
		rows.Rows = append(rows.Rows, []any{s.Hook, s.Order, s.Name, origin, s.Version[:min(12, len(s.Version))], s.Mode, s.Draft[:min(12, len(s.Draft))]})
	}
	return Result{Data: list, Lines: rows.Table()}, nil
}

func (t *Table) policyShow(ctx context.Context, call Call) (Result, error) {
	shown, err := t.parts.Policies.Show(ctx, call.Args["Script"], call.Args["Version"])
	if err != nil {
		return Result{}, err
	}
	text := shown.Version.Source
	if said(call, "Tests") {
		text = shown.Version.Tests
	}
	return Result{Data: shown, Lines: splitLines(text)}, nil
}

func (t *Table) policyHistory(ctx context.Context, call Call) (Result, error) {
	past, err := t.parts.Policies.History(ctx)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"revision", "state", "based on", "created", "author", "approver", "changed", "comment", "reason"}}
	for _, p := range past {
		rows.Rows = append(rows.Rows, []any{p.Number, string(p.State), p.BasedOn, p.Created.Format(time.DateTime), p.Author, p.Approver,
			strings.Join(p.Changed, " "), p.Comment, p.Reason})
	}
	return Result{Data: past, Lines: rows.Table()}, nil
}

func (t *Table) policyData(ctx context.Context, call Call) (Result, error) {
	tables, err := t.parts.Policies.Data(ctx)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"table", "key", "value", "next"}}
	seen := map[[2]string]bool{}
	for _, from := range []map[string]map[string]string{tables.Active, tables.Next} {
		for table, keys := range from {
			for key := range keys {
				at := [2]string{table, key}
				if seen[at] || call.Args["Table"] != "" && call.Args["Table"] != table {
					continue
				}
				seen[at] = true
				was, now := tables.Active[table][key], tables.Next[table][key]
				if _, kept := tables.Next[table][key]; !kept {
					now = "(deleted)"
				} else if was == now {
					now = ""
				}
				rows.Rows = append(rows.Rows, []any{table, key, was, now})
			}
		}
	}
	slices.SortFunc(rows.Rows, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[0].(string), b[0].(string)), cmp.Compare(a[1].(string), b[1].(string)))
	})
	return Result{Data: tables, Lines: rows.Table()}, nil
}

func (t *Table) policyWaivers(ctx context.Context, call Call) (Result, error) {
	list, err := t.parts.Policies.Waivers(ctx)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"id", "finding", "peer", "until", "by", "reason"}}
	for _, w := range list {
		rows.Rows = append(rows.Rows, []any{w.ID, w.Finding, cmp.Or(w.Peer, "(every)"), w.Until.Format(time.RFC3339), w.Author, w.Reason})
	}
	if list == nil {
		list = []engine.PolicyWaiver{}
	}
	return Result{Data: list, Lines: rows.Table()}, nil
}

func (t *Table) policyDecisions(ctx context.Context, call Call) (Result, error) {
	from, err := since(call, "Since", "24h")
	if err != nil {
		return Result{}, err
	}
	limit, err := strconv.Atoi(cmp.Or(call.Args["Limit"], "100"))
	if err != nil {
		return Result{}, err
	}
	list, err := t.parts.Policies.Decisions(ctx, from, call.Args["Hook"], limit)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"id", "time", "hook", "revision", "ms", "answer"}}
	for _, d := range list {
		answer := string(d.Answer)
		if r := []rune(answer); len(r) > 80 {
			answer = string(r[:80]) + "…"
		}
		rows.Rows = append(rows.Rows, []any{d.ID, d.At.UTC().Format("15:04:05.000"), d.Hook, d.Revision, fmt.Sprintf("%.3f", d.Took.Seconds()*1000), answer})
	}
	return Result{Data: list, Lines: rows.Table()}, nil
}

func (t *Table) policyExplain(ctx context.Context, call Call) (Result, error) {
	with := int64(-1)
	if n, err := strconv.ParseInt(call.Args["With"], 10, 64); err == nil {
		with = n
	}
	x, err := t.parts.Policies.Explain(ctx, call.Args["Id"], said(call, "Lines"), with)
	if err != nil {
		return Result{}, err
	}
	lines := decisionLines(x.Decision)
	if x.Decision.Masked && said(call, "Lines") {
		lines = append(lines, "", "its aliases are masked: it cannot be evaluated again")
	}
	if x.Again != nil {
		lines = append(lines, "")
		lines = append(lines, decisionLines(*x.Again)...)
		lines = append(lines, map[bool]string{true: "the answer is the same", false: "the answer is another one"}[x.Same])
	}
	for _, s := range x.Sources {
		lines = append(lines, "", s.Script+".lua")
		for i, text := range s.Lines {
			mark := " "
			if slices.Contains(s.Ran, i+1) {
				mark = ">"
			}
			lines = append(lines, fmt.Sprintf("%s%4d  %s", mark, i+1, text))
		}
	}
	return Result{Data: x, Lines: lines, Differs: x.Again != nil && !x.Same}, nil
}

// decisionLines is a decision with its steps for people.
// Source: reference/policy-api.md section 9.
func decisionLines(d policy.Decision) []string {
	head := fmt.Sprintf("decision %s %s revision %d %.3f ms, %d instructions", d.ID, d.Hook, d.Revision, d.Took.Seconds()*1000, d.Instructions)
	if d.Degraded {
		head += ", degraded"
	}
	if d.Masked {
		head += ", aliases masked"
	}
	lines := []string{head}
	for _, s := range d.Steps {
		if s.Stage != "" {
			lines = append(lines, strings.TrimRight(fmt.Sprintf("  stage      %-20s %s  %s", s.Stage, s.Outcome, s.Detail), " "))
			continue
		}
		line := fmt.Sprintf("  script     %-20s %s  %s", s.Script, s.Version[:min(7, len(s.Version))], s.Outcome)
		if s.Detail != "" {
			line += ": " + s.Detail
		}
		lines = append(lines, line)
		for _, w := range s.Why {
			var params []string
			for _, name := range sortedKeys(w.Params) {
				params = append(params, name+"="+w.Params[name])
			}
			lines = append(lines, fmt.Sprintf("    why      %s %s", w.Code, strings.Join(params, " ")))
		}
	}
	return append(lines, "  answer     "+string(d.Answer))
}
