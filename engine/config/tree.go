package config

import (
	"strings"

	"hexad/engine"
)

// node is one word or one index of the tree of items.
type node struct {
	word     string // "" for an index
	list     *List  // of an index
	item     *Item  // when a path ends here
	children []*node
}

// Child is one element below a prefix: a word, or an index of a list.
type Child struct {
	Word  string // "Name", or "[1..1000]" for an index
	List  *List  // of an index
	Item  *Item  // when the path ends with it
	Inner bool   // there is more below
}

func (r *Registry) buildTree() {
	r.root = &node{}
	r.nodes[""] = r.root
	for _, i := range r.items {
		at, key, slot := r.root, "", 0
		for _, word := range strings.Fields(i.Path) {
			var list *List
			if strings.HasPrefix(word, "[") {
				list, word = &i.Lists[slot], ""
				slot++
				key += "#"
			} else {
				key += fold(word)
			}
			at = at.child(word, list)
			r.nodes[key] = at
		}
		at.item = i
	}
}

func (n *node) child(word string, list *List) *node {
	for _, c := range n.children {
		if c.word == word {
			return c
		}
	}
	c := &node{word: word, list: list}
	n.children = append(n.children, c)
	return c
}

// Children lists what can follow a prefix, in the order of the tables: for the
// help behind "?" and for completion. The prefix is whole words, joined or
// spaced, with or without indices filled in; "" gives the first words.
//
// Errors: NotFound.
func (r *Registry) Children(prefix string) ([]Child, error) {
	n, _, ok := r.locate(prefix)
	if !ok {
		return nil, engine.Errorf(engine.NotFound, "no configuration item begins with %q", shorten(prefix)).
			With(shorten(prefix), "xConfiguration ? lists the items")
	}
	var out []Child
	for _, c := range n.children {
		child := Child{Word: c.word, List: c.list, Item: c.item, Inner: len(c.children) > 0}
		if c.list != nil {
			child.Word = c.list.Pattern[strings.LastIndexByte(c.list.Pattern, '['):]
		}
		out = append(out, child)
	}
	return out, nil
}

// locate finds the node of a prefix and the indices given in it. Index
// patterns ("[1..1000]") stand for no particular index and end the list given.
func (r *Registry) locate(prefix string) (found *node, index []int, ok bool) {
	prefix = slotForm.ReplaceAllString(prefix, "#")
	r.spellings(prefix, func(key string, i []int) bool {
		if n, known := r.nodes[key]; known {
			found, index, ok = n, i, true
		}
		return !ok
	})
	return found, index, ok
}
