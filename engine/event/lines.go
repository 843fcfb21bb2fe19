package event

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hexad/engine"
)

// The modules of clustering. Source: the seed.
const (
	replicationModule = "developer.replication"
	databaseModule    = "developer.clusterdb.cdb"
	connectModule     = "developer.clusterdb.synchronise"
	alternatesModule  = "developer.clusterdb.alternatesmanager"
	resolverModule    = "developer.clusterdb.peernameresolver"
	managerModule     = "developer.management.databasemanager"
	tableModule       = "developer.cdbtable.cdb."
)

// Lines makes the lines of clustering as this peer writes them.
//
// FQDN is this peer's full name: lines of the database call it
// clusterdb@<fqdn>. HostName names the peer at an address ("" for unknown); it
// may be nil.
type Lines struct {
	FQDN     func() string
	HostName func(address string) string
}

// Synchronisation is one round of configuration replication: its start, the
// peers, the outcome for the primary or a subordinate, its end.
//
// primaryIndex and ownIndex are 1-based entries of peers, 0 for none; the lines
// count from 0. upToDate is false when a subordinate had to take something over.
func (l Lines) Synchronisation(primary bool, peers []string, primaryIndex, ownIndex int, upToDate bool) []engine.Event {
	outcome := replication("synchronisation.current", "clusterconfigurationsynchroniser(254)",
		"This peer is not the cluster master, local configuration is already up to date")
	switch {
	case primary:
		outcome = replication("synchronisation.replicated", "clusterconfigurationsynchroniser(257)",
			"This peer is the cluster master, local configuration has already been replicated to the other peers")
	case !upToDate:
		outcome = replication("synchronisation.updated", "",
			"This peer is not the cluster master, local configuration has been updated from the master")
	}
	list := replication("synchronisation.peers_listed", "clusterconfigurationutils(750)", "")
	list.Fields = []engine.Field{
		{Name: "AlternateIPAddresses", Value: l.alternates(peers)},
		{Name: "ConfigurationMasterIndex", Value: strconv.Itoa(primaryIndex - 1)},
		{Name: "LocalPeerIndex", Value: strconv.Itoa(ownIndex - 1)},
	}
	return []engine.Event{
		replication("synchronisation.started", "clusterconfigurationsynchroniser(270)", "Starting synchronisation"),
		list, outcome,
		replication("synchronisation.completed", "clusterconfigurationsynchroniser(336)", "Synchronisation completed successfully"),
	}
}

// SynchronisationFailed ends a round that did not work; cause is for the log.
func (l Lines) SynchronisationFailed(cause string) engine.Event {
	ev := replication("synchronisation.failed", "", "Synchronisation failed")
	ev.Level = "ERROR"
	ev.Fields = []engine.Field{{Name: "Reason", Value: cause}}
	return ev
}

