package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// Forcing is what an administrator does by force, each with what it will do
// and lose said first.
type Forcing interface {
	// ForcePlan says what naming this system the primary by force would do.
	// Errors: Denied, Conflict (the group can commit), Unavailable.
	ForcePlan(ctx context.Context) (engine.ForcePlan, error)
	// SaveForced is Cluster.Save where that has been agreed to.
	SaveForced(ctx context.Context, actor engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error)
	// UpdatePlan says whose copy ForceConfigUpdate would take, and what differs.
	// Errors: Denied (on the primary), Unavailable (it does not answer).
	UpdatePlan(ctx context.Context) (engine.UpdatePlan, error)
	// ForceConfigUpdate saves this system's copy aside and takes the primary's.
	// Errors: those of UpdatePlan; Conflict when it is not any more as seen.
	ForceConfigUpdate(ctx context.Context, actor engine.Actor, seen *engine.UpdatePlan) (engine.SavedCopy, error)
}

// Copies are the copies of cluster.db that were saved aside on this system.
type Copies interface {
	List(ctx context.Context) ([]engine.SavedCopy, error)
	// Differences compares one with what this system has now. Errors: NotFound.
	Differences(ctx context.Context, name string) ([]engine.Difference, error)
	// Remove deletes one. Errors: NotFound.
	Remove(ctx context.Context, actor engine.Actor, name string) error
}

var offOn = oneOf("Off", "On")

// forceArgument is the argument of ClusterSave that names this system the primary by force.
var forceArgument = Argument{Name: "Force", Space: offOn, Default: "Off",
	Help: engine.Text{EN: "On: make this system the primary although most voters are gone; ClusterForceShow says first what is lost",
		JA: "On: 過半数の投票ピアがなくてもこのシステムをプライマリにします。失われるものは先に ClusterForceShow で確認してください"}}

func (t *Table) forceEntries() []*Entry {
	var out []*Entry
	if t.parts.Forcing != nil {
		out = append(out, t.forceShow(), t.forceConfigUpdate())
	}
	if t.parts.Copies != nil {
		out = append(out, t.copyList(), t.copyCompare(), t.copyDelete())
	}
	return out
}

func (t *Table) forceShow() *Entry {
	return &Entry{Group: XCommand, Name: "ClusterForceShow", Role: Auditor,
		Help: engine.Text{EN: "Says what naming this system the configuration primary by force would do and what would be lost; changes nothing",
			JA: "このシステムを強制的に設定プライマリにした場合の動作と失われるものを表示します。何も変更しません"},
		Example: "xCommand ClusterForceShow",
		run: func(ctx context.Context, call Call) (Result, error) {
			plan, err := t.parts.Forcing.ForcePlan(ctx)
			if err != nil {
				return Result{}, err
			}
			return Result{Data: plan, Lines: forceLines(call.Language, plan)}, nil
		}}
}

func forceLines(l engine.Language, p engine.ForcePlan) []string {
	out := results(Tree("ClusterForce",
		number("Revision", p.Copy.Revision), moment("Saved", p.Copy.Saved), number("Generation", p.Copy.Generation.Number), number("Next generation", p.Next),
		number("Unconfirmed entries", p.Copy.Unconfirmed), text("Primary", p.Primary)))
	for _, q := range p.Unreached {
		out = append(out, say(l, engine.Text{EN: "not reached: ", JA: "到達不能: "})+q.Address+" "+forcePeerWord(l, q))
	}
	for _, q := range p.Reached {
		out = append(out, say(l, engine.Text{EN: "reached: ", JA: "到達可能: "})+q.Address+" "+forcePeerWord(l, q))
	}
	for _, line := range ForceConsequences(p) {
		out = append(out, say(l, line))
	}
	return append(out, say(l, engine.Text{
		EN: "to do it: xCommand ClusterSave Primary: (number of this system) Force: On", JA: "実行: xCommand ClusterSave Primary: (このシステムの番号) Force: On"}))
}

