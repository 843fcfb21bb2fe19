package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"hexad/engine"
	"hexad/engine/procedure"
)

// Procedures are the guided procedures of the cluster.
type Procedures interface {
	// Plan is what Start would do. Errors: what is in the way, and what to do about it.
	Plan(ctx context.Context, actor engine.Actor, kind string, args map[string]string) (engine.Procedure, error)
	// Start lets this system carry a procedure out. Errors: those of Plan; Conflict (another is open).
	Start(ctx context.Context, actor engine.Actor, kind string, args map[string]string) (engine.Procedure, error)
	// Resume goes on with an open one on this system. Errors: NotFound, Conflict.
	Resume(ctx context.Context, actor engine.Actor, id string) (engine.Procedure, error)
	// Abort ends an open one where it stands. Errors: NotFound, Conflict, Unavailable.
	Abort(ctx context.Context, actor engine.Actor, id string) (engine.Procedure, error)
	// Show is one; without id the open one, else the newest. Errors: NotFound.
	Show(ctx context.Context, id string) (engine.Procedure, error)
	List(ctx context.Context) ([]engine.Procedure, error)
}

func (t *Table) procedureEntries() []*Entry {
	var out []*Entry
	if t.parts.Procedures != nil {
		out = append(out, t.procedureStart("ProcedureStart", engine.Text{EN: "Starts a guided procedure: every step on every peer, with its waits, from here", JA: "ガイド付き手順を開始します。各ピアでの全ステップと待機をここから実行します"}),
			t.procedureStart("ProcedurePlan", engine.Text{EN: "Shows the steps of a guided procedure, or what is in its way; changes nothing", JA: "ガイド付き手順のステップ、または妨げになるものを表示します。何も変更しません"}),
			t.procedureList(), t.procedureShow(), t.procedureGoOn("ProcedureResume"), t.procedureGoOn("ProcedureAbort"))
	}
	if t.parts.Trust != nil && t.parts.Cluster != nil {
		out = append(out, t.joinCode(), t.join())
	}
	return out
}

// procedureArguments are all arguments that a kind may take.
func procedureArguments() []Argument {
	var kinds []string
	for _, k := range procedure.Kinds {
		kinds = append(kinds, k.Name)
	}
	args := []Argument{
		{Name: "Kind", Space: oneOf(kinds...), Required: true, Help: engine.Text{EN: "Which procedure", JA: "手順の種類"}},
		{Name: "Address", Space: chars(0, 128), Help: engine.Text{EN: "The peer that it is about: its address on the clustering page", JA: "対象ピアのアドレス(クラスタリングページの値)"}},
		{Name: "NewAddress", Space: chars(0, 128), Help: engine.Text{EN: "ChangeAddress, Replace: the address that takes its place", JA: "ChangeAddress、Replace: 新しいアドレス"}},
		{Name: "Name", Space: chars(0, 128), Help: engine.Text{EN: "Create: the cluster name", JA: "Create: クラスタ名"}},
		{Name: "IPVersion", Space: oneOf("IPv4", "IPv6"), Help: engine.Text{EN: "Create: the cluster IP version", JA: "Create: クラスタの IP バージョン"}},
		{Name: "Force", Space: offOn, Help: engine.Text{EN: "Primary: On where too few voters answer; ClusterForceShow says first what is lost", JA: "Primary: 投票ピアが足りない場合に On。失われるものは先に ClusterForceShow で確認"}},
	}
	for i := range engine.MaxPeers {
		n := strconv.Itoa(i + 1)
		args = append(args, Argument{Name: "Peer" + n, Space: chars(0, 128), Help: engine.Text{EN: "Names, Mapping: the FQDN of peer " + n + "; its host name and domain without it", JA: "Names、Mapping: ピア " + n + " の FQDN。省略時はホスト名とドメイン"}})
	}
	return args
}

func (t *Table) procedureStart(name string, help engine.Text) *Entry {
	start := name == "ProcedureStart"
	e := &Entry{Group: XCommand, Name: name, Role: Auditor, Args: procedureArguments(), Help: help, Example: "xCommand " + name + " Kind: Restart"}
	if start {
		e.Role, e.Writes = Administrator, true
	}
	e.run = func(ctx context.Context, call Call) (Result, error) {
		args := map[string]string{}
		for k, v := range call.Args {
			if k != "Kind" && v != "" {
				args[k] = v
			}
		}
		do := t.parts.Procedures.Plan
		if start {
			do = t.parts.Procedures.Start
		}
		p, err := do(ctx, call.Actor, call.Args["Kind"], args)
		if err != nil {
			return Result{}, err
		}
		lines := ProcedureLines(call.Language, p)
		if start {
			lines = append(lines, fmt.Sprintf(say(call.Language, engine.Text{EN: "it runs; xCommand ProcedureShow Id: %s shows how far it is", JA: "実行中です。進行状況: xCommand ProcedureShow Id: %s"}), p.ID))
		}
		return Result{Data: p, Lines: lines}, nil
	}
	return e
}

