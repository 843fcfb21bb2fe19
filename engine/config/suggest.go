package config

import (
	"cmp"
	"slices"
	"strings"
)

// suggestions is how many near items an unknown path is answered with.
const suggestions = 3

// Suggest returns the items nearest to a path that was not found, with the
// numbers of the path filled in where they fit. It costs a few milliseconds.
func (r *Registry) Suggest(path string) []string {
	if len(path) > maxPath {
		return nil
	}
	_, numbers := pieces(fold(path))
	want := foldNumbers(fold(path))
	type near struct {
		item     *Item
		distance int
	}
	var found []near
	limit := max(2, len(want)/3)
	for _, i := range r.items {
		key := foldNumbers(fold(slotForm.ReplaceAllString(i.Path, "1")))
		d := distance(want, key, limit)
		if len(want) > 3 && strings.HasSuffix(key, want) {
			d = 1 // the first words were left out
		}
		if d <= limit {
			found = append(found, near{i, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, f := range found[:min(len(found), suggestions)] {
		out = append(out, fill(f.item, numbers))
	}
	return out
}

// foldNumbers puts one '#' for every number, so that indices cost nothing.
func foldNumbers(s string) string {
	text, _ := pieces(s)
	return strings.Join(text, "#")
}

// fill writes an item's path with the numbers of the path asked for.
func fill(i *Item, numbers []string) string {
	if len(i.Lists) == 0 {
		return i.Path
	}
	_, own := pieces(fold(slotForm.ReplaceAllString(i.Path, "0")))
	if len(own) != len(numbers) {
		return i.Path
	}
	slot := 0
	return slotForm.ReplaceAllStringFunc(i.Path, func(pattern string) string {
		for slot < len(own) && own[slot] != "0" {
			slot++
		}
		slot++
		if slot > len(numbers) {
			return pattern
		}
		return numbers[slot-1]
	})
}

// distance is the number of single characters to insert, delete or replace to
// make a into b, or limit+1 when it is more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}
