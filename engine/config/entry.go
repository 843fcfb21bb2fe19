package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// Add returns the changes that make a new entry of a list at its first free
// index, and that index: for ZoneAdd, SearchRuleAdd, DNSServerAdd and their
// kin. list is the container ("Zones Zone"); fields are named within the entry
// ("Name", "Pattern String"). A new zone or subzone brings its automatic
// links; a transform at a taken priority pushes the later ones down.
//
// Errors: NotFound for a list or field, Invalid for a value or a missing
// field, Exhausted when the list is full.
func (v *View) Add(list string, fields map[string]string) ([]engine.Change, int, error) {
	spec := v.reg.findList(list)
	if spec == nil {
		return nil, 0, engine.Errorf(engine.NotFound, "there is no list %q to add to", shorten(list))
	}
	index, err := v.free(spec)
	if err != nil {
		return nil, 0, err
	}
	entry := spec.entry(index)
	given := map[string]bool{}
	var changes []engine.Change
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		c, err := v.reg.Check(entry+" "+field, fields[field])
		if err != nil {
			return nil, 0, err
		}
		given[c.Path] = c.Value != ""
		changes = append(changes, engine.Change{Path: c.Path, Value: c.Value})
	}
	for _, field := range spec.required {
		if path := entry + " " + field; !given[path] {
			return nil, 0, engine.Errorf(engine.Invalid, "%s is needed", field).With(path, "")
		}
	}
	more, err := v.consequences(spec, index, changes)
	return append(changes, more...), index, err
}

// free is the first index of a list that nothing is set at.
func (v *View) free(spec *listSpec) (int, error) {
	for i := 1; i <= spec.limit(); i++ {
		if spec.fixed() && v.text(spec.entry(i)+" "+spec.required[0]) == "" {
			return i, nil
		}
		if _, taken := slices.BinarySearch(v.entries[spec.container()], i); !spec.fixed() && !taken {
			return i, nil
		}
	}
	return 0, engine.Errorf(engine.Exhausted, "%s has all its %d entries", spec.container(), spec.limit()).
		With(spec.container(), "delete one that is not needed")
}

// consequences are the changes that a new entry brings with it.
func (v *View) consequences(spec *listSpec, index int, changes []engine.Change) ([]engine.Change, error) {
	field := func(name string) string {
		for _, c := range changes {
			if c.Path == spec.entry(index)+" "+name {
				return c.Value
			}
		}
		return ""
	}
	switch spec.pattern {
	case zoneList, subZoneList:
		return v.AutoLinks(field("Name"), field("Type"), index)
	case transformList:
		return v.makeRoom(field("Priority"))
	}
	return nil, nil
}

// makeRoom moves the transforms from a taken priority on down by one, as far
// as they stand without a gap. Source: reference 7.1.
func (v *View) makeRoom(priority string) ([]engine.Change, error) {
	want, err := strconv.Atoi(priority)
	if err != nil {
		want = 1 // the default of the command: reference 5.4
	}
	at := map[int]string{}
	for _, i := range v.entries["Transform"] {
		path := fmt.Sprintf("Transform %d Priority", i)
		at[v.integer(path)] = path
	}
	var out []engine.Change
	for p := want; at[p] != ""; p++ {
		c, err := v.reg.Check(at[p], strconv.Itoa(p+1))
		if err != nil {
			return nil, engine.Errorf(engine.Exhausted, "there is no free priority after %d", want).With("Transform", "choose a lower one")
		}
		out = append(out, engine.Change{Path: c.Path, Value: c.Value})
	}
	return out, nil
}

// Delete returns the changes that remove an entry of a list. With a zone or
// subzone go the links that name it.
//
// Errors: NotFound.
func (v *View) Delete(list string, index int) ([]engine.Change, error) {
	spec := v.reg.findList(list)
	if spec == nil {
		return nil, engine.Errorf(engine.NotFound, "there is no list %q to delete from", shorten(list))
	}
	changes := v.clear(spec.entry(index))
	if len(changes) == 0 {
		return nil, engine.Errorf(engine.NotFound, "%s does not exist", spec.entry(index)).With(spec.entry(index), "")
	}
	if spec.pattern == zoneList || spec.pattern == subZoneList {
		name := v.text(spec.entry(index) + " Name")
		for _, i := range v.entries["Bandwidth Link"] {
			link := specOf(linkList).entry(i)
			if strings.EqualFold(v.text(link+" Node1 Name"), name) || strings.EqualFold(v.text(link+" Node2 Name"), name) {
				changes = append(changes, v.clear(link)...)
			}
		}
	}
	return changes, nil
}

// clear unsets all that is set at an entry.
func (v *View) clear(entry string) (out []engine.Change) {
	for path := range v.cells.all() {
		if strings.HasPrefix(path, entry+" ") {
			out = append(out, engine.Change{Path: path, Delete: true})
		}
	}
	slices.SortFunc(out, func(a, b engine.Change) int { return strings.Compare(a.Path, b.Path) })
	return out
}