var procedureID = Argument{Name: "Id", Space: chars(0, 40), Help: engine.Text{EN: "Its id; without it the one that is open, else the newest", JA: "手順の ID。省略時は実行中のもの、なければ最新"}}

func (t *Table) procedureShow() *Entry {
	return &Entry{Group: XCommand, Name: "ProcedureShow", Role: Auditor, Args: []Argument{procedureID},
		Help:    engine.Text{EN: "Shows a guided procedure: its steps, what it waits for, its transcript", JA: "ガイド付き手順のステップ、待機内容、記録を表示します"},
		Example: "xCommand ProcedureShow",
		run: func(ctx context.Context, call Call) (Result, error) {
			p, err := t.parts.Procedures.Show(ctx, call.Args["Id"])
			if err != nil {
				return Result{}, err
			}
			return Result{Data: p, Lines: ProcedureLines(call.Language, p)}, nil
		}}
}

func (t *Table) procedureGoOn(name string) *Entry {
	e := &Entry{Group: XCommand, Name: name, Role: Administrator, Writes: true, Args: []Argument{procedureID}, Example: "xCommand " + name,
		Help: engine.Text{EN: "Goes on with a guided procedure from its present step, on this system", JA: "ガイド付き手順を現在のステップからこのシステムで再開します"}}
	if name == "ProcedureAbort" {
		e.Help = engine.Text{EN: "Ends a guided procedure where it stands; nothing that is done is undone", JA: "ガイド付き手順をその場で中止します。実行済みの内容は元に戻りません"}
	}
	e.run = func(ctx context.Context, call Call) (Result, error) {
		do := t.parts.Procedures.Resume
		if name == "ProcedureAbort" {
			do = t.parts.Procedures.Abort
		}
		p, err := do(ctx, call.Actor, call.Args["Id"])
		if err != nil {
			return Result{}, err
		}
		return Result{Data: p, Lines: ProcedureLines(call.Language, p)}, nil
	}
	return e
}

func (t *Table) procedureList() *Entry {
	return &Entry{Group: XCommand, Name: "ProcedureList", Role: Auditor,
		Help:    engine.Text{EN: "Lists the guided procedures of the cluster, the newest first", JA: "クラスタのガイド付き手順を新しい順に一覧表示します"},
		Example: "xCommand ProcedureList",
		run: func(ctx context.Context, call Call) (Result, error) {
			list, err := t.parts.Procedures.List(ctx)
			if err != nil {
				return Result{}, err
			}
			tree := Tree("ProcedureList")
			for i, p := range list {
				tree.add(Tree("Procedure "+strconv.Itoa(i+1), text("Id", p.ID), word("Kind", p.Kind), word("State", string(p.State)), text("Peer", p.Via),
					text("User", p.Actor.User), moment("Started", p.Started), number("Step", min(p.Step+1, len(p.Steps))), number("Steps", len(p.Steps))))
			}
			return Result{Data: list, Lines: results(tree)}, nil
		}}
}

// ProcedureLines shows a procedure: its steps with a mark, and its transcript.
func ProcedureLines(l engine.Language, p engine.Procedure) []string {
	tree := Tree("Procedure")
	if p.State != engine.ProcedurePlanned {
		tree.add(text("Id", p.ID), moment("Started", p.Started))
	}
	out := results(tree.add(word("Kind", p.Kind), word("State", string(p.State)), text("Peer", p.Via), text("User", p.Actor.User)))
	for i, st := range p.Steps {
		mark := " "
		switch {
		case i < p.Step:
			mark = "x"
		case i == p.Step && p.State.Open():
			mark = ">"
		}
		out = append(out, fmt.Sprintf("[%s] %d. %s", mark, i+1, say(l, st.Text)))
	}
	if p.State == engine.ProcedureRunning && p.Waiting != (engine.Text{}) {
		out = append(out, say(l, engine.Text{EN: "waits until: ", JA: "待機中: "})+say(l, p.Waiting)+
			fmt.Sprintf(say(l, engine.Text{EN: " (since %s, until %s UTC at most)", JA: "(%s から、最長 %s UTC まで)"}), p.Since.Format("15:04:05"), p.Until.Format("15:04:05")))
	}
	if p.Problem != (engine.Text{}) && p.State == engine.ProcedureHalted {
		out = append(out, say(l, engine.Text{EN: "halted: ", JA: "停止: "})+say(l, p.Problem),
			say(l, engine.Text{EN: "when that is mended: xCommand ProcedureResume; to leave it as it is: xCommand ProcedureAbort", JA: "解決後に再開: xCommand ProcedureResume、このまま終了: xCommand ProcedureAbort"}))
	}
	for _, n := range p.Notes {
		out = append(out, n.At.Format("15:04:05")+" "+say(l, n.Text))
	}
	return out
}

