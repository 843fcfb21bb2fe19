package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

func (t *Table) policyApproverEntries() []*Entry {
	one := argScript
	one.Required = false
	return []*Entry{
		{Group: XCommand, Name: "PolicyStage", Role: PolicyApprover, Writes: true,
			Args: []Argument{argNote, one, argMode,
				{Name: "OnFailure", Space: oneOf("default", "reject", "skip"), Help: engine.Text{EN: "Answer when the script fails", JA: "スクリプトが失敗したときの回答"}},
				{Name: "Order", Space: from(200, 899), Help: engine.Text{EN: "Place among the scripts of its hook", JA: "フック内での順番"}}},
			Help:    engine.Text{EN: "Makes the next revision of all drafts; every reachable peer compiles and tests it. With Script, its mode, failure or order changes too", JA: "すべての下書きから次のリビジョンを作ります。到達できる全ピアがコンパイルとテストを行います。Script を指定すると、そのモード、失敗時の回答、順番も変更します"},
			Example: `xCommand PolicyStage Comment: "branch prefixes"`, run: t.policyStage},
		{Group: XCommand, Name: "PolicyActivate", Role: PolicyApprover, Writes: true,
			Args: []Argument{argRevision(engine.Text{EN: "Revision; without it the staged one", JA: "リビジョン。省略するとステージ済みのもの"}), argMode,
				argFlag("FourEyes", engine.Text{EN: "Refuses when the author approves", JA: "作成者自身による承認を拒否"})},
			Help:    engine.Text{EN: "Brings a staged revision into effect on every peer", JA: "ステージ済みのリビジョンを全ピアで有効にします"},
			Example: "xCommand PolicyActivate Revision: 2", run: t.policyActivate},
		{Group: XCommand, Name: "PolicyRollback", Role: PolicyApprover, Writes: true,
			Args:    []Argument{argRevision(engine.Text{EN: "Revision to go back to; without it the one before; 0 is the built-ins alone", JA: "戻すリビジョン。省略すると直前のもの。0 は組み込みのみ"}), argNote},
			Help:    engine.Text{EN: "Activates a new revision with the contents of an earlier one", JA: "以前のリビジョンの内容で新しいリビジョンを有効にします"},
			Example: "xCommand PolicyRollback",
			run: func(ctx context.Context, call Call) (Result, error) {
				r, err := t.parts.Policies.Rollback(ctx, call.Actor, revisionOf(call, -1), call.Args["Comment"])
				if err != nil {
					return Result{}, err
				}
				return Result{Data: r, Lines: []string{fmt.Sprintf("revision %d is active: %s", r.Number, r.Reason)}}, nil
			}},
		{Group: XCommand, Name: "PolicyPin", Role: PolicyApprover, Writes: true,
			Args:    []Argument{argScript, {Name: "Reason", Space: chars(1, 1024), Required: true, Help: engine.Text{EN: "Why", JA: "理由"}}},
			Help:    engine.Text{EN: "Keeps a script from answering on this system: its last good version or the fail-safe answers", JA: "このシステムでスクリプトの回答を止めます。最後の正常な版または安全側の回答が使われます"},
			Example: `xCommand PolicyPin Script: "branches" Reason: "wrong zone"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.Pin(ctx, call.Actor, call.Args["Script"], call.Args["Reason"])
			}},
		{Group: XCommand, Name: "PolicyUnpin", Role: PolicyApprover, Writes: true, Args: []Argument{argScript},
			Help:    engine.Text{EN: "Lets a pinned script answer on this system again", JA: "固定したスクリプトをこのシステムで再び使います"},
			Example: `xCommand PolicyUnpin Script: "branches"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.Unpin(ctx, call.Actor, call.Args["Script"])
			}},
		{Group: XCommand, Name: "PolicyWaive", Role: Administrator, Writes: true,
			Args: []Argument{{Name: "Finding", Space: chars(1, 128), Required: true, Help: engine.Text{EN: "Id of the finding", JA: "検出結果の ID"}},
				{Name: "Peer", Space: chars(0, 128), Help: engine.Text{EN: "Address; without it every peer", JA: "アドレス。省略すると全ピア"}},
				{Name: "For", Space: chars(1, 32), Required: true, Help: engine.Text{EN: "How long, for example 24h or 7d", JA: "期間(例: 24h、7d)"}},
				{Name: "Reason", Space: chars(1, 1024), Required: true, Help: engine.Text{EN: "Why it is acceptable", JA: "許容する理由"}}},
			Help:    engine.Text{EN: "Keeps a finding from blocking and from raising its alarm for a time", JA: "検出結果による拒否とアラームを一定期間止めます"},
			Example: `xCommand PolicyWaive Finding: "cluster.rtt.over_limit" For: 24h Reason: "line is replaced"`, run: t.policyWaive},
		{Group: XCommand, Name: "PolicyUnwaive", Role: Administrator, Writes: true,
			Args:    []Argument{{Name: "Id", Space: chars(1, 64), Required: true, Help: engine.Text{EN: "Id of the waiver", JA: "免除の ID"}}},
			Help:    engine.Text{EN: "Ends a waiver before its time", JA: "免除を期限前に終了します"},
			Example: `xCommand PolicyUnwaive Id: "w-abc"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Policies.EndWaiver(ctx, call.Actor, call.Args["Id"])
			}},
	}
}

func (t *Table) policyStage(ctx context.Context, call Call) (Result, error) {
	in := policy.StageRequest{Comment: call.Args["Comment"]}
	var s policy.Settings
	if mode, ok := call.Args["Mode"]; ok {
		s.Mode = &mode
	}
	if answer, ok := call.Args["OnFailure"]; ok {
		s.OnFailure = &answer
	}
	if order, err := strconv.Atoi(call.Args["Order"]); err == nil {
		s.Order = &order
	}
	if s != (policy.Settings{}) {
		if call.Args["Script"] == "" {
			return Result{}, usage("PolicyStage: it is not said whose mode, failure or order changes").With(usageItem, "give Script")
		}
		in.Settings = map[string]policy.Settings{call.Args["Script"]: s}
	}
	out, err := t.parts.Policies.Stage(ctx, call.Actor, in)
	if err != nil {
		return Result{}, err
	}
	lines := []string{fmt.Sprintf("revision %d is staged: %s", out.Revision.Number, strings.Join(out.Changed, ", "))}
	for _, k := range out.Acks {
		lines = append(lines, k.Peer+": ready")
	}
	for _, address := range out.Missing {
		lines = append(lines, address+": does not answer; it is asked again before the activation")
	}
	return Result{Data: out, Lines: lines}, nil
}

func (t *Table) policyActivate(ctx context.Context, call Call) (Result, error) {
	r, err := t.parts.Policies.Activate(ctx, call.Actor, policy.ActivateRequest{
		Revision: revisionOf(call, 0), Mode: call.Args["Mode"], FourEyes: said(call, "FourEyes"),
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Data: r, Lines: []string{fmt.Sprintf("revision %d is active", r.Number)}}, nil
}

func (t *Table) policyWaive(ctx context.Context, call Call) (Result, error) {
	length, err := duration(call.Args["For"])
	if err != nil {
		return Result{}, engine.Errorf(engine.Invalid, "For: %q is no length of time", call.Args["For"]).With("For", "for example 24h or 7d")
	}
	w, err := t.parts.Policies.PutWaiver(ctx, call.Actor, engine.PolicyWaiver{
		Finding: call.Args["Finding"], Peer: call.Args["Peer"], Until: time.Now().UTC().Add(length).Truncate(time.Second), Reason: call.Args["Reason"],
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Data: w, Lines: []string{fmt.Sprintf("%s: waived until %s", w.ID, w.Until.Format(time.RFC3339))}}, nil
}
