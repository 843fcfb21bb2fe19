package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// The roles of those who bring policies into service.
// Source: reference/policy-api.md section 7.
const (
	PolicyAuthor   Role = "policy_author"   // draft, check, test, dry run
	PolicyApprover Role = "policy_approver" // stage, activate, roll back, pin
)

// maySay is a fact given as an argument.
var maySay = oneOf("True|On", "False|Off")

func (t *Table) policyEntries() []*Entry {
	if t.parts.Policies == nil {
		return nil
	}
	return slices.Concat(t.policyAuthorEntries(), t.policyApproverEntries(), t.policyReadEntries(), t.policyOtherEntries())
}

// Arguments that several policy commands take.
var (
	argScript = Argument{Name: "Script", Space: chars(1, 40), Required: true, Help: engine.Text{EN: "Name of the script", JA: "スクリプトの名前"}}
	argTable  = Argument{Name: "Table", Space: chars(1, 40), Required: true, Help: engine.Text{EN: "Name of the table", JA: "表の名前"}}
	argKey    = Argument{Name: "Key", Space: chars(1, 255), Required: true, Help: engine.Text{EN: "Key of the row", JA: "行のキー"}}
	argNote   = Argument{Name: "Comment", Space: chars(0, 1024), Help: engine.Text{EN: "Why, for the history", JA: "履歴に残す理由"}}
	argHook   = Argument{Name: "Hook", Space: chars(1, 64), Help: engine.Text{EN: "Hook; see PolicyHooks", JA: "フック(PolicyHooks で一覧)"}}
	argSince  = Argument{Name: "Since", Space: chars(1, 32), Default: "24h", Help: engine.Text{EN: "How far back, for example 24h or 30m", JA: "さかのぼる時間(例: 24h、30m)"}}
	argMode   = Argument{Name: "Mode", Space: oneOf("enforce", "warn", "shadow"), Help: engine.Text{EN: "What the answers do", JA: "回答の扱い"}}
)

func argRevision(help engine.Text) Argument {
	return Argument{Name: "Revision", Space: from(0, 1_000_000_000), Help: help}
}

func argFlag(name string, help engine.Text) Argument {
	return Argument{Name: name, Space: maySay, Default: "False", Help: help}
}

func said(call Call, name string) bool { return call.Args[name] == "True" }

// revisionOf is the revision that a call names, otherwise without one.
func revisionOf(call Call, otherwise int64) int64 {
	if n, err := strconv.ParseInt(call.Args["Revision"], 10, 64); err == nil {
		return n
	}
	return otherwise
}

// since is the time that an argument goes back to.
//
// Errors: Invalid.
func since(call Call, name, otherwise string) (time.Time, error) {
	text := call.Args[name]
	if text == "" {
		text = otherwise
	}
	d, err := duration(text)
	if err != nil {
		return time.Time{}, engine.Errorf(engine.Invalid, "%s: %q is no length of time", name, text).With(name, "for example 24h, 30m or 7d")
	}
	return time.Now().Add(-d), nil
}

// duration reads 30m, 24h, 7d.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 3660 {
			return 0, fmt.Errorf("%q is no number of days", days)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s lies ahead", text)
	}
	return d, err
}

// files reads the scripts of a body: a JSON list of them, or the text of the one
// that the call names.
//
// Errors: Invalid.
func files(call Call) ([]policy.SourceFile, error) {
	body := strings.TrimSpace(call.Body)
	switch {
	case body == "":
		return nil, nil
	case strings.HasPrefix(body, "["):
		var out []policy.SourceFile
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			return nil, engine.Errorf(engine.Invalid, "the scripts cannot be read: %w", err).With("", "send a list of name, source and tests")
		}
		return out, nil
	case call.Args["Script"] == "":
		return nil, engine.Errorf(engine.Invalid, "the script has no name").With("Script", "name it")
	}
	return []policy.SourceFile{{Name: call.Args["Script"], Source: call.Body}}, nil
}

