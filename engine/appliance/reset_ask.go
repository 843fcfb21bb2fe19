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

// resetRequest is a factory reset that root asked for, as the file that the
// parent finds between two children. Node is the system that it was asked of.
type resetRequest struct {
	Node string    `json:"node"`
	Keep []string  `json:"keep"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// readResetRequest reads the request; nil when there is none, or none that can
// be read: nothing is reset on a guess.
func readResetRequest(path string) (*resetRequest, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r resetRequest
	if err == nil && json.Unmarshal(text, &r) != nil {
		return nil, os.Remove(path)
	}
	return &r, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// progress is what a piece of work between two children says of itself, for
// whoever waits at a terminal and for the log: see command.Result.Following. A
// file that cannot be written holds nothing up.
type progress struct {
	o     Options
	what  string
	steps int
}

func (p progress) step(n int, text string) {
	p.write(fmt.Sprintf("%s, step %d of %d: %s", p.what, n, p.steps, text), n == 1)
}

func (p progress) failed(err error) { p.write(fmt.Sprintf("%s: failed: %v", p.what, err), false) }

func (p progress) write(line string, first bool) {
	p.o.Log.Warn(line, "module", "management")
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if first {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(filepath.Join(p.o.DataDir, resetDir, progressFile), flags, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintln(f, time.Now().UTC().Format(time.RFC3339Nano), line) // the log has it
	_ = f.Close()
}

// resets is the factory reset that root asks for, and what any would take.
//
// Source: reference 2.12.
type resets struct{ a *appliance }

// Kept are the names of the closed list that the answers keep. The way in is
// always kept: without it nobody could use what is.
func kept(answers engine.ResetAnswers) []string {
	keep := []string{sqlstore.KeepHTTPS, sqlstore.KeepSSH}
	for _, k := range []struct {
		yes   bool
		names []string
	}{
		{answers.OptionKeys, []string{sqlstore.KeepOptionKeys}},
		{answers.IP, []string{sqlstore.KeepLAN1Address}},
		{answers.SSHKeys, []string{sqlstore.KeepHostKeys}},
		{answers.Certificates, []string{sqlstore.KeepServerCertificate, sqlstore.KeepPrivateKey, sqlstore.KeepTrustStore}},
		{answers.Passwords, []string{sqlstore.KeepAdmin, sqlstore.KeepRoot}},
		{answers.Logs, []string{sqlstore.KeepLogs}},
	} {
		if k.yes {
			keep = append(keep, k.names...)
		}
	}
	return keep
}

// Reset carries out a factory reset: this process ends, its parent resets the
// system and starts it again. A cut before that leaves the system as it was
// or, once the request is on disk, to be reset by the next start.
//
// Errors: Unavailable (no image; the disk), those of the gate.
func (r resets) Reset(ctx context.Context, actor engine.Actor, answers engine.ResetAnswers) error {
	a := r.a
	if !haveResetImage(a.o.DataDir) {
		e := noImage(a.o.DataDir).(*engine.Error)
		e.Remedy = "put both files there, then ask again"
		return e
	}
	if _, err := a.gate(ctx, cluster.ProcedureReset, cluster.StepArm); err != nil {
		return err
	}
	ask := resetRequest{Node: a.identity.now().Node, Keep: kept(answers), By: actor.User, At: time.Now().UTC()}
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	path := filepath.Join(a.o.DataDir, resetAsked)
	if err := replaceSynced(path, string(text)); err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the factory reset was not begun: " + err.Error(), Err: err}
	}
	if err := fail.Point("reset.asked"); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	a.journal.Emit(event.By(actor, "Restart Requested", "factory reset; kept: "+strings.Join(ask.Keep, ", ")))
	if err := a.cluster.RestartFor(ctx, actor, cluster.ProcedureReset); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Plan says item by item what a factory reset keeps and loses: with answers the
// one that they describe, otherwise the one that is armed, or would be by
// clearing the peer list. Nothing is changed.
func (r resets) Plan(ctx context.Context, answers *engine.ResetAnswers) (engine.ResetPlan, error) {
	a := r.a
	var plan engine.ResetPlan
	armed := a.cluster.Pending().Reset
	switch {
	case answers != nil:
		plan.Keep = kept(*answers)
	case armed != nil:
		plan.Armed, plan.Keep = true, armed.Keep
	default:
		d := a.cluster.ResetKeeps(ctx)
		if d.Degraded != nil {
			return plan, &engine.Error{Code: engine.Unavailable, Message: "what a factory reset would keep is not known: the rule failed", Err: d.Degraded, Remedy: "look at the policies"}
		}
		plan.Keep = d.Keep
	}
	if !haveResetImage(a.o.DataDir) {
		plan.Blocked = "no_reset_image"
	}
	own, err := r.own(ctx, plan.Keep)
	if err != nil {
		return plan, err
	}
	plan.Items = slices.Concat(own, r.shared(), r.copies())
	if names := a.cluster.Running().Peers; len(names) > 1 {
		plan.Warnings = append(plan.Warnings, engine.Text{
			EN: "This system is in a cluster of " + fmt.Sprint(len(names)) + ". Take it off the lists of the others first; until then they show it as failed.",
			JA: "このシステムは " + fmt.Sprint(len(names)) + " 台のクラスタに属しています。先に他のピアのリストから削除してください。削除するまで他のピアでは障害として表示されます。"})
	}
	if !slices.Contains(plan.Keep, sqlstore.KeepAdmin) {
		plan.Warnings = append(plan.Warnings, engine.Text{
			EN: "The password of admin is lost: the next start makes one and prints it once, or reads it from --admin-password-file.",
			JA: "admin のパスワードは失われます。次回の起動時に新しいパスワードが作成されて一度だけ表示されるか、--admin-password-file から読み込まれます。"})
	}
	return plan, nil
}

// own is what rests in local.db.
func (r resets) own(ctx context.Context, keep []string) ([]engine.ResetItem, error) {
	l := r.a.local
	items, err := l.Items(ctx)
	accounts, err2 := l.Accounts(ctx)
	trusted, err3 := l.TrustStore(ctx)
	keys, err4 := l.AuthorizedKeys(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return nil, err
	}
	of := map[string][]string{} // items by what keeps them
	for path := range items {
		name := sqlstore.KeptItem(path)
		of[name] = append(of[name], path)
	}
	has := func(name string) bool { return slices.Contains(keep, name) }
	var others []string
	detail := map[string]string{sqlstore.KeepHostKeys: r.a.hostKeyPrint, sqlstore.KeepTrustStore: fmt.Sprint(len(trusted)),
		sqlstore.KeepServerCertificate: r.a.link.Credentials().Fingerprint()}
	for _, acc := range accounts {
		switch acc.Name {
		case "admin":
			detail[sqlstore.KeepAdmin] = "admin"
		case "root":
			detail[sqlstore.KeepRoot] = "root"
		default:
			others = append(others, acc.Name)
		}
	}
	for name, paths := range of {
		slices.Sort(paths)
		detail[name] = strings.Join(paths, "; ")
	}
	pair := has(sqlstore.KeepServerCertificate) && has(sqlstore.KeepPrivateKey) // a certificate and its key are one
	var out []engine.ResetItem
	for _, name := range sqlstore.Keepable {
		k := has(name)
		if name == sqlstore.KeepServerCertificate || name == sqlstore.KeepPrivateKey {
			k = pair
		}
		out = append(out, engine.ResetItem{Text: engine.ResetText(name), Kept: k, Detail: detail[name]})
	}
	out = append(out, engine.ResetItem{Text: engine.Text{EN: "FIPS140 configuration (hexad has none)", JA: "FIPS140 設定(hexad にはありません)"}})
	var lan2, rest []string
	for _, path := range of[""] {
		if strings.HasPrefix(path, "Ethernet 2 ") {
			lan2 = append(lan2, path)
		} else {
			rest = append(rest, path)
		}
	}
	lost := func(en, ja, what string) {
		out = append(out, engine.ResetItem{Text: engine.Text{EN: en, JA: ja}, Detail: what})
	}
	lost("the configuration of LAN2", "LAN2 の設定", strings.Join(lan2, "; "))
	for _, path := range rest {
		lost("xConfiguration "+path, "xConfiguration "+path, "")
	}
	lost("other accounts", "その他のアカウント", strings.Join(others, " "))
	lost("keys that may sign in over SSH", "SSH でサインインできる鍵", fmt.Sprint(len(keys)))
	return out, nil
}

// shared is this system's copy of what the cluster shares, and its place in it.
func (r resets) shared() []engine.ResetItem {
	view := r.a.config.Current()
	detail := fmt.Sprintf("revision %d", view.Revision)
	if areas, err := browser(r).Areas(context.Background()); err == nil {
		for _, area := range areas {
			detail += fmt.Sprintf(", %s %d", area.Name, area.Count)
		}
	}
	page := r.a.cluster.Running()
	return []engine.ResetItem{
		{Text: engine.Text{EN: "the configuration, its history and the rules, in this system's copy", JA: "このシステムのコピー内の設定、変更履歴、ルール"}, Detail: detail},
		{Text: engine.Text{EN: "the place in the cluster", JA: "クラスタへの所属"}, Detail: strings.TrimSpace(page.Name + " " + strings.Join(page.Peers, " "))},
	}
}

// copies is what is kept of earlier times.
func (r resets) copies() []engine.ResetItem {
	var found []string
	for _, pattern := range []string{"aside/*", "quarantine/*", restoreDir + "/" + previousDir} {
		paths, _ := filepath.Glob(filepath.Join(escape(r.a.o.DataDir), pattern)) // the patterns are sound ones
		for _, path := range paths {
			rel, err := filepath.Rel(r.a.o.DataDir, path)
			if err == nil {
				found = append(found, rel)
			}
		}
	}
	return []engine.ResetItem{
		{Text: engine.Text{EN: "copies that were saved aside, damaged copies, the system before a restore", JA: "退避されたコピー、破損したコピー、復元前のシステム"}, Detail: strings.Join(found, "; ")},
		{Text: engine.Text{EN: "a certificate request that waits, pinned keys of peers, sessions, decisions of rules", JA: "発行待ちの証明書要求、ピアの登録済み鍵、セッション、ルールの判定記録"}},
	}
}
