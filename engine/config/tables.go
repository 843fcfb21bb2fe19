package config

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"hexad/engine"
)

//go:embed items/*.tsv tables/*.tsv
var tables embed.FS

// Area is one table of items, for help and documentation.
type Area struct {
	Name  string
	Title engine.Text
}

// readTable returns the rows of an embedded table below its heading, each with
// as many columns as the heading. "-" stands for an empty column.
func readTable(name string) ([][]string, error) {
	data, err := tables.ReadFile(name)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	width := len(strings.Split(lines[0], "\t"))
	var rows [][]string
	for n, line := range lines[1:] {
		row := strings.Split(line, "\t")
		if len(row) != width {
			return nil, fmt.Errorf("%s:%d: %d columns, not %d", name, n+2, len(row), width)
		}
		for c := range row {
			if row[c] == "-" {
				row[c] = ""
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// readTexts reads a table of three columns: key, English, Japanese.
func readTexts(name string) (map[string]engine.Text, [][]string, error) {
	rows, err := readTable(name)
	if err != nil {
		return nil, nil, err
	}
	texts := map[string]engine.Text{}
	for _, row := range rows {
		texts[row[0]] = engine.Text{EN: row[1], JA: row[2]}
	}
	return texts, rows, nil
}

// parseItem makes an item of one row: path, space, default, scope, effect,
// later, help_en, help_ja. The help is left empty when the row has none.
func parseItem(area string, row []string, later map[string]engine.Text) (*Item, error) {
	i := &Item{Path: row[0], Area: area, Scope: Scope(row[3]), Help: engine.Text{EN: row[6], JA: row[7]}}
	var err error
	if i.Space, err = ParseSpace(row[1]); err != nil {
		return nil, err
	}
	i.Secret = i.Space.Kind == Password
	if row[2] != "" {
		if i.Default, err = i.Space.Canonical(row[2]); err != nil {
			return nil, fmt.Errorf("default: %w", err)
		}
	}
	switch i.Scope {
	case Replicated, PeerSpecific, Clustering:
	default:
		return nil, fmt.Errorf("scope %q", row[3])
	}
	if alarm, restart := strings.CutPrefix(row[4], "restart "); restart {
		i.Effect.Restart = true
		if i.Effect.Alarm, err = strconv.Atoi(alarm); err != nil {
			return nil, err
		}
	} else if row[4] != "now" {
		return nil, fmt.Errorf("effect %q", row[4])
	}
	if row[5] != "" {
		reason, ok := later[row[5]]
		if !ok {
			return nil, fmt.Errorf("no reason %q in tables/later.tsv", row[5])
		}
		i.Later = reason
	}
	return i, i.split()
}
