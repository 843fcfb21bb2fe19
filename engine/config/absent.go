package config

import (
	"strings"

	"hexad/engine"
)

// absence is a family of items that hexad does not have, and why.
type absence struct {
	key    string // folded prefix
	reason engine.Text
}

func loadAbsent() ([]absence, error) {
	_, rows, err := readTexts("tables/absent.tsv")
	var out []absence
	for _, row := range rows {
		out = append(out, absence{key: fold(row[0]), reason: engine.Text{EN: row[1], JA: row[2]}})
	}
	return out, err
}

// Absent tells why hexad does not have an item that the reference has.
func (r *Registry) Absent(path string) (engine.Text, bool) {
	key := fold(path)
	for _, a := range r.absent {
		if strings.HasPrefix(key, a.key) {
			return a.reason, true
		}
	}
	return engine.Text{}, false
}
