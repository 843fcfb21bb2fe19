package config

import (
	"fmt"
	"slices"
	"strings"

	"hexad/engine"
)

// defaultLinks join the nodes that every system has, in the order that they
// are numbered. Source: reference 7.7; the order is that of a real machine.
var defaultLinks = [][3]string{
	{"DefaultSZtoTraversalSZ", "DefaultSubZone", "TraversalSubZone"},
	{"DefaultSZtoDefaultZ", "DefaultSubZone", "DefaultZone"},
	{"DefaultSZtoClusterSZ", "DefaultSubZone", "ClusterSubZone"},
	{"TraversalSZtoDefaultZ", "TraversalSubZone", "DefaultZone"},
}

// defaultRule is the search rule of a new system. Source: reference 5.5.
var defaultRule = map[string]string{
	"Name": "LocalZoneMatch", "Description": "Search the local zone for any alias", "Priority": "50",
	"Mode": "AnyAlias", "Progress": "Continue", "Target Type": "Zone", "Target Name": "LocalZone",
}

// Defaults are the list entries of a new system, whole, to be saved when it is
// founded: the search rule LocalZoneMatch and the default links. What is no
// list entry has its default in the registry and needs no row.
func (r *Registry) Defaults() []engine.Change { return slices.Clone(r.defaults) }

// newSystem makes Defaults.
func (r *Registry) newSystem() ([]engine.Change, error) {
	v := newView(r, nil, 0)
	changes, _, err := v.Add("Zones Policy SearchRules Rule", defaultRule)
	if err != nil {
		return nil, err
	}
	links, err := v.DefaultLinks()
	if err != nil {
		return nil, err
	}
	var checked []Checked
	for _, c := range append(changes, links...) {
		one, err := r.Check(c.Path, c.Value)
		if err != nil {
			return nil, err
		}
		checked = append(checked, one)
	}
	p := v.plan(checked)
	if len(p.problems) > 0 {
		return nil, p.problems[0].err
	}
	return newSave(engine.System, 0, p.replicated, "").Changes, nil
}

// DefaultLinks returns the changes that add those default links that are
// missing: for DefaultLinksAdd. No change means that all are there.
//
// Errors: Exhausted.
func (v *View) DefaultLinks() ([]engine.Change, error) {
	return v.link(defaultLinks)
}

// AutoLinks returns the changes that link a new zone or subzone: to the
// Traversal Subzone, and, unless it is a traversal zone, to the Default
// Subzone. kind is the zone's type, "" for a subzone.
//
// Errors: Exhausted. Source: reference 7.7.
func (v *View) AutoLinks(name, kind string, index int) ([]engine.Change, error) {
	word := "Zone"
	if kind == "" {
		word = "SubZone"
	}
	links := [][3]string{{fmt.Sprintf("%s%03dToTraversalSZ", word, index), name, "TraversalSubZone"}}
	if kind != "TraversalClient" && kind != "TraversalServer" {
		links = append(links, [3]string{fmt.Sprintf("%s%03dToDefaultSZ", word, index), name, "DefaultSubZone"})
	}
	return v.link(links)
}

// link adds links (name, node, node) whose two nodes are not linked yet.
func (v *View) link(links [][3]string) ([]engine.Change, error) {
	var out []engine.Change
	next := v
	for _, l := range links {
		if next.linked(l[1], l[2]) {
			continue
		}
		changes, _, err := next.Add("Bandwidth Link", map[string]string{"Name": next.freeName(l[0]), "Node1 Name": l[1], "Node2 Name": l[2]})
		if err != nil {
			return nil, err
		}
		var checked []Checked
		for _, c := range changes {
			one, err := v.reg.Check(c.Path, c.Value)
			if err != nil {
				return nil, err
			}
			checked = append(checked, one)
		}
		next = next.with(checked)
		out = append(out, changes...)
	}
	return out, nil
}

func (v *View) linked(a, b string) bool {
	return slices.ContainsFunc(v.entries["Bandwidth Link"], func(i int) bool {
		link := specOf(linkList).entry(i)
		x, y := v.text(link+" Node1 Name"), v.text(link+" Node2 Name")
		return strings.EqualFold(x, a) && strings.EqualFold(y, b) || strings.EqualFold(x, b) && strings.EqualFold(y, a)
	})
}

// freeName is name, or name_2 and so on when a link has it already.
func (v *View) freeName(name string) string {
	free := name
	for n := 2; slices.ContainsFunc(v.entries["Bandwidth Link"], func(i int) bool {
		return strings.EqualFold(v.text(specOf(linkList).entry(i)+" Name"), free)
	}); n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}
