package appliance_test

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// Parts of the seed's lines: the time of a line, and its time in UTC.
const (
	lineTime = `(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:\d\d) `
	lineUTC  = `UTCTime="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"`
)

// lines waits until the peer has written lines of these forms, one after the
// other, after a place in its log. Each is what follows the time of a line, as
// a regular expression; $utc stands for the time in UTC.
func (w *walk) lines(p *appliancetest.Peer, after int, within time.Duration, forms ...string) {
	w.t.Helper()
	p.Await("has written its lines", within, func() string { return missingLine(p.Log()[after:], forms) })
}

// missingLine is what a log lacks of lines of these forms, one after the other.
func missingLine(log string, forms []string) string {
	for _, form := range forms {
		at := regexp.MustCompile(lineTime + strings.ReplaceAll(form, "$utc", lineUTC)).FindStringIndex(log)
		if at == nil {
			return "there is none, after those before it, of the form " + form
		}
		log = log[at[1]:]
	}
	return ""
}

// alarmLine waits for the line of an alarm that was raised.
func (w *walk) alarmLine(p *appliancetest.Peer, after, id int, uuid, detail string) {
	w.t.Helper()
	w.lines(p, after, 5*time.Second, fmt.Sprintf(`%s (?:alarm|management): Level="WARN" Event="Alarm Raised" Id="%d" UUID="%s" Severity="warning" Detail="%s" $utc`,
		p.Name, id, uuid, regexp.QuoteMeta(detail)))
}

// synchronisation is "the normal state of the database synchronisation", as the
// primary and as another peer see it.
func (w *walk) synchronisation() {
	var list []string
	for _, p := range w.peers {
		list = append(list, fmt.Sprintf("u'(%s %s)'", p.Address, p.Name))
	}
	for i, p := range w.peers {
		const module = `$utc Module="developer.replication" Level="INFO" CodeLocation="%s" `
		line := func(code, rest string) string {
			return p.Name + " replication: " + fmt.Sprintf(module, regexp.QuoteMeta(code)) + regexp.QuoteMeta(rest)
		}
		outcome := line("clusterconfigurationsynchroniser(257)", `Detail="This peer is the cluster master, local configuration has already been replicated to the other peers"`)
		if i > 0 {
			outcome = line("clusterconfigurationsynchroniser(254)", `Detail="This peer is not the cluster master, local configuration is already up to date"`)
		}
		forms := []string{
			line("clusterconfigurationsynchroniser(270)", `Detail="Starting synchronisation"`),
			line("clusterconfigurationutils(750)", fmt.Sprintf(`AlternateIPAddresses="[%s]" ConfigurationMasterIndex="0" LocalPeerIndex="%d"`, strings.Join(list, ", "), i)),
			outcome,
			line("clusterconfigurationsynchroniser(336)", `Detail="Synchronisation completed successfully"`),
		}
		// A round follows each change, or a minute; one that found something to
		// take over says so instead.
		const end = `Detail="Synchronisation completed successfully"`
		for try := 0; missingLine(p.Log(), forms) != "" && try < 10; try++ {
			rounds := strings.Count(p.Log(), end)
			w.replicated(w.peers[0], w.peers)
			p.Await("has written another round", 20*time.Second, func() string {
				if strings.Count(p.Log(), end) == rounds {
					return "none"
				}
				return ""
			})
		}
		w.lines(p, 0, 5*time.Second, forms...)
	}
}

// disconnected are the lines of a peer that lost another one: of the database,
// of the two alarms, and of H.323.
func (w *walk) disconnected(p, lost *appliancetest.Peer, after int) {
	w.t.Helper()
	entry := func(q *appliancetest.Peer) string { return regexp.QuoteMeta("clusterdb@" + q.FQDN()) }
	line := func(module, level, rest string) string {
		return fmt.Sprintf(`%s $utc Module="%s" Level="%s" Node="%s" (?:PID="[^"]*" )?%s`, p.Name, regexp.QuoteMeta(module), level, entry(p), rest)
	}
	other := `Node="` + entry(lost) + `"`
	w.lines(p, after, 10*time.Second,
		line("developer.clusterdb.cdb", "INFO", `Detail="Peer is down on the database link" `+other),
		line("developer.clusterdb.cdb", "ERROR", `Detail="Inconsistent Database" Context="[^"]*" `+other),
		line("developer.clusterdb.cdb", "INFO", `Detail="Connecting database after peer down" `+other),
		line("developer.clusterdb.cdb", "INFO", `Detail="Ready to perform node connection transaction" `+other),
		line("developer.clusterdb.cdb", "INFO", `Detail="Running node connection transaction" `+other),
		line("developer.clusterdb.synchronise", "WARN", `Detail="Failed connecting to node" `+other+` Reason="[^"]+"`))
	w.alarmLine(p, after, 20006, "0f96695e-d954-4f6f-85c1-2ef1eae6f764",
		"Cluster database communication failure: The database is unable to replicate with one or more of the cluster peers")
	w.alarmLine(p, after, 20004, "3bca6888-f622-11df-93be-07cc953d7b99",
		"Cluster communication failure: The system is unable to communicate with one or more of the cluster peers")
	ip := regexp.QuoteMeta(lost.Address)
	sent := func(what, outcome string) string {
		return p.Name + ` tvcs: $utc Module="network.h323" Level="INFO"[: ] ?Action="Sent" Dst-ip="` + ip + `" Dst-port="1719" Detail="Sending RAS ` + what + ` SeqNum=\d+ ` + outcome + `=True"`
	}
	w.lines(p, after, 40*time.Second, sent("(?:SCI|LRQ)", "Retransmit"),
		p.Name+` tvcs: Event="External Server Communications Failure" Reason="gatekeeper timed out" Service="NeighbourGatekeeper" Detail="name:`+ip+`:1719" Level="1" $utc`)
	w.lines(p, after, 40*time.Second, sent("(?:SCI|LRQ)", "Timeout"))
}

// modeChanged are the lines of a changed TLS mode on one peer.
func (w *walk) modeChanged(p *appliancetest.Peer, after int, edited bool) {
	w.t.Helper()
	database := fmt.Sprintf(`%s $utc Event="System Configuration Changed" Node="%s" (?:PID="[^"]*" )?Detail="`, p.Name, regexp.QuoteMeta("clusterdb@"+p.FQDN()))
	w.lines(p, after, 5*time.Second,
		database+`xconfiguration clusterConfiguration tls_verify - changed from: `+string(engine.Permissive)+` to: `+string(engine.Enforcing)+`"`,
		p.Name+` management: $utc Module="developer.management.databasemanager" Level="INFO" CodeLocation="databasemanager\(312\)" Detail="Cluster configuration change detected"`,
		p.Name+` management: $utc Module="developer.management.databasemanager" Level="INFO" CodeLocation="databasemanager\(405\)" Detail="TLS Verify change status" Startup="False" New="True"`,
		database+`xconfiguration alternatesConfiguration - Changed"`,
		p.Name+` management: .*Detail="Raising alarm" UUID="e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6" Parameters="null"`)
	w.alarmLine(p, after, 20007, "e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6",
		"Restart required: Cluster configuration has been changed, however a restart is required for this to take effect")
	if edited {
		w.lines(p, after, 5*time.Second, p.Name+` (?:\S+: )?web: Event="System Configuration Changed" Detail="configuration/cluster/tls_verify - changed from: 'Permissive' to: 'Enforcing'" Src-ip="[^"]+".* User="admin" Level="1"`)
	}
}