func (t *Table) policyAuthorEntries() []*Entry {
	optional := argScript
	optional.Required = false
	checks := []Argument{optional, argFlag("All", engine.Text{EN: "The built-in scripts too", JA: "組み込みスクリプトも含める"})}
	return []*Entry{
		{Group: XCommand, Name: "PolicyPut", Role: PolicyAuthor, Writes: true, Args: []Argument{optional, argNote},
			Help:    engine.Text{EN: "Stores scripts as drafts, which the next revision takes; send them with: hexad policy put FILE…", JA: "スクリプトを下書きとして保存します。次のリビジョンに含まれます。送信には hexad policy put FILE… を使います"},
			Example: `xCommand PolicyPut Script: "branches"`, run: t.policyPut},
		{Group: XCommand, Name: "PolicyRemove", Role: PolicyAuthor, Writes: true,
			Args:    []Argument{argScript, argFlag("Cancel", engine.Text{EN: "Drops the draft instead", JA: "代わりに下書きを取り消す"})},
			Help:    engine.Text{EN: "Leaves a script of the site out of the next revision; a built-in takes its place again", JA: "サイトのスクリプトを次のリビジョンから外します。組み込みのものがあれば元に戻ります"},
			Example: `xCommand PolicyRemove Script: "branches"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.Remove(ctx, call.Actor, call.Args["Script"], said(call, "Cancel"))
			}},
		{Group: XCommand, Name: "PolicyCheck", Role: PolicyAuthor, Args: checks,
			Help:    engine.Text{EN: "Checks the scripts that would be staged now, or those of hexad policy check FILE…", JA: "次にステージされるスクリプト、または hexad policy check FILE… のファイルを検査します"},
			Example: "xCommand PolicyCheck", run: func(ctx context.Context, call Call) (Result, error) { return t.policyCheck(ctx, call, nil, false) }},
		{Group: XCommand, Name: "PolicyTest", Role: PolicyAuthor,
			Args: append(slices.Clone(checks), Argument{Name: "Run", Space: chars(0, 255), Help: engine.Text{EN: "Only tests whose script/name matches this regular expression", JA: "script/name がこの正規表現に一致するテストのみ"}},
				argFlag("Cover", engine.Text{EN: "Shows the lines that no test ran", JA: "テストで実行されなかった行を表示"})),
			Help:    engine.Text{EN: "Runs the tests of the scripts that would be staged now, or of given files", JA: "次にステージされるスクリプトまたは指定ファイルのテストを実行します"},
			Example: "xCommand PolicyTest All: True", run: t.policyTest},
		{Group: XCommand, Name: "PolicyDryRun", Role: PolicyAuthor,
			Args: []Argument{argSince, argHook, argRevision(engine.Text{EN: "Candidate; without it, what would be staged now", JA: "候補。省略すると次にステージされる内容"}),
				{Name: "Expect", Space: oneOf("any", "none"), Default: "any", Help: engine.Text{EN: "none: a change counts as a difference (exit status 4)", JA: "none: 変化を相違として扱う(終了コード 4)"}}},
			Help:    engine.Text{EN: "Asks recorded questions and the present configuration again, and tells which answers would change", JA: "記録された問い合わせと現在の設定で再評価し、変わる回答を示します"},
			Example: "xCommand PolicyDryRun Since: 24h", run: t.policyDryRun},
		{Group: XCommand, Name: "PolicyEval", Role: PolicyAuthor,
			Args: []Argument{argHook, argRevision(engine.Text{EN: "Revision to ask; without it the active one", JA: "問い合わせるリビジョン。省略すると有効なもの"}),
				argFlag("Lines", engine.Text{EN: "Shows the lines that ran", JA: "実行された行を表示"}),
				{Name: "Input", Space: chars(0, MaxLine), Help: engine.Text{EN: "Input as JSON", JA: "JSON の入力"}}},
			Help:    engine.Text{EN: "Asks the scripts of a hook, or one given script, about one input; nothing is recorded", JA: "フックのスクリプトまたは指定したスクリプトに 1 つの入力を評価させます。記録されません"},
			Example: `xCommand PolicyEval Hook: keys.compare Input: "{}"`, run: t.policyEval},
		{Group: XCommand, Name: "PolicyDataSet", Role: PolicyAuthor, Writes: true,
			Args:    []Argument{argTable, argKey, {Name: "Value", Space: chars(0, 4096), Required: true, Help: engine.Text{EN: "Value of the row", JA: "行の値"}}},
			Help:    engine.Text{EN: "Sets a row of an operators' table in the next revision", JA: "次のリビジョンで運用者の表の行を設定します"},
			Example: `xCommand PolicyDataSet Table: "branches" Key: "77" Value: "Osaka"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.SetData(ctx, call.Actor, call.Args["Table"], map[string]string{call.Args["Key"]: call.Args["Value"]}, false)
			}},
		{Group: XCommand, Name: "PolicyDataDelete", Role: PolicyAuthor, Writes: true, Args: []Argument{argTable, argKey},
			Help:    engine.Text{EN: "Deletes a row of an operators' table in the next revision", JA: "次のリビジョンで運用者の表の行を削除します"},
			Example: `xCommand PolicyDataDelete Table: "branches" Key: "77"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.SetData(ctx, call.Actor, call.Args["Table"], map[string]string{call.Args["Key"]: ""}, true)
			}},
		{Group: XCommand, Name: "PolicyImport", Role: PolicyAuthor, Writes: true,
			Args:    []Argument{{Name: "Trust", Space: chars(0, 128), Help: engine.Text{EN: "Fingerprint of a signer of another cluster", JA: "他のクラスタの署名者のフィンガープリント"}}},
			Help:    engine.Text{EN: "Stores the scripts and tables of an exported revision as drafts; send it with: hexad policy import FILE", JA: "書き出したリビジョンのスクリプトと表を下書きとして保存します。送信には hexad policy import FILE を使います"},
			Example: "xCommand PolicyImport", run: t.policyImport},
	}
}

func (t *Table) policyPut(ctx context.Context, call Call) (Result, error) {
	sources, err := files(call)
	if err != nil {
		return Result{}, err
	}
	if len(sources) == 0 {
		return Result{}, usage("PolicyPut: there is no script").With(usageItem, "use: hexad policy put FILE…")
	}
	versions, err := t.parts.Policies.Put(ctx, call.Actor, sources, call.Args["Comment"])
	var lines []string
	for i, v := range versions {
		lines = append(lines, fmt.Sprintf("%s %s: %s", v.Name, v.SHA256[:12], say(call.Language, engine.Text{EN: "stored as a draft", JA: "下書きとして保存しました"})))
		versions[i].Source, versions[i].Tests = "", ""
	}
	return Result{Data: versions, Lines: lines}, err
}

func (t *Table) policyTest(ctx context.Context, call Call) (Result, error) {
	var run *regexp.Regexp
	if text := call.Args["Run"]; text != "" {
		re, err := regexp.Compile(text)
		if err != nil {
			return Result{}, engine.Errorf(engine.Invalid, "%q is not a regular expression: %w", text, err).With("Run", "for example option_keys")
		}
		run = re
	}
	return t.policyCheck(ctx, call, run, said(call, "Cover"))
}

// policyCheck answers with the report; what is wrong is no error of the
// command but a difference from what is wanted.
func (t *Table) policyCheck(ctx context.Context, call Call, run *regexp.Regexp, cover bool) (Result, error) {
	sources, err := files(call)
	if err != nil {
		return Result{}, err
	}
	report, err := t.parts.Policies.Check(ctx, sources, run, cover, said(call, "All"))
	if err != nil {
		return Result{}, err
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		return Result{}, err
	}
	return Result{Data: report, Lines: splitLines(text.String()), Differs: report.Refused}, nil
}

func splitLines(text string) []string {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (t *Table) policyDryRun(ctx context.Context, call Call) (Result, error) {
	in := policy.DryRunRequest{Hook: call.Args["Hook"], Revision: revisionOf(call, 0)}
	var err error
	if in.Since, err = since(call, "Since", "24h"); err != nil {
		return Result{}, err
	}
	if strings.TrimSpace(call.Body) != "" {
		if err := json.Unmarshal([]byte(call.Body), &in.Questions); err != nil {
			return Result{}, engine.Errorf(engine.Invalid, "the questions cannot be read: %w", err).With("", "send a list of hook and input")
		}
	}
	run, err := t.parts.Policies.DryRun(ctx, in)
	if err != nil {
		return Result{}, err
	}
	rows := Rows{Columns: []string{"hook", "was", "would be", "count", "samples"}}
	for _, d := range run.Differences {
		rows.Rows = append(rows.Rows, []any{d.Hook, d.Was, d.Is, d.Count, strings.Join(d.Samples, " ")})
	}
	var lines []string
	if len(rows.Rows) > 0 {
		lines = rows.Table()
	}
	lines = append(lines, fmt.Sprintf("%d asked (%d of the present configuration), %d changed, %d could not be asked again", run.Asked, run.Present, run.Changed, run.Failed))
	if run.Masked > 0 {
		lines = append(lines, fmt.Sprintf("%d left out: their aliases are masked", run.Masked))
	}
	return Result{Data: run, Lines: lines, Differs: run.Changed > 0 && call.Args["Expect"] == "none"}, nil
}

func (t *Table) policyEval(ctx context.Context, call Call) (Result, error) {
	in := struct {
		Script *policy.SourceFile `json:"script"`
		Input  json.RawMessage    `json:"input"`
	}{Input: json.RawMessage(call.Args["Input"])}
	if strings.TrimSpace(call.Body) != "" {
		if err := json.Unmarshal([]byte(call.Body), &in); err != nil {
			return Result{}, engine.Errorf(engine.Invalid, "the question cannot be read: %w", err).With("", "send script and input")
		}
	}
	if len(in.Input) == 0 {
		return Result{}, usage("PolicyEval: there is no input").With(usageItem, `give Input: "{…}", or use: hexad policy eval FILE INPUT.json`)
	}
	d, err := t.parts.Policies.Eval(ctx, call.Args["Hook"], in.Input, revisionOf(call, -1), in.Script, said(call, "Lines"))
	if err != nil {
		return Result{}, err
	}
	return Result{Data: d, Lines: decisionLines(d)}, nil
}

func (t *Table) policyImport(ctx context.Context, call Call) (Result, error) {
	archive, err := base64.StdEncoding.DecodeString(strings.TrimSpace(call.Body))
	if err != nil || len(archive) == 0 {
		return Result{}, usage("PolicyImport: there is no archive").With(usageItem, "use: hexad policy import FILE")
	}
	in, err := t.parts.Policies.Import(ctx, call.Actor, archive, call.Args["Trust"])
	if err != nil {
		return Result{}, err
	}
	lines := []string{fmt.Sprintf("revision %d, signed by %s", in.From, in.Signer)}
	for i, v := range in.Versions {
		lines = append(lines, fmt.Sprintf("%s %s: stored as a draft", v.Name, v.SHA256[:12]))
		in.Versions[i].Source, in.Versions[i].Tests = "", ""
	}
	for _, table := range in.Tables {
		lines = append(lines, "table "+table+": stored as a draft")
	}
	return Result{Data: in, Lines: lines}, nil
}
