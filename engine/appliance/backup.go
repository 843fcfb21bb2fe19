package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/backup"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/engine/link"
	"hexad/sqlstore"
	"hexad/ui/command"
)

// backups makes, checks and restores backups, one at a time: each takes memory,
// time and room.
//
// Source: reference 8.5.
type backups struct {
	a  *appliance
	mu *sync.Mutex
}

// Make packs what this peer has, and what the cluster shares, in one encrypted file.
//
// Errors: Invalid (passphrase), Exhausted (too large, or another is being made), Unavailable.
func (b backups) Make(ctx context.Context, actor engine.Actor, passphrase string) (command.Backup, error) {
	if err := backup.CheckPassphrase(passphrase); err != nil {
		return command.Backup{}, err
	}
	dir, done, err := b.begin("backup")
	if err != nil {
		return command.Backup{}, err
	}
	defer done()
	b.say(actor, "Beginning System Backup", "")
	out, err := b.make(ctx, passphrase, dir)
	if err == nil {
		err = b.proved(ctx, dir, out.File, passphrase)
	}
	if err != nil {
		b.say(actor, "System backup error", err.Error())
		return command.Backup{}, err
	}
	b.say(actor, "Completed System Backup", fmt.Sprintf("%s, revision %d", out.Name, out.Manifest.Revision))
	return out, nil
}

func (b backups) say(actor engine.Actor, name, detail string) {
	b.a.journal.Emit(event.By(actor, name, detail))
}

// begin makes an empty directory for one piece of work; done removes it.
func (b backups) begin(name string) (dir string, done func(), err error) {
	if !b.mu.TryLock() {
		return "", nil, engine.Errorf(engine.Exhausted, "another backup or restore is under way").With("", "wait until it has ended")
	}
	dir = filepath.Join(b.a.o.DataDir, name+".tmp")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		b.mu.Unlock()
		return "", nil, &engine.Error{Code: engine.Unavailable, Message: "no room to work in: " + err.Error(), Err: err}
	}
	return dir, func() { os.RemoveAll(dir); b.mu.Unlock() }, nil
}

func (b backups) make(ctx context.Context, passphrase, dir string) (out command.Backup, err error) {
	if e := b.a.storeErr.Load(); e != nil {
		return out, e
	}
	if err := b.a.local.BackupTo(ctx, filepath.Join(dir, backup.LocalPart)); err != nil {
		return out, err
	}
	if err := b.a.local.KeyTo(filepath.Join(dir, backup.KeyPart)); err != nil {
		return out, err
	}
	f, err := os.OpenFile(filepath.Join(dir, backup.ClusterPart), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return out, fmt.Errorf("copy the cluster database: %w", err)
	}
	if err := errors.Join(b.a.store.Backup(ctx, f), f.Close()); err != nil {
		return out, err
	}
	state, err := sqlstore.ExamineCopy(ctx, f.Name())
	if err != nil {
		return out, err
	}
	id := b.a.identity.now()
	m := backup.Manifest{
		Release: b.a.o.Release, System: clusterConfig{b.a}.Get("SystemUnit Name"), Address: b.a.o.Address, Serial: id.Serial, Taken: time.Now().UTC().Truncate(time.Second),
		Revision: state.Revision, Generation: state.Generation, Cluster: b.a.cluster.Running(),
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return out, err
	}
	defer root.Close()
	var file bytes.Buffer
	if m, err = backup.Write(&file, passphrase, m, root); err != nil {
		return out, err
	}
	return command.Backup{Name: m.FileName(), Manifest: summary(m), File: file.Bytes()}, nil
}

// summary is the manifest as the commands show it.
func summary(m backup.Manifest) command.BackupManifest {
	out := command.BackupManifest{Release: m.Release, System: m.System, Address: m.Address, Serial: m.Serial, Taken: m.Taken, Revision: m.Revision,
		Generation: m.Generation.Number, Cluster: m.Cluster.Name, Peers: m.Cluster.Peers}
	for _, p := range m.Parts {
		out.Parts = append(out.Parts, command.BackupPart{Name: p.Name, Size: p.Size, SHA256: p.SHA256})
	}
	return out
}

// Check restores a backup into a scratch directory, as a restore would, and
// says what a restore would change. Nothing of this system changes. Of a backup
// of the whole cluster it takes the part of peer, without one that of this machine.
//
// Errors: Denied (passphrase), Invalid (damaged, of another release), NotFound (peer), Unavailable.
func (b backups) Check(ctx context.Context, actor engine.Actor, file []byte, passphrase, peer string) (command.RestorePlan, error) {
	dir, done, err := b.begin("restore")
	if err != nil {
		return command.RestorePlan{}, err
	}
	defer done()
	return b.prepare(ctx, dir, file, passphrase, peer)
}

