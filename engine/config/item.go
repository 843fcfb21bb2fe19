package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"hexad/engine"
)

// Scope is where an item rests and who has the same value.
type Scope string

// The scopes. Source: reference 1.7, 1.8.
const (
	Replicated   Scope = "replicated" // equal on every peer, edited on the primary
	PeerSpecific Scope = "peer"       // belongs to one machine
	Clustering   Scope = "clustering" // a field of the clustering page
)

// Effect is when a changed value takes effect. Alarm is the "Restart required"
// alarm that holds until then, 0 for an item that takes effect at once.
//
// Source: reference 1.5, 4.3.
type Effect struct {
	Restart bool
	Alarm   int
}

// List is a numbered container: an entry of it exists when one of its items
// was set. A Fixed list shows all its entries always, as a form with a few
// numbered fields does.
type List struct {
	Pattern string // "Zones Zone [1..1000]"
	Limit   int
	Fixed   bool
}

// fixedLimit is the longest list that is shown whole: peers, servers, domains.
const fixedLimit = 6

// Item is one configuration item of the registry.
type Item struct {
	Path    string // "Zones Zone [1..1000] Name", without the word xConfiguration
	Area    string // name of its table: "zones"
	Space   Space
	Default string // "" also stands for "not set"
	Scope   Scope
	Secret  bool // never shown, logged or kept in the history
	Effect  Effect
	Later   engine.Text // why the value has no function yet; empty: it is in effect
	Help    engine.Text
	Aliases []string // old spellings that mean the same
	Lists   []List   // its numbered containers, outermost first
	parts   []string // Path split at the index slots
}

// InEffect reports whether the item does something in this release.
func (i *Item) InEffect() bool { return i.Later.EN == "" }

// At returns the canonical path of the item at the given indices, one for each
// of its Lists.
func (i *Item) At(index ...int) string {
	if len(index) != len(i.Lists) {
		panic(fmt.Sprintf("config: %s takes %d indices, not %d", i.Path, len(i.Lists), len(index)))
	}
	var b strings.Builder
	for n, part := range i.parts {
		if n > 0 {
			b.WriteString(strconv.Itoa(index[n-1]))
		}
		b.WriteString(part)
	}
	return b.String()
}

// canonical checks a value and returns it as stored. An item without a default
// can be unset again with the empty value.
func (i *Item) canonical(value string) (string, error) {
	if value == "" && i.Default == "" {
		return "", nil
	}
	return i.Space.Canonical(value)
}

var slotForm = regexp.MustCompile(`\[1\.\.(\d+)\]`)

// split fills parts and Lists from Path.
func (i *Item) split() error {
	at := 0
	for _, m := range slotForm.FindAllStringSubmatchIndex(i.Path, -1) {
		limit, err := strconv.Atoi(i.Path[m[2]:m[3]])
		if err != nil {
			return err
		}
		i.parts = append(i.parts, i.Path[at:m[0]])
		i.Lists = append(i.Lists, List{Pattern: i.Path[:m[1]], Limit: limit, Fixed: limit <= fixedLimit})
		at = m[1]
	}
	i.parts = append(i.parts, i.Path[at:])
	return nil
}
