package appliance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	commands "hexad/ui/command"
)

// Secrets that a backup may hold, but never show.
const (
	backupPassphrase = "a passphrase for the backups"
	canary           = "canary-9f2b7c51"
)

// backedUp makes a backup of p and returns its file.
func backedUp(t *testing.T, p *appliancetest.Peer) []byte {
	t.Helper()
	var made commands.Backup
	answered(t, p, "SystemBackup", map[string]string{"Passphrase": backupPassphrase}, &made)
	if made.Manifest.Revision != p.View().Revision || !strings.HasSuffix(made.Name, "_backup.tar.gz.age") {
		t.Errorf("backup %s of revision %d", made.Name, made.Manifest.Revision)
	}
	return made.File
}

// restore sends a backup; confirm restores it.
func restore(p *appliancetest.Peer, file []byte, confirm bool, passphrase string) (plan commands.RestorePlan, err error) {
	args := map[string]string{"Passphrase": passphrase}
	if confirm {
		args["Confirm"] = "On"
	}
	reply, err := p.Call("SystemRestore", base64.StdEncoding.EncodeToString(file), args)
	if err == nil {
		err = reply.Error.Err()
	}
	if err != nil || reply.Error != nil {
		return plan, err
	}
	var result struct {
		Data *commands.RestorePlan `json:"data"`
	}
	result.Data = &plan
	return plan, json.Unmarshal(reply.Result, &result)
}

// beside1 is a system outside any cluster, with zones.
func beside1(t *testing.T, address string, names ...string) *appliancetest.Peer {
	t.Helper()
	p := appliancetest.New(t, 1, address).Up()
	p.Prepare()
	for _, name := range names {
		zone1(p, name)
	}
	return p
}

// pairAt is a cluster of two at 127.0.121.first and the next.
func pairAt(t *testing.T, first int) []*appliancetest.Peer {
	t.Helper()
	peers := []*appliancetest.Peer{appliancetest.New(t, 1, fmt.Sprintf("127.0.121.%d", first)), appliancetest.New(t, 2, fmt.Sprintf("127.0.121.%d", first+1))}
	appliancetest.Form(t, peers)
	return peers
}

// succeeded waits until another child than before answers.
func succeeded(t *testing.T, p *appliancetest.Peer, child int) {
	t.Helper()
	p.Await("another child answers", 30*time.Second, func() string {
		if now := p.Child(); now == 0 || now == child {
			return fmt.Sprintf("the child is %d", now)
		}
		_, err := p.Try("xStatus SystemUnit")
		return whyNot(err)
	})
}

// TestBackupRestore: what was saved comes back, also what is secret; what came
// later is gone; the dry run said so and changed nothing.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	p := beside1(t, "127.0.121.1", "kept")
	p.Exec(`xConfiguration SystemUnit Name: "before"`)
	p.Exec(`xConfiguration SNMP CommunityName: "%s"`, canary)
	before := p.View()
	file := backedUp(t, p)
	if bytes.Contains(file, []byte(canary)) || bytes.Contains(file, []byte("kept")) {
		t.Error("the file shows what it holds")
	}
	zone1(p, "later")
	p.Exec(`xConfiguration SystemUnit Name: "after"`)
	later := p.View()

	plan, err := restore(p, file, false, backupPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	var differ []string
	for _, d := range plan.Differences {
		differ = append(differ, d.Path)
	}
	if !slices.Contains(differ, "SystemUnit Name") || !strings.Contains(fmt.Sprint(plan.Differences), "later") || plan.Manifest.Revision != before.Revision || plan.Refused != "" {
		t.Errorf("the dry run says %+v", plan)
	}
	if v := p.View(); v.Revision != later.Revision || v.Node != later.Node {
		t.Errorf("the dry run changed the system: %+v", v)
	}
	if left, _ := filepath.Glob(filepath.Join(p.Dir, "*.tmp")); len(left) > 0 {
		t.Errorf("the dry run left %v", left)
	}

	child := p.Child()
	if _, err := restore(p, file, true, backupPassphrase); err != nil {
		t.Fatal(err)
	}
	succeeded(t, p, child)
	wantZones(t, p, []string{"kept"}, []string{"later"})
	if got := p.Exec("xConfiguration SystemUnit Name"); !strings.Contains(got, `"before"`) {
		t.Errorf("the name is %s", got)
	}
	if v := p.View(); v.Node == before.Node || v.Revision < before.Revision || v.Primary != v.Node {
		t.Errorf("restored as %+v", v)
	}
	zone1(p, "writable")
	if b := p.Browser(); !b.SignIn(appliancetest.Password) {
		t.Error("the administrator cannot sign in")
	}
	p.Stop()
	p.Up()
	wantZones(t, p, []string{"kept", "writable"}, []string{"later"})
	if slices.Contains(p.Alarms(), 15023) {
		t.Error("15023 holds")
	}
	// The backup of a restored system is as good as any.
	if plan, err := restore(p, backedUp(t, p), false, backupPassphrase); err != nil || len(plan.Differences) > 0 {
		t.Errorf("its own backup differs: %+v, %v", plan.Differences, err)
	}
}

