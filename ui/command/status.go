package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// element is one branch of xStatus: the tree for people and the typed answer
// for machines, both of one reading.
type element struct {
	name string
	help engine.Text
	read func(ctx context.Context, l engine.Language) (*Node, any, error)
}

// elements are the status elements whose parts are there, in name order.
// Source: reference 5.6.
func (t *Table) elements() []element {
	var out []element
	if t.parts.Cluster != nil {
		out = append(out,
			element{"Alternates", engine.Text{EN: "The peer list with the state of each peer", JA: "ピアリストと各ピアの状態"}, t.alternates},
			element{"Cluster", engine.Text{EN: "Clustering, replication and the database", JA: "クラスタリング、複製、データベース"}, t.cluster})
	}
	if t.parts.Alarms != nil {
		out = append(out, element{"Alarm", engine.Text{EN: "What is wrong now, on all peers", JA: "すべてのピアの現在のアラーム"}, t.alarms},
			element{"Warnings", engine.Text{EN: "The alarms, by the older name", JA: "アラーム(旧名称)"}, t.alarms})
	}
	if t.parts.Host != nil {
		out = append(out,
			element{"SystemUnit", engine.Text{EN: "Name, software and hardware of this system", JA: "このシステムの名前、ソフトウェア、ハードウェア"}, t.systemUnit},
			element{"NTP", engine.Text{EN: "Time servers and whether this system's time is right", JA: "時刻サーバと時刻同期の状態"}, t.ntp},
			element{"DNS", engine.Text{EN: "Name servers and whether the peers' names resolve", JA: "ネームサーバとピア名の解決状態"}, t.dns},
			element{"Time", engine.Text{EN: "This system's time", JA: "このシステムの時刻"}, t.time},
			element{"Options", engine.Text{EN: "Option keys of this system", JA: "このシステムのオプションキー"}, t.options})
	}
	if t.parts.SSH != nil {
		out = append(out, element{"SSH", engine.Text{EN: "The shell over SSH: its host key, and who is signed in", JA: "SSH シェル: ホストキーとサインイン中のセッション"}, t.ssh})
	}
	slices.SortFunc(out, func(a, b element) int { return cmp.Compare(a.name, b.name) })
	return out
}

func (t *Table) statusEntries() []*Entry {
	path := []Argument{{Name: "Path", Space: chars(0, 1000), Help: engine.Text{EN: "Element, for example Cluster; all without", JA: "要素(例: Cluster)。省略するとすべて"}}}
	out := []*Entry{{Group: XStatus, Name: string(XStatus), Role: Auditor, Args: path,
		Help:    engine.Text{EN: "Shows what is so now", JA: "現在の状態を表示します"},
		Example: "xStatus Cluster",
		run: func(ctx context.Context, call Call) (Result, error) {
			return t.showStatus(ctx, strings.Fields(call.Args["Path"]), call.Language)
		}}}
	return append(out, &Entry{Group: XHistory, Name: string(XHistory), Role: Auditor, Args: path,
		Help:    engine.Text{EN: "Shows what happened: Configuration, Event", JA: "履歴を表示します: Configuration、Event"},
		Example: "xHistory Configuration",
		run: func(ctx context.Context, call Call) (Result, error) {
			return t.showHistory(ctx, call.Args["Path"])
		}})
}

func (t *Table) showStatus(ctx context.Context, words []string, l engine.Language) (Result, error) {
	if len(words) == 0 {
		return t.allStatus(ctx, l)
	}
	var names []string
	for _, e := range t.status {
		names = append(names, e.name)
		for used := 1; used <= len(words); used++ {
			if fold(e.name) != fold(strings.Join(words[:used], "")) {
				continue
			}
			tree, data, err := e.read(ctx, l)
			if err != nil {
				return Result{}, err
			}
			if found := tree.find(words[used:]); found != nil {
				return Result{Data: data, Lines: found.Lines()}, nil
			}
			return Result{}, usage("xStatus %s has no element %q", e.name, strings.Join(words[used:], " ")).
				With(usageItem, "type xStatus "+e.name+" for all of it")
		}
	}
	return Result{}, unknown("element of xStatus", strings.Join(words, " "), names, "type xStatus ? for the list")
}

func (t *Table) allStatus(ctx context.Context, l engine.Language) (Result, error) {
	var result Result
	all := map[string]any{}
	for _, e := range t.status {
		if e.name == "Warnings" {
			continue // the alarms once more
		}
		tree, data, err := e.read(ctx, l)
		if err != nil {
			return Result{}, err
		}
		all[e.name] = data
		result.Lines = append(result.Lines, tree.Lines()...)
	}
	result.Data = all
	return result, nil
}

