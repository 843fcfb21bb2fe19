package command

import (
	"context"
	"strconv"
	"strings"

	"hexad/engine"
)

// Keys are the system key of this system and the data key of its cluster.
type Keys interface {
	// ForceSystemKeyUpdate repairs system key files: this system's when it is
	// alone, otherwise those of the peers that raise alarm 40055.
	// Errors: Denied (it is to be run on another peer), Unavailable.
	ForceSystemKeyUpdate(ctx context.Context, actor engine.Actor) (SystemKeyUpdate, error)
	// RotateDataKey makes a new data key and seals every secret with it.
	// Errors: Denied (not the primary), Conflict, Unavailable.
	RotateDataKey(ctx context.Context, actor engine.Actor) (DataKeyRotation, error)
}

// SystemKeyUpdate is what ForceSystemKeyUpdate came to.
type SystemKeyUpdate struct {
	Own    bool            `json:"own"`              // this system has a new system key
	Lost   []string        `json:"lost,omitempty"`   // secrets of this system that could not be opened
	Closed []string        `json:"closed,omitempty"` // secrets of the configuration that cannot be opened
	Peers  []SystemKeyPeer `json:"peers,omitempty"`  // peers that were asked
}

// SystemKeyPeer is a peer that was asked to make a new system key.
type SystemKeyPeer struct {
	Node    string   `json:"node"`
	Address string   `json:"address"`
	Done    bool     `json:"done"`
	Lost    []string `json:"lost,omitempty"`
}

// DataKeyRotation is what RotateDataKey came to.
type DataKeyRotation struct {
	Number   int64    `json:"number"`
	Secrets  int      `json:"secrets"` // sealed anew
	Revision int64    `json:"revision"`
	Closed   []string `json:"closed,omitempty"`  // cannot be opened, and stay as they were
	Waiting  []string `json:"waiting,omitempty"` // members that have told no system key yet
}

func (t *Table) keyEntries() []*Entry {
	return []*Entry{
		{Group: XCommand, Name: "ForceSystemKeyUpdate", Role: Administrator, Writes: true,
			Help: engine.Text{EN: "Repairs damaged system key files (alarm 40055): this system's when it is alone; in a cluster, run on a peer without the alarm, those of the peers that raise it",
				JA: "破損したシステムキーファイル(アラーム 40055)を修復します。単独のシステムでは自身のキーを、クラスタではアラームが出ていないピアで実行して、アラームが出ているピアのキーを更新します"},
			Example: "xCommand ForceSystemKeyUpdate",
			run: func(ctx context.Context, call Call) (Result, error) {
				out, err := t.parts.Keys.ForceSystemKeyUpdate(ctx, call.Actor)
				if err != nil {
					return Result{}, err
				}
				return Result{Data: out, Lines: systemKeyLines(call.Language, out)}, nil
			}},
		{Group: XCommand, Name: "ClusterDataKeyRotate", Role: Administrator, Writes: true,
			Help: engine.Text{EN: "Makes a new key for the secrets in the replicated configuration and seals them all with it. On the primary only",
				JA: "複製される設定内のシークレット用の新しいキーを作成し、すべてのシークレットをそのキーで暗号化し直します。プライマリでのみ実行できます"},
			Example: "xCommand ClusterDataKeyRotate",
			run: func(ctx context.Context, call Call) (Result, error) {
				out, err := t.parts.Keys.RotateDataKey(ctx, call.Actor)
				if err != nil {
					return Result{}, err
				}
				tree := Tree("ClusterDataKey", number("Number", out.Number), number("Secrets", out.Secrets), number("Revision", out.Revision))
				lines := append(results(tree), closedLines(call.Language, out.Closed)...)
				for _, w := range out.Waiting {
					lines = append(lines, w+": "+say(call.Language, engine.Text{EN: "gets the key when it answers", JA: "応答した時点でキーを受け取ります"}))
				}
				return Result{Data: out, Lines: lines}, nil
			}},
	}
}

func systemKeyLines(l engine.Language, u SystemKeyUpdate) []string {
	if !u.Own && len(u.Peers) == 0 {
		return []string{say(l, engine.Text{EN: "no peer raises alarm 40055; nothing was changed", JA: "アラーム 40055 が出ているピアはありません。何も変更していません"})}
	}
	tree := Tree("ForceSystemKeyUpdate")
	if u.Own {
		tree.add(lostNodes(u.Lost)...)
	}
	for i, p := range u.Peers {
		state := "Updated"
		if !p.Done {
			state = "Asked"
		}
		tree.add(Tree("Peer "+strconv.Itoa(i+1), append([]*Node{text("Address", p.Address), word("State", state)}, lostNodes(p.Lost)...)...))
	}
	out := results(tree)
	if u.Own {
		out = append(out, say(l, engine.Text{EN: "this system has a new system key", JA: "このシステムの新しいシステムキーを作成しました"}))
	}
	lost := len(u.Lost) > 0
	for _, p := range u.Peers {
		lost = lost || len(p.Lost) > 0
		if !p.Done {
			out = append(out, p.Address+": "+say(l, engine.Text{
				EN: "has not answered yet; it does so as soon as it reaches the cluster. If the others refuse it, its identity is lost: remove it, reset it and add it again",
				JA: "まだ応答がありません。クラスタに到達できれば実行されます。他のピアに拒否される場合は識別情報が失われているため、クラスタから削除し、リセットしてから追加し直してください"}))
		}
	}
	if lost {
		out = append(out, say(l, engine.Text{EN: "what is named as lost could not be opened: enter it again, upload it again, or make it anew", JA: "Lost に示したものは復号できませんでした。再入力、再アップロード、または再作成してください"}))
	}
	return append(out, closedLines(l, u.Closed)...)
}

// lostNodes name what could not be opened.
func lostNodes(lost []string) []*Node {
	var out []*Node
	for i, name := range lost {
		out = append(out, text("Lost "+strconv.Itoa(i+1), name))
	}
	return out
}

func closedLines(l engine.Language, closed []string) []string {
	if len(closed) == 0 {
		return nil
	}
	return []string{say(l, engine.Text{EN: "these secrets of the configuration cannot be opened; enter them again: ", JA: "設定内の次のシークレットは復号できません。再入力してください: "}) + strings.Join(closed, ", ")}
}
