package appliance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	commands "hexad/ui/command"
)

// restoreOf is restore of one peer's part of a backup of a whole cluster.
func restoreOf(p *appliancetest.Peer, file []byte, peer, confirm string) (plan commands.RestorePlan, err error) {
	reply, err := p.Call("SystemRestore", base64.StdEncoding.EncodeToString(file), map[string]string{"Passphrase": backupPassphrase, "Peer": peer, "Confirm": confirm})
	if err != nil || reply.Error != nil {
		return plan, errors.Join(err, reply.Error.Err())
	}
	var result struct{ Data *commands.RestorePlan }
	result.Data = &plan
	return plan, json.Unmarshal(reply.Result, &result)
}

// TestClusterBackup: any peer makes one file with the backups of all, from
// which each can be taken out and restored; who does not answer is named in it.
func TestClusterBackup(t *testing.T) {
	t.Parallel()
	peers := []*appliancetest.Peer{appliancetest.New(t, 1, "127.0.132.51"), appliancetest.New(t, 2, "127.0.132.52")}
	appliancetest.Form(t, peers)
	peers[0].Exec(`xConfiguration SystemUnit Name: "first"`)
	peers[1].Exec(`xConfiguration SystemUnit Name: "second"`)
	peers[0].Exec(`xConfiguration SNMP CommunityName: "%s"`, canary)
	zone1(peers[0], "shared")
	peers[1].AwaitRevision(peers[0].View().Revision)

	var made commands.ClusterBackup
	answered(t, peers[1], "SystemBackup", map[string]string{"Passphrase": backupPassphrase, "Scope": "Cluster"}, &made)
	if len(made.Members) != 2 || len(made.Missing()) > 0 || bytes.Contains(made.File, []byte(canary)) || !strings.HasSuffix(made.Name, "_cluster_backup.tar.gz.age") {
		t.Fatalf("the backup %s holds %+v", made.Name, made.Members)
	}
	if !strings.Contains(peers[0].Log(), "Beginning System Backup") {
		t.Error("the other peer's log does not say that it was asked")
	}

	other := beside1(t, "127.0.132.53", "own")
	if _, err := restoreOf(other, made.File, "", "Off"); engine.CodeOf(err) != engine.NotFound || !strings.Contains(err.Error(), peers[0].Address) {
		t.Errorf("whose part is not said: %v", err)
	}
	for i, q := range peers {
		plan, err := restoreOf(other, made.File, q.Address, "Off")
		if want := []string{"first", "second"}[i]; err != nil || plan.Manifest.System != want || plan.Manifest.Address != q.Address || len(plan.Members) != 2 {
			t.Errorf("the part of %s: %+v, %v", q.Address, plan.Manifest, err)
		}
	}
	if plan, err := restoreOf(peers[0], made.File, "", "Off"); err != nil || plan.Manifest.System != "first" {
		t.Errorf("on a machine of its own: %+v, %v", plan.Manifest, err)
	}

	// Taken out, it is a backup like any other.
	dir := t.TempDir()
	for name, text := range map[string][]byte{"whole": made.File, "passphrase": []byte(backupPassphrase + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "restore", "--passphrase-file", filepath.Join(dir, "passphrase"), "--peer", "second", "--extract", filepath.Join(dir, "part"), filepath.Join(dir, "whole"))
	part, err := os.ReadFile(filepath.Join(dir, "part"))
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := restore(other, part, false, backupPassphrase); err != nil || plan.Manifest.System != "second" {
		t.Errorf("taken out: %+v, %v", plan.Manifest, err)
	}
	child := other.Child()
	if _, err := restoreOf(other, made.File, "second", "On"); err != nil {
		t.Fatal(err)
	}
	succeeded(t, other, child)
	wantZones(t, other, []string{"shared"}, []string{"own"})
	if got := other.Exec("xConfiguration SystemUnit Name"); !strings.Contains(got, `"second"`) {
		t.Errorf("it is %s", got)
	}

	peers[1].Stop()
	var less commands.ClusterBackup
	answered(t, peers[0], "SystemBackup", map[string]string{"Passphrase": backupPassphrase, "Scope": "Cluster"}, &less)
	if missing := less.Missing(); len(missing) != 1 || missing[0].Address != peers[1].Address || missing[0].Missing == "" {
		t.Errorf("without the second: %+v", less.Members)
	}
	if _, err := restoreOf(other, less.File, peers[1].Address, "Off"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("the part that is not there: %v", err)
	}
	tool := exec.Command(appliancetest.Program(t, appliancetest.Variant{}), "backup", "--cluster", "--data-dir", peers[0].Dir, "--passphrase-file", filepath.Join(dir, "passphrase"), dir)
	out, err := tool.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(string(out), "not in the backup: "+peers[1].Address) {
		t.Errorf("hexad backup --cluster: %v\n%s", err, out)
	}
}
