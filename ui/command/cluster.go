package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// tlsModes are the words for the TLS mode: people read Enforce, the stored
// value is Enforcing. Source: reference 1.2.
var tlsModes = oneOf("Permissive", "Enforcing|Enforce")

func (t *Table) clusterEntries() []*Entry {
	var out []*Entry
	if t.parts.Cluster != nil {
		out = append(out, t.clusterSave(), t.clusterPeerAdd(), t.restart())
	}
	out = append(out, t.forceEntries()...)
	if t.parts.Contents != nil {
		out = append(out, t.digestEntry())
	}
	if t.parts.Trust != nil {
		out = append(out, t.trustEntries()...)
	}
	if t.parts.Certificates != nil {
		out = append(out, t.certificateEntries()...)
	}
	return out
}

func (t *Table) clusterSave() *Entry {
	args := []Argument{
		{Name: "Name", Space: chars(0, 128), Help: engine.Text{EN: "Cluster name", JA: "クラスタ名"}},
		{Name: "Primary", Space: from(1, engine.MaxPeers), Help: engine.Text{EN: "Configuration primary: the number of its peer address", JA: "設定プライマリ: ピアアドレスの番号"}},
		{Name: "IPVersion", Space: oneOf("IPv4", "IPv6"), Help: engine.Text{EN: "Cluster IP version", JA: "クラスタの IP バージョン"}},
		{Name: "TLSMode", Space: tlsModes, Help: engine.Text{EN: "TLS verification mode", JA: "TLS 検証モード"}},
	}
	for i := range engine.MaxPeers {
		n := strconv.Itoa(i + 1)
		args = append(args, Argument{Name: "Peer" + n, Space: chars(0, 128),
			Help: engine.Text{EN: "Peer " + n + " address, IP or FQDN", JA: "ピア " + n + " のアドレス(IP または FQDN)"}})
	}
	return &Entry{Group: XCommand, Name: "ClusterSave", Role: Administrator, Writes: true, Args: t.withForce(args),
		Help:    engine.Text{EN: "Saves the clustering page of this system; what is not given stays as it is", JA: "このシステムのクラスタリングページを保存します。指定しない項目は変わりません"},
		Example: `xCommand ClusterSave Name: "cluster.example" Primary: 1 Peer1: "192.0.2.1"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			page, err := edited(t.parts.Cluster.View(ctx).Entered, call.Args)
			if err != nil {
				return Result{}, err
			}
			return t.savePage(ctx, call, page)
		}}
}

func (t *Table) clusterPeerAdd() *Entry {
	return &Entry{Group: XCommand, Name: "ClusterPeerAdd", Role: Administrator, Writes: true,
		Args:    []Argument{{Name: "Address", Space: chars(1, 128), Required: true, Help: engine.Text{EN: "IP address or FQDN of the new peer", JA: "新しいピアの IP アドレスまたは FQDN"}}},
		Help:    engine.Text{EN: "Adds an address after the last one of this system's peer list", JA: "このシステムのピアリストの末尾にアドレスを追加します"},
		Example: `xCommand ClusterPeerAdd Address: "192.0.2.2"`,
		run: func(ctx context.Context, call Call) (Result, error) {
			page := t.parts.Cluster.View(ctx).Entered
			page.Peers = append(slices.Clone(page.Peers), call.Args["Address"])
			if len(page.Peers) > engine.MaxPeers {
				return Result{}, engine.Errorf(engine.Invalid, "the peer list is full: a cluster has at most %d peers", engine.MaxPeers).
					With("Peer", "remove a peer first, or form a second cluster")
			}
			return t.savePage(ctx, call, page)
		}}
}

func (t *Table) restart() *Entry {
	return &Entry{Group: XCommand, Name: "Restart", Role: Administrator, Writes: true,
		Help:    engine.Text{EN: "Restarts hexad on this system; saved values that wait for it take effect", JA: "このシステムの hexad を再起動します。再起動を待つ保存済みの値が有効になります"},
		Example: "xCommand Restart",
		run: func(ctx context.Context, call Call) (Result, error) {
			if err := t.parts.Cluster.Restart(ctx, call.Actor); err != nil {
				return Result{}, err
			}
			return Result{Lines: []string{say(call.Language, engine.Text{EN: "restarting", JA: "再起動します"})}}, nil
		}}
}

// edited is page with the fields that args give.
func edited(page engine.Clustering, args map[string]string) (engine.Clustering, error) {
	fields := make([]string, engine.MaxPeers)
	copy(fields, page.Peers)
	for name, value := range args {
		switch name {
		case "Name":
			page.Name = value
		case "Primary":
			page.Primary, _ = strconv.Atoi(value) // checked by the value space
		case "IPVersion":
			page.IPVersion = value
		case "TLSMode":
			page.TLSMode = engine.Permissive
			if value == string(engine.Enforcing) {
				page.TLSMode = engine.Enforcing
			}
		default:
			if n, err := strconv.Atoi(strings.TrimPrefix(name, "Peer")); err == nil && n >= 1 && n <= engine.MaxPeers {
				fields[n-1] = strings.TrimSpace(value)
			}
		}
	}
	peers, err := withoutGaps(fields)
	page.Peers = peers
	return page, err
}

// withoutGaps is the filled address fields.
//
// Errors: Invalid, when an empty field has a filled one after it.
func withoutGaps(fields []string) ([]string, error) {
	end := slices.Index(fields, "")
	if end < 0 {
		return fields, nil
	}
	for i := end; i < len(fields); i++ {
		if fields[i] != "" {
			item := fmt.Sprintf("Peer %d address", end+1)
			return nil, engine.Errorf(engine.Invalid, "%s is empty, but peer %d address is %q: the peer list has no gaps", item, i+1, fields[i]).
				With(item, "move the addresses after the gap up by one")
		}
	}
	return slices.Clone(fields[:end]), nil
}

func (t *Table) savePage(ctx context.Context, call Call, page engine.Clustering) (Result, error) {
	if err := t.checkBase(ctx, call.Base); err != nil {
		return Result{}, err
	}
	saved, err := t.saver(call)(ctx, call.Actor, page)
	if err != nil {
		return Result{}, err
	}
	result := Result{Data: saved, Cluster: &saved, Saved: saved.Saved, Restart: saved.Restart, Findings: saved.Findings}
	result.Lines = append(outcome(call.Language, saved.Saved, saved.Restart), foundLines(call.Language, saved.Findings)...)
	if t.parts.Configuration != nil { // the page's fields are items too
		if _, err := t.parts.Configuration.Reload(ctx); err != nil {
			result.Lines = append(result.Lines, say(call.Language, engine.Text{
				EN: "saved; xConfiguration shows it when the database can be read again", JA: "保存しました。xConfiguration への反映はデータベースが読めるようになってからです"}))
		}
	}
	return result, nil
}

// checkBase refuses a change that was decided on another revision.
func (t *Table) checkBase(ctx context.Context, base int64) error {
	if base == 0 {
		return nil
	}
	if now := t.parts.Cluster.View(ctx).Revision; now != base {
		return t.outdated(ctx, base, now, "look at it again, then repeat the change")
	}
	return nil
}

// outdated is the refusal of what was decided on revision base; it names who
// changed what since, the newest first.
func (t *Table) outdated(ctx context.Context, base, now int64, remedy string) error {
	text := fmt.Sprintf("the configuration changed since revision %d: it is at revision %d now", base, now)
	const told = 3
	var entries []engine.HistoryEntry
	if t.parts.History != nil && base < now {
		entries, _ = t.parts.History.History(ctx, base, 0, told) // without it the refusal stands as well
	}
	for _, e := range entries {
		text += fmt.Sprintf("; %s changed %s on %s at %s", e.Actor.User, e.Path, t.peerNamed(ctx, e.Peer), e.Time.Format("15:04:05 UTC"))
	}
	return (&engine.Error{Code: engine.Conflict, Message: text}).With("revision", remedy)
}

// peerNamed is the address of a node for people, its node id when it is not listed.
func (t *Table) peerNamed(ctx context.Context, node string) string {
	if t.parts.Cluster != nil {
		for _, p := range t.parts.Cluster.View(ctx).Peers {
			if p.Node == node {
				return p.Address
			}
		}
	}
	return node
}

// outcome says how far a save has gone and what waits for a restart.
func outcome(l engine.Language, saved *engine.Saved, restart []string) []string {
	var out []string
	if saved != nil {
		out = append(out, fmt.Sprintf("revision %d: %s", saved.Revision, saved.Replication))
	}
	if len(restart) > 0 {
		out = append(out, say(l, engine.Text{EN: "takes effect after a restart: ", JA: "再起動後に有効になります: "})+strings.Join(restart, "; "))
	}
	return out
}

func foundLines(l engine.Language, found []engine.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, Found(l, f))
	}
	return out
}

// Found writes one finding on one line, with what would make it go away.
func Found(l engine.Language, f engine.Finding) string {
	line := string(f.Severity) + ": " + cmp.Or(f.Text.In(l, f.Params), f.ID)
	if f.Peer != "" {
		line += " (" + f.Peer + ")"
	}
	if f.Fix != nil && f.Fix.Set != "" {
		line += fmt.Sprintf(" - xConfiguration %s: %s", f.Fix.Set, f.Fix.To)
	}
	return line
}

func say(l engine.Language, t engine.Text) string { return t.In(l, nil) }

func (t *Table) trustEntries() []*Entry {
	return []*Entry{
		{Group: XCommand, Name: "ClusterPeerKeyAccept", Role: Administrator, Writes: true,
			Args: []Argument{{Name: "Peer", Space: chars(1, 128), Required: true, Help: engine.Text{EN: "Address of the peer whose changed key is right", JA: "変更された鍵が正しいピアのアドレス"}},
				{Name: "Fingerprint", Space: chars(0, 64), Help: engine.Text{EN: "Fingerprint that was compared; another key is then refused", JA: "確認したフィンガープリント。それ以外の鍵は拒否されます"}}},
			Help:    engine.Text{EN: "Accepts the key that a peer shows now, after comparing its fingerprint", JA: "フィンガープリントを確認した後、ピアが現在示す鍵を受け入れます"},
			Example: `xCommand ClusterPeerKeyAccept Peer: "192.0.2.2"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Trust.AcceptKey(ctx, call.Actor, call.Args["Peer"], call.Args["Fingerprint"])
			}},
		{Group: XCommand, Name: "ClusterJoinToken", Role: Administrator, Writes: true,
			Help:    engine.Text{EN: "Shows a token that authenticates the first contact of a joining peer; enter it there with ClusterJoinTokenEnter", JA: "参加するピアの最初の接続を認証するトークンを表示します。参加側では ClusterJoinTokenEnter で入力します"},
			Example: "xCommand ClusterJoinToken",
			run: func(ctx context.Context, call Call) (Result, error) {
				token, until, err := t.parts.Trust.JoinToken(ctx, call.Actor)
				if err != nil {
					return Result{}, err
				}
				tree := Tree("ClusterJoinToken", text("Token", token), moment("Until", until))
				return Result{Data: map[string]any{"token": token, "until": until}, Lines: results(tree)}, nil
			}},
		{Group: XCommand, Name: "ClusterJoinTokenEnter", Role: Administrator, Writes: true,
			Args:    []Argument{{Name: "Token", Space: chars(1, 400), Required: true, Secret: true, Help: engine.Text{EN: "Token that the primary showed", JA: "プライマリが表示したトークン"}}},
			Help:    engine.Text{EN: "Enters, on a joining peer, the token of the cluster's primary", JA: "参加するピアで、クラスタのプライマリのトークンを入力します"},
			Example: `xCommand ClusterJoinTokenEnter Token: "…"`,
			run: func(ctx context.Context, call Call) (Result, error) {
				return Result{}, t.parts.Trust.UseToken(ctx, call.Actor, call.Args["Token"])
			}},
		{Group: XCommand, Name: "ClusterJoinWindowOpen", Role: Administrator, Writes: true,
			Help:    engine.Text{EN: "Lets the listed peers be recognised at first contact again, for a while", JA: "リストにあるピアを最初の接続時に認識する期間を再び開きます"},
			Example: "xCommand ClusterJoinWindowOpen",
			run: func(ctx context.Context, call Call) (Result, error) {
				until, err := t.parts.Trust.OpenWindow(ctx, call.Actor)
				if err != nil {
					return Result{}, err
				}
				return Result{Data: map[string]any{"until": until}, Lines: results(Tree("ClusterJoinWindow", moment("Until", until)))}, nil
			}},
	}
}

// results writes what a command answers: the status form with *r.
func results(n *Node) []string {
	lines := n.Lines()
	for i, line := range lines {
		if rest, found := strings.CutPrefix(line, "*s"); found {
			lines[i] = "*r" + rest
		}
	}
	return lines
}
