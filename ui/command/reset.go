package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// BackupAdvice says that a backup is to be taken first, and how: in the shell
// and for programs. The console has its button.
type BackupAdvice struct {
	Text    engine.Text `json:"text"`
	Command string      `json:"command"`
	Path    string      `json:"path"` // POST, for programs
}

// backupFirst stands before everything that can lose configuration or keys.
// Source: reference 2.12, 2.16, 2.17; issue 5.
var backupFirst = BackupAdvice{
	Text:    engine.Text{EN: "Take a backup first", JA: "先にバックアップを取得してください"},
	Command: "xCommand SystemBackup", Path: "/api/v1/backups",
}

// BackupLine is the advice on one line.
func BackupLine(l engine.Language) string {
	return "! " + say(l, backupFirst.Text) + ": " + backupFirst.Command + " (hexad backup FILE)"
}

// Resets is the factory reset.
type Resets interface {
	// Plan says what a factory reset keeps and loses: with answers the one that
	// they describe, otherwise the armed one, or that of an empty peer list.
	// Errors: Unavailable.
	Plan(ctx context.Context, answers *engine.ResetAnswers) (engine.ResetPlan, error)
	// Reset restarts this system into a factory reset.
	// Errors: Unavailable (no image), Denied (a rule).
	Reset(ctx context.Context, actor engine.Actor, answers engine.ResetAnswers) error
}

var yesNo = oneOf("YES", "NO")

// resetQuestions are the questions of factory-reset, in their order.
// Source: reference 2.12.
var resetQuestions = []Argument{
	{Name: "KeepOptionKeys", Space: yesNo, Help: engine.Text{EN: "Keep option keys", JA: "オプションキーを保持する"}},
	{Name: "KeepFIPS140", Space: yesNo, Help: engine.Text{EN: "Keep FIPS140 configuration", JA: "FIPS140 設定を保持する"}},
	{Name: "KeepIP", Space: yesNo, Help: engine.Text{EN: "Keep IP configuration", JA: "IP 設定を保持する"}},
	{Name: "KeepSSHKeys", Space: yesNo, Help: engine.Text{EN: "Keep ssh keys", JA: "SSH キーを保持する"}},
	{Name: "KeepCertificates", Space: yesNo, Help: engine.Text{EN: "Keep server certificate, associated key and CA trust store", JA: "サーバ証明書、その秘密鍵、CA 信頼ストアを保持する"}},
	{Name: "KeepPasswords", Space: yesNo, Help: engine.Text{EN: "Keep root and admin passwords", JA: "root と admin のパスワードを保持する"}},
	{Name: "SaveLogs", Space: yesNo, Help: engine.Text{EN: "Save log files", JA: "ログファイルを保存する"}},
}

var resetConfirm = Argument{Name: "Confirm", Space: yesNo, Default: "NO",
	Help: engine.Text{EN: "YES: reset this system now; otherwise what would be kept and lost is shown", JA: "YES: このシステムを今すぐリセットします。それ以外は保持されるものと失われるものの表示のみです"}}

func (t *Table) resetEntries() []*Entry {
	if t.parts.Resets == nil {
		return nil
	}
	return []*Entry{
		{Group: XCommand, Name: "FactoryResetShow", Role: Auditor, Args: resetQuestions, Backup: true,
			Help: engine.Text{EN: "Lists item by item what a factory reset would keep and lose: the one that is armed, or that of an empty peer list, or with these answers; changes nothing",
				JA: "工場出荷時リセットで保持されるものと失われるものを項目ごとに表示します(予約中のもの、ピアリスト全削除時のもの、または指定した回答によるもの)。何も変更しません"},
			Example: "xCommand FactoryResetShow", run: t.showReset},
		{Group: XCommand, Name: "FactoryReset", Role: Administrator, Writes: true, Root: true, Backup: true, Args: append(append([]Argument{}, resetQuestions...), resetConfirm),
			Help:    engine.Text{EN: "Resets this system to factory settings; factory-reset at the prompt asks each question", JA: "このシステムを工場出荷状態に戻します。プロンプトで factory-reset と入力すると質問形式で実行します"},
			Example: "xCommand FactoryReset KeepOptionKeys: YES KeepFIPS140: YES KeepIP: YES KeepSSHKeys: YES KeepCertificates: NO KeepPasswords: YES SaveLogs: NO Confirm: NO",
			run:     t.factoryReset},
	}
}

// resetAnswers reads the answers; given says whether there is one at all, and
// missing names the first that is not there.
func resetAnswers(args map[string]string) (out engine.ResetAnswers, given bool, missing string) {
	fields := []*bool{&out.OptionKeys, &out.FIPS140, &out.IP, &out.SSHKeys, &out.Certificates, &out.Passwords, &out.Logs}
	for i, q := range resetQuestions {
		value, ok := args[q.Name]
		given = given || ok
		if *fields[i] = value == "YES"; !ok && missing == "" {
			missing = q.Name
		}
	}
	return out, given, missing
}

func (t *Table) showReset(ctx context.Context, call Call) (Result, error) {
	answers, given, _ := resetAnswers(call.Args)
	asked := &answers
	if !given {
		asked = nil
	}
	plan, err := t.parts.Resets.Plan(ctx, asked)
	if err != nil {
		return Result{}, err
	}
	return Result{Data: plan, Lines: resetLines(call.Language, plan)}, nil
}

func (t *Table) factoryReset(ctx context.Context, call Call) (Result, error) {
	answers, _, missing := resetAnswers(call.Args)
	if missing != "" {
		return Result{}, usage("FactoryReset: %s is not answered", missing).With(missing, "answer each question with YES or NO")
	}
	if call.Args["Confirm"] != "YES" {
		return t.showReset(ctx, call)
	}
	plan, err := t.parts.Resets.Plan(ctx, &answers)
	if err == nil {
		err = t.parts.Resets.Reset(ctx, call.Actor, answers)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Data: plan, Following: "reset/progress", Lines: []string{say(call.Language, engine.Text{
		EN: "the factory reset begins: this system restarts now and comes back with the defaults. Alarm 15009 stands for it in the log, 15013 for a failure",
		JA: "工場出荷時リセットを開始します。このシステムは再起動し、初期設定で起動します。ログではアラーム 15009 が実行を、15013 が失敗を示します"})}}, nil
}

// resetLines are a plan for people, what is kept first.
func resetLines(l engine.Language, p engine.ResetPlan) []string {
	var out []string
	if p.Armed {
		out = append(out, say(l, engine.Text{EN: "A factory reset is armed: the next restart carries it out.", JA: "工場出荷時リセットが予約されています。次の再起動時に実行されます。"}))
	}
	for _, kept := range []bool{true, false} {
		word := engine.Text{EN: "lost: ", JA: "失われる: "}
		if kept {
			word = engine.Text{EN: "kept: ", JA: "保持: "}
		}
		for _, item := range p.Items {
			if item.Kept != kept {
				continue
			}
			line := say(l, word) + say(l, item.Text)
			if item.Detail != "" {
				line += " (" + strings.Join(strings.Fields(item.Detail), " ") + ")"
			}
			out = append(out, line)
		}
	}
	for _, w := range p.Warnings {
		out = append(out, say(l, w))
	}
	if p.Blocked != "" {
		out = append(out, say(l, engine.Text{EN: "It cannot be carried out now: ", JA: "現在は実行できません: "})+say(l, engine.ResetText(p.Blocked)))
	}
	return out
}
