package config

import (
	"slices"
	"strings"

	"hexad/engine"
)

// zoneList is the list of zones, whose items depend on the zone's type.
const zoneList = "Zones Zone [1..1000]"

// zoneTypes are the words below a zone that belong to one type each.
var zoneTypes = []string{"Neighbor", "TraversalClient", "TraversalServer", "ENUM", "DNS"}

// builtIn are the nodes that every system has. No zone or subzone can take
// their names. Source: reference 7.4, 7.7.
var builtIn = []string{"LocalZone", "DefaultZone", "DefaultSubZone", "TraversalSubZone", "ClusterSubZone"}

// ordered pairs items of which the first must not exceed the second.
var ordered = [][2]string{
	{"H323 Gatekeeper CallSignaling PortRange Start", "H323 Gatekeeper CallSignaling PortRange End"},
	{"IP Ephemeral PortRange Start", "IP Ephemeral PortRange End"},
	{"IP DNS MinPort", "IP DNS MaxPort"},
	{"SIP TCP Outbound Port Start", "SIP TCP Outbound Port End"},
	{"SIP Registration Standard Refresh Minimum", "SIP Registration Standard Refresh Maximum"},
	{"SIP Registration Outbound Refresh Minimum", "SIP Registration Outbound Refresh Maximum"},
	{"SIP Session Refresh Minimum", "SIP Session Refresh Value"},
	{"Traversal Media Port Start", "Traversal Media Port End"},
	{"Traversal Server TURN Media Port Start", "Traversal Server TURN Media Port End"},
	{"Traversal Server TURN PortRangeStart", "Traversal Server TURN PortRangeEnd"},
	{"Applications ConferenceFactory Range Start", "Applications ConferenceFactory Range End"},
}

// problem is a rule between items that a change would break. Entry is the list
// entry concerned, or the path of a single item.
type problem struct {
	entry string
	err   *engine.Error
}

// judge checks the rules between items for what changes touched on the way
// from v to next: problems refuse the change, findings only warn.
func (v *View) judge(next *View, changes []Checked) (problems []problem, findings []engine.Finding) {
	entries, lists := touched(next, changes)
	for _, e := range entries {
		problems = append(problems, v.judgeEntry(next, e)...)
		findings = append(findings, next.warnings(e)...)
	}
	for _, spec := range lists {
		problems = append(problems, next.duplicates(spec, entries)...)
	}
	return append(problems, next.disordered(changes)...), findings
}

// place is one entry of one of the lists with rules.
type place struct {
	spec  *listSpec
	index int
	path  string // "Zones Zone 1"
	words map[string]bool
}

// touched lists the entries that changes reach and that exist afterwards, and
// their lists, each once and in order of appearance.
func touched(next *View, changes []Checked) (entries []*place, lists []*listSpec) {
	byPath := map[string]*place{}
	for _, c := range changes {
		if len(c.Item.Lists) == 0 {
			continue
		}
		outer := c.Item.Lists[0]
		spec := specOf(outer.Pattern)
		if spec == nil || !slices.Contains(next.entries[outer.container(nil)], c.Index[0]) {
			continue
		}
		path := outer.entry(c.Index[:1])
		if byPath[path] == nil {
			byPath[path] = &place{spec: spec, index: c.Index[0], path: path, words: map[string]bool{}}
			entries = append(entries, byPath[path])
			if !slices.Contains(lists, spec) {
				lists = append(lists, spec)
			}
		}
		if !c.unset {
			word, _, _ := strings.Cut(c.Path[len(path)+1:], " ")
			byPath[path].words[word] = true
		}
	}
	return entries, lists
}

func (v *View) judgeEntry(next *View, e *place) (out []problem) {
	refuse := func(item, remedy, format string, args ...any) {
		out = append(out, problem{e.path, engine.Errorf(engine.Invalid, format, args...).With(item, remedy)})
	}
	if !e.spec.fixed() {
		for _, field := range e.spec.required {
			if next.text(e.path+" "+field) == "" {
				refuse(e.path+" "+field, "set it in the same change, or use the Add command", "%s has no %s", e.path, field)
			}
		}
	}
	switch e.spec.pattern {
	case zoneList:
		kind, before := next.text(e.path+" Type"), v.text(e.path+" Type")
		if before != "" && kind != before {
			refuse(e.path+" Type", "delete the zone and add another", "%s is of type %s, which cannot change to %q", e.path, before, kind)
		}
		for _, word := range zoneTypes {
			if e.words[word] && kind != word {
				refuse(e.path+" "+word, "", "%s is of type %q and has no %s items", e.path, kind, word)
			}
		}
		fallthrough
	case subZoneList:
		if name := next.text(e.path + " Name"); slices.ContainsFunc(builtIn, func(b string) bool { return strings.EqualFold(b, name) }) {
			refuse(e.path+" Name", "choose another name", "the name %s belongs to a built-in zone", name)
		}
	case optionList:
		if _, err := engine.ParseKey(next.text(e.path + " Key")); err != nil {
			refuse(e.path+" Key", "type the key as it was issued", "%s: %s", e.path, err.Error())
		}
	}
	return out
}

// duplicates checks the fields of a list that must be unique.
// Of two entries that are both changed, the later one is at fault.
func (v *View) duplicates(spec *listSpec, entries []*place) (out []problem) {
	isTouched := map[string]bool{}
	for _, e := range entries {
		isTouched[e.path] = true
	}
	for _, field := range spec.unique {
		first := map[string]string{}
		collide := map[string][]string{}
		for _, i := range v.entries[spec.container()] {
			path := spec.entry(i)
			value := strings.ToLower(v.text(path + " " + field))
			if value == "" {
				continue
			}
			if other, taken := first[value]; taken {
				collide[path] = append(collide[path], other)
				collide[other] = append(collide[other], path)
			} else {
				first[value] = path
			}
		}
		earlier := map[string]bool{}
		for _, e := range entries {
			if e.spec != spec {
				continue
			}
			earlier[e.path] = true
			for _, other := range collide[e.path] {
				if isTouched[other] && !earlier[other] {
					continue // the first of two new ones may stay
				}
				item := e.path + " " + field
				out = append(out, problem{e.path, engine.Errorf(engine.Invalid, "%s: %q is also the %s of %s",
					item, v.text(item), field, other).With(item, "choose another")})
				break
			}
		}
	}
	return out
}

// disordered checks the pairs of a low and a high bound.
func (v *View) disordered(changes []Checked) (out []problem) {
	for _, pair := range ordered {
		if !slices.ContainsFunc(changes, func(c Checked) bool { return c.Path == pair[0] || c.Path == pair[1] }) {
			continue
		}
		low, high := v.integer(pair[0]), v.integer(pair[1])
		if low > high {
			for _, path := range pair {
				out = append(out, problem{path, engine.Errorf(engine.Invalid, "%s (%d) is above %s (%d)", pair[0], low, pair[1], high).
					With(path, "set both in one change")})
			}
		}
	}
	return out
}
