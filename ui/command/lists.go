package command

import (
	"context"
	"strconv"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// list is a numbered container of the registry with its Add and Delete
// commands. Value spaces, defaults and help of the arguments are those of the
// items that they set.
type list struct {
	name   string // "Zone" makes ZoneAdd, ZoneDelete and the argument ZoneId
	path   string // "Zones Zone"
	limit  int
	what   engine.Text
	fields []field
	sample string // arguments of an example
}

// field is one argument of an Add command.
type field struct {
	arg, leaf string // "ZoneName", "Name"
	required  bool
	names     bool // tells entries apart, so Delete takes it too
}

// lists are the containers that have commands. Source: reference 5.3, 5.4.
var lists = []list{
	{"Zone", "Zones Zone", 1000, engine.Text{EN: "a zone", JA: "ゾーン"},
		[]field{{"ZoneName", "Name", true, true}, {"Type", "Type", true, false}}, `ZoneName: "branch" Type: Neighbor`},
	{"SubZone", "Zones LocalZone SubZones SubZone", 1000, engine.Text{EN: "a subzone", JA: "サブゾーン"},
		[]field{{"SubZoneName", "Name", true, true}, {"Registrations", "Registrations", false, false}}, `SubZoneName: "floor1"`},
	{"SearchRule", "Zones Policy SearchRules Rule", 2000, engine.Text{EN: "a search rule", JA: "検索ルール"},
		[]field{{"Name", "Name", true, true}, {"ZoneName", "Target Name", false, false}, {"Description", "Description", false, false}},
		`Name: "to the branch" ZoneName: "branch"`},
	{"Transform", "Transform", 100, engine.Text{EN: "a transform", JA: "トランスフォーム"},
		[]field{{"Pattern", "Pattern String", true, true}, {"Type", "Pattern Type", false, false}, {"Behavior", "Pattern Behavior", false, false},
			{"Replace", "Pattern Replace", false, false}, {"Priority", "Priority", false, false}, {"Description", "Description", false, false},
			{"State", "State", false, false}}, `Pattern: "9" Type: Prefix Behavior: Strip Priority: 10`},
	{"Link", "Bandwidth Link", 3000, engine.Text{EN: "a link", JA: "リンク"},
		[]field{{"LinkName", "Name", true, true}, {"Node1", "Node1 Name", false, false}, {"Node2", "Node2 Name", false, false},
			{"Pipe1", "Pipe1 Name", false, false}, {"Pipe2", "Pipe2 Name", false, false}},
		`LinkName: "toBranch" Node1: "DefaultSubZone" Node2: "branch"`},
	{"Pipe", "Bandwidth Pipe", 1000, engine.Text{EN: "a pipe", JA: "パイプ"},
		[]field{{"PipeName", "Name", true, true}, {"TotalMode", "Bandwidth Total Mode", false, false}, {"Total", "Bandwidth Total Limit", false, false},
			{"PerCallMode", "Bandwidth PerCall Mode", false, false}, {"PerCall", "Bandwidth PerCall Limit", false, false}},
		`PipeName: "wan" TotalMode: Limited Total: 10000`},
	{"Domain", "SIP Domain", 200, engine.Text{EN: "a SIP domain", JA: "SIP ドメイン"},
		[]field{{"Name", "Name", true, true}, {"Sip", "Sip", false, false}, {"Edge", "Edge", false, false}, {"Authzone", "Authzone", false, false}},
		`Name: "example.com"`},
	{"AllowList", "Registration AllowList", 2500, engine.Text{EN: "an entry of the registration allow list", JA: "登録許可リストの項目"},
		[]field{{"PatternString", "Pattern String", true, true}, {"PatternType", "Pattern Type", false, false}, {"Description", "Description", false, false}},
		`PatternString: "*@example.com" PatternType: Suffix`},
	{"DenyList", "Registration DenyList", 2500, engine.Text{EN: "an entry of the registration deny list", JA: "登録拒否リストの項目"},
		[]field{{"PatternString", "Pattern String", true, true}, {"PatternType", "Pattern Type", false, false}, {"Description", "Description", false, false}},
		`PatternString: "guest" PatternType: Prefix`},
	{"DNSServer", "DNS Server", 5, engine.Text{EN: "a DNS server of this system", JA: "このシステムの DNS サーバ"},
		[]field{{"Address", "Address", true, true}}, `Address: "192.0.2.53"`},
	{"NTPServer", "NTP Server", 5, engine.Text{EN: "an NTP server of this system", JA: "このシステムの NTP サーバ"},
		[]field{{"Address", "Address", true, true}}, `Address: "ntp.example.com"`},
	{"RemoteSyslog", "Remote Syslog", 4, engine.Text{EN: "a syslog server", JA: "syslog サーバ"},
		[]field{{"Address", "Address", true, true}, {"Port", "Port", false, false}, {"Transport", "Transport", false, false},
			{"Mode", "Mode", false, false}, {"Loglevel", "Loglevel", false, false}}, `Address: "192.0.2.9" Transport: udp`},
	{"OptionKey", "Option", 64, engine.Text{EN: "an option key of this system", JA: "このシステムのオプションキー"},
		[]field{{"Key", "Key", true, true}}, `Key: "116341W100-1-0A1B2C3D"`},
	{"Route", "IP Route", 50, engine.Text{EN: "a static route of this system", JA: "このシステムの静的経路"},
		[]field{{"Address", "Address", true, true}, {"PrefixLength", "PrefixLength", true, false}, {"Gateway", "Gateway", true, false},
			{"Interface", "Interface", false, false}}, `Address: "198.51.100.0" PrefixLength: 24 Gateway: "192.0.2.254"`},
	{"ClusterAddressMapping", "ClusterConfiguration AddressMapping", engine.MaxPeers, engine.Text{EN: "a pair of the cluster address mapping", JA: "クラスタアドレスマッピングの組"},
		[]field{{"Fqdn", "FQDN", true, true}, {"IpAddress", "IPAddress", true, true}}, `Fqdn: "peer1.example.com" IpAddress: "192.0.2.1"`},
}

func (t *Table) listEntries() []*Entry {
	if t.parts.Configuration == nil || t.parts.Registry == nil {
		return nil
	}
	out := []*Entry{t.defaultLinksAdd()}
	for _, l := range lists {
		out = append(out, t.adds(l), t.deletes(l))
	}
	return out
}

// argument makes the argument that sets a leaf of the list.
func (t *Table) argument(l list, f field) Argument {
	m, err := t.parts.Registry.Lookup(l.path + " 1 " + f.leaf)
	if err != nil {
		panic("command: " + l.name + ": " + err.Error()) // a mistake in lists, which the tests find
	}
	return Argument{Name: f.arg, Space: m.Item.Space, Required: f.required, Default: m.Item.Default, Secret: m.Item.Secret, Help: m.Item.Help}
}

// added is the answer to an Add command for machines.
type added struct {
	ID    int `json:"id"`
	Saved any `json:"outcome"`
}

func (t *Table) adds(l list) *Entry {
	e := &Entry{Group: XCommand, Name: l.name + "Add", Role: Administrator, Writes: true,
		Help:    engine.Text{EN: "Adds " + l.what.EN, JA: l.what.JA + "を追加します"},
		Example: "xCommand " + l.name + "Add " + l.sample}
	for _, f := range l.fields {
		e.Args = append(e.Args, t.argument(l, f))
	}
	e.run = func(ctx context.Context, call Call) (Result, error) {
		values := map[string]string{}
		for _, f := range l.fields {
			if v, given := call.Args[f.arg]; given {
				values[f.leaf] = v
			}
		}
		index := 0
		result, err := t.decide(ctx, call, func(view *config.View) (changes []engine.Change, err error) {
			changes, index, err = view.Add(l.path, values)
			return changes, err
		})
		if err != nil {
			return result, err
		}
		result.Data = added{ID: index, Saved: result.Data}
		result.Lines = append(results(Tree(l.name+"AddResult", number(l.name+"Id", index))), result.Lines...)
		return result, nil
	}
	return e
}

func (t *Table) deletes(l list) *Entry {
	id := l.name + "Id"
	e := &Entry{Group: XCommand, Name: l.name + "Delete", Role: Administrator, Writes: true,
		Args:    []Argument{{Name: id, Space: from(1, l.limit), Help: engine.Text{EN: "Its number", JA: "番号"}}},
		Help:    engine.Text{EN: "Deletes " + l.what.EN, JA: l.what.JA + "を削除します"},
		Example: "xCommand " + l.name + "Delete " + id + ": 1"}
	names := []string{id}
	for _, f := range l.fields {
		if f.names {
			a := t.argument(l, f)
			a.Required = false
			e.Args, names = append(e.Args, a), append(names, f.arg)
		}
	}
	e.run = func(ctx context.Context, call Call) (Result, error) {
		if len(call.Args) == 0 {
			return Result{}, engine.Errorf(engine.Invalid, "%s: it is not said which", e.Name).With(id, "give "+strings.Join(names, " or "))
		}
		return t.decide(ctx, call, func(view *config.View) ([]engine.Change, error) {
			index, err := entry(view, l, call.Args)
			if err != nil {
				return nil, err
			}
			return view.Delete(l.path, index)
		})
	}
	return e
}

// entry finds the one entry that all arguments describe.
//
// Errors: NotFound; Conflict when several do.
func entry(view *config.View, l list, args map[string]string) (int, error) {
	var found []int
	for _, i := range view.Entries(l.path) {
		if described(view, l, i, args) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, engine.Errorf(engine.NotFound, "there is no %s with %s", l.path, spell(args)).
			With(l.name+"Id", "xConfiguration "+l.path+" lists them")
	}
	return 0, engine.Errorf(engine.Conflict, "there are %d entries of %s with %s", len(found), l.path, spell(args)).
		With(l.name+"Id", "name one by its "+l.name+"Id")
}

func described(view *config.View, l list, index int, args map[string]string) bool {
	if id, given := args[l.name+"Id"]; given && id != strconv.Itoa(index) {
		return false
	}
	for _, f := range l.fields {
		want, given := args[f.arg]
		if !given {
			continue
		}
		value, _, err := view.Get(l.path + " " + strconv.Itoa(index) + " " + f.leaf)
		if err != nil || !strings.EqualFold(want, value) {
			return false
		}
	}
	return true
}

func spell(args map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(args) {
		parts = append(parts, name+" "+strconv.Quote(args[name]))
	}
	return strings.Join(parts, " and ")
}

// defaultLinksAdd makes those of the default links that are missing, in one revision.
func (t *Table) defaultLinksAdd() *Entry {
	return &Entry{Group: XCommand, Name: "DefaultLinksAdd", Role: Administrator, Writes: true,
		Help:    engine.Text{EN: "Adds the links among the default subzones and the default zone that are missing", JA: "既定のサブゾーンと既定ゾーンの間で不足しているリンクを追加します"},
		Example: "xCommand DefaultLinksAdd",
		run: func(ctx context.Context, call Call) (Result, error) {
			return t.decide(ctx, call, (*config.View).DefaultLinks)
		}}
}
