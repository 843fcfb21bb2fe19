package command

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// BackupPart is one file of a backup.
type BackupPart struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// BackupManifest says what a backup is of.
type BackupManifest struct {
	Release    string       `json:"release"`
	System     string       `json:"system"` // system name
	Address    string       `json:"address"`
	Serial     string       `json:"serial"`
	Taken      time.Time    `json:"taken"`
	Revision   int64        `json:"revision"`
	Generation int64        `json:"generation"`
	Cluster    string       `json:"cluster"` // cluster name
	Peers      []string     `json:"peers"`
	Parts      []BackupPart `json:"parts"`
}

// Backup is a backup that was made: its file, encrypted, in base64 for machines.
type Backup struct {
	Name     string         `json:"name"`
	Manifest BackupManifest `json:"manifest"`
	File     []byte         `json:"file"`
}

// BackupMember is one peer of a backup of the whole cluster. Missing is why its
// part is not there, "" when it is.
type BackupMember struct {
	Address string `json:"address"`
	System  string `json:"system,omitempty"`
	Serial  string `json:"serial,omitempty"`
	Name    string `json:"name,omitempty"`
	Size    int64  `json:"size,omitempty"`
	Missing string `json:"missing,omitempty"`
}

// ClusterBackup is a backup of the whole cluster: one file, encrypted, in
// base64 for machines, with each member's own backup.
type ClusterBackup struct {
	Name    string         `json:"name"`
	Cluster string         `json:"cluster"`
	Members []BackupMember `json:"members"`
	File    []byte         `json:"file"`
}

// Missing are the members whose part is not there.
func (b ClusterBackup) Missing() []BackupMember {
	var out []BackupMember
	for _, m := range b.Members {
		if m.Missing != "" {
			out = append(out, m)
		}
	}
	return out
}

// RestorePlan is what a restore would change. Differences are now → backup,
// with secrets masked. Refused is why it cannot be done here, "" when it can.
type RestorePlan struct {
	Manifest    BackupManifest      `json:"manifest"`
	Members     []string            `json:"members,omitempty"` // of a backup of the whole cluster
	Revision    int64               `json:"revision"`          // of this system now
	Differences []engine.Difference `json:"differences"`
	Warnings    []engine.Text       `json:"warnings"`
	Refused     string              `json:"refused,omitempty"`
}

// Backups makes, checks and restores backups.
type Backups interface {
	// Make packs this system's own data and all that the cluster shares in one encrypted file.
	// Errors: Invalid (passphrase), Exhausted, Unavailable.
	Make(ctx context.Context, actor engine.Actor, passphrase string) (Backup, error)
	// MakeCluster gathers those of all members in one encrypted file; who does
	// not answer is named in it. Errors: those of Make.
	MakeCluster(ctx context.Context, actor engine.Actor, passphrase string) (ClusterBackup, error)
	// Check restores into a scratch directory and changes nothing. peer says
	// whose part of a backup of the whole cluster, "" this machine's own.
	// Errors: Denied (passphrase), Invalid (the file), NotFound (peer), Unavailable.
	Check(ctx context.Context, actor engine.Actor, file []byte, passphrase, peer string) (RestorePlan, error)
	// Restore checks, and restarts into the restored system. The previous one
	// comes back when that does not start (alarm 15023).
	// Errors: those of Check; Conflict (in a cluster).
	Restore(ctx context.Context, actor engine.Actor, file []byte, passphrase, peer string) (RestorePlan, error)
}

func (t *Table) backupEntries() []*Entry {
	if t.parts.Backups == nil {
		return nil
	}
	return []*Entry{
		{Group: XCommand, Name: "SystemBackup", Role: Administrator, Writes: true,
			Args: []Argument{{Name: "Passphrase", Space: chars(12, 1024), Required: true, Secret: true,
				Help: engine.Text{EN: "At least 12 characters; without it nobody can read the backup", JA: "12 文字以上。これがないとバックアップは誰にも読めません"}},
				{Name: "Scope", Space: oneOf("System", "Cluster"), Default: "System", Help: engine.Text{EN: "Cluster: each member's own backup too, fetched from it, in one archive", JA: "Cluster: 各メンバーのバックアップも取得し、1 つのアーカイブにまとめます"}}},
			Help: engine.Text{EN: "Makes an encrypted backup of this system and of the cluster's configuration, or of every peer, and checks it by restoring it into a scratch directory; fetch it with: hexad backup FILE",
				JA: "このシステムとクラスタ設定、または全ピアの暗号化バックアップを作成し、一時領域への復元で検証します。取得には hexad backup FILE を使います"},
			Example: `xCommand SystemBackup Passphrase: "correct horse battery"`, run: t.systemBackup},
		{Group: XCommand, Name: "SystemRestore", Role: Administrator, Writes: true,
			Args: []Argument{
				{Name: "Passphrase", Space: chars(1, 1024), Required: true, Secret: true, Help: engine.Text{EN: "Passphrase of the backup", JA: "バックアップのパスフレーズ"}},
				{Name: "Peer", Space: chars(0, 128), Help: engine.Text{EN: "Address or system name of the peer whose part of a backup of the whole cluster is meant; this machine's own without it",
					JA: "クラスタ全体のバックアップのうち対象とするピアのアドレスまたはシステム名。省略時はこの機器のもの"}},
				{Name: "Confirm", Space: offOn, Default: "Off", Help: engine.Text{EN: "On: restore and restart; otherwise the backup is checked, what would change is shown, and nothing is changed",
					JA: "On: 復元して再起動します。それ以外はバックアップの検証と変更内容の表示のみで、何も変更しません"}}},
			Help: engine.Text{EN: "Restores a backup on this system, which must be in no cluster; send it with: hexad restore FILE",
				JA: "クラスタに属していないこのシステムにバックアップを復元します。送信には hexad restore FILE を使います"},
			Example: `xCommand SystemRestore Passphrase: "correct horse battery" Confirm: On`, run: t.systemRestore},
	}
}