// alternates is the peer list. Source: reference 5.6.
func (t *Table) alternates(ctx context.Context, _ engine.Language) (*Node, any, error) {
	view := t.parts.Cluster.View(ctx)
	tree := Tree("Alternates")
	for _, p := range view.Peers {
		if p.Index == 0 {
			continue
		}
		node := Tree("Peer "+strconv.Itoa(p.Index), word("Status", string(p.State)))
		if p.Cause != "" {
			node.add(text("Cause", p.Cause))
		}
		tree.add(node.add(text("Address", p.Address), moment("LastStatusChange", p.Since)))
	}
	return tree, view.Peers, nil
}

// cluster is the whole clustering page.
func (t *Table) cluster(ctx context.Context, l engine.Language) (*Node, any, error) {
	v := t.parts.Cluster.View(ctx)
	tree := Tree("Cluster",
		text("Name", v.Running.Name),
		number("ConfigurationPrimary", v.Running.Primary),
		text("PrimaryAddress", v.PrimaryAddress),
		yes("PrimaryHere", v.PrimaryHere),
		word("IPVersion", cmp.Or(v.Running.IPVersion, "IPv4")),
		word("TLSVerify", string(cmp.Or(v.Running.TLSMode, engine.Permissive))),
		Tree("Generation", number("Number", v.Generation.Number), text("ID", v.Generation.ID)),
		number("Revision", v.Revision),
		yes("Writable", v.Writable),
		Tree("Database", word("Status", cmp.Or(v.Database, "Inactive")), moment("LastSynchronised", v.Synchronised)),
		mappings(v))
	if v.ReadOnly != "" {
		tree.add(text("ReadOnly", v.ReadOnly))
	}
	if v.Capacity != nil {
		tree.add(capacity(*v.Capacity))
	}
	for _, p := range v.Peers {
		tree.add(peer(p))
	}
	for i, reason := range v.Restart {
		tree.add(text("RestartPending "+strconv.Itoa(i+1), reason))
	}
	if v.Reset != nil {
		tree.add(Tree("FactoryReset", word("Status", "Armed"), moment("Since", v.Reset.Since), text("CancelledBy", strings.Join(v.Reset.From, " ")),
			text("Keeps", strings.Join(resetKept(v.Reset, l), ", ")), text("Blocked", say(l, engine.ResetText(v.Reset.Blocked)))))
	}
	for i, f := range v.Findings {
		tree.add(Tree("Finding "+strconv.Itoa(i+1), word("Severity", string(f.Severity)), text("ID", f.ID),
			text("Peer", f.Peer), text("Text", f.Text.In(l, f.Params))))
	}
	return tree, v, nil
}

// capacity is what the cluster carries, as the rules say.
func capacity(c engine.CapacityView) *Node {
	tree := Tree("Capacity", number("Calls", c.Calls), number("Registrations", c.Registrations), number("CountedPeers", c.CountedPeers))
	if c.Reason != "" {
		tree.add(text("Reason", c.Reason))
	}
	for _, family := range sortedKeys(c.Licences) {
		tree.add(Tree("Licences "+family, number("Count", c.Licences[family])))
	}
	for i, lost := range c.Lost {
		tree.add(Tree("LostPeer "+strconv.Itoa(i+1), text("Address", lost.Address), moment("Seen", lost.Seen), moment("LicencesUntil", lost.Until), yes("Counted", lost.Counted)))
	}
	tree.add(text("Decision", c.Decision), moment("Since", c.At))
	if c.Degraded {
		tree.add(yes("Degraded", true))
	}
	return tree
}

func mappings(v engine.ClusterView) *Node {
	tree := Tree("AddressMapping", word("Mode", onOff(v.MappingMode)))
	for i, m := range v.Mappings {
		tree.add(Tree("Mapping "+strconv.Itoa(i+1), text("FQDN", m.FQDN), text("IPAddress", m.IP)))
	}
	return tree
}

