package appliance_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// factoryReset is "What triggers a factory reset", on the last peer: all address
// fields cleared, restored, cleared again and carried out by the restart; then
// the cluster without it, and with it as a new peer.
func (w *walk) factoryReset() {
	n := len(w.peers)
	p, rest := w.peers[n-1], w.peers[:n-1]
	cleared := fields{}
	for i := range engine.MaxPeers {
		cleared["Peer"+strconv.Itoa(i+1)] = ""
	}
	for _, q := range w.peers {
		if _, err := w.post(q, "OptionKeyAdd", fields{"Key": optionKey}); err != nil {
			w.t.Fatal(err)
		}
	}
	p.Exec(`xConfiguration Ethernet 1 IP V4 SubnetMask: "255.255.255.128"`)
	p.Exec(`xConfiguration Ethernet 2 IP V4 SubnetMask: "255.255.0.0"`)
	const accounts = "SELECT * FROM diag_account WHERE name IN ('admin', 'root')"
	account, host, node := local(p, accounts), sshStatus(p).Fingerprint, p.View().Node
	certificate := p.View().Peers[n-1].Fingerprint

	w.save(p, cleared)
	w.armed(p, true)
	w.save(p, w.listed())
	w.armed(p, false)
	w.calm(w.peers, 30*time.Second)
	if v := p.View(); v.Node != node || !slices.Equal(v.Running.Peers, w.list) {
		w.t.Errorf("after the same addresses were put back: %+v", v)
	}

	w.save(p, cleared)
	w.armed(p, true)
	p.Exec(`xConfiguration SystemUnit Name: "made after clearing"`)
	m := mark(w.peers)
	began := time.Now()
	w.restart(p)
	p.Await("is a system of its own", 40*time.Second, func() string {
		if v := p.View(); v.Node == "" || v.Node == node || v.Database != "Active" {
			return "it is not yet"
		}
		return ""
	})
	w.measured("factory reset until the system serves again", began)
	if raised, lowered := p.Counted(15009, m[p]); raised != 1 || lowered != 1 {
		w.t.Errorf("15009 was raised %d and lowered %d times", raised, lowered)
	}
	v := p.View()
	if v.Reset != nil || len(v.Entered.Peers) != 0 || len(v.Running.Peers) != 0 || v.Entered.Name != "" || v.Entered.TLSMode == engine.Enforcing {
		w.t.Errorf("after the reset: %+v", v)
	}
	for item, want := range map[string]string{
		"Option 1 Key": optionKey, "Ethernet 1 IP V4 SubnetMask": "255.255.255.128", "Administration HTTPS Mode": "On", "Administration SSH Mode": "On", // kept
		"SystemUnit Name": "", "IP DNS Hostname": "", "Ethernet 2 IP V4 SubnetMask": "", "H323 Mode": "Off", "DNS Server 1 Address": "", // lost
	} {
		got := p.Exec("xConfiguration %s", item)
		if want == "" && !strings.Contains(got, `: ""`) || want != "" && !strings.Contains(got, want) {
			w.t.Errorf("after the reset %s, want %q", got, want)
		}
	}
	if got := local(p, accounts); got != account {
		w.t.Errorf("the accounts were\n%s\nand are\n%s", account, got)
	}
	if got := sshStatus(p).Fingerprint; got != host {
		w.t.Errorf("the SSH host key was %s and is %s", host, got)
	}
	if got := local(p, "SELECT * FROM diag_credential WHERE name = 'server'"); strings.Contains(got, certificate) {
		w.t.Error("the certificate outlived the reset")
	}
	if lacks(p, "branch") == "" {
		w.t.Error("the cluster's configuration outlived the reset")
	}
	if _, err := w.post(p, "xStatus", fields{"Path": "SystemUnit"}); err != nil {
		w.t.Errorf("the administrator's password does not sign in any more: %v", err)
	}
	delete(w.clients, p) // the keys that may sign in are lost

	// The others still list it, until it is taken off every list.
	for _, q := range rest {
		q.AwaitAlarm(20004, true, 20*time.Second)
	}
	w.list = w.list[:n-1]
	for _, q := range rest {
		w.save(q, fields{"Peer" + strconv.Itoa(n): ""})
	}
	appliancetest.Ready(w.t, rest)
	for _, q := range rest {
		q.Await("has no alarm", 30*time.Second, func() string {
			if now := q.Alarms(); len(now) > 0 {
				return "alarms " + strings.TrimSpace(q.Exec("xStatus Alarm"))
			}
			return ""
		})
	}
	w.joinAgain(p, rest)
}

// joinAgain adds a peer to a cluster that runs Enforcing: it needs its
// certificate, and the mapping, before it can find the others.
func (w *walk) joinAgain(p *appliancetest.Peer, rest []*appliancetest.Peer) {
	w.prepare(p)
	for _, q := range w.peers {
		p.Exec(`xCommand ClusterAddressMappingAdd Fqdn: "%s" IpAddress: "%s"`, q.FQDN(), q.Address)
	}
	p.Exec("xConfiguration ClusterConfiguration AddressMapping Mode: On")
	w.list = append(w.list, p.FQDN())
	for _, q := range rest {
		w.save(q, fields{"Peer" + strconv.Itoa(len(w.list)): p.FQDN()})
	}
	page := w.listed()
	page["TLSMode"] = string(engine.Enforcing)
	w.save(p, page)
	w.restart(p)
	appliancetest.Ready(w.t, w.peers)
	w.green(w.peers)
	w.calm(w.peers, 40*time.Second)
}

// listed are the fields of the list as it is now.
func (w *walk) listed() fields { return w.fill(w.list...) }

// armed looks whether a factory reset at the next restart is told.
func (w *walk) armed(p *appliancetest.Peer, want bool) {
	w.t.Helper()
	if v := p.View(); (v.Reset != nil) != want {
		w.t.Errorf("%s: a reset is armed: %+v, want %v", p.Name, v.Reset, want)
	}
	for what, got := range map[string]string{"the shell": p.Exec("xConfiguration SystemUnit Name"), "xStatus": p.Exec("xStatus Cluster")} {
		if strings.Contains(got, "reset") != want && strings.Contains(got, "FactoryReset") != want {
			w.t.Errorf("%s: %s says so: %v, want %v:\n%s", p.Name, what, !want, want, got)
		}
	}
}