// Restore is Check, and then a restart that puts the restored system in the
// place of this one.
//
// Errors: those of Check; those of the gate; Conflict (this system is in a cluster).
func (b backups) Restore(ctx context.Context, actor engine.Actor, file []byte, passphrase, peer string) (command.RestorePlan, error) {
	dir, done, err := b.begin("restore")
	if err != nil {
		return command.RestorePlan{}, err
	}
	defer done()
	if _, err := b.a.gate(ctx, cluster.ProcedureRestore, cluster.StepRestore); err != nil {
		return command.RestorePlan{}, err
	}
	b.say(actor, "Beginning System Restore", "")
	plan, err := b.prepare(ctx, dir, file, passphrase, peer)
	if err == nil && plan.Refused != "" {
		err = engine.Errorf(engine.Conflict, "%s", plan.Refused).With("", "take this system out of its cluster first; then restore, and build a new cluster from it")
	}
	if err == nil {
		err = fail.Point("restore.prepared")
	}
	if err == nil {
		err = stageRestore(b.a.o.DataDir, dir)
	}
	if err != nil {
		b.say(actor, "System restore error", err.Error())
		return plan, err
	}
	b.say(actor, "Restart Requested", fmt.Sprintf("restore of revision %d, taken %s", plan.Manifest.Revision, plan.Manifest.Taken.Format(time.RFC3339)))
	b.a.requestRestart(actor)
	return plan, nil
}

// clustered says why a restore is refused here, "" when it is not.
// Source: reference 8.5, 2.15.
func (b backups) clustered() string {
	id, page := b.a.identity.now(), b.a.cluster.Running()
	others := slices.ContainsFunc(b.a.cluster.Agreed().Members, func(m engine.Member) bool { return m.Node != id.Node })
	if others || len(page.Peers) > 1 {
		return "a backup can be restored only on a system that is in no cluster"
	}
	return ""
}

// restoredDir is, below the directory of a restore, what takes the place of the
// data directory's own.
const restoredDir = "new"

// prepare unpacks a backup and makes of it, in dir/new, the data directory of a
// system outside any cluster: everything that could go wrong goes wrong here.
func (b backups) prepare(ctx context.Context, dir string, file []byte, passphrase, peer string) (plan command.RestorePlan, err error) {
	if len(file) > backup.MaxClusterFile {
		return plan, engine.Errorf(engine.Invalid, "the file is larger than a backup may be").With("Backup", "send the file as it was downloaded")
	}
	if file, plan.Members, err = b.own(file, passphrase, peer); err != nil {
		return plan, err
	}
	made := filepath.Join(dir, restoredDir)
	if err := os.Mkdir(made, 0o700); err != nil {
		return plan, fmt.Errorf("unpack the backup: %w", err)
	}
	root, err := os.OpenRoot(made)
	if err != nil {
		return plan, fmt.Errorf("unpack the backup: %w", err)
	}
	defer root.Close()
	m, err := backup.Read(bytes.NewReader(file), passphrase, root)
	if err != nil {
		return plan, err
	}
	plan.Manifest = summary(m)
	if m.Release != b.a.o.Release {
		return plan, engine.Errorf(engine.Invalid, "the backup was made by release %s, this system runs %s", m.Release, b.a.o.Release).
			With("Backup", "install release "+m.Release+" first, restore, and then upgrade")
	}
	state, err := sqlstore.ExamineCopy(ctx, filepath.Join(made, backup.ClusterPart))
	if err != nil {
		return plan, err
	}
	if state.Revision != m.Revision {
		return plan, engine.Errorf(engine.Invalid, "the backup holds revision %d, its manifest says %d", state.Revision, m.Revision)
	}
	items, err := b.rebuild(ctx, made)
	if err != nil {
		return plan, err
	}
	plan.Refused = b.clustered()
	return b.compare(ctx, plan, m, items)
}

// restoredItems are the items of a backup: of the peer, and of the cluster.
type restoredItems struct{ own, shared map[string]string }

// rebuild opens what was unpacked in made, with every secret in it, and founds
// the store of its cluster database.
func (b backups) rebuild(ctx context.Context, made string) (items restoredItems, err error) {
	if err := writeSynced(filepath.Join(made, "hexad.id"), "This directory holds a hexad peer. Do not delete single files of it.\n"); err != nil {
		return items, err
	}
	local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: made, Logger: b.a.log, Release: b.a.o.Release, Secret: b.a.registry.Secret})
	if err != nil {
		return items, unfit("its local database", err)
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	if err := local.Unsealed(ctx); err != nil {
		return items, unfit("a secret of its local database", err)
	}
	if items.own, err = local.Items(ctx); err != nil {
		return items, unfit("its local database", err)
	}
	if items.shared, err = sqlstore.CopyItems(filepath.Join(made, backup.ClusterPart)); err != nil {
		return items, unfit("its cluster database", err)
	}
	id, err := local.Identity(ctx)
	if err != nil {
		return items, unfit("its identity", err)
	}
	ring := newKeyring(local, func() []byte { return id.Secret }, func(context.Context) (sqlstore.DataKeys, error) {
		return sqlstore.CopyDataKeys(filepath.Join(made, backup.ClusterPart))
	})
	for path, value := range items.shared {
		if strings.HasPrefix(value, sqlstore.SealedPrefix) && b.a.registry.Secret(path) {
			if _, err := ring.Open("item "+path, value); err != nil {
				return items, unfit("the secret "+path, err)
			}
		}
	}
	return items, b.found(ctx, made, local, id)
}

