package appliance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// keyDamages are what happens to the file of the system key.
var keyDamages = []struct {
	name string
	do   func(t *testing.T, path string)
}{
	{"missing", gone},
	{"truncated", func(t *testing.T, path string) {
		t.Helper()
		if err := os.Truncate(path, 7); err != nil {
			t.Fatal(err)
		}
	}},
	{"other contents", flipped(0, 32)},
}

func keyFile(p *appliancetest.Peer) string { return filepath.Join(p.Dir, "system.key") }

// fileOf is a file of the peer's data directory as it is now.
func fileOf(t *testing.T, p *appliancetest.Peer, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const secretPath = "Authentication Password"

// opens waits until the peer can or cannot open the secret of the configuration.
func opens(p *appliancetest.Peer, can bool) {
	p.T.Helper()
	p.Await(fmt.Sprintf("opens the secret: %v", can), 15*time.Second, func() string {
		lines, err := p.Try("xConfiguration " + secretPath)
		if text := strings.Join(lines, "\n"); err != nil || strings.Contains(text, "{cipher}") != can {
			return fmt.Sprint(text, err)
		}
		return ""
	})
}

// sealedWith waits until the peer's copy has this data key and no other, with a
// number of secrets sealed with it.
func sealedWith(p *appliancetest.Peer, key, secrets int) {
	p.T.Helper()
	p.Await(fmt.Sprintf("has %d secrets sealed with data key %d", secrets, key), 15*time.Second, func() string {
		lines, err := p.Try(`xCommand SQL Statement: "SELECT number || '/' || secrets AS found FROM diag_data_key ORDER BY number"`)
		var found []string
		for _, line := range lines {
			if strings.Contains(line, "/") {
				found = append(found, strings.Trim(line[strings.LastIndex(line, " ")+1:], `"|`))
			}
		}
		if got := strings.Join(found, " "); err != nil || got != fmt.Sprintf("%d/%d", key, secrets) {
			return fmt.Sprintf("%q of %q %v", got, lines, err)
		}
		return ""
	})
}

// certificateOf is the fingerprint of the key that the peer shows to others.
func certificateOf(p *appliancetest.Peer) string {
	v := p.View()
	for _, q := range v.Peers {
		if q.State == engine.ThisSystem {
			return q.Fingerprint
		}
	}
	return ""
}

// TestKeyFileDamage40055: a damaged key file of a system that is alone is
// noticed while it runs and at a start, nothing of it is lost, and the command
// repairs it.
func TestKeyFileDamage40055(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.131.1").Up()
	p.Prepare()
	p.Exec(`xConfiguration %s: "swordfish"`, secretPath)
	p.Exec(`xConfiguration Option 1 Key: "116341E00-1-0A0B0C0D"`)
	sealedWith(p, 1, 1)
	p.AwaitAlarm(40055, false, time.Second)
	for _, d := range keyDamages {
		t.Run(d.name, func(t *testing.T) {
			before := fileOf(t, p, "system.key")
			d.do(t, keyFile(p))
			p.AwaitAlarm(40055, true, 10*time.Second)
			if got := p.Detail(40055); !strings.Contains(got, "system.key") {
				t.Errorf("40055 says %s", got)
			}
			p.Restart()
			p.AwaitAlarm(40055, true, 10*time.Second)
			opens(p, true)
			said := p.Exec("xCommand ForceSystemKeyUpdate")
			if strings.Contains(said, "Lost") || !strings.Contains(said, "new system key") {
				t.Errorf("it says %s", said)
			}
			p.AwaitAlarm(40055, false, 2*time.Second)
			now := fileOf(t, p, "system.key")
			if now == before || len(now) != 32 || now != fileOf(t, p, "system.key.copy") {
				t.Error("the files are not those of one new key")
			}
			p.Restart()
			opens(p, true)
			sealedWith(p, 1, 1)
			if got := p.Exec("xConfiguration Option 1 Key"); !strings.Contains(got, "116341E00") && !strings.Contains(got, "{cipher}") {
				t.Errorf("the option key is %s", got)
			}
			p.AwaitAlarm(40055, false, 2*time.Second)
		})
	}
}

// TestKeyLost40055: without any key a system that is alone starts, says what it
// cannot do, and after the repair names every secret that is lost.
func TestKeyLost40055(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.131.2").Up()
	p.Prepare()
	p.Exec(`xConfiguration %s: "swordfish"`, secretPath)
	sealedWith(p, 1, 1)
	p.Stop()
	gone(t, keyFile(p))
	flipped(0, 32)(t, keyFile(p)+".copy")
	p.Up()
	p.AwaitAlarm(40055, true, 10*time.Second)
	opens(p, false)
	if got := p.Detail(40055); !strings.Contains(got, "no secret of this system can be opened") {
		t.Errorf("40055 says %s", got)
	}
	p.Exec(`xConfiguration SystemUnit Name: "goes on"`)
	if e := p.Refused(`xConfiguration %s: "another"`, secretPath); e.Code != engine.Unavailable {
		t.Errorf("a secret is taken that could not be read again: %v", e)
	}
	if e := p.Refused(`xCommand BackupCreate Passphrase: "a long passphrase"`); e == nil {
		t.Error("a backup without its key is made")
	}
	said := p.Exec("xCommand ForceSystemKeyUpdate")
	for _, want := range []string{"cluster secret", "private key of the server certificate", "SSH host key", secretPath} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not name %q:\n%s", want, said)
		}
	}
	p.AwaitAlarm(40055, false, 2*time.Second)
	if !strings.Contains(p.Log(), `Event="System Key Update"`) || !strings.Contains(p.Log(), "are lost: cluster secret") {
		t.Error("the log does not name what is lost")
	}
	key := certificateOf(p)
	p.Exec(`xConfiguration %s: "another"`, secretPath)
	sealedWith(p, 2, 1)
	p.Restart()
	opens(p, true)
	p.AwaitAlarm(40055, false, 2*time.Second)
	if now := certificateOf(p); now != key {
		t.Errorf("after a restart its key is %s, not %s", now, key)
	}
}
