package command

import (
	"slices"
	"strings"

	"hexad/engine"
)

// unknown says that there is no such thing, and what was probably meant.
func unknown(what, word string, names []string, otherwise string) *engine.Error {
	err := engine.Errorf(engine.Invalid, "there is no %s %q", what, word)
	if near := nearest(word, names); near != "" {
		return err.With(usageItem, "did you mean "+near+"?")
	}
	return err.With(usageItem, otherwise)
}

// nearest is the name that word was probably meant to be, "" for none: the
// only one that it begins, or the one with the fewest letters different.
func nearest(word string, names []string) string {
	word = fold(word)
	best, distance := "", len(word)/3+1
	var begun []string
	for _, name := range names {
		if word != "" && strings.HasPrefix(fold(name), word) {
			begun = append(begun, name)
		}
		if d := edits(word, fold(name)); d < distance {
			best, distance = name, d
		}
	}
	if best == "" && len(begun) > 0 {
		return slices.Min(begun)
	}
	return best
}

// fold makes names comparable: lower case, without spaces.
func fold(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), ""))
}

// edits counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b.
func edits(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
