package config

import (
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// integer is the value of an integer item, 0 when it is not set.
func (v *View) integer(path string) int {
	n, err := strconv.Atoi(v.text(path))
	if err != nil {
		return 0
	}
	return n
}

// reference is a field that names an entry of another list, or a built-in node.
type reference struct {
	list, field string
	targets     []string // containers whose Name it may be
	builtIn     []string
}

var references = []reference{
	{linkList, "Node1 Name", []string{"Zones Zone", "Zones LocalZone SubZones SubZone"}, builtIn},
	{linkList, "Node2 Name", []string{"Zones Zone", "Zones LocalZone SubZones SubZone"}, builtIn},
	{linkList, "Pipe1 Name", []string{"Bandwidth Pipe"}, nil},
	{linkList, "Pipe2 Name", []string{"Bandwidth Pipe"}, nil},
	{"Zones LocalZone SubZones MembershipRules Rule [1..3000]", "SubZoneName", []string{"Zones LocalZone SubZones SubZone"}, builtIn},
}

// warnings tells which names of an entry lead nowhere. They do not refuse a
// change: the zone may be added after the rule.
func (v *View) warnings(e *place) (out []engine.Finding) {
	all := references
	if e.spec.pattern == "Zones Policy SearchRules Rule [1..2000]" {
		target := reference{e.spec.pattern, "Target Name", []string{"Zones Zone"}, builtIn}
		if v.text(e.path+" Target Type") == "PolicyService" {
			target.targets, target.builtIn = []string{"Policy Services Service"}, nil
		}
		all = append(slices.Clip(all), target)
	}
	for _, r := range all {
		if r.list != e.spec.pattern {
			continue
		}
		field := e.path + " " + r.field
		if name := v.text(field); name != "" && !v.named(name, r) {
			out = append(out, dangling(field, name))
		}
	}
	return out
}

func (v *View) named(name string, r reference) bool {
	if slices.ContainsFunc(r.builtIn, func(b string) bool { return strings.EqualFold(b, name) }) {
		return true
	}
	for _, list := range r.targets {
		for _, i := range v.entries[list] {
			if strings.EqualFold(v.text(list+" "+strconv.Itoa(i)+" Name"), name) {
				return true
			}
		}
	}
	return false
}

func dangling(field, name string) engine.Finding {
	return engine.Finding{
		ID: "config.reference.dangling", Severity: engine.FindingWarning, Field: field,
		Params: map[string]string{"item": field, "name": name},
		Text: engine.Text{
			EN: "{item} names {name}, which does not exist.",
			JA: "{item} が指す {name} は存在しません。",
		},
	}
}

// Neighbours lists the zones that name other systems by address, for the
// rules of clustering: a peer must not be a neighbor, too.
func (v *View) Neighbours() []engine.NeighbourRecord {
	var out []engine.NeighbourRecord
	for _, i := range v.entries["Zones Zone"] {
		zone := "Zones Zone " + strconv.Itoa(i)
		kind := v.text(zone + " Type")
		n := engine.NeighbourRecord{Zone: v.text(zone + " Name"), Type: kind}
		for _, peer := range v.entries[zone+" "+kind+" Peer"] {
			if address := v.text(zone + " " + kind + " Peer " + strconv.Itoa(peer) + " Address"); address != "" {
				n.Addresses = append(n.Addresses, address)
			}
		}
		if len(n.Addresses) > 0 {
			out = append(out, n)
		}
	}
	return out
}