// unfit is the error of a backup that is whole and still cannot be used.
func unfit(what string, err error) error {
	return &engine.Error{Code: engine.Invalid, Message: "the backup cannot be used: " + what + " cannot be read: " + err.Error(), Err: err,
		Item: "Backup", Remedy: "use another backup"}
}

// found makes the cluster of one of a restored system. Its node is a new one,
// so that no peer of a cluster it once was in takes it for a member; the serial
// number is that of this machine.
func (b backups) found(ctx context.Context, made string, local *sqlstore.Local, id sqlstore.Identity) error {
	stored, err := local.Credentials(ctx)
	if err != nil {
		return err
	}
	self := engine.Member{Node: sqlstore.NewNode(), Address: b.a.o.Address, Release: b.a.o.Release}
	if len(stored.Certificate) > 0 {
		c, err := link.LoadCredentials(stored.Certificate, stored.PrivateKey)
		if err != nil {
			return unfit("its certificate", err)
		}
		self.Fingerprint = c.Fingerprint()
	}
	next := engine.Generation{Number: id.Generation.Number + 1, ID: randomID(), Parent: id.Generation.ID}
	shared := sqlstore.NewCluster(sqlstore.ClusterOptions{Dir: filepath.Join(made, "cluster"), Node: self.Node, Release: b.a.o.Release, Logger: b.a.log,
		Layer: func(engine.Generation) sqlstore.Layer { return newLonely() }})
	defer shared.Close()
	path := filepath.Join(made, backup.ClusterPart)
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	id.Node, id.Serial, id.Cluster, id.Generation, id.State = self.Node, b.a.identity.now().Serial, randomID(), next, sqlstore.Standalone
	id.StoreDir = b.a.store.Directory(next)
	if err := shared.Refound(ctx, next, sqlstore.Refounding{From: from, Cluster: id.Cluster, Members: []engine.Member{self}}); err != nil {
		return unfit("its cluster database", err)
	}
	return errors.Join(shared.Close(), local.Restore(ctx, sqlstore.Restored{Identity: id, Member: self}), os.Remove(path))
}

// compare says what a restore would change, with secrets masked.
func (b backups) compare(ctx context.Context, plan command.RestorePlan, m backup.Manifest, items restoredItems) (command.RestorePlan, error) {
	now, err := b.a.local.Items(ctx)
	if err != nil {
		return plan, err
	}
	g := generations{b.a}
	plan.Differences = g.Compare(now, items.own)
	if b.a.storeErr.Load() == nil {
		shared, err := g.Items(ctx)
		if err != nil {
			return plan, err
		}
		plan.Differences = append(plan.Differences, g.Compare(shared, items.shared)...)
	}
	plan.Revision = b.a.config.Current().Revision
	if m.Serial != b.a.identity.now().Serial {
		plan.Warnings = append(plan.Warnings, engine.Text{
			EN: "The backup was made on another system (serial number " + m.Serial + "): do not run both, their addresses and certificates are the same. Option keys belong to a system.",
			JA: "このバックアップは別のシステム(シリアル番号 " + m.Serial + ")で作成されました。アドレスと証明書が同じになるため、両方を同時に運用しないでください。オプションキーはシステムごとに異なります。"})
	}
	plan.Warnings = append(plan.Warnings, engine.Text{
		EN: "Accounts, passwords, SSH host keys, certificate, private key and trust list become those of the backup. Logs and sessions end.",
		JA: "アカウント、パスワード、SSH ホスト鍵、証明書、秘密鍵、信頼リストはバックアップの内容になります。ログとセッションは失われます。"})
	if len(m.Cluster.Peers) > 0 {
		plan.Warnings = append(plan.Warnings, engine.Text{
			EN: "The backup is of a peer of the cluster " + m.Cluster.Name + " (" + strings.Join(m.Cluster.Peers, " ") + "). The restored system is in no cluster: build a new one from it.",
			JA: "これはクラスタ " + m.Cluster.Name + " (" + strings.Join(m.Cluster.Peers, " ") + ") のピアのバックアップです。復元後のシステムはどのクラスタにも属しません。新しいクラスタを構築してください。"})
	}
	return plan, nil
}

// lonely is the network of a store that knows nobody.
type lonely struct {
	once   sync.Once
	closed chan struct{}
}

func newLonely() *lonely { return &lonely{closed: make(chan struct{})} }

func (l *lonely) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l *lonely) Close() error              { l.once.Do(func() { close(l.closed) }); return nil }
func (l *lonely) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (l *lonely) Dial(string, time.Duration) (net.Conn, error) {
	return nil, engine.Errorf(engine.Unavailable, "this store knows no other")
}