func (t *Table) systemBackup(ctx context.Context, call Call) (Result, error) {
	if call.Args["Scope"] == "Cluster" {
		return t.clusterBackup(ctx, call)
	}
	made, err := t.parts.Backups.Make(ctx, call.Actor, call.Args["Passphrase"])
	if err != nil {
		return Result{}, err
	}
	tree := Tree("SystemBackup", text("Name", made.Name), number("Bytes", int64(len(made.File))), manifestTree(made.Manifest))
	return Result{Data: made, Lines: results(tree)}, nil
}

func (t *Table) clusterBackup(ctx context.Context, call Call) (Result, error) {
	made, err := t.parts.Backups.MakeCluster(ctx, call.Actor, call.Args["Passphrase"])
	if err != nil {
		return Result{}, err
	}
	tree := Tree("SystemBackup", text("Name", made.Name), number("Bytes", int64(len(made.File))), text("Cluster", made.Cluster))
	for i, m := range made.Members {
		n := Tree("Peer "+strconv.Itoa(i+1), text("Address", m.Address), text("System", m.System), text("Serial number", m.Serial), number("Bytes", m.Size))
		if m.Missing != "" {
			n.add(text("Missing", m.Missing))
		}
		tree.add(n)
	}
	lines := results(tree)
	for _, m := range made.Missing() {
		lines = append(lines, say(call.Language, engine.Text{EN: "warning: not in the backup: ", JA: "警告: バックアップに含まれていません: "})+m.Address+": "+m.Missing)
	}
	return Result{Data: made, Lines: lines}, nil
}

func manifestTree(m BackupManifest) *Node {
	tree := Tree("Manifest", text("Release", m.Release), text("System", m.System), text("Address", m.Address), text("Serial number", m.Serial),
		moment("Taken", m.Taken), number("Revision", m.Revision), text("Cluster", m.Cluster), text("Peers", strings.Join(m.Peers, " ")))
	for i, p := range m.Parts {
		tree.add(Tree("Part "+strconv.Itoa(i+1), text("Name", p.Name), number("Bytes", p.Size), text("SHA256", p.SHA256)))
	}
	return tree
}

func (t *Table) systemRestore(ctx context.Context, call Call) (Result, error) {
	file, err := base64.StdEncoding.DecodeString(strings.TrimSpace(call.Body))
	if err != nil || len(file) == 0 {
		return Result{}, usage("SystemRestore: there is no backup").With(usageItem, "use: hexad restore FILE")
	}
	do := t.parts.Backups.Check
	if call.Args["Confirm"] == "On" {
		do = t.parts.Backups.Restore
	}
	plan, err := do(ctx, call.Actor, file, call.Args["Passphrase"], call.Args["Peer"])
	if err != nil {
		return Result{}, err
	}
	if plan.Differences == nil {
		plan.Differences = []engine.Difference{}
	}
	if plan.Members != nil {
		plan.Warnings = append(plan.Warnings, engine.Text{EN: "The backup is of a whole cluster: " + strings.Join(plan.Members, ", ") + ". This is the part of " + plan.Manifest.Address + ".",
			JA: "これはクラスタ全体のバックアップです: " + strings.Join(plan.Members, ", ") + "。対象は " + plan.Manifest.Address + " の部分です。"})
	}
	lines := results(Tree("SystemRestore", manifestTree(plan.Manifest), number("Revision now", plan.Revision), number("Items that differ", len(plan.Differences))))
	for _, w := range plan.Warnings {
		lines = append(lines, say(call.Language, w))
	}
	for _, d := range plan.Differences {
		lines = append(lines, differenceLine(call.Language, d))
	}
	if plan.Refused != "" {
		lines = append(lines, plan.Refused)
	}
	if call.Args["Confirm"] == "On" {
		return Result{Data: plan, Lines: append(lines, say(call.Language, engine.Text{
			EN: "the backup is sound; this system restarts with it now. Should it not start, the previous one comes back (alarm 15023)",
			JA: "バックアップは正常です。このシステムは復元した内容で再起動します。起動できない場合は以前のシステムに戻ります(アラーム 15023)"}))}, nil
	}
	lines = append(lines, say(call.Language, engine.Text{
		EN: "the backup is sound; nothing is changed yet. Values are: now / backup. To restore: add Confirm: On", JA: "バックアップは正常です。まだ何も変更していません。値は「現在 / バックアップ」です。復元するには Confirm: On を付けます"}))
	return Result{Data: plan, Lines: lines, Differs: len(plan.Differences) > 0}, nil
}