// TestRestoreRefused: what is not whole, of another release, opened with
// another passphrase or met in a cluster is refused before anything changes.
func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	p := beside1(t, "127.0.121.2", "own")
	file := backedUp(t, p)
	flipped := bytes.Clone(file)
	flipped[len(flipped)-100] ^= 1
	other := appliancetest.New(t, 1, "127.0.121.3")
	other.Variant = appliancetest.Variant{Release: "9.9.9"}
	other.Up()
	foreign := backedUp(t, other)
	other.Stop()
	revision := p.View().Revision
	for _, c := range []struct {
		name, passphrase string
		file             []byte
		want             engine.Code
	}{
		{"passphrase", "not the passphrase at all", file, engine.Denied},
		{"damaged", backupPassphrase, flipped, engine.Invalid},
		{"another release", backupPassphrase, foreign, engine.Invalid},
		{"no file", backupPassphrase, nil, engine.Invalid},
	} {
		if _, err := restore(p, c.file, true, c.passphrase); engine.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if got := local(p, "SELECT count(*) FROM diag_decision WHERE hook = 'procedure.gate' AND CAST(input AS TEXT) LIKE '%restore%'"); strings.Contains(got, "\n0") {
		t.Errorf("the gate was not asked: %s", got)
	}
	if _, err := p.Try(`xCommand SystemBackup Passphrase: "short"`); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a short passphrase: %v", err)
	}
	if v := p.View(); v.Revision != revision {
		t.Errorf("revision %d, was %d", v.Revision, revision)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "restore")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a restore was staged: %v", err)
	}

	peers := pairAt(t, 60)
	if _, err := restore(peers[1], file, true, backupPassphrase); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("in a cluster: %v", err)
	}
	if plan, err := restore(peers[1], file, false, backupPassphrase); err != nil || plan.Refused == "" {
		t.Errorf("dry run in a cluster: %+v, %v", plan, err)
	}
	// Any peer's backup holds what the cluster shares.
	zone1(peers[0], "shared")
	peers[1].AwaitRevision(peers[0].View().Revision)
	of := backedUp(t, peers[1])
	child := p.Child()
	plan, err := restore(p, of, true, backupPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Manifest.Peers) != 2 || len(plan.Warnings) != 3 {
		t.Errorf("the plan is %+v", plan)
	}
	succeeded(t, p, child)
	wantZones(t, p, []string{"shared"}, []string{"own"})
	if v := p.View(); len(v.Running.Peers) != 0 {
		t.Errorf("it is in a cluster: %+v", v.Running)
	}
	p.AwaitAlarm(20004, false, 10*time.Second)
	appliancetest.Ready(t, peers)
}

// TestRestoreCrashes: wherever a restore is cut off, what starts next is the
// old system or the restored one, whole and writable.
func TestRestoreCrashes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	from := beside1(t, "127.0.121.20", "saved")
	file := backedUp(t, from)
	zone1(from, "later")
	from.Stop()
	points := []string{"restore.prepared", "restore.staged", "restore.moving", "restore.placing", "restore.trial", "restore.kept"}
	for n := range 8 {
		points = append(points, fmt.Sprintf("restore.move@%d", n+1))
	}
	for i, point := range points {
		t.Run(point, func(t *testing.T) {
			p := copied(t, from, fmt.Sprintf("127.0.121.%d", i+21))
			p.Variant = crashing
			name, nth, counted := strings.Cut(point, "@")
			armed := name + "=kill"
			if counted {
				armed += "@" + nth
			}
			p.Env = []string{"HEXAD_FAIL=" + armed}
			p.Up()
			_, err := restore(p, file, true, backupPassphrase)
			inParent := !slices.Contains([]string{"restore.prepared", "restore.staged", "restore.kept"}, point)
			switch {
			case inParent:
				p.AwaitEnd(30 * time.Second)
			case point == "restore.kept":
			default:
				if err == nil {
					t.Error("it was not killed")
				}
			}
			p.Env = nil
			if inParent {
				p.Start()
			}
			p.Await("answers", 40*time.Second, func() string {
				if state, _ := os.ReadFile(filepath.Join(p.Dir, "restore", "state")); len(state) > 0 && string(state) != "kept\n" && string(state) != "ready\n" {
					return "restore is " + string(state)
				}
				if done, _ := os.ReadFile(filepath.Join(p.Dir, "restore", "state")); point == "restore.kept" && string(done) != "kept\n" {
					return "not yet"
				}
				_, err := p.Try("xStatus SystemUnit")
				return whyNot(err)
			})
			wantZones(t, p, []string{"saved"}, nil)
			if old := i < 2; strings.Contains(p.Exec("xConfiguration Zones Zone"), `"later"`) != old {
				t.Errorf("the old system: want %v", old)
			}
			zone1(p, "writable")
			p.Stop()
		})
	}
}