func forcePeerWord(l engine.Language, q engine.ForcePeer) string {
	var words []string
	if q.Primary {
		words = append(words, say(l, engine.Text{EN: "primary", JA: "プライマリ"}))
	}
	if q.Revision > 0 {
		words = append(words, fmt.Sprintf(say(l, engine.Text{EN: "revision %d", JA: "リビジョン %d"}), q.Revision))
	}
	if q.Ahead {
		words = append(words, say(l, engine.Text{EN: "newer than this system's copy", JA: "このシステムのコピーより新しい"}))
	}
	if len(words) == 0 {
		return ""
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// ForceConsequences are what a forced change of primary does, one sentence
// each, for every face.
func ForceConsequences(p engine.ForcePlan) []engine.Text {
	out := []engine.Text{
		{EN: fmt.Sprintf("This system goes on alone with revision %d as generation %d; it is then the only voter and the primary.", p.Copy.Revision, p.Next),
			JA: fmt.Sprintf("このシステムはリビジョン %d から世代 %d として単独で続行し、唯一の投票ピア兼プライマリになります。", p.Copy.Revision, p.Next)},
	}
	if p.Here {
		out = append(out,
			engine.Text{EN: "A peer that returns follows by itself, unless another primary was named there meanwhile.",
				JA: "復帰したピアは、その間に別のプライマリが指定されていなければ自動的に追従します。"},
			engine.Text{EN: "Take the peers that are lost for good off the list afterwards.", JA: "その後、復旧しないピアをリストから削除してください。"})
	} else {
		out = append(out,
			engine.Text{EN: "What was saved on " + p.Primary + " after that revision is not in it.",
				JA: p.Primary + " でそのリビジョンより後に保存された設定は含まれません。"},
			engine.Text{EN: "When " + p.Primary + " returns it is kept apart (alarm 20011); its copy stays as it is until ForceConfigUpdate is run there, which saves it aside first.",
				JA: p.Primary + " は復帰しても隔離されます(アラーム 20011)。そこで ForceConfigUpdate を実行するまで設定はそのまま残り、実行時にはまず退避されます。"},
			engine.Text{EN: "A peer that has nothing of its own follows by itself once this system is chosen as primary on its clustering page.",
				JA: "独自の変更がないピアは、そのクラスタリングページでこのシステムをプライマリに選ぶと自動的に追従します。"})
	}
	var ahead []string
	for _, q := range p.Reached {
		if q.Ahead {
			ahead = append(ahead, q.Address)
		}
	}
	if len(ahead) > 0 {
		list := strings.Join(ahead, " ")
		out = append(out, engine.Text{EN: "A newer copy is on " + list + ": name that peer instead of this one.", JA: "より新しいコピーが " + list + " にあります。このシステムではなくそのピアを指定してください。"})
	}
	return out
}

func (t *Table) forceConfigUpdate() *Entry {
	return &Entry{Group: XCommand, Name: "ForceConfigUpdate", Role: Administrator, Writes: true, Backup: true,
		Args: []Argument{{Name: "Confirm", Space: offOn, Default: "Off",
			Help: engine.Text{EN: "On: do it; otherwise what differs is shown and nothing is changed", JA: "On: 実行します。それ以外は差分の表示のみで何も変更しません"}}},
		Help: engine.Text{EN: "Replaces this system's copy of the configuration with the primary's; the copy is saved aside first. Not on the primary",
			JA: "このシステムの設定をプライマリの設定で置き換えます。先に現在の設定を退避します。プライマリでは実行できません"},
		Example: "xCommand ForceConfigUpdate Confirm: On",
		run: func(ctx context.Context, call Call) (Result, error) {
			plan, err := t.parts.Forcing.UpdatePlan(ctx)
			if err != nil {
				return Result{}, err
			}
			if call.Args["Confirm"] != "On" {
				lines := append(updateLines(call.Language, plan), say(call.Language, engine.Text{
					EN: "nothing is changed yet; to do it: xCommand ForceConfigUpdate Confirm: On", JA: "まだ何も変更していません。実行: xCommand ForceConfigUpdate Confirm: On"}))
				return Result{Data: plan, Lines: lines, Differs: len(plan.Differences) > 0 || plan.Policies || plan.Beyond > 0}, nil
			}
			if call.Base != 0 && call.Base != plan.Own.Revision {
				return Result{}, t.outdated(ctx, call.Base, plan.Own.Revision, "look at the difference again")
			}
			saved, err := t.parts.Forcing.ForceConfigUpdate(ctx, call.Actor, &plan)
			if err != nil {
				return Result{}, err
			}
			tree := Tree("ForceConfigUpdate", text("Copy", saved.Name), number("Revision", saved.Revision), text("Primary", plan.Source))
			return Result{Data: saved, Lines: append(results(tree), say(call.Language, engine.Text{
				EN: "this system's copy is saved aside; the primary's arrives within seconds. ConfigurationCopyCompare shows what is worth saving again on the primary",
				JA: "このシステムの設定を退避しました。プライマリの設定は数秒で届きます。プライマリで保存し直す内容は ConfigurationCopyCompare で確認できます"}))}, nil
		}}
}

func updateLines(l engine.Language, p engine.UpdatePlan) []string {
	out := results(Tree("ForceConfigUpdate",
		text("Primary", p.Source), number("Own generation", p.Own.Generation.Number), number("Own revision", p.Own.Revision), moment("Own saved", p.Own.Saved),
		number("Primary generation", p.Theirs.Generation.Number), number("Primary revision", p.Theirs.Revision), moment("Primary saved", p.Theirs.Saved),
		number("Revisions only here", p.Beyond), number("Items that differ", len(p.Differences))))
	for _, d := range p.Differences {
		out = append(out, differenceLine(l, d))
	}
	if p.Policies {
		out = append(out, say(l, engine.Text{EN: "the policies differ", JA: "ポリシーが異なります"}))
	}
	return out
}

// differenceLine is one item with both values: own / primary's.
func differenceLine(l engine.Language, d engine.Difference) string {
	unset := say(l, engine.Text{EN: "(not set)", JA: "(未設定)"})
	value := func(set bool, v string) string {
		if !set {
			return unset
		}
		return strconv.Quote(v)
	}
	return d.Path + ": " + value(d.OwnSet, d.Own) + " / " + value(d.OtherSet, d.Other)
}

func (t *Table) copyList() *Entry {
	return &Entry{Group: XCommand, Name: "ConfigurationCopyList", Role: Auditor,
		Help:    engine.Text{EN: "Lists the copies of the configuration that were saved aside on this system", JA: "このシステムに退避された設定のコピーを一覧表示します"},
		Example: "xCommand ConfigurationCopyList",
		run: func(ctx context.Context, call Call) (Result, error) {
			list, err := t.parts.Copies.List(ctx)
			if err != nil {
				return Result{}, err
			}
			tree := Tree("ConfigurationCopyList")
			for i, c := range list {
				tree.add(Tree("Copy "+strconv.Itoa(i+1), text("Name", c.Name), moment("Taken", c.Taken), text("Why", c.Why),
					number("Generation", c.Generation.Number), number("Revision", c.Revision), moment("Saved", c.Saved), number("Bytes", c.Size)))
			}
			return Result{Data: list, Lines: results(tree)}, nil
		}}
}

var copyArgument = Argument{Name: "Copy", Space: chars(1, 200), Required: true,
	Help: engine.Text{EN: "Name of the copy, as ConfigurationCopyList shows it", JA: "ConfigurationCopyList が示すコピーの名前"}}

func (t *Table) copyCompare() *Entry {
	return &Entry{Group: XCommand, Name: "ConfigurationCopyCompare", Role: Auditor,
		Args: []Argument{copyArgument, {Name: "Form", Space: oneOf("Values", "Lines"), Default: "Values",
			Help: engine.Text{EN: "Lines: configuration lines that bring the copy's values back, to be run or imported on the primary item by item",
				JA: "Lines: コピーの値を戻す設定行。プライマリで項目ごとに実行またはインポートします"}}},
		Help:    engine.Text{EN: "Compares a copy that was saved aside with what this system has now; the exit status is 4 when they differ", JA: "退避したコピーと現在の設定を比較します。異なる場合の終了ステータスは 4 です"},
		Example: `xCommand ConfigurationCopyCompare Copy: "cluster-g1-r17-20260102T030405Z-follow.sqlite" Form: Lines`,
		run: func(ctx context.Context, call Call) (Result, error) {
			found, err := t.parts.Copies.Differences(ctx, call.Args["Copy"])
			if err != nil {
				return Result{}, err
			}
			var lines []string
			for _, d := range found {
				if call.Args["Form"] == "Lines" {
					lines = append(lines, backLines(call.Language, d)...)
				} else {
					lines = append(lines, differenceLine(call.Language, d))
				}
			}
			if found == nil {
				found = []engine.Difference{}
			}
			return Result{Data: found, Lines: lines, Differs: len(found) > 0}, nil
		}}
}

// backLines are the configuration lines that give an item the copy's value
// back; what no line can say is a comment.
func backLines(l engine.Language, d engine.Difference) []string {
	switch {
	case d.Secret:
		return []string{"# " + d.Path + say(l, engine.Text{EN: ": a secret, to be entered anew", JA: ": シークレットのため再入力が必要です"})}
	case !d.OwnSet:
		return []string{"# " + d.Path + say(l, engine.Text{EN: ": only set now: ", JA: ": 現在のみ設定あり: "}) + strconv.Quote(d.Other)}
	}
	now := say(l, engine.Text{EN: "# now not set", JA: "# 現在は未設定"})
	if d.OtherSet {
		now = say(l, engine.Text{EN: "# now ", JA: "# 現在 "}) + strconv.Quote(d.Other)
	}
	return []string{now, "xConfiguration " + d.Path + `: "` + d.Own + `"`}
}

func (t *Table) copyDelete() *Entry {
	return &Entry{Group: XCommand, Name: "ConfigurationCopyDelete", Role: Administrator, Writes: true, Args: []Argument{copyArgument},
		Help:    engine.Text{EN: "Deletes a copy that was saved aside on this system", JA: "このシステムに退避されたコピーを削除します"},
		Example: `xCommand ConfigurationCopyDelete Copy: "cluster-g1-r17-20260102T030405Z-follow.sqlite"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			return Result{}, t.parts.Copies.Remove(ctx, call.Actor, call.Args["Copy"])
		}}
}

// saver saves the page by force when that was asked for.
func (t *Table) saver(call Call) func(context.Context, engine.Actor, engine.Clustering) (engine.ClusteringSaved, error) {
	if call.Args["Force"] == "On" && t.parts.Forcing != nil {
		return t.parts.Forcing.SaveForced
	}
	return t.parts.Cluster.Save
}

// withForce adds the argument Force where there is somebody to force.
func (t *Table) withForce(args []Argument) []Argument {
	if t.parts.Forcing == nil {
		return args
	}
	return append(slices.Clip(args), forceArgument)
}
