package command

import (
	"strconv"
	"strings"
	"time"
)

// Node is one element of a status tree: a value, or elements.
type Node struct {
	Name   string
	Value  string
	Quoted bool // a text, not a word or a number
	Nodes  []*Node
	leaf   bool
}

// Tree makes an element of elements.
func Tree(name string, nodes ...*Node) *Node { return &Node{Name: name, Nodes: nodes} }

func text(name, value string) *Node {
	return &Node{Name: name, Value: value, Quoted: true, leaf: true}
}

func word(name, value string) *Node { return &Node{Name: name, Value: value, leaf: true} }

func number[N int | int64 | uint64](name string, n N) *Node {
	return word(name, strconv.FormatInt(int64(n), 10))
}

func yes(name string, fact bool) *Node {
	if fact {
		return word(name, "True")
	}
	return word(name, "False")
}

func onOff(on bool) string {
	if on {
		return "On"
	}
	return "Off"
}

func moment(name string, t time.Time) *Node {
	if t.IsZero() {
		return text(name, "")
	}
	return text(name, t.UTC().Format("2006-01-02 15:04:05.000Z"))
}

func (n *Node) add(nodes ...*Node) *Node {
	n.Nodes = append(n.Nodes, nodes...)
	return n
}

// Lines writes the tree in the shell's form: "*s Name:", two spaces for each
// level, and "*s/end"; an element without elements prints "/".
//
// Source: reference 5.1.
func (n *Node) Lines() []string {
	switch {
	case n.leaf:
		return []string{"*s " + n.Name + ": " + n.value(), "*s/end"}
	case len(n.Nodes) == 0:
		return []string{"*s " + n.Name + ": /"}
	}
	out := []string{"*s " + n.Name + ":"}
	for _, child := range n.Nodes {
		out = child.indented(out, "  ")
	}
	return append(out, "*s/end")
}

func (n *Node) indented(out []string, indent string) []string {
	switch {
	case n.leaf:
		return append(out, indent+n.Name+": "+n.value())
	case len(n.Nodes) == 0:
		return append(out, indent+n.Name+": /")
	}
	out = append(out, indent+n.Name+":")
	for _, child := range n.Nodes {
		out = child.indented(out, indent+"  ")
	}
	return out
}

func (n *Node) value() string {
	if n.Quoted {
		return quote(n.Value)
	}
	return n.Value
}

// quote writes a text so that Parse reads it back; line breaks become spaces.
func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}

// find descends along words, which may be joined or spaced; the node's name
// becomes the whole path. nil when there is none.
func (n *Node) find(words []string) *Node {
	if len(words) == 0 {
		return n
	}
	for _, child := range n.Nodes {
		for used := 1; used <= len(words); used++ {
			if fold(strings.Join(words[:used], "")) != fold(child.Name) {
				continue
			}
			if found := child.find(words[used:]); found != nil {
				whole := *found
				whole.Name = n.Name + " " + found.Name
				return &whole
			}
		}
	}
	return nil
}
