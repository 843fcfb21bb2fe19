package appliance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// local asks the peer's own database.
func local(p *appliancetest.Peer, statement string) string {
	p.T.Helper()
	return p.Exec(`xCommand SQL Database: local Statement: "%s"`, statement)
}

// TestFactoryReset: an empty list arms, the same list disarms, the restart
// carries it out.
func TestFactoryReset(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 42, 2)
	p := peers[1]
	list := appliancetest.Addresses(peers)
	const key, empty = "116341W100-1-0A1B2C3D", ` Peer1: "" Peer2: ""`
	for _, q := range peers {
		q.Exec(`xCommand OptionKeyAdd Key: "%s"`, key)
	}
	p.Exec("xConfiguration Administration SSH Mode: Off")
	account := local(p, "SELECT * FROM diag_account WHERE name = 'admin'")
	certificate := local(p, "SELECT * FROM diag_credential")

	p.Exec("xCommand ClusterSave" + empty)
	armed := func(what string, want bool) {
		t.Helper()
		if v := p.View(); (v.Reset != nil) != want {
			t.Fatalf("%s: armed: %+v, want %v", what, v.Reset, want)
		}
		got := p.Exec("xConfiguration SystemUnit Name")
		if strings.Contains(strings.ToLower(got), "factory reset") != want {
			t.Fatalf("%s: the shell answers\n%s", what, got)
		}
	}
	armed("after the empty list", true)
	p.Exec(`xCommand ClusterSave Peer1: "%s" Peer2: "%s"`, list[1], list[0])
	armed("after another order", true)
	p.Exec(`xCommand ClusterSave Peer1: "%s" Peer2: "%s"`, list[0], list[1])
	armed("after the same order", false)
	appliancetest.Ready(t, peers)

	image := filepath.Join(p.Dir, "reset", "hexad-image")
	if err := os.Rename(image, image+".away"); err != nil {
		t.Fatal(err)
	}
	node := p.View().Node
	p.Exec("xCommand ClusterSave" + empty)
	if v := p.View(); v.Reset == nil || v.Reset.Blocked == "" {
		t.Errorf("without an image the reset is %+v, want it blocked", v.Reset)
	}
	p.Exec(`xConfiguration SystemUnit Name: "made after clearing"`)
	p.Restart()
	p.AwaitAlarm(15013, true, 5*time.Second)
	if v := p.View(); v.Node != node || v.Reset == nil || len(v.Running.Peers) != 2 {
		t.Errorf("the blocked reset changed the peer: %+v", v)
	}

	if err := os.Rename(image+".away", image); err != nil {
		t.Fatal(err)
	}
	p.Restart()
	v := p.View()
	if v.Node == node || v.Reset != nil || len(v.Entered.Peers) != 0 || len(v.Running.Peers) != 0 || v.Entered.Name != "" {
		t.Errorf("after the reset: %+v", v)
	}
	for item, want := range map[string]string{"SystemUnit Name": `""`, "IP DNS Hostname": `""`, "Option 1 Key": key, "Administration SSH Mode": "Off"} {
		if got := p.Exec("xConfiguration %s", item); !strings.Contains(got, want) {
			t.Errorf("after the reset %s is %s, want %s", item, got, want)
		}
	}
	if got := local(p, "SELECT * FROM diag_account WHERE name = 'admin'"); got != account {
		t.Errorf("the account was\n%s\nand is\n%s", account, got)
	}
	if got := local(p, "SELECT * FROM diag_credential"); got == certificate {
		t.Error("the certificate outlived the reset")
	}
	if now := p.Alarms(); len(now) > 0 {
		t.Errorf("after the reset the alarms are %v", now)
	}
	peers[0].AwaitAlarm(20004, true, 5*time.Second) // its list still has the peer
}
