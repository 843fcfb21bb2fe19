package appliance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hexad/engine"
	"hexad/engine/backup"
	"hexad/engine/link"
	"hexad/ui/command"
)

// backupPath is where a member is asked, on the peer link, for its own backup.
const backupPath = "/v1/backup"

// backupTime is how long a member may take for it.
const backupTime = 60 * time.Second

// backupAsk asks a member for its own backup, sealed with a passphrase.
type backupAsk struct {
	Passphrase string       `json:"passphrase"`
	Actor      engine.Actor `json:"actor"`
}

// backupPart is its answer; Error says why there is none.
type backupPart struct {
	Backup command.Backup `json:"backup"`
	Error  *engine.Error  `json:"error,omitempty"`
}

// serveBackup answers a member that gathers the backups of all. The link has
// authenticated it; the event log of this peer says who asked.
func (a *appliance) serveBackup(w http.ResponseWriter, r *http.Request) {
	var ask backupAsk
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(raw, &ask)
	}
	if err != nil {
		http.Error(w, "request not understood", http.StatusBadRequest)
		return
	}
	ask.Actor.Via, ask.Actor.Source = "peer", link.RemoteIP(r.Context())
	var out backupPart
	if out.Backup, err = a.backups.Make(r.Context(), ask.Actor, ask.Passphrase); err != nil {
		out.Error = asError(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the connection is the peer's problem
}

// asError makes any error one with a code.
func asError(err error) *engine.Error {
	var e *engine.Error
	if errors.As(err, &e) {
		return e
	}
	return &engine.Error{Code: engine.Internal, Message: err.Error(), Err: err}
}

// MakeCluster gathers the backups of all members in one archive. Each member
// makes and checks its own; each is checked here once more. Whoever does not
// answer, or whose backup cannot be restored, is named in the archive.
//
// Errors: those of Make for this peer's own part; Exhausted (too large).
func (b backups) MakeCluster(ctx context.Context, actor engine.Actor, passphrase string) (command.ClusterBackup, error) {
	var out command.ClusterBackup
	own, err := b.Make(ctx, actor, passphrase)
	if err != nil {
		return out, err
	}
	self := b.a.identity.now().Node
	m := backup.ClusterManifest{Release: b.a.o.Release, Cluster: b.a.cluster.Running().Name, By: b.a.o.Address, Taken: time.Now().UTC().Truncate(time.Second)}
	parts := []backupPart{{Backup: own}}
	m.Members = []backup.Member{{Node: self, Address: b.a.o.Address}}
	for _, member := range b.a.cluster.Agreed().Members {
		if member.Node != self {
			m.Members = append(m.Members, backup.Member{Node: member.Node, Address: member.Address})
		}
	}
	parts = append(parts, make([]backupPart, len(m.Members)-1)...)
	var wg sync.WaitGroup
	for i := 1; i < len(m.Members); i++ {
		wg.Go(func() { parts[i] = b.fetch(ctx, m.Members[i].Node, backupAsk{passphrase, actor}) })
	}
	wg.Wait()
	files := make([][]byte, len(m.Members))
	for i, p := range parts {
		one := &m.Members[i]
		if p.Error == nil && i > 0 {
			_, err := b.Check(ctx, actor, p.Backup.File, passphrase, "")
			if err != nil {
				p.Error = asError(err)
			}
		}
		if p.Error != nil {
			one.Missing = p.Error.Message
			continue
		}
		one.System, one.Serial, one.Name = p.Backup.Manifest.System, p.Backup.Manifest.Serial, p.Backup.Name
		files[i] = p.Backup.File
	}
	var file bytes.Buffer
	if m, err = backup.WriteCluster(&file, passphrase, m, files); err != nil {
		return out, err
	}
	out.Name, out.Cluster, out.File = m.FileName(), m.Cluster, file.Bytes()
	for _, one := range m.Members {
		out.Members = append(out.Members, command.BackupMember{Address: one.Address, System: one.System, Serial: one.Serial, Name: one.Name, Size: one.Size, Missing: one.Missing})
	}
	b.say(actor, "Completed System Backup", fmt.Sprintf("%s, %d of %d peers", out.Name, len(m.Members)-len(out.Missing()), len(m.Members)))
	return out, nil
}

// fetch is one member's own backup.
func (b backups) fetch(ctx context.Context, node string, ask backupAsk) (out backupPart) {
	ctx, stop := context.WithTimeout(ctx, backupTime)
	defer stop()
	failed := func(err error) backupPart {
		return backupPart{Error: &engine.Error{Code: engine.Unavailable, Message: "it does not answer: " + err.Error(), Err: err}}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return failed(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+node+backupPath, bytes.NewReader(body))
	if err != nil {
		return failed(err)
	}
	resp, err := b.a.link.Client(node).Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failed(errors.New(resp.Status))
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 2*backup.MaxFile)).Decode(&out); err != nil {
		return failed(err)
	}
	return out
}

// own is the backup in file that this system is to be restored from: of the
// whole cluster's the part of peer, without one that which was made here.
func (b backups) own(file []byte, passphrase, peer string) ([]byte, []string, error) {
	want := []string{peer}
	if peer == "" {
		want = []string{b.a.identity.now().Serial}
	}
	one, m, err := backup.Extract(file, passphrase, want...)
	var of []string
	if m != nil {
		for _, member := range m.Members {
			of = append(of, strings.TrimSpace(member.Address+" "+member.System))
		}
	}
	return one, of, err
}

// proved restores a backup that was just made into a scratch directory: what
// cannot be restored is no backup.
func (b backups) proved(ctx context.Context, dir string, file []byte, passphrase string) error {
	check := filepath.Join(dir, "check")
	if err := os.Mkdir(check, 0o700); err != nil {
		return err
	}
	if _, err := b.prepare(ctx, check, file, passphrase, ""); err != nil {
		e := *asError(err)
		e.Message = "the backup was made, but cannot be restored: " + e.Message
		return &e
	}
	return nil
}