// alternates writes the peers as [u'(192.0.2.11 peer1)', u'(192.0.2.12 peer2)'].
func (l Lines) alternates(peers []string) string {
	list := make([]string, len(peers))
	for i, p := range peers {
		list[i] = "u'(" + p + ")'"
		if l.HostName != nil && l.HostName(p) != "" {
			list[i] = "u'(" + p + " " + l.HostName(p) + ")'"
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func replication(kind, code, detail string) engine.Event {
	return engine.Event{Kind: kind, Process: "replication", Module: replicationModule, Level: "INFO", Code: code, Detail: detail}
}

// TLSChanged is a change of the TLS mode reaching this peer, in the seed's
// order: the table, the item, the detection, the mode, the peers once more.
func (l Lines) TLSChanged(old, new engine.TLSMode, startup bool) []engine.Event {
	status := management("cluster.tls_mode_changed", "databasemanager(405)", "TLS Verify change status")
	status.Fields = []engine.Field{{Name: "Startup", Value: truth(startup)}, {Name: "New", Value: truth(new == engine.Enforcing)}}
	if startup {
		return []engine.Event{status}
	}
	table := "clusterConfiguration"
	return slices.Concat([]engine.Event{
		l.TableInserted(table),
		l.Changed(table+" tls_verify", string(old), string(new)),
		management("cluster.change_detected", "databasemanager(312)", "Cluster configuration change detected"),
		l.TableInserted(table),
		status,
	}, l.peersChanged())
}

// peersChanged is what follows any change of the cluster's settings.
func (l Lines) peersChanged() []engine.Event {
	changed := l.database("", "configuration.changed", "", "xconfiguration alternatesConfiguration - Changed")
	changed.Name = "System Configuration Changed"
	return []engine.Event{
		changed,
		l.database(resolverModule, "resolver.notified", "INFO", "Notifying databasemanager (Management Framework)"),
		l.database(alternatesModule, "cluster.peers_changed", "INFO", "alternate peer changed info recieved"), // misspelt in the product: filters match it
		changed,
	}
}

// TableInserted is a row written to a table of the cluster database.
func (l Lines) TableInserted(table string) engine.Event {
	return l.database(tableModule+table, "database.row_inserted", "DEBUG", "Inserting into table",
		engine.Field{Name: "TableName", Value: table})
}

// Changed is a configuration item changed in the database; item is
// "<table> <item>" and the values are masked already where they are secret.
func (l Lines) Changed(item, old, new string) engine.Event {
	ev := l.database("", "configuration.changed", "",
		fmt.Sprintf("xconfiguration %s - changed from: %s to: %s", item, old, new))
	ev.Name = "System Configuration Changed"
	return ev
}

// Edited is the same change as its editor's front end tells it: path is
// "configuration/cluster/tls_verify".
func (l Lines) Edited(actor engine.Actor, path, old, new string) engine.Event {
	return By(actor, "System Configuration Changed", fmt.Sprintf("%s - changed from: '%s' to: '%s'", path, old, new))
}

// Saved is a replicated configuration change on the peer where it was saved:
// each item in the database's form, then in its editor's.
func (l Lines) Saved(changes []engine.HistoryEntry) []engine.Event {
	var out []engine.Event
	for _, c := range changes {
		out = append(out, l.Changed(itemName(c.Path), c.Old, c.New), l.Edited(c.Actor, editName(c.Path), c.Old, c.New))
	}
	return out
}

// PageChanged is a Save on the clustering page: one line for each field, then
// what follows when the peers learn of it.
func (l Lines) PageChanged(actor engine.Actor, old, new engine.Clustering) []engine.Event {
	var out []engine.Event
	edit := func(field, from, to string) {
		if from != to {
			out = append(out, l.Edited(actor, "configuration/cluster/"+field, from, to))
		}
	}
	edit("tls_verify", string(old.TLSMode), string(new.TLSMode))
	tlsOnly := len(out)
	edit("name", old.Name, new.Name)
	edit("configuration_primary", strconv.Itoa(old.Primary), strconv.Itoa(new.Primary))
	edit("ip_version", old.IPVersion, new.IPVersion)
	for i := range engine.MaxPeers {
		edit(fmt.Sprintf("peer_%d_address", i+1), entry(old.Peers, i), entry(new.Peers, i))
	}
	if len(out) > tlsOnly { // a TLS mode alone travels as TLSChanged
		out = append(out, management("cluster.change_detected", "databasemanager(312)", "Cluster configuration change detected"))
		out = append(out, l.peersChanged()...)
	}
	return out
}

func entry(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// PeerDown is a peer lost on the database link. Where the product prints the
// internals of its database, these say the same in hexad's words, under the
// same modules.
func (l Lines) PeerDown(address, cause string) []engine.Event {
	peer := engine.Field{Name: "Node", Value: node(address)}
	failed := l.database(connectModule, "database.peer_unreachable", "WARN", "Failed connecting to node", peer, engine.Field{Name: "Reason", Value: cause})
	return []engine.Event{
		l.database(databaseModule, "database.peer_lost", "INFO", "Peer is down on the database link", peer),
		l.database(databaseModule, "database.peer_stale", "ERROR", "Inconsistent Database",
			engine.Field{Name: "Context", Value: "peer down, its copy does not follow"}, peer),
		l.database(databaseModule, "database.reconnect_begun", "INFO", "Connecting database after peer down", peer),
		l.database(databaseModule, "database.reconnect_ready", "INFO", "Ready to perform node connection transaction", peer),
		l.database(databaseModule, "database.reconnect_running", "INFO", "Running node connection transaction", peer),
		failed,
	}
}

// PeerUp is a peer back on the database link.
func (l Lines) PeerUp(address string) []engine.Event {
	return []engine.Event{l.database(databaseModule, "database.peer_found", "INFO", "Peer is up on the database link",
		engine.Field{Name: "Node", Value: node(address)})}
}

// PeersResolvedAgain is the resolver trying failed names at once; wait is when
// it does so next by itself.
func (l Lines) PeersResolvedAgain(wait time.Duration) engine.Event {
	return l.database(resolverModule, "resolver.forced", "INFO",
		"Triggering forced peer update of peers which failed DNS and queueing next run",
		engine.Field{Name: "Queue-Time-ms", Value: strconv.FormatInt(wait.Milliseconds(), 10)})
}

// database is a line of the cluster database: it names this peer first.
func (l Lines) database(module, kind, level, detail string, more ...engine.Field) engine.Event {
	own := engine.Field{Name: "Node", Value: node(l.FQDN())}
	return engine.Event{Kind: kind, Module: module, Level: level, Detail: detail, Fields: slices.Concat([]engine.Field{own}, more)}
}

func management(kind, code, detail string) engine.Event {
	return engine.Event{Kind: kind, Process: "management", Module: managerModule, Level: "INFO", Code: code, Detail: detail}
}

func node(name string) string { return "clusterdb@" + name }

// truth writes a bool as the product does.
func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// itemName is a configuration path in the database's form: "ClusterConfiguration
// TLSVerify" is "clusterConfiguration tls_verify"; other paths stay as they are.
func itemName(path string) string {
	rest, ok := strings.CutPrefix(path, "ClusterConfiguration ")
	if !ok {
		return path
	}
	words := strings.Fields(rest)
	for i := range words {
		words[i] = snake(words[i])
	}
	return "clusterConfiguration " + strings.Join(words, " ")
}

// editName is a configuration path in the editor's form:
// "configuration/zones/zone/1/name".
func editName(path string) string {
	words := strings.Fields(path)
	for i := range words {
		words[i] = snake(words[i])
	}
	if len(words) > 0 && words[0] == "cluster_configuration" {
		words[0] = "cluster"
	}
	return "configuration/" + strings.Join(words, "/")
}

// snake turns TLSVerify into tls_verify.
func snake(word string) string {
	var b strings.Builder
	runes := []rune(word)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || next {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
