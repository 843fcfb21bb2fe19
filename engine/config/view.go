package config

import (
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// View is one state of the whole configuration as this peer has it: the
// replicated items of one revision, its own items and its clustering page. It
// never changes and is safe for concurrent use.
type View struct {
	Revision   int64
	generation string // that Revision belongs to; "" when the store has none
	reg        *Registry
	cells      cells            // what was set
	entries    map[string][]int // container, "Zones Zone", to its indices in order
}

// ItemValue is one item of a View. Value is the real one: use Shown for people.
type ItemValue struct {
	Item    *Item
	Path    string
	Value   string
	Default bool // it was not set
}

// Shown is the value with a secret masked.
func (v ItemValue) Shown() string { return v.Item.mask(v.Value) }

// Line is the item in the product's form.
func (v ItemValue) Line() string { return FormatLine(v.Item, v.Path, v.Value) }

// newView makes a view of rows. Rows that the registry does not know (of a
// later release) are left out. old, if not nil, saves looking paths up again.
func newView(reg *Registry, old *View, revision int64, sources ...map[string]string) *View {
	size := 0
	for _, rows := range sources {
		size += len(rows)
	}
	v := &View{Revision: revision, reg: reg}
	set := make(map[string]cell, size)
	fresh := old == nil
	for _, rows := range sources {
		for path, value := range rows {
			if old != nil {
				if c, ok := old.cells.get(path); ok {
					set[path] = cell{Match: c.Match, value: value}
					continue
				}
			}
			if m, ok := reg.find(path); ok {
				set[m.Path] = cell{Match: m, value: value}
				fresh = true
			}
		}
	}
	v.cells = cells{base: set, count: len(set)}
	if !fresh && v.cells.count == old.cells.count {
		v.entries = old.entries // only values differ
	} else {
		v.number()
	}
	return v
}

// number fills entries from cells.
func (v *View) number() {
	type place struct {
		pattern string
		index   [maxNumber]int
	}
	v.entries = map[string][]int{}
	seen := map[place]bool{}
	for _, c := range v.cells.all() {
		for n, l := range c.Item.Lists {
			at := place{pattern: l.Pattern}
			copy(at.index[:], c.Index[:n+1])
			if !seen[at] {
				seen[at] = true
				list := l.container(c.Index[:n])
				v.entries[list] = append(v.entries[list], c.Index[n])
			}
		}
	}
	for _, index := range v.entries {
		slices.Sort(index)
	}
}

// container is the concrete path of a list: the indices of the lists around it.
func (l List) container(outer []int) string {
	i := strings.LastIndexByte(l.Pattern, '[')
	return fillSlots(l.Pattern[:i-1], outer)
}

// entry is the concrete path of one entry: "Zones Zone 1".
func (l List) entry(index []int) string { return fillSlots(l.Pattern, index) }

func fillSlots(pattern string, index []int) string {
	for _, i := range index {
		open, end := strings.IndexByte(pattern, '['), strings.IndexByte(pattern, ']')
		pattern = pattern[:open] + strconv.Itoa(i) + pattern[end+1:]
	}
	return pattern
}

// Get returns the value of one item and whether it is the default.
//
// Errors: those of Registry.Lookup.
func (v *View) Get(path string) (value string, isDefault bool, err error) {
	if c, ok := v.cells.get(path); ok {
		return c.value, false, nil
	}
	m, err := v.reg.Lookup(path)
	if err != nil {
		return "", false, err
	}
	value, set := v.value(m.Item, m.Path)
	return value, !set, nil
}

// value returns what a canonical path holds, and whether it was set.
func (v *View) value(i *Item, path string) (value string, set bool) {
	if c, ok := v.cells.get(path); ok {
		return c.value, true
	}
	return i.Default, false
}

// text is the value of a path, "" when there is no such item.
func (v *View) text(path string) string {
	if c, ok := v.cells.get(path); ok {
		return c.value
	}
	m, ok := v.reg.find(path)
	if !ok {
		return ""
	}
	value, _ := v.value(m.Item, m.Path)
	return value
}

// Entries lists the indices of a list that have something set: "Zones Zone",
// "Zones Zone 1 Neighbor Peer". A list that does not exist has none.
func (v *View) Entries(list string) []int {
	if index, ok := v.entries[list]; ok {
		return slices.Clone(index)
	}
	n, outer, ok := v.reg.locate(list)
	if !ok || len(n.children) == 0 || n.children[0].list == nil {
		return nil
	}
	return slices.Clone(v.entries[n.children[0].list.container(outer)])
}

// All lists the items below a prefix in the order of the registry; "" lists
// all. Lists with a few numbered fields are shown whole, the others by their
// entries; of a zone, only the items of its type are shown.
//
// Errors: those of Registry.Lookup.
func (v *View) All(prefix string) ([]ItemValue, error) {
	n, index, ok := v.reg.locate(prefix)
	if !ok {
		m, err := v.reg.Lookup(prefix)
		if err != nil {
			return nil, err
		}
		n, index, _ = v.reg.locate(m.Path) // an old spelling
	}
	var out []ItemValue
	v.walk(n, index, func(i *Item, path string) {
		value, set := v.value(i, path)
		out = append(out, ItemValue{Item: i, Path: path, Value: value, Default: !set})
	})
	return out, nil
}

// walk visits the items at and below n with their concrete paths.
func (v *View) walk(n *node, index []int, visit func(*Item, string)) {
	if n.item != nil && len(index) == len(n.item.Lists) {
		visit(n.item, n.item.At(index...))
	}
	for _, c := range n.children {
		switch {
		case c.list != nil:
			for _, i := range v.indices(c.list, index) {
				v.walk(c, append(slices.Clone(index), i), visit)
			}
		case v.relevant(n, index, c.word):
			v.walk(c, index, visit)
		}
	}
}

func (v *View) indices(l *List, outer []int) []int {
	if !l.Fixed {
		return v.entries[l.container(outer)]
	}
	all := make([]int, l.Limit)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// relevant leaves out the items of the other zone types.
func (v *View) relevant(n *node, index []int, word string) bool {
	if n.list == nil || n.list.Pattern != zoneList || !slices.Contains(zoneTypes, word) {
		return true
	}
	return v.text(n.list.entry(index)+" Type") == word
}

// with returns the view after changes, which are checked and canonical.
func (v *View) with(changes []Checked) *View {
	set, other := v.cells.with(changes)
	next := &View{Revision: v.Revision, generation: v.generation, reg: v.reg, cells: set}
	if next.entries = v.entries; other {
		next.number()
	}
	return next
}

// step returns the view after a step of the replicated configuration, and what
// is different there, by path. Rows that the registry does not know are left out.
func (v *View) step(step engine.ConfigurationStep) (*View, []engine.Change) {
	var changes []Checked
	var out []engine.Change
	note := func(path, value string, unset bool) {
		m, ok := v.reg.find(path)
		if !ok {
			return
		}
		old, set := v.cells.get(m.Path)
		if set == !unset && old.value == value {
			return
		}
		changes = append(changes, Checked{Match: m, Value: value, unset: unset})
		out = append(out, engine.Change{Path: m.Path, Value: value, Delete: unset})
	}
	for path, value := range step.Set {
		note(path, value, false)
	}
	for _, path := range step.Unset {
		note(path, "", true)
	}
	next := v.with(changes)
	next.Revision = step.Revision
	slices.SortFunc(out, func(a, b engine.Change) int { return strings.Compare(a.Path, b.Path) })
	return next, out
}

// differences lists what was set, changed or unset from v to next, by path.
func (v *View) differences(next *View) []engine.Change {
	var out []engine.Change
	for path, c := range next.cells.all() {
		if old, ok := v.cells.get(path); !ok || old.value != c.value {
			out = append(out, engine.Change{Path: path, Value: c.value})
		}
	}
	for path := range v.cells.all() {
		if _, ok := next.cells.get(path); !ok {
			out = append(out, engine.Change{Path: path, Delete: true})
		}
	}
	slices.SortFunc(out, func(a, b engine.Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}
