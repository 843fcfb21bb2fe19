package config

import (
	"fmt"
	"strconv"
	"strings"

	"hexad/engine"
)

// Registry holds every configuration item. It does not change once loaded and
// is safe for concurrent use.
type Registry struct {
	areas  []Area
	items  []*Item
	byKey  map[string]target // folded path with '#' for an index
	absent []absence
	root   *node
	nodes  map[string]*node // by the folded path of any prefix

	defaults []engine.Change
}

// target is what a spelling stands for.
type target struct {
	item  *Item
	lists []List // of the spelling, for the bounds
}

// Match is a path that was found: the item and the concrete place of it.
type Match struct {
	Item  *Item
	Path  string // canonical: "Zones Zone 1 Name"
	Index []int  // one for each of Item.Lists
}

// Load reads the embedded tables. It fails on a mistake in the tables only.
func Load() (*Registry, error) {
	r := &Registry{byKey: map[string]target{}, nodes: map[string]*node{}}
	h, err := newHelper()
	if err != nil {
		return nil, err
	}
	later, _, err := readTexts("tables/later.tsv")
	if err != nil {
		return nil, err
	}
	_, areas, err := readTexts("tables/areas.tsv")
	if err != nil {
		return nil, err
	}
	for _, row := range areas {
		r.areas = append(r.areas, Area{Name: row[0], Title: engine.Text{EN: row[1], JA: row[2]}})
		if err := r.loadArea(row[0], later, h); err != nil {
			return nil, err
		}
	}
	if err := r.loadAliases(); err != nil {
		return nil, err
	}
	if r.absent, err = loadAbsent(); err != nil {
		return nil, err
	}
	r.buildTree()
	r.defaults, err = r.newSystem()
	return r, err
}

func (r *Registry) loadArea(area string, later map[string]engine.Text, h helper) error {
	name := "items/" + area + ".tsv"
	rows, err := readTable(name)
	if err != nil {
		return err
	}
	for n, row := range rows {
		i, err := parseItem(area, row, later)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", name, n+2, row[0], err)
		}
		if i.Help.EN == "" {
			if i.Help, err = h.help(i.Path); err != nil {
				return fmt.Errorf("%s:%d: %w", name, n+2, err)
			}
		}
		if err := r.register(i.Path, i); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n+2, err)
		}
		r.items = append(r.items, i)
	}
	return nil
}

func (r *Registry) register(spelling string, i *Item) error {
	key := fold(slotForm.ReplaceAllString(spelling, "#"))
	if _, twice := r.byKey[key]; twice {
		return fmt.Errorf("%s is listed twice", spelling)
	}
	var shape Item
	shape.Path = spelling
	if err := shape.split(); err != nil {
		return err
	}
	if len(shape.Lists) != len(i.Lists) {
		return fmt.Errorf("%s has other indices than %s", spelling, i.Path)
	}
	r.byKey[key] = target{item: i, lists: shape.Lists}
	return nil
}

func (r *Registry) loadAliases() error {
	rows, err := readTable("tables/aliases.tsv")
	if err != nil {
		return err
	}
	for _, row := range rows {
		t, ok := r.byKey[fold(slotForm.ReplaceAllString(row[1], "#"))]
		if !ok {
			return fmt.Errorf("tables/aliases.tsv: no item %q", row[1])
		}
		if err := r.register(row[0], t.item); err != nil {
			return fmt.Errorf("tables/aliases.tsv: %w", err)
		}
		t.item.Aliases = append(t.item.Aliases, row[0])
	}
	return nil
}

// Items lists every item in the order of the tables.
func (r *Registry) Items() []*Item { return r.items }

// Areas lists the areas in their order.
func (r *Registry) Areas() []Area { return r.areas }

// Secret reports whether path names an item whose value is never shown. What
// is unknown is not secret.
func (r *Registry) Secret(path string) bool {
	m, ok := r.find(path)
	return ok && m.Item.Secret
}

// Lookup finds an item by its path: case, spaces, brackets and underscores do
// not matter, and old spellings are known ("zoneszone1name",
// "Alternates ConfigurationMaster").
//
// Errors: NotFound, naming the nearest items; Invalid for an index out of bounds.
func (r *Registry) Lookup(path string) (Match, error) {
	if m, ok := r.find(path); ok {
		return m, nil
	}
	if err := r.outOfBounds(path); err != nil {
		return Match{}, err
	}
	e := engine.Errorf(engine.NotFound, "there is no configuration item %q", shorten(path))
	if near := r.Suggest(path); len(near) > 0 {
		return Match{}, e.With(shorten(path), "did you mean "+strings.Join(near, ", or ")+"?")
	}
	return Match{}, e.With(shorten(path), "xConfiguration ? lists the items")
}

// find is Lookup without the search for suggestions.
func (r *Registry) find(path string) (m Match, ok bool) {
	r.spellings(path, func(key string, index []int) bool {
		t, known := r.byKey[key]
		if !known || !within(index, t.lists) {
			return true
		}
		m, ok = Match{Item: t.item, Path: t.item.At(index...), Index: index}, true
		return false
	})
	return m, ok
}

// outOfBounds tells an item that exists at other indices.
func (r *Registry) outOfBounds(path string) (err error) {
	r.spellings(path, func(key string, index []int) bool {
		t, known := r.byKey[key]
		if !known {
			return true
		}
		for n, l := range t.lists {
			if index[n] < 1 || index[n] > l.Limit {
				err = engine.Errorf(engine.Invalid, "%s: index %d is outside 1 to %d", shorten(path), index[n], l.Limit).
					With(shorten(path), "")
			}
		}
		return err == nil
	})
	return err
}

func within(index []int, lists []List) bool {
	for n, l := range lists {
		if index[n] < 1 || index[n] > l.Limit {
			return false
		}
	}
	return true
}

const (
	maxPath   = 512 // bytes of a path that is looked at
	maxNumber = 6   // numbers in a path: indices and digits of names
)

// spellings calls yield with the folded path, once for each choice of which of
// its numbers are indices ('#') and which belong to names (H323, V4), until
// yield returns false.
func (r *Registry) spellings(path string, yield func(key string, index []int) bool) {
	if len(path) > maxPath {
		return
	}
	text, numbers := pieces(fold(path))
	if len(numbers) > maxNumber {
		return
	}
	for choice := range 1 << len(numbers) {
		var key strings.Builder
		var index []int
		ok := true
		for n, t := range text {
			key.WriteString(t)
			if n == len(numbers) {
				break
			}
			if choice&(1<<n) == 0 {
				key.WriteString(numbers[n])
				continue
			}
			i, err := strconv.Atoi(numbers[n])
			ok = ok && err == nil
			key.WriteByte('#')
			index = append(index, i)
		}
		if ok && !yield(key.String(), index) {
			return
		}
	}
}

// pieces splits s into its texts and the numbers between them.
func pieces(s string) (text, numbers []string) {
	start, digits := 0, false
	for i := 0; i <= len(s); i++ {
		d := i < len(s) && s[i] >= '0' && s[i] <= '9'
		if i < len(s) && d == digits {
			continue
		}
		if digits {
			numbers = append(numbers, s[start:i])
		} else {
			text = append(text, s[start:i])
		}
		start, digits = i, d
	}
	if len(text) == len(numbers) {
		text = append(text, "")
	}
	return text, numbers
}

// fold drops what does not tell paths apart.
func fold(path string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c == ' ', c == '_', c == '[', c == ']', c == '\t':
			return -1
		}
		return c
	}, path)
}

// shorten keeps a foreign text presentable in a message.
func shorten(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
