package appliance_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// local asks the peer's own database.
func local(p *appliancetest.Peer, statement string) string {
	p.T.Helper()
	return p.Exec(`xCommand SQL Database: local Statement: "%s"`, statement)
}

// addresses are the fields of a list, blank up to the number of peers.
func addresses(list ...string) string {
	line := "xCommand ClusterSave"
	for i := range engine.MaxPeers {
		address := ""
		if i < len(list) {
			address = list[i]
		}
		line += fmt.Sprintf(` Peer%d: "%s"`, i+1, address)
	}
	return line
}

const optionKey = "116341W100-1-0A1B2C3D"

// TestFactoryReset: an empty list arms, the same list disarms, the restart
// carries it out, and the system can join again.
func TestFactoryReset(t *testing.T) {
	t.Parallel()
	r := &reset{t: t, peers: appliancetest.Cluster(t, 66, 2)}
	r.p = r.peers[1]
	r.prepare()
	r.armAndDisarm()
	r.blocked()
	r.carryOut()
	r.joinAgain()
}

type reset struct {
	t     *testing.T
	peers []*appliancetest.Peer
	p     *appliancetest.Peer // the one that leaves

	node, account, keys, certificate string
	session                          *appliancetest.Browser
}

// prepare gives the peer one of everything that is kept or lost.
func (r *reset) prepare() {
	p := r.p
	p.Stop()
	if err := os.MkdirAll(filepath.Join(p.Dir, "quarantine", "20260101T000000Z-1-x"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	appliancetest.Offline(r.t, p, func(ctx context.Context, l *sqlstore.Local) error {
		for _, name := range []string{"root", "operator"} {
			if err := l.PutAccount(ctx, sqlstore.Account{Name: name, Role: "administrator", Hash: "hash of " + name, Created: time.Now(), Changed: time.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	p.Up()
	appliancetest.Ready(r.t, r.peers)
	for _, q := range r.peers {
		q.Exec(`xCommand OptionKeyAdd Key: "%s"`, optionKey)
	}
	appliancetest.NewAuthority(r.t).Certify(p)
	for _, item := range []string{`Administration SSH Mode: Off`, `Ethernet 1 IP V4 SubnetMask: "255.255.255.128"`, `Ethernet 2 IP V4 SubnetMask: "255.255.0.0"`, `IP Gateway: "192.0.2.254"`} {
		p.Exec("xConfiguration %s", item)
	}
	r.session = p.Browser()
	if !r.session.SignIn(appliancetest.Password) {
		r.t.Fatal("nobody can sign in")
	}
	r.node = p.View().Node
	r.account = local(p, "SELECT * FROM diag_account WHERE name IN ('admin', 'root')")
	r.keys = local(p, "SELECT * FROM diag_credential WHERE name LIKE 'ssh:%'")
	r.certificate = local(p, "SELECT * FROM diag_credential WHERE name = 'server'")
}

// armed looks whether everything that an administrator sees says so.
func (r *reset) armed(want bool, banner string) {
	r.t.Helper()
	if v := r.p.View(); (v.Reset != nil) != want {
		r.t.Fatalf("armed: %+v, want %v", v.Reset, want)
	}
	answer := r.p.Exec("xConfiguration SystemUnit Name")
	status := r.p.Exec("xStatus Cluster")
	_, page := r.session.Get("/clustering")
	const kept = "the account admin with its password"
	for name, got := range map[string]string{"the shell": answer, "the console": page} {
		if strings.Contains(got, banner) != want || strings.Contains(got, kept) != want {
			r.t.Errorf("%s, want the banner %q: %v\n%s", name, banner, want, got)
		}
	}
	if strings.Contains(status, "FactoryReset") != want || strings.Contains(status, kept) != want {
		r.t.Errorf("xStatus, armed %v:\n%s", want, status)
	}
	r.peers[0].Await("shows that the reset is armed: "+fmt.Sprint(want), 3*time.Second, func() string {
		if got := r.peers[0].Entry(r.p.Address).ResetArmed; got != want {
			return fmt.Sprint(got)
		}
		return ""
	})
}

const (
	onRestart    = "reset to factory settings at the next restart"
	orderDiffers = "not in the same order"
)

// armAndDisarm: only the same addresses in the same order cancel it; a child
// that crashes is no restart.
func (r *reset) armAndDisarm() {
	list := appliancetest.Addresses(r.peers)
	r.armed(false, onRestart)
	r.p.Exec("%s", addresses())
	r.armed(true, onRestart)
	r.p.Exec("%s", addresses(list[1], list[0]))
	r.armed(true, orderDiffers)
	r.p.Exec("%s", addresses())
	r.armed(true, onRestart)

	child := r.p.Child()
	r.p.Signal(syscall.SIGKILL)
	r.p.Await("is back", 5*time.Second, func() string {
		if now := r.p.Child(); now == 0 || now == child {
			return "no other child"
		}
		_, err := r.p.Try("xStatus SystemUnit")
		return why(err)
	})
	r.armed(true, onRestart)
	if now := r.p.View().Node; now != r.node {
		r.t.Fatalf("a crash carried out the reset: node %s, was %s", now, r.node)
	}
	r.p.Exec("%s", addresses(list...))
	r.armed(false, onRestart)
	appliancetest.Meet(r.t, r.peers)
}

// blocked: without an image it is said when it is armed and at the restart,
// and nothing changes.
func (r *reset) blocked() {
	for _, name := range []string{"hexad-image", "rk"} {
		file := filepath.Join(r.p.Dir, "reset", name)
		if err := os.Rename(file, file+".away"); err != nil {
			r.t.Fatal(err)
		}
		const missing = "release key is missing"
		if got := r.p.Exec("%s", addresses()); !strings.Contains(got, "software image for the factory reset is missing") {
			r.t.Errorf("without %s the answer is\n%s", name, got)
		}
		r.armed(true, missing)
		mark := len(r.p.Log())
		r.p.Restart()
		r.p.AwaitAlarm(15013, true, 5*time.Second)
		r.armed(true, missing)
		v := r.p.View()
		if v.Node != r.node || len(v.Running.Peers) != 2 || strings.Contains(r.p.Log()[mark:], `Id="15009"`) {
			r.t.Errorf("the blocked reset changed the peer: %+v", v)
		}
		if err := os.Rename(file+".away", file); err != nil {
			r.t.Fatal(err)
		}
		if v := r.p.View(); v.Reset == nil || v.Reset.Blocked != "" {
			r.t.Errorf("with the file back: %+v", v.Reset)
		}
		r.p.Exec("%s", addresses(appliancetest.Addresses(r.peers)...))
		r.p.AwaitAlarm(15013, false, 3*time.Second)
	}
}

// carryOut looks what is kept and what is lost.
func (r *reset) carryOut() {
	p := r.p
	p.Exec("%s", addresses())
	p.Exec(`xConfiguration SystemUnit Name: "made after clearing"`)
	mark := len(p.Log())
	p.Restart()
	if raised, lowered := p.Counted(15009, mark); raised != 1 || lowered != 1 {
		r.t.Errorf("15009 was raised %d and lowered %d times", raised, lowered)
	}
	v := p.View()
	if v.Node == r.node || v.Reset != nil || len(v.Entered.Peers) != 0 || len(v.Running.Peers) != 0 || v.Entered.Name != "" || v.Database != "Active" {
		r.t.Errorf("after the reset: %+v", v)
	}
	for item, want := range map[string]string{
		"Option 1 Key": optionKey, "Administration SSH Mode": "Off", "Ethernet 1 IP V4 SubnetMask": "255.255.255.128", "IP Gateway": "192.0.2.254",
		"SystemUnit Name": `""`, "IP DNS Hostname": `""`, "Ethernet 2 IP V4 SubnetMask": `""`, "H323 Mode": "Off",
	} {
		if got := p.Exec("xConfiguration %s", item); !strings.Contains(got, item+": "+want+"\n") && !strings.Contains(got, item+`: "`+want+`"`) {
			r.t.Errorf("after the reset %s, want %s", got, want)
		}
	}
	for _, c := range []struct{ what, before, query string }{
		{"accounts", r.account, "SELECT * FROM diag_account"}, // operator is lost
		{"host keys", r.keys, "SELECT * FROM diag_credential WHERE name LIKE 'ssh:%'"},
	} {
		if got := local(p, c.query); got != c.before {
			r.t.Errorf("the %s were\n%s\nand are\n%s", c.what, c.before, got)
		}
	}
	if got := local(p, "SELECT * FROM diag_credential WHERE name = 'server'"); got == r.certificate {
		r.t.Error("the certificate outlived the reset")
	}
	for _, table := range []string{"diag_history_local", "diag_pin", "diag_session", "diag_join_token"} {
		if got := local(p, "SELECT * FROM "+table+" LIMIT 1"); strings.Contains(got, "\n") && !strings.Contains(got, "0 rows") {
			r.t.Errorf("%s outlived the reset: %s", table, got)
		}
	}
	if _, page := r.session.Get("/clustering"); !strings.Contains(page, `name="password"`) {
		r.t.Error("a session outlived the reset")
	}
	if !p.Browser().SignIn(appliancetest.Password) {
		r.t.Error("the old password does not sign in any more")
	}
	stores, err := os.ReadDir(filepath.Join(p.Dir, "cluster"))
	if err != nil || len(stores) != 1 {
		r.t.Errorf("stores: %v, %v", stores, err)
	}
	file, err := os.ReadFile(filepath.Join(p.Dir, "config.journal"))
	if text := sqlstore.ReadJournal(file); err != nil || len(text.Records) == 0 || text.Records[0].Cluster != p.View().Cluster {
		r.t.Errorf("the journal is not that of the new system: %v", err)
	}
	if aside, _ := filepath.Glob(filepath.Join(p.Dir, "quarantine", "*")); len(aside) > 0 {
		r.t.Errorf("damaged copies outlived the reset: %v", aside)
	}
	if now := p.Alarms(); len(now) > 0 {
		r.t.Errorf("after the reset the alarms are %v", now)
	}
	r.peers[0].AwaitAlarm(20004, true, 5*time.Second) // its list still has the peer
}

// joinAgain: the system is new; it is removed, listed again and joins.
func (r *reset) joinAgain() {
	list := appliancetest.Addresses(r.peers)
	r.peers[0].Exec("%s", addresses(list[0]))
	r.p.Prepare()
	r.p.Exec("%s", appliancetest.Page(list...))
	r.peers[0].Exec("%s", addresses(list...))
	r.p.Restart()
	appliancetest.Ready(r.t, r.peers)
	if got := r.p.View(); got.Cluster != r.peers[0].View().Cluster || !slices.Equal(got.Running.Peers, list) {
		r.t.Errorf("it joined %+v", got)
	}
}

// voters is how many peers vote, as a peer sees it.
func voters(p *appliancetest.Peer) (n int) {
	for _, e := range p.View().Peers {
		if e.Voter {
			n++
		}
	}
	return n
}

// TestResetGivesItsVoteBack: where one of three is down and another resets
// itself, the primary can save afterwards, as it could with both of them down.
func TestResetGivesItsVoteBack(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 145, 3)
	a, b, c := peers[0], peers[1], peers[2]
	a.Await("all three vote", 20*time.Second, func() string {
		if n := voters(a); n != 3 {
			return fmt.Sprintf("%d voters", n)
		}
		return ""
	})
	b.Kill()
	c.Exec("%s", addresses())
	c.Restart()
	if v := c.View(); len(v.Running.Peers) != 0 {
		t.Fatalf("not reset: %+v", v.Running)
	}
	a.Await("saves", 20*time.Second, func() string {
		_, err := a.TryAt(0, "xConfiguration SystemUnit Name: alone")
		return why(err)
	})
	a.Exec("%s", addresses(a.Address))
	a.Await("is alone", 20*time.Second, func() string {
		if v := a.View(); len(v.Peers) != 1 || !v.Writable || voters(a) != 1 {
			return fmt.Sprintf("%d peers, writable %v, %d voters", len(v.Peers), v.Writable, voters(a))
		}
		return ""
	})
}
