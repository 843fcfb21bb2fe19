package command

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// digestEntry shows what copies of the cluster database hold.
func (t *Table) digestEntry() *Entry {
	return &Entry{Group: XCommand, Name: "ClusterDigest", Role: Auditor,
		Help: engine.Text{EN: "Shows the digest of this system's copy of the cluster database at one entry of the log; with All it is compared with the other peers'",
			JA: "このシステムのクラスタデータベースのダイジェストを、ログの位置とともに表示します。All を指定すると他のピアと比較します"},
		Args: []Argument{{Name: "All", Space: offOn, Default: "Off",
			Help: engine.Text{EN: "On: ask the other peers, too", JA: "On: 他のピアにも問い合わせます"}}},
		Example: "xCommand ClusterDigest All: On",
		run: func(ctx context.Context, call Call) (Result, error) {
			list, err := t.parts.Contents.DigestList(ctx, call.Args["All"] == "On")
			if err != nil {
				return Result{}, err
			}
			tree := Tree("ClusterDigest")
			for i, d := range list {
				tree.add(digestNode(i+1, d))
			}
			return Result{Data: list, Lines: results(tree)}, nil
		}}
}

func digestNode(n int, d engine.DigestComparison) *Node {
	node := Tree("Peer "+strconv.Itoa(n), text("Address", d.Peer), text("Verdict", string(d.Verdict)))
	if d.Obstacle != "" {
		node.add(text("Cause", d.Obstacle))
	}
	if len(d.Tables) > 0 {
		node.add(text("Differ", strings.Join(d.Tables, " ")))
	}
	if d.Content.Index == 0 {
		return node
	}
	node.add(number("Generation", d.Content.Generation.Number), number("Index", d.Content.Index),
		number("Revision", d.Content.Revision), text("Digest", d.Content.Digest))
	if d.Own {
		tables := Tree("Tables")
		for _, name := range slices.Sorted(maps.Keys(d.Content.Tables)) {
			tables.add(text(name, d.Content.Tables[name]))
		}
		node.add(tables)
	}
	return node
}