// TestRestorePutBack: a restored system that does not come up gives way to the
// previous one, whole, and alarm 15023 says why.
func TestRestorePutBack(t *testing.T) {
	t.Parallel()
	from := beside1(t, "127.0.121.40", "saved")
	file := backedUp(t, from)
	zone1(from, "later")
	from.Stop()
	for i, cut := range []string{"", "restore.clearing", "restore.returning", "restore.move@20", "restore.failed"} {
		t.Run("cut at "+cut, func(t *testing.T) {
			p := copied(t, from, fmt.Sprintf("127.0.121.%d", i+41))
			p.Variant = crashing
			p.Env = []string{"HEXAD_FAIL=restore.placing=kill"}
			p.Up()
			_, _ = restore(p, file, true, backupPassphrase)
			p.AwaitEnd(30 * time.Second)
			// The disk eats what was about to be restored.
			raft, err := filepath.Glob(filepath.Join(p.Dir, "restore", "new", "cluster", "*"))
			if err != nil || len(raft) != 1 {
				t.Fatalf("prepared: %v %v", raft, err)
			}
			if err := os.WriteFile(filepath.Join(p.Dir, "restore", "new", "local.db"), []byte("nothing of a database"), 0o600); err != nil {
				t.Fatal(err)
			}
			p.Env = nil
			if cut != "" {
				name, nth, counted := strings.Cut(cut, "@")
				armed := "HEXAD_FAIL=" + name + "=kill"
				if counted {
					armed += "@" + nth
				}
				p.Env = []string{armed}
				p.Start()
				if !counted {
					p.AwaitEnd(30 * time.Second)
				} else {
					p.AwaitAlarm(15023, true, 30*time.Second)
					p.Kill()
				}
				p.Env = nil
			}
			p.Up()
			p.AwaitAlarm(15023, true, 20*time.Second)
			if got := p.Detail(15023); got == "" {
				t.Error("15023 does not say why")
			}
			wantZones(t, p, []string{"saved", "later"}, nil)
			zone1(p, "writable")
			p.Restart()
			p.AwaitAlarm(15023, false, 20*time.Second)
			wantZones(t, p, []string{"saved", "later", "writable"}, nil)
		})
	}
}

// TestBackupTool: the program's own commands, as a person types them.
func TestBackupTool(t *testing.T) {
	t.Parallel()
	p := beside1(t, "127.0.121.50", "typed")
	dir := t.TempDir()
	secret := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(secret, []byte(backupPassphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSpace(run(t, "backup", "--data-dir", p.Dir, "--passphrase-file", secret, dir))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v", path, info, err)
	}
	tool := func(args ...string) (int, string) {
		cmd := exec.Command(appliancetest.Program(t, appliancetest.Variant{}), args...)
		cmd.Stdin = strings.NewReader(backupPassphrase + "\n")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode(), string(out)
		}
		return 0, string(out)
	}
	if status, out := tool("restore", "--data-dir", p.Dir, path); status != 0 || !strings.Contains(out, "the backup is sound") {
		t.Errorf("nothing differs: status %d\n%s", status, out)
	}
	zone1(p, "more")
	if status, out := tool("restore", "--data-dir", p.Dir, path); status != 4 || !strings.Contains(out, "more") {
		t.Errorf("something differs: status %d\n%s", status, out)
	}
	if status, out := tool("backup", "--data-dir", p.Dir, path); status != 1 || !strings.Contains(out, "exists") {
		t.Errorf("over a file: status %d\n%s", status, out)
	}
	child := p.Child()
	if status, out := tool("restore", "--confirm", "--data-dir", p.Dir, path); status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
	succeeded(t, p, child)
	wantZones(t, p, []string{"typed"}, []string{"more"})
}