// invitation is all that a new peer needs to join: it is shown as one word. With
// the address mapping it finds peers that DNS does not know.
type invitation struct {
	Token   string            `json:"token"`
	Page    engine.Clustering `json:"page"`
	Mapping []engine.Mapping  `json:"mapping,omitempty"` // nil when it is off
}

// mapping are the settings that bring an invitation's mapping into effect.
func (i invitation) mapping() []engine.Change {
	if len(i.Mapping) == 0 {
		return nil
	}
	out := []engine.Change{{Path: "ClusterConfiguration AddressMapping Mode", Value: "On"}}
	for n, m := range i.Mapping {
		entry := "ClusterConfiguration AddressMapping " + strconv.Itoa(n+1)
		out = append(out, engine.Change{Path: entry + " FQDN", Value: m.FQDN}, engine.Change{Path: entry + " IPAddress", Value: m.IP})
	}
	return out
}

const invitationMark = "hexad-join-"

func (t *Table) joinCode() *Entry {
	return &Entry{Group: XCommand, Name: "ClusterInvite", Role: Administrator, Writes: true,
		Help:    engine.Text{EN: "Shows, on the primary, a code with the clustering page and a token: a listed new system joins with it in one command", JA: "プライマリで、クラスタリングページとトークンを含むコードを表示します。リストにある新しいシステムはこれだけで参加できます"},
		Example: "xCommand ClusterInvite",
		run: func(ctx context.Context, call Call) (Result, error) {
			token, until, err := t.parts.Trust.JoinToken(ctx, call.Actor)
			if err != nil {
				return Result{}, err
			}
			v := t.parts.Cluster.View(ctx)
			in := invitation{Token: token, Page: v.Entered}
			if v.MappingMode {
				in.Mapping = v.Mappings
			}
			raw, err := json.Marshal(in)
			if err != nil {
				return Result{}, err
			}
			code := invitationMark + base64.RawURLEncoding.EncodeToString(raw)
			tree := Tree("ClusterInvite", text("Code", code), moment("Until", until))
			return Result{Data: map[string]any{"code": code, "until": until}, Lines: append(results(tree), say(call.Language, engine.Text{
				EN: "on the new system: xCommand ClusterJoin Code: (this code)", JA: "新しいシステムで実行: xCommand ClusterJoin Code: (このコード)"}))}, nil
		}}
}

func (t *Table) join() *Entry {
	return &Entry{Group: XCommand, Name: "ClusterJoin", Role: Administrator, Writes: true,
		Args:    []Argument{{Name: "Code", Space: chars(1, 8000), Required: true, Secret: true, Help: engine.Text{EN: "The code that ClusterInvite showed on the primary", JA: "プライマリの ClusterInvite が表示したコード"}}},
		Help:    engine.Text{EN: "Joins a cluster with a code of its primary: saves the clustering page and restarts. The configuration of this system is replaced", JA: "プライマリのコードでクラスタに参加します。クラスタリングページを保存して再起動します。このシステムの設定は置き換えられます"},
		Example: `xCommand ClusterJoin Code: "hexad-join-…"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			var in invitation
			word, marked := strings.CutPrefix(strings.TrimSpace(call.Args["Code"]), invitationMark)
			raw, err := base64.RawURLEncoding.DecodeString(word)
			if !marked || err != nil || json.Unmarshal(raw, &in) != nil {
				return Result{}, engine.Errorf(engine.Invalid, "this is no code of ClusterInvite, or a part of one").With("Code", "copy the whole word")
			}
			v := t.parts.Cluster.View(ctx)
			if len(v.Entered.Peers) > 0 || v.Reset != nil {
				return Result{}, engine.Errorf(engine.Denied, "this system is in a cluster already, or about to reset itself").With("Code", "take it out of its cluster first")
			}
			if err := t.parts.Trust.UseToken(ctx, call.Actor, in.Token); err != nil {
				return Result{}, err
			}
			if changes := in.mapping(); changes != nil {
				if _, err := t.parts.Configuration.Set(ctx, call.Actor, 0, changes); err != nil {
					return Result{}, err
				}
			}
			saved, err := t.savePage(ctx, call, in.Page)
			if err != nil {
				return Result{}, err
			}
			if err := t.parts.Cluster.Restart(ctx, call.Actor); err != nil {
				return saved, err
			}
			saved.Lines = append(saved.Lines, say(call.Language, engine.Text{EN: "restarting; then this system joins " + in.Page.PrimaryAddress(), JA: "再起動後、" + in.Page.PrimaryAddress() + " のクラスタに参加します"}))
			return saved, nil
		}}
}
