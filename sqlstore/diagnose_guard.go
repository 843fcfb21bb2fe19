package sqlstore

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// connector opens connections of one driver instance.
type connector struct {
	driver *sqlite.Driver
	dsn    string
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.driver.Open(c.dsn)
}

func (c connector) Driver() driver.Driver { return c.driver }

// guard is the authoriser of one connection: what is not permitted here is
// refused while the statement is prepared, before it could do anything.
type guard struct {
	views    map[string]bool // that the statement may read
	reads    map[read]bool   // that those views were seen to make
	learning bool
	refused  string // what was refused last, for people
}

// read is a column read in the context of a view, or of a WITH inside of one.
type read struct{ table, column, context string }

func newGuard() *guard { return &guard{views: map[string]bool{}, reads: map[read]bool{}} }

// openTables can be read by every statement: the schema, JSON, and the schema
// pragmas as functions.
var openTables = words(`sqlite_schema sqlite_master json_each json_tree
	pragma_table_info pragma_table_xinfo pragma_index_list pragma_index_info pragma_foreign_key_list pragma_table_list`)

// openPragmas tell of the schema and change nothing.
var openPragmas = words(`table_info table_xinfo index_list index_info foreign_key_list table_list`)

// openFunctions compute from their arguments, in time and space bound by the
// limits and by boundFunctions. Left out: everything that reads files, memory or
// the state of the connection, and makers of large values.
var openFunctions = words(`
	abs avg bm25 ceil ceiling char coalesce concat concat_ws count cume_dist current_date current_time current_timestamp
	date datetime degrees dense_rank exp first_value floor format glob group_concat hex if ifnull iif instr
	json json_array json_array_length json_error_position json_extract json_group_array json_group_object json_insert
	json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid -> ->>
	julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max min mod nth_value ntile
	nullif octet_length percent_rank pi pow power printf quote radians random rank replace round row_number rtrim sign
	sqlite_version sqrt strftime string_agg substr substring sum time timediff total trim trunc typeof unhex unicode
	unixepoch unlikely upper`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		out[w] = true
	}
	return out
}

// judge is called by SQLite for every operation of a statement being prepared.
func (g *guard) judge(action sqlite.AuthorizerActionCode, a, b, database, from string) sqlite.AuthorizerReturnCode {
	lower := strings.ToLower
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		if openFunctions[lower(b)] || g.learning {
			return sqlite.AuthorizerOK
		}
		g.refused = "the function " + b
	case sqlite.AuthPragma:
		if openPragmas[lower(a)] {
			return sqlite.AuthorizerOK
		}
		g.refused = "PRAGMA " + a
	case sqlite.AuthRead:
		if g.mayRead(read{lower(a), lower(b), lower(from)}, database) {
			return sqlite.AuthorizerOK
		}
		g.refused = "reading " + a
	default:
		g.refused = "writing, attaching or changing anything"
	}
	return sqlite.AuthorizerDeny
}

// mayRead decides on one read. A table without a column is one of which no column
// is used; without a database too, it is a WITH or a subquery of the statement
// itself. SQLite merges a view into the statement where it can and names no
// context then.
func (g *guard) mayRead(r read, database string) bool {
	if g.learning {
		g.reads[r] = true
		g.reads[read{table: r.table}] = true
		return true
	}
	switch {
	case g.views[r.table], openTables[r.table], g.reads[r]:
		return true
	case r.column == "" && g.reads[read{table: r.table}]:
		return true // of a view whose columns the statement does not use
	case r.column == "" && database == "":
		return !module(r.table)
	}
	return false
}

// module tells the names of virtual tables that exist without being created.
func module(table string) bool {
	switch table {
	case "dbstat", "fts5vocab", "bytecode", "tables_used", "completion", "generate_series":
		return true
	}
	return strings.HasPrefix(table, "pragma_") || strings.HasPrefix(table, "sqlite_")
}
