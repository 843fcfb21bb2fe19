package appliance_test

import (
	"strconv"
	"strings"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// agree waits until every peer names the same primary and it alone takes changes.
func (w *walk) agree(primary *appliancetest.Peer, peers []*appliancetest.Peer) {
	w.t.Helper()
	for _, p := range peers {
		p.Await("names "+primary.Name+" as primary", 20*time.Second, func() string {
			v := p.View()
			if v.PrimaryAddress != primary.FQDN() || v.PrimaryHere != (p == primary) {
				return "it names " + v.PrimaryAddress
			}
			if v.Entered.PrimaryAddress() != primary.FQDN() {
				return "its page names " + v.Entered.PrimaryAddress()
			}
			return ""
		})
	}
}

// nominate is "Changing the primary": the number of "This system" on the new
// primary, then the same number on the others, the old primary first. It
// returns when the cluster is calm.
func (w *walk) nominate(next *appliancetest.Peer, others []*appliancetest.Peer, present []*appliancetest.Peer) {
	w.t.Helper()
	number := fields{"Primary": w.index(next)}
	began := time.Now()
	w.save(next, number)
	for _, p := range others { // ignored meanwhile, as the document says
		p.AwaitAlarm(20017, true, 10*time.Second)
	}
	for _, p := range others {
		w.save(p, number)
	}
	w.agree(next, present)
	w.active(present)
	for _, p := range present {
		if now := p.View().Restart; len(now) > 0 {
			w.t.Errorf("%s is to be restarted after a change of primary: %v", p.Name, now)
		}
		p.AwaitAlarm(20012, false, 30*time.Second)
		p.AwaitAlarm(20017, false, 30*time.Second)
	}
	w.measured("primary changed until no alarm of the change stands", began)
}

// others are the peers without one, and with first at the front.
func (w *walk) others(without, first *appliancetest.Peer) (out []*appliancetest.Peer) {
	if first != nil && first != without {
		out = append(out, first)
	}
	for _, p := range w.peers {
		if p != without && p != first {
			out = append(out, p)
		}
	}
	return out
}

// back makes the first peer the primary again.
func (w *walk) back(from *appliancetest.Peer) {
	w.t.Helper()
	first := w.peers[0]
	w.nominate(first, w.others(first, from), w.peers)
	appliancetest.Ready(w.t, w.peers)
	w.calm(w.peers, 30*time.Second)
}

// changePrimary with the old one reachable: no restart, and changes are then
// saved on the new one and refused on the old one.
func (w *walk) changePrimary() {
	old, next := w.peers[0], w.peers[1]
	w.nominate(next, w.others(next, old), w.peers)
	w.calm(w.peers, 30*time.Second)
	if e := old.Refused(`xCommand ZoneAdd ZoneName: "not here" Type: Neighbor`); !strings.Contains(e.Error(), next.FQDN()) {
		w.t.Errorf("the old primary refuses with %v, which does not name the new one", e)
	}
	w.replicated(next, w.peers)
	w.back(next)
}

// deadPrimary: the same with the old primary dead. Of two peers the dead one
// had the only vote, so the survivor says what would be lost and is named by
// force. The old one comes back and is told of its successor.
func (w *walk) deadPrimary() {
	old, next := w.peers[0], w.peers[1]
	rest := w.others(old, nil)
	m := mark(w.peers)
	began := time.Now()
	old.Kill()
	for _, p := range rest {
		for _, id := range []int{20004, 20006, 20016} {
			p.AwaitAlarm(id, true, 10*time.Second)
		}
	}
	w.measured("a peer lost until every other peer has raised its alarms", began)
	for _, p := range rest {
		if e := p.Refused(`xCommand ZoneAdd ZoneName: "nowhere" Type: Neighbor`); !strings.Contains(e.Error(), old.FQDN()) {
			w.t.Errorf("%s refuses with %v, which does not name the lost primary", p.Name, e)
		}
	}
	number := fields{"Primary": w.index(next)}
	if len(w.peers) == 2 {
		next.Await("says what force does", 20*time.Second, func() string {
			_, err := w.post(next, "ClusterSave", number)
			if err == nil || !strings.Contains(err.Error(), "ClusterForceShow") {
				return "it answers " + why(err)
			}
			return ""
		})
		forced(w.t, next, 2)
	} else {
		w.save(next, number)
	}
	for _, p := range rest[1:] {
		w.save(p, number)
	}
	w.agree(next, rest)
	w.active(rest)
	for _, p := range rest {
		p.AwaitAlarm(20016, false, 20*time.Second)
	}
	w.replicated(next, rest)
	for _, p := range rest {
		w.disconnected(p, old, m[p])
	}

	began = time.Now()
	old.Up()
	if len(w.peers) == 2 {
		old.AwaitAlarm(20011, true, 30*time.Second)
	} else {
		old.AwaitAlarm(20017, true, 30*time.Second)
	}
	w.save(old, number)
	w.agree(next, w.peers)
	appliancetest.Ready(w.t, w.peers)
	w.calm(w.peers, 60*time.Second)
	w.measured("the old primary back until every status is right and no alarm stands", began)
	w.replicated(next, w.peers)
	w.back(next)
}

// replicationErrors are the four messages of "Alarms and warnings", with their
// causes, and the command that the document gives for them.
func (w *walk) replicationErrors() {
	w.inconsistentPrimary()
	w.conflict()
}

// inconsistentPrimary is "the primary ID of the configuration is inconsistent".
func (w *walk) inconsistentPrimary() {
	last := w.peers[len(w.peers)-1]
	m := mark(w.peers)
	w.save(last, fields{"Name": "other.example"})
	last.AwaitAlarm(20012, true, 10*time.Second)
	w.save(last, fields{"Name": appliancetest.ClusterName})
	last.AwaitAlarm(20012, false, 10*time.Second)
	// of four peers another number than one's own is no candidacy, of two there is none
	if len(w.peers) > 2 {
		w.save(last, fields{"Primary": "2"})
		for _, p := range w.peers {
			p.AwaitAlarm(20017, true, 10*time.Second)
		}
		w.save(last, fields{"Primary": "1"})
		for _, p := range w.peers {
			p.AwaitAlarm(20017, false, 10*time.Second)
		}
		m.once(w.t, last, 20017)
	}
	m.once(w.t, last, 20012)
	w.calm(w.peers, 20*time.Second)
}

// conflict is "this peer's configuration conflicts with the primary's": the
// last peer is cut off and named primary by force, while the old primary goes
// on. When they meet, ForceConfigUpdate over SSH on each of the others ends it.
func (w *walk) conflict() {
	next := w.peers[len(w.peers)-1]
	old := w.peers[0]
	rest := w.others(next, nil)
	w.do("isolate", strconv.Itoa(len(w.peers)))
	for _, p := range rest {
		p.AwaitAlarm(20004, true, 10*time.Second)
	}
	next.AwaitAlarm(20016, true, 10*time.Second)
	old.Exec(`xCommand ZoneAdd ZoneName: "of the old one" Type: Neighbor`)
	forced(w.t, next, len(w.peers))
	next.Exec(`xCommand ZoneAdd ZoneName: "of the new one" Type: Neighbor`)
	m := mark(w.peers)
	w.do("heal")
	for _, p := range rest {
		p.AwaitAlarm(20011, true, 30*time.Second)
		w.lines(p, m[p], 5*time.Second, p.Name+` (?:alarm|management): Level="WARN" Event="Alarm Raised" Id="20011" .*Detail="Cluster replication error: [^"]*manual synchronisation[^"]*"`)
	}
	number := fields{"Primary": strconv.Itoa(len(w.peers))}
	began := time.Now()
	for _, p := range rest {
		w.save(p, number)
		w.forceUpdate(p, "of the old one")
		p.Await("follows", 40*time.Second, func() string { return unlike(p, next) })
		p.AwaitAlarm(20011, false, 30*time.Second)
		wantZones(w.t, p, []string{"of the new one"}, []string{"of the old one"})
	}
	if _, errs, status := w.ssh(next).run("", "xCommand ForceConfigUpdate Confirm: On"); status != 1 || !strings.Contains(errs, "is the configuration primary") {
		w.t.Errorf("on the primary ForceConfigUpdate ends with %d: %s", status, errs)
	}
	appliancetest.Ready(w.t, w.peers)
	w.calm(w.peers, 60*time.Second)
	w.measured("ForceConfigUpdate until every status is right and no alarm stands", began)
	w.back(next)
}

// forceUpdate runs the command as the document has it, over SSH as admin: it
// shows what differs, changes nothing before it is confirmed, and keeps the
// replaced copy.
func (w *walk) forceUpdate(p *appliancetest.Peer, lost string) {
	w.t.Helper()
	client := w.ssh(p)
	out, errs, status := client.run("", "xcommand ForceConfigUpdate")
	if status != 4 || !strings.Contains(out, lost) {
		w.t.Errorf("%s: asking ends with %d, and does not show %q: %s%s", p.Name, status, lost, out, errs)
	}
	before := len(copies(w.t, p))
	if out, errs, status = client.run("", "xcommand ForceConfigUpdate Confirm: On"); status != 0 {
		w.t.Fatalf("%s: ForceConfigUpdate ends with %d: %s%s", p.Name, status, out, errs)
	}
	if kept := copies(w.t, p); len(kept) != before+1 {
		w.t.Errorf("%s: %d copies are kept, there were %d", p.Name, len(kept), before)
	}
}

// ssh is the real client on the administrator's network, signed in at a peer
// with a key.
func (w *walk) ssh(p *appliancetest.Peer) *openSSH {
	w.t.Helper()
	if w.clients[p] == nil {
		client := realClient(w.t, p)
		client.within = w.within("mgmt")
		client.withKey()
		if w.clients == nil {
			w.clients = map[*appliancetest.Peer]*openSSH{}
		}
		w.clients[p] = client
	}
	return w.clients[p]
}

// h323 is the common alarm "H.323 mode must be on".
func (w *walk) h323() {
	p := w.peers[0]
	m := mark(w.peers)
	p.Exec("xConfiguration H323 Mode: Off")
	p.AwaitAlarm(20018, true, 10*time.Second)
	w.lines(p, m[p], 5*time.Second, p.Name+` (?:alarm|management): Level="WARN" Event="Alarm Raised" Id="20018" .*Detail="Invalid clustering configuration: `)
	p.Exec("xConfiguration H323 Mode: On")
	p.AwaitAlarm(20018, false, 10*time.Second)
	m.once(w.t, p, 20018)
	w.calm(w.peers, 20*time.Second)
}

// restartSequence is "Restart sequence": the primary, until its web interface
// answers and replication is right everywhere, then the others one by one.
func (w *walk) restartSequence() {
	for _, p := range w.peers {
		began := time.Now()
		w.restart(p)
		appliancetest.Ready(w.t, w.peers)
		w.active(w.peers)
		w.green(w.peers)
		w.measured("restart in a cluster until every peer is Active again", began)
		w.calm(w.peers, 30*time.Second)
		w.measured("restart in a cluster until every status is right and no alarm stands", began)
		if !w.peers[0].View().PrimaryHere {
			w.t.Errorf("after the restart of %s the primary is %s", p.Name, w.peers[0].View().PrimaryAddress)
		}
		w.replicated(w.peers[0], w.peers)
	}
	// Power fails for all at once: they find each other by the mapping, which
	// each knows before its copy of the configuration is confirmed.
	asked := w.resolver.count(w.allNames()...)
	for _, p := range w.peers {
		p.Kill()
	}
	began := time.Now()
	for _, p := range w.peers {
		p.Start()
	}
	for _, p := range w.peers {
		p.Answers()
	}
	appliancetest.Ready(w.t, w.peers)
	w.calm(w.peers, 30*time.Second)
	w.measured("all peers started at once until every status is right and no alarm stands", began)
	if now := w.resolver.count(w.allNames()...); now != asked {
		w.t.Errorf("DNS was asked %d times for names that are mapped:\n%s", now-asked, w.resolver.since(asked))
	}
}
