package appliance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// Limits of issue and reference: a fault is told within a second when it is
// plain, within three when something is silent, and over within three.
const (
	plain  = time.Second
	silent = 3 * time.Second
	over   = 3 * time.Second
)

// TestAlarmsOfOne: the alarms that a cluster of one can have.
func TestAlarmsOfOne(t *testing.T) {
	t.Parallel()
	p := appliancetest.Network(t, 83, 1)[0].Up()
	p.Prepare()
	a := &alone{t: t, p: p}
	a.restartRequired()
	a.items()
	a.unresolved()
	a.tlsMode()
	a.otherAddress()
	a.nameless()
}

type alone struct {
	t *testing.T
	p *appliancetest.Peer
}

// fault raises alarms by one act and lowers them by another, once each.
func (a *alone) fault(raise, lower string, ids ...int) {
	a.t.Helper()
	m := mark([]*appliancetest.Peer{a.p})
	a.p.Exec("%s", raise)
	began := time.Now()
	for _, id := range ids {
		a.p.AwaitAlarm(id, true, time.Until(began.Add(plain)))
	}
	a.p.Exec("%s", lower)
	ended := time.Now()
	for _, id := range ids {
		a.p.AwaitAlarm(id, false, time.Until(ended.Add(over)))
	}
	m.once(a.t, a.p, ids...)
}

// restartRequired: the page of a stand-alone system, and its own address.
func (a *alone) restartRequired() {
	m := mark([]*appliancetest.Peer{a.p})
	a.p.Exec("%s", appliancetest.Page(a.p.Address))
	a.p.AwaitAlarm(20007, true, plain)
	a.p.Restart()
	a.p.AwaitAlarm(20007, false, over)
	a.p.AwaitAlarm(40049, true, over)
	m.once(a.t, a.p, 20007)
	appliancetest.Ready(a.t, []*appliancetest.Peer{a.p})
	a.fault(appliancetest.Page(a.p.FQDN()), appliancetest.Page(a.p.Address), 20007)
}

// items: replicated items that the rules of clustering look at.
func (a *alone) items() {
	a.fault("xConfiguration H323 Mode: Off", "xConfiguration H323 Mode: On", 20018)
}

// unresolved: a name that nobody knows is saved with a warning.
func (a *alone) unresolved() {
	a.fault(appliancetest.Page(a.p.Address, "nowhere.example.com"), appliancetest.Page(a.p.Address), 20005)
	if d := a.p.Detail(20005); d != "" {
		a.t.Errorf("20005 still says %s", d)
	}
}

// tlsMode: enforcing waits for the restart, in which 40049 goes.
func (a *alone) tlsMode() {
	appliancetest.NewAuthority(a.t).Certify(a.p)
	a.p.Exec(`xCommand ClusterAddressMappingAdd Fqdn: "%s" IpAddress: "%s"`, a.p.FQDN(), a.p.Address)
	a.p.Exec("xConfiguration ClusterConfiguration AddressMapping Mode: On")
	a.p.Exec("%s", appliancetest.Page(a.p.FQDN()))
	a.p.Restart()
	appliancetest.Ready(a.t, []*appliancetest.Peer{a.p})
	a.p.AwaitAlarm(20007, false, over)
	a.fault("xCommand ClusterSave TLSMode: Enforcing", "xCommand ClusterSave TLSMode: Permissive", 20007, 20020)
	a.p.Exec("xCommand ClusterSave TLSMode: Enforcing")
	a.p.AwaitAlarm(20020, true, plain)
	a.p.Restart()
	for _, id := range []int{20007, 20020, 40049} {
		a.p.AwaitAlarm(id, false, over)
	}
	a.fault("xCommand ClusterSave TLSMode: Permissive", "xCommand ClusterSave TLSMode: Enforcing", 20020)
	a.p.Exec("xCommand ClusterSave TLSMode: Permissive")
	a.p.Restart()
	a.p.AwaitAlarm(40049, true, over)
	a.p.Exec("xConfiguration ClusterConfiguration AddressMapping Mode: Off")
	a.p.Exec("%s", appliancetest.Page(a.p.Address))
	a.p.Restart()
	appliancetest.Ready(a.t, []*appliancetest.Peer{a.p})
}

// otherAddress: the machine got another address, and the list does not know it.
func (a *alone) otherAddress() {
	a.p.Stop()
	a.p.Address = "127.0.83.9"
	m := mark([]*appliancetest.Peer{a.p})
	a.p.Up()
	for _, id := range []int{20003, 20015} {
		a.p.AwaitAlarm(id, true, silent)
	}
	if e := a.p.Refused("%s", appliancetest.Page("127.0.83.1")); e.Code != engine.Invalid || !strings.Contains(e.Remedy, "own address") {
		a.t.Errorf("the list without the own address: %v", e)
	}
	a.p.Exec("%s", appliancetest.Page(a.p.Address))
	a.p.Restart()
	a.p.Await("has no alarm but 40049", over+time.Second, func() string {
		if now := a.p.Alarms(); !slices.Equal(now, []int{40049}) {
			return fmt.Sprint(now)
		}
		return ""
	})
	m.once(a.t, a.p, 20003, 20015)
}

// nameless: no administrator can save a page without a name, but the page of a
// system may be older than the rule.
func (a *alone) nameless() {
	if e := a.p.Refused(`xCommand ClusterSave Name: ""`); e.Code != engine.Invalid || e.Item != "Alternates Cluster Name" {
		a.t.Errorf("a page without a name: %s %s: %v", e.Code, e.Item, e)
	}
	a.p.Stop()
	appliancetest.OfflinePage(a.t, a.p, func(page *sqlstore.Page) { page.Entered.Name = "" })
	m := mark([]*appliancetest.Peer{a.p})
	a.p.Up()
	a.p.AwaitAlarm(20019, true, silent)
	a.p.Exec(`xCommand ClusterSave Name: "%s"`, appliancetest.ClusterName)
	a.p.AwaitAlarm(20019, false, over)
	m.once(a.t, a.p, 20019)
}
