package routing

import "slices"

// index finds the patterns that may match an alias: by what they begin with, by
// what they end with, and the rest.
type index struct {
	prefix, suffix affixes
	rest           []int
}

// affixes are patterns by a text, and the lengths of those texts.
type affixes struct {
	by      map[string][]int
	lengths []int // ascending
}

func (a *affixes) add(text string, i int) {
	if a.by == nil {
		a.by = map[string][]int{}
	}
	a.by[text] = append(a.by[text], i)
	if at, found := slices.BinarySearch(a.lengths, len(text)); !found {
		a.lengths = slices.Insert(a.lengths, at, len(text))
	}
}

// add notes pattern i under the longer of its literals.
func (x *index) add(p pattern, i int) {
	prefix, suffix := p.literals()
	switch {
	case prefix == "" && suffix == "":
		x.rest = append(x.rest, i)
	case len(prefix) >= len(suffix):
		x.prefix.add(prefix, i)
	default:
		x.suffix.add(suffix, i)
	}
}

// find appends the patterns that may match alias.
func (x *index) find(alias string, out []int) []int {
	for _, n := range x.prefix.lengths {
		if n > len(alias) {
			break
		}
		out = append(out, x.prefix.by[alias[:n]]...)
	}
	for _, n := range x.suffix.lengths {
		if n > len(alias) {
			break
		}
		out = append(out, x.suffix.by[alias[len(alias)-n:]]...)
	}
	return append(out, x.rest...)
}
