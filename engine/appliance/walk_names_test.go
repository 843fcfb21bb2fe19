package appliance_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// tooEarly: Enforce is refused with what is missing, and nothing is changed,
// while the address fields hold addresses that no certificate names.
func (w *walk) tooEarly() {
	_, err := w.post(w.peers[0], "ClusterSave", fields{"TLSMode": "Enforcing"})
	if err == nil || engine.CodeOf(err) != engine.Invalid {
		w.t.Errorf("Enforce with addresses in the fields: %v", err)
	}
	for _, p := range w.peers {
		if got := p.View().Entered.TLSMode; got != engine.Permissive {
			w.t.Errorf("%s has the refused mode: %s", p.Name, got)
		}
	}
}

// useNames is "Changing the cluster to use FQDNs": one field at a time on every
// peer, Peer 1 first, then a restart of the peer that the field names.
func (w *walk) useNames() {
	for i, changed := range w.peers {
		began := time.Now()
		w.list[i] = changed.FQDN()
		for _, p := range w.peers {
			w.save(p, fields{"Peer" + strconv.Itoa(i+1): w.list[i]})
		}
		changed.AwaitAlarm(20007, true, 5*time.Second)
		for _, p := range w.peers {
			if p != changed && len(p.View().Restart) > 0 {
				w.t.Errorf("%s is to be restarted too: %v", p.Name, p.View().Restart)
			}
		}
		w.restart(changed)
		appliancetest.Ready(w.t, w.peers)
		w.calm(w.peers, 40*time.Second)
		w.measured("an address changed to a name until no alarm stands", began)
	}
	w.green(w.peers)
	for _, p := range w.peers {
		if w.resolver.count(p.FQDN()) == 0 {
			w.t.Errorf("DNS was never asked for %s", p.FQDN())
		}
	}
	w.replicated(w.peers[0], w.peers)
}

// mapping is "Cluster address mapping": entered on the primary, it reaches the
// others by itself; from then on DNS is not asked for these names, and may have
// another opinion of them.
func (w *walk) mapping() {
	primary := w.peers[0]
	if primary.View().MappingMode {
		w.t.Error("the mapping is on before anybody switched it on")
	}
	began := time.Now()
	primary.Exec("xConfiguration ClusterConfiguration AddressMapping Mode: On")
	for _, p := range w.peers {
		if _, err := w.post(primary, "ClusterAddressMappingAdd", fields{"Fqdn": p.FQDN(), "IpAddress": p.Address}); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, p := range w.peers {
		p.Await("has the mapping", 10*time.Second, func() string {
			v := p.View()
			if !v.MappingMode || len(v.Mappings) != len(w.peers) {
				return "it has " + strconv.Itoa(len(v.Mappings)) + " pairs"
			}
			return ""
		})
	}
	w.measured("an address mapping is on every peer", began)
	elsewhere := "203.0.113.1"
	if w.version == "IPv6" {
		elsewhere = "2001:db8:200::1"
	}
	w.resolver.say(w.zone(elsewhere))
	appliancetest.Ready(w.t, w.peers)
	w.calm(w.peers, 10*time.Second)
}

// allNames are those of the peers.
func (w *walk) allNames() (out []string) {
	for _, p := range w.peers {
		out = append(out, p.FQDN())
	}
	return out
}

// enforce is "Enforcing TLS verification".
func (w *walk) enforce() {
	w.green(w.peers)
	primary := w.peers[0]
	asked := w.resolver.count(w.allNames()...)
	m := mark(w.peers)
	w.save(primary, fields{"TLSMode": "Enforcing"})
	began := time.Now()
	for _, p := range w.peers {
		p.Await("has the mode", 5*time.Second, func() string {
			if v := p.View(); v.Entered.TLSMode != engine.Enforcing || v.Running.TLSMode != engine.Permissive {
				return string(v.Entered.TLSMode + " entered, running " + v.Running.TLSMode)
			}
			return ""
		})
	}
	w.measured("a TLS mode saved on the primary is on every peer", began)
	for i, p := range w.peers {
		p.AwaitAlarm(20007, true, 5*time.Second)
		p.AwaitAlarm(20020, true, 5*time.Second)
		w.modeChanged(p, m[p], i == 0)
	}
	for i, p := range w.peers { // the primary first, then one by one
		began := time.Now()
		w.restart(p)
		p.AwaitAlarm(20020, false, 20*time.Second)
		p.AwaitAlarm(20007, false, 20*time.Second)
		appliancetest.Meet(w.t, w.peers)
		w.measured("restart in a cluster until every peer is Active again", began)
		for _, q := range w.peers[i+1:] {
			if now := strings.Join(q.View().Restart, ", "); now == "" {
				w.t.Errorf("%s waits for no restart", q.Name)
			}
		}
	}
	w.green(w.peers)
	for _, p := range w.peers {
		p.Await("has no alarm at all", 30*time.Second, func() string {
			if now := p.Alarms(); len(now) > 0 {
				return fmt.Sprint(now)
			}
			return ""
		})
	}
	w.measured("TLS mode enforced until every status is right and no alarm stands", began)
	if now := w.resolver.count(w.allNames()...); now != asked {
		w.t.Errorf("DNS was asked %d times for names that are mapped:\n%s", now-asked, w.resolver.since(asked))
	}
	w.replicated(primary, w.peers)
}