func peer(p engine.PeerView) *Node {
	name := "Peer " + strconv.Itoa(p.Index)
	if p.Index == 0 {
		name = "Unlisted " + p.Address
	}
	tree := Tree(name, text("Address", p.Address), word("Status", string(p.State)))
	if p.Cause != "" {
		tree.add(text("Cause", p.Cause))
	}
	certificate := Tree("Certificate", word("Status", cmp.Or(p.Certificate, "Unknown")), text("Fingerprint", p.Fingerprint), word("Pin", cmp.Or(p.Pin, "none")))
	if p.Offered != "" {
		certificate.add(text("Offered", p.Offered))
	}
	if p.Reason != "" {
		certificate.add(text("Reason", p.Reason))
	}
	return tree.add(moment("LastStatusChange", p.Since), certificate,
		yes("Primary", p.Primary), yes("Voter", p.Voter),
		Tree("Replication", word("Database", cmp.Or(p.Database, "Unknown")), number("AppliedIndex", p.Applied),
			number("Revision", p.Revision), number("LagMS", p.LagMS), moment("LastSynchronised", p.Synchronised)),
		word("RTTMS", strconv.FormatFloat(p.RTTMS, 'f', -1, 64)), text("Release", p.Release),
		yes("RestartPending", p.Restart), yes("ResetArmed", p.ResetArmed), yes("Maintenance", p.Maintenance))
}

func (t *Table) systemUnit(ctx context.Context, _ engine.Language) (*Node, any, error) {
	f := t.parts.Host.Facts(ctx)
	up := int64(time.Since(t.parts.Host.Started()).Seconds())
	serial := t.parts.Host.Serial()
	tree := Tree("SystemUnit",
		text("Product", "hexad"), text("Name", f.SystemName), number("Uptime", up), moment("SystemTime", time.Now()),
		Tree("Software", text("Version", f.Release), word("Role", string(f.Role)), word("Size", f.Size), word("Series", f.Product)),
		Tree("Hardware", text("Version", f.Hardware), text("SerialNumber", serial)))
	data := map[string]any{"product": "hexad", "name": f.SystemName, "uptime_s": up, "release": f.Release, "role": f.Role,
		"size": f.Size, "series": f.Product, "hardware": f.Hardware, "serial": serial, "node": f.Node, "host_name": f.HostName, "domain": f.Domain}
	return tree, data, nil
}

func (t *Table) ntp(ctx context.Context, _ engine.Language) (*Node, any, error) {
	f := t.parts.Host.Facts(ctx).NTP
	tree := Tree("NTP", word("Status", cmp.Or(f.State, "Unconfigured")))
	if f.Cause != "" {
		tree.add(text("Cause", f.Cause))
	}
	tree.add(word("OffsetMS", strconv.FormatFloat(f.OffsetMS, 'f', 3, 64)))
	for i, s := range f.Servers {
		tree.add(Tree("Server "+strconv.Itoa(i+1), text("Address", s)))
	}
	return tree, f, nil
}

func (t *Table) dns(ctx context.Context, _ engine.Language) (*Node, any, error) {
	f := t.parts.Host.Facts(ctx)
	tree := Tree("DNS", text("HostName", f.HostName), text("DomainName", f.Domain), yes("PeersResolve", f.DNS.OK))
	for i, s := range f.DNS.Servers {
		tree.add(Tree("Server "+strconv.Itoa(i+1), text("Address", s)))
	}
	for i, name := range sortedKeys(f.DNS.Failures) {
		tree.add(Tree("Failure "+strconv.Itoa(i+1), text("Name", name), text("Cause", f.DNS.Failures[name])))
	}
	return tree, f.DNS, nil
}

func (t *Table) time(ctx context.Context, _ engine.Language) (*Node, any, error) {
	now, zone := time.Now(), t.value("TimeZone Name")
	tree := Tree("Time", moment("SystemTime", now), text("TimeZone", cmp.Or(zone, "UTC")), text("LocalTime", now.UTC().Format(time.DateTime)))
	if where, err := time.LoadLocation(cmp.Or(zone, "UTC")); err == nil {
		tree.Nodes[2] = text("LocalTime", now.In(where).Format(time.DateTime))
	}
	return tree, map[string]any{"system_time": now.UTC(), "time_zone": cmp.Or(zone, "UTC")}, nil
}

func (t *Table) options(ctx context.Context, _ engine.Language) (*Node, any, error) {
	keys := t.parts.Host.Facts(ctx).Keys
	tree := Tree("Options")
	for i, k := range keys {
		tree.add(Tree("Option "+strconv.Itoa(i+1), text("Key", k.Text), text("Description", describe(k))))
	}
	return tree, keys, nil
}

func describe(k engine.Key) string {
	name := strings.ReplaceAll(k.Family, "_", " ")
	if k.Count == 0 {
		return name
	}
	return fmt.Sprintf("%d %s", k.Count, name)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
