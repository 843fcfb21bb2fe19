package appliance_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// typedAt is what hexad shell prints for lines.
func typedAt(t *testing.T, p *appliancetest.Peer, lines ...string) string {
	t.Helper()
	cmd := exec.Command(appliancetest.Program(t, p.Variant), "shell", "--data-dir", p.Dir)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

// yes are the answers to all questions of factory-reset, but those given.
func yes(no ...int) []string {
	out := []string{"factory-reset", "YES", "YES", "YES", "YES", "YES", "YES", "YES", "YES"}
	for _, n := range no {
		out[n] = "NO"
	}
	return out
}

// resettable is a system with one of everything that a factory reset keeps or loses.
func resettable(t *testing.T, address string, variant appliancetest.Variant) *appliancetest.Peer {
	p := appliancetest.New(t, 1, address)
	p.Variant = variant
	p.Up()
	p.Prepare()
	zone1(p, "lost")
	p.Exec(`xCommand OptionKeyAdd Key: "%s"`, optionKey)
	p.Exec(`xConfiguration Ethernet 2 IP V4 SubnetMask: "255.255.0.0"`)
	p.Exec(`xConfiguration IP Gateway: "192.0.2.254"`)
	p.Exec(`xCommand AccountPasswordSet Account: "root" Password: "correct horse battery"`)
	return p
}

// TestFactoryResetShell: the questions of the shell keep what was answered
// with YES, the certificate and the event log among it (alarm 15009).
func TestFactoryResetShell(t *testing.T) {
	t.Parallel()
	p := resettable(t, "127.0.132.1", appliancetest.Variant{})
	appliancetest.NewAuthority(t).Certify(p)
	node, certificate := p.View().Node, local(p, "SELECT * FROM diag_credential WHERE name = 'server'")

	if out := typedAt(t, p, append(yes()[:8], "NO")...); !strings.Contains(out, "nothing was changed") || !strings.Contains(out, "xCommand SystemBackup") {
		t.Errorf("not confirmed:\n%s", out)
	}
	dry := p.Exec("xCommand FactoryResetShow")
	for _, want := range []string{"kept: option keys (Option 1 Key)", "kept: the address of LAN1 (IP Gateway)", "lost: the server certificate", "lost: the configuration of LAN2 (Ethernet 2 IP V4 SubnetMask)",
		"lost: xConfiguration IP DNS Hostname", "lost: the event log", "Zones"} {
		if !strings.Contains(dry, want) {
			t.Errorf("the dry run does not say %q:\n%s", want, dry)
		}
	}
	if p.View().Node != node {
		t.Fatal("asking reset the system")
	}

	mark := len(p.Log())
	out := typedAt(t, p, yes()...)
	for _, want := range []string{"Keep option keys? ", "kept: the server certificate", "step 2 of 4", "step 4 of 4: done;"} {
		if !strings.Contains(out, want) {
			t.Errorf("the shell does not say %q:\n%s", want, out)
		}
	}
	p.Await("is another system", 30*time.Second, func() string {
		if v := p.View(); v.Node == "" || v.Node == node || v.Database != "Active" {
			return v.Node + " " + v.Database
		}
		return ""
	})
	if raised, lowered := p.Counted(15009, mark); raised != 1 || lowered != 1 {
		t.Errorf("15009 was raised %d and lowered %d times", raised, lowered)
	}
	if got := local(p, "SELECT * FROM diag_credential WHERE name = 'server'"); got != certificate {
		t.Errorf("the certificate was\n%s\nand is\n%s", certificate, got)
	}
	if got := local(p, "SELECT count(*) FROM diag_event WHERE detail LIKE '%factory reset; kept%'"); strings.Contains(got, "\n0") {
		t.Errorf("the event log is lost: %s", got)
	}
	for item, want := range map[string]string{"Option 1 Key": optionKey, "IP Gateway": "192.0.2.254", "Ethernet 2 IP V4 SubnetMask": `""`, "H323 Mode": "Off"} {
		if got := p.Exec("xConfiguration %s", item); !strings.Contains(got, item+": "+want) && !strings.Contains(got, item+`: "`+want+`"`) {
			t.Errorf("after the reset %s, want %s", got, want)
		}
	}
	if got := local(p, "SELECT name FROM diag_account ORDER BY name"); !strings.Contains(got, "admin") || !strings.Contains(got, "root") {
		t.Errorf("accounts: %s", got)
	}
	if got := zones(p); strings.Contains(got, "lost") {
		t.Errorf("zones: %s", got)
	}
	now := p.View().Node
	p.Restart()
	if p.View().Node != now {
		t.Error("the next restart reset it again")
	}
}

// TestFactoryResetFails: a reset that root asked for and that cannot be carried
// out raises 15013, changes nothing and does not wait for another restart.
func TestFactoryResetFails(t *testing.T) {
	t.Parallel()
	p := resettable(t, "127.0.132.2", appliancetest.Variant{})
	node := p.View().Node
	image := filepath.Join(p.Dir, "reset", "hexad-image")
	if err := os.Rename(image, image+".away"); err != nil {
		t.Fatal(err)
	}
	if out := typedAt(t, p, yes()...); !strings.Contains(out, "hexad-image") || !strings.Contains(out, "ERROR") {
		t.Errorf("without an image:\n%s", out)
	}
	request := filepath.Join(p.Dir, "reset.request")
	p.Stop()
	text, err := json.Marshal(map[string]any{"node": node, "keep": []string{}, "by": "root"})
	if err := errors.Join(err, os.WriteFile(request, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	p.Up()
	p.AwaitAlarm(15013, true, 10*time.Second)
	if v := p.View(); v.Node != node || !strings.Contains(zones(p), "lost") || !strings.Contains(p.Detail(15013), "hexad-image") {
		t.Errorf("node %s, was %s; %s", v.Node, node, p.Detail(15013))
	}
	if err := os.Rename(image+".away", image); err != nil {
		t.Fatal(err)
	}
	p.Restart()
	p.AwaitAlarm(15013, false, 10*time.Second)
	if v := p.View(); v.Node != node {
		t.Error("the answers waited for another restart")
	}
}

// TestFactoryResetShellCut: wherever the reset that root asked for is cut off,
// what starts next is the old system or one that was reset in full.
func TestFactoryResetShellCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	from := resettable(t, "127.0.132.10", crashing)
	old := from.View().Node
	from.Stop()
	for i, c := range []struct {
		point string
		reset bool
	}{{"reset.asked", false}, {"reset.marked", true}, {"reset.emptied", true}, {"reset.removed", true}} {
		t.Run(c.point, func(t *testing.T) {
			p := copied(t, from, "127.0.132.1"+string(rune('1'+i)))
			p.Variant, p.Env = crashing, []string{"HEXAD_FAIL=" + c.point + "=kill"}
			p.Up()
			child := p.Child()
			_, _ = p.Try("xCommand FactoryReset KeepOptionKeys: YES KeepFIPS140: YES KeepIP: YES KeepSSHKeys: YES KeepCertificates: NO KeepPasswords: YES SaveLogs: NO Confirm: YES")
			p.Env = nil
			if c.reset {
				p.AwaitEnd(30 * time.Second)
				p.Up()
			} else {
				succeeded(t, p, child)
			}
			p.Await("has its database", 20*time.Second, func() string {
				if v := p.View(); v.Database != "Active" {
					return v.Database
				}
				return ""
			})
			v := p.View()
			if (v.Node != old) != c.reset || strings.Contains(zones(p), "lost") == c.reset {
				t.Errorf("want reset %v; node %s, was %s", c.reset, v.Node, old)
			}
			for _, name := range []string{"reset.request", "reset.state"} {
				if _, err := os.Stat(filepath.Join(p.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is still there: %v", name, err)
				}
			}
			p.Restart()
			if p.View().Node != v.Node {
				t.Error("the next restart reset it")
			}
		})
	}
}
