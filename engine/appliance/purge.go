package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/event"
	"hexad/engine/fail"
	"hexad/sqlstore"
)

// Removing the cluster database. Source: reference 2.17.
const (
	purgeAsked   = "purge.request"
	purgedPrefix = "purged-" // of its directory in the quarantine
)

// purgeRequest is what root asked for, as the file that the parent finds
// between two children. Node is the system that it was asked of.
type purgeRequest struct {
	Node string `json:"node"`
	To   string `json:"to"` // below the data directory
	By   string `json:"by"`
}

// purges removes this system's cluster database when root asks for it.
type purges struct{ a *appliance }

// Plan says what is lost. Nothing is changed.
func (p purges) Plan(ctx context.Context) (engine.PurgePlan, error) {
	a := p.a
	out := engine.PurgePlan{Name: p.name(), Aside: filepath.Join("quarantine", purgedPrefix+time.Now().UTC().Format(asideTime)), Refused: p.refused()}
	id, view := a.identity.now(), a.config.Current()
	revision := fmt.Sprintf("revision %d of generation %d", view.Revision, id.Generation.Number)
	if e := a.storeErr.Load(); e != nil {
		revision += "; it cannot be read: " + e.Message
	}
	out.Lost = append(out.Lost,
		engine.Text{EN: "this system's copy of the configuration, its history, the rules and the audit (" + revision + ")",
			JA: "このシステムが持つ設定、変更履歴、ルール、監査記録のコピー(" + revision + ")"},
		engine.Text{EN: "the clustering page, the keys of the other peers, and this system's node id: it is another system for them",
			JA: "クラスタリングページ、他のピアの鍵、このシステムのノード ID。他のピアからは別のシステムとして扱われます"})
	return out, nil
}

// name is what has to be typed: the system name, the host name without one.
func (p purges) name() string {
	if name := clusterConfig(p).Get("SystemUnit Name"); name != "" {
		return name
	}
	return p.a.hostName()
}

// refused says why it cannot be done here, "" when it can: a member of a
// cluster of several goes on being one for the others. One that they removed
// has been told so (alarm 70022).
func (p purges) refused() string {
	a := p.a
	if a.cluster.RemovedHere() {
		return ""
	}
	id := a.identity.now()
	others := slices.ContainsFunc(a.cluster.Agreed().Members, func(m engine.Member) bool { return m.Node != id.Node })
	if others || len(a.cluster.Running().Peers) > 1 {
		return "this system is a member of a cluster of several peers: take it off the primary's list first"
	}
	return ""
}

// Purge ends this process; its parent moves the cluster database aside and
// starts a system that is in no cluster and can be restored.
//
// Errors: Denied (another name), Conflict (in a cluster), Unavailable (the
// disk), those of the gate.
func (p purges) Purge(ctx context.Context, actor engine.Actor, name string) (engine.PurgePlan, error) {
	a := p.a
	plan, err := p.Plan(ctx)
	switch {
	case err != nil:
		return plan, err
	case plan.Refused != "":
		return plan, engine.Errorf(engine.Conflict, "%s", plan.Refused).With("", "remove it on the primary's clustering page, wait for alarm 70022 here, then ask again")
	case name != plan.Name:
		return plan, engine.Errorf(engine.Denied, "%q is not the name of this system; nothing was removed", name).With("SystemName", "type it as xStatus SystemUnit shows it")
	}
	if _, err := a.gate(ctx, cluster.ProcedurePurge, cluster.StepPurge); err != nil {
		return plan, err
	}
	text, err := json.Marshal(purgeRequest{Node: a.identity.now().Node, To: plan.Aside, By: actor.User})
	if err != nil {
		return plan, err
	}
	path := filepath.Join(a.o.DataDir, purgeAsked)
	if err := replaceSynced(path, string(text)); err != nil {
		return plan, &engine.Error{Code: engine.Unavailable, Message: "the cluster database was not removed: " + err.Error(), Err: err}
	}
	if err := fail.Point("purge.asked"); err != nil {
		return plan, errors.Join(err, os.Remove(path))
	}
	a.journal.Emit(event.By(actor, "Restart Requested", "removal of the cluster database, moved to "+plan.Aside))
	if err := a.cluster.RestartFor(ctx, actor, cluster.ProcedurePurge); err != nil {
		return plan, errors.Join(err, os.Remove(path))
	}
	return plan, nil
}

// purge is the removal between two children. The one transaction of local.db is
// what makes it happen; before it the request is forgotten by the next start of
// a child, after it the moves are repeated until they are done.
type purge struct {
	o     Options
	local *sqlstore.Local
	progress
}

func (p purge) carryOut(ctx context.Context) error {
	path := filepath.Join(p.o.DataDir, purgeAsked)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	id, err2 := p.local.Identity(ctx)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	var r purgeRequest
	begun := id.StoreDir == "" // emptied, and no child has run since
	if json.Unmarshal(text, &r) != nil || !filepath.IsLocal(r.To) || r.Node != id.Node && !begun {
		return os.Remove(path) // of another system, which was reset or restored over
	}
	to := filepath.Join(p.o.DataDir, r.To)
	if r.Node == id.Node {
		if err := p.empty(ctx, to, r.By); err != nil {
			p.failed(err)
			return errors.Join(err, os.Remove(path))
		}
	}
	if err := p.move(to); err != nil {
		p.failed(err)
		return err // again at the next start: nothing is left in its place
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	p.step(3, "done; starting outside any cluster. The database is in "+r.To)
	return syncDir(p.o.DataDir)
}

// empty keeps local.db as it was beside what will be moved, so that both can be
// put back, and makes this system one without a cluster database.
func (p purge) empty(ctx context.Context, to, by string) error {
	p.step(1, "begun by "+by)
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o700), p.local.BackupTo(ctx, filepath.Join(to, sqlstore.LocalFile)), syncAll(to)); err != nil {
		return fmt.Errorf("keep the local database: %w", err)
	}
	if err := fail.Point("purge.copied"); err != nil {
		return err
	}
	if err := p.local.Purge(ctx); err != nil {
		return err
	}
	return fail.Point("purge.emptied")
}

func (p purge) move(to string) error {
	p.step(2, "moving the cluster database to "+strings.TrimPrefix(to, p.o.DataDir+string(filepath.Separator)))
	journals, _ := filepath.Glob(escape(p.o.journal()) + "*") // the pattern is a sound one
	for _, from := range append(journals, p.o.store(), filepath.Join(p.o.DataDir, openingFile)) {
		if err := os.Rename(from, filepath.Join(to, filepath.Base(from))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("move the cluster database aside: %w", err)
		}
	}
	return errors.Join(syncDir(to), syncDir(p.o.quarantine()), syncDir(p.o.DataDir), fail.Point("purge.moved"))
}
