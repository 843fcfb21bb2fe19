package sqlstore

import (
	"strings"
	"time"
)

// selection builds the WHERE of a filtered list. Column names come from this
// package only, values are always bound.
type selection struct {
	terms []string
	args  []any
}

func (q *selection) where(term string, args ...any) {
	q.terms, q.args = append(q.terms, term), append(q.args, args...)
}

func (q *selection) equal(column, value string) {
	if value != "" {
		q.where(column+" = ?", value)
	}
}

// between chooses since <= column < until.
func (q *selection) between(column string, since, until time.Time) {
	if !since.IsZero() {
		q.where(column+" >= ?", millis(since))
	}
	if !until.IsZero() {
		q.where(column+" < ?", millis(until))
	}
}

func (q *selection) before(column string, id int64) {
	if id > 0 {
		q.where(column+" < ?", id)
	}
}

// contains chooses rows in which one of columns holds text, ignoring ASCII case.
func (q *selection) contains(text string, columns ...string) {
	if text == "" {
		return
	}
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	var any []string
	for _, c := range columns {
		any = append(any, c+` LIKE ? ESCAPE '\'`)
		q.args = append(q.args, pattern)
	}
	q.terms = append(q.terms, "("+strings.Join(any, " OR ")+")")
}

// sql completes query; rows come by order descending, 1,000 of them when limit is 0.
func (q *selection) sql(query, order string, limit int) (string, []any) {
	if limit <= 0 {
		limit = 1000
	}
	if len(q.terms) > 0 {
		query += " WHERE " + strings.Join(q.terms, " AND ")
	}
	return query + " ORDER BY " + order + " DESC LIMIT ?", append(q.args, limit)
}
