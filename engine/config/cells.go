package config

import "iter"

// cell is a value that was set, or the mark of one that was unset.
type cell struct {
	Match
	value string
	gone  bool
}

// overMost is how many differences a view keeps beside the cells of an earlier
// one before it takes a copy of all: a change costs what it changes.
const overMost = 64

// cells are the values of a view by canonical path. They never change: with
// makes others, which share what is equal.
type cells struct {
	base  map[string]cell
	over  map[string]cell // what differs from base
	count int
}

func (c cells) get(path string) (cell, bool) {
	if o, ok := c.over[path]; ok {
		return o, !o.gone
	}
	b, ok := c.base[path]
	return b, ok
}

func (c cells) all() iter.Seq2[string, cell] {
	return func(yield func(string, cell) bool) {
		for path, o := range c.over {
			if !o.gone && !yield(path, o) {
				return
			}
		}
		for path, b := range c.base {
			if _, differs := c.over[path]; !differs && !yield(path, b) {
				return
			}
		}
	}
}

// with returns the cells after changes, and whether other paths are set then.
func (c cells) with(changes []Checked) (next cells, other bool) {
	next = cells{base: c.base, over: make(map[string]cell, len(c.over)+len(changes)), count: c.count}
	if len(c.over)+len(changes) > overMost {
		next.base = make(map[string]cell, c.count+len(changes))
		for path, one := range c.all() {
			next.base[path] = one
		}
	} else {
		for path, o := range c.over {
			next.over[path] = o
		}
	}
	for _, ch := range changes {
		_, was := next.get(ch.Path)
		next.over[ch.Path] = cell{Match: ch.Match, value: ch.Value, gone: ch.unset}
		switch {
		case was && ch.unset:
			next.count--
		case !was && !ch.unset:
			next.count++
		default:
			continue
		}
		other = true
	}
	return next, other
}
