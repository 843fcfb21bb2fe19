package sqlite3

import (
	"context"
	"database/sql/driver"
	"strings"
)

// Statements that were prepared once are kept with their connection. rqlite
// hands every statement over as text, twice for a query since it asks first
// whether it writes; preparing it is dearer than carrying it out, the more so in
// SQLite translated to Go. SQLite prepares a kept statement anew by itself when
// the schema has changed.
const (
	keptMost = 64
	keptSize = 8 << 10 // of one text; longer ones are made for one occasion
)

// statement is a prepared one and what it is known of it.
type statement struct {
	driver.Stmt
	text     string
	readonly bool
	busy     bool // in use: its rows are being read
	used     uint64
}

// keepable reports whether a statement does nothing but read and write rows:
// what opens, closes or configures something is prepared each time.
func keepable(query string) bool {
	if len(query) > keptSize {
		return false
	}
	verb, _, _ := strings.Cut(query, " ")
	switch strings.ToUpper(verb) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false
}

// take returns the statement for query to its only user until give; nil when it
// is not one to be kept, or is in use.
func (c *SQLiteConn) take(query string) (*statement, error) {
	s := c.kept[query]
	switch {
	case s != nil && s.busy:
		return nil, nil
	case s == nil && !keepable(query):
		return nil, nil
	case s == nil:
		readonly, err := c.readonly(query)
		if err != nil {
			return nil, err
		}
		prepared, err := c.inner.Prepare(query)
		if err != nil {
			return nil, convert(err)
		}
		s = &statement{Stmt: prepared, text: query, readonly: readonly}
		c.keep(s)
	}
	c.uses++
	s.used, s.busy = c.uses, true
	return s, nil
}

// keep makes room for s by dropping the one that was not used for longest.
func (c *SQLiteConn) keep(s *statement) {
	if c.kept == nil {
		c.kept = map[string]*statement{}
	}
	if len(c.kept) >= keptMost {
		var oldest *statement
		for _, k := range c.kept {
			if !k.busy && (oldest == nil || k.used < oldest.used) {
				oldest = k
			}
		}
		if oldest != nil {
			delete(c.kept, oldest.text)
			oldest.Stmt.Close()
		}
	}
	c.kept[s.text] = s
}

// Close finalizes what was kept and closes the connection.
func (c *SQLiteConn) Close() error {
	for text, s := range c.kept {
		delete(c.kept, text)
		s.Stmt.Close()
	}
	return c.inner.Close()
}

// exec and query carry s out.
func (s *statement) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	defer func() { s.busy = false }()
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *statement) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		s.busy = false
		return nil, err
	}
	return &keptRows{typedRows: r.(typedRows), s: s}, nil
}

// typedRows is what modernc's rows are known to be.
type typedRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// keptRows give their statement back when they are closed.
type keptRows struct {
	typedRows
	s *statement
}

func (r *keptRows) Close() error {
	if r.s == nil {
		return nil
	}
	err := r.typedRows.Close()
	r.s.busy, r.s = false, nil
	return err
}

// lent is a kept statement handed out as a prepared one.
type lent struct{ *statement }

func (l lent) Close() error {
	l.busy = false
	return nil
}
