package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"hexad/engine"
)

// Limits of SQL diagnostics. Source: reference/console.md 2.4, faults.md 4.4.
const (
	DiagnoseRows       = 1000
	DiagnoseMaxRows    = 100_000 // for streams to a file
	DiagnoseTimeout    = time.Second
	DiagnoseMaxTimeout = 10 * time.Second
	diagnoseSQLLength  = 64 << 10
	diagnoseValue      = 1 << 20   // bytes of one value or row
	diagnoseResult     = 8 << 20   // bytes of a whole result
	diagnoseMemory     = 256 << 20 // growth of the process while a statement runs
	diagnoseParallel   = 2
)

// DiagnoseRequest is one question of an administrator about a database file.
//
// SQL is one SELECT, WITH, VALUES or EXPLAIN, or one of the schema PRAGMAs.
// MaxRows and Timeout are DiagnoseRows and DiagnoseTimeout when 0, and at most
// DiagnoseMaxRows and DiagnoseMaxTimeout.
type DiagnoseRequest struct {
	Path    string
	SQL     string
	MaxRows int
	Timeout time.Duration
}

// DiagnoseResult is the answer. A value is nil, int64, float64 or string; a blob
// is written as SQL has it, x'0aff'. Truncated tells that there were more rows.
type DiagnoseResult struct {
	Columns   []string      `json:"columns"`
	Rows      [][]any       `json:"rows"`
	Truncated bool          `json:"truncated"`
	Elapsed   time.Duration `json:"elapsed_ns"`
}

// View is one of the views that diagnostics may read.
type View struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Diagnostics answers SQL questions about database files while they are in use,
// without ever writing: see admit for the layers. Safe for concurrent use.
type Diagnostics struct {
	driver *sqlite.Driver
	slots  chan struct{}
}

// NewDiagnostics makes one; it needs no closing.
func NewDiagnostics() *Diagnostics {
	d := &Diagnostics{driver: &sqlite.Driver{}, slots: make(chan struct{}, diagnoseParallel)}
	boundFunctions(d.driver)
	return d
}

// Views lists the views of a database file with their columns, by name.
//
// Errors: Unavailable.
func (d *Diagnostics) Views(ctx context.Context, path string) ([]View, error) {
	s, err := d.open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := make([]View, 0, len(s.views))
	for _, name := range s.views {
		columns, err := s.learn(name)
		if err != nil {
			return nil, sqliteError("read the view "+name, err)
		}
		out = append(out, View{name, columns})
	}
	return out, nil
}

// Query runs one statement on a connection of its own, opened for it and closed
// after it: the file may have been replaced since the last one.
//
// Errors: Invalid (the statement, with a text that helps), Exhausted (time,
// memory, size), Unavailable (the file cannot be read, too many at once).
func (d *Diagnostics) Query(ctx context.Context, r DiagnoseRequest) (DiagnoseResult, error) {
	if err := r.normalise(); err != nil {
		return DiagnoseResult{}, err
	}
	began := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, r.Timeout, errTime)
	defer cancel()
	watched, stop := watchMemory(limited, diagnoseMemory)
	defer stop()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-watched.Done():
		return DiagnoseResult{}, engine.Errorf(engine.Unavailable, "%d other diagnostic statements are running", diagnoseParallel).With("", "try again")
	}
	result, err := d.answer(watched, r)
	if err != nil {
		return DiagnoseResult{}, explain(watched, r, err)
	}
	result.Elapsed = time.Since(began)
	return result, nil
}

var (
	errTime   = errors.New("out of time")
	errMemory = errors.New("out of memory")
)

func (r *DiagnoseRequest) normalise() error {
	if r.MaxRows <= 0 {
		r.MaxRows = DiagnoseRows
	}
	if r.Timeout <= 0 {
		r.Timeout = DiagnoseTimeout
	}
	r.MaxRows, r.Timeout = min(r.MaxRows, DiagnoseMaxRows), min(r.Timeout, DiagnoseMaxTimeout)
	text, err := oneStatement(r.SQL)
	r.SQL = text
	return err
}

func (d *Diagnostics) answer(ctx context.Context, r DiagnoseRequest) (DiagnoseResult, error) {
	s, err := d.open(ctx, r.Path)
	if err != nil {
		return DiagnoseResult{}, err
	}
	defer s.Close()
	if err := d.admit(ctx, s, r.SQL); err != nil {
		return DiagnoseResult{}, err
	}
	return s.run(ctx, r)
}

// session is one connection to the file in question, with what is known of its views.
type session struct {
	db    *dbsql.DB
	conn  *dbsql.Conn
	views []string // names of all views, sorted
	guard *guard
}

func (s *session) Close() { s.conn.Close(); s.db.Close() }

// open connects read-only. mode=ro alone is not enough (ATTACH and VACUUM INTO
// write other files); the guard and the limits close that.
func (d *Diagnostics) open(ctx context.Context, path string) (*session, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, &engine.Error{Code: engine.Unavailable, Message: "the database is not there", Err: err}
	}
	s, err := d.connect(ctx, fileURI(path)+"?mode=ro&_query_only=1&_defensive=1&_dqs=0&_busy_timeout=1000&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, sqliteError("open the database for diagnostics", err)
	}
	name := func(r scanner) (v string, err error) { return v, r.Scan(&v) }
	s.views, err = collect(ctx, s.conn, "read the schema", name, `SELECT lower(name) FROM sqlite_schema WHERE type = 'view' AND name LIKE 'diag\_%' ESCAPE '\' ORDER BY 1`)
	if err == nil {
		err = s.restrict()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect opens one connection of the driver that serves diagnostics only: what
// is set on it reaches neither local.db's own connections nor rqlite's.
func (d *Diagnostics) connect(ctx context.Context, dsn string) (*session, error) {
	s := &session{db: dbsql.OpenDB(connector{d.driver, dsn}), guard: newGuard()}
	s.db.SetMaxOpenConns(1)
	var err error
	if s.conn, err = s.db.Conn(ctx); err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

// limits bound what one statement can ask of SQLite.
var limits = map[int]int{
	lib.SQLITE_LIMIT_LENGTH:              diagnoseValue,
	lib.SQLITE_LIMIT_SQL_LENGTH:          diagnoseSQLLength,
	lib.SQLITE_LIMIT_COLUMN:              500,
	lib.SQLITE_LIMIT_EXPR_DEPTH:          100,
	lib.SQLITE_LIMIT_COMPOUND_SELECT:     16,
	lib.SQLITE_LIMIT_VDBE_OP:             100_000,
	lib.SQLITE_LIMIT_FUNCTION_ARG:        32,
	lib.SQLITE_LIMIT_ATTACHED:            0,
	lib.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
	lib.SQLITE_LIMIT_VARIABLE_NUMBER:     0,
	lib.SQLITE_LIMIT_TRIGGER_DEPTH:       1,
	lib.SQLITE_LIMIT_WORKER_THREADS:      0,
}

// restrict sets the limits and installs the guard, in that order of need: from
// here on every statement of this connection passes both.
func (s *session) restrict() error {
	for id, value := range limits {
		if _, err := sqlite.Limit(s.conn, id, value); err != nil {
			return sqliteError("limit the diagnostics", err)
		}
	}
	return s.conn.Raw(func(c any) error { return c.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(s.guard.judge) })
}

// columns prepares a statement without running it.
func (s *session) columns(query string) ([]string, error) {
	var names []string
	err := s.conn.Raw(func(c any) error {
		info, err := c.(interface {
			ColumnInfo(string) ([]sqlite.ColumnInfo, error)
		}).ColumnInfo(query)
		for _, i := range info {
			names = append(names, i.Name)
		}
		return err
	})
	return names, err
}

// learn prepares a whole view, lets the guard note what it reads, and returns
// its columns.
func (s *session) learn(view string) ([]string, error) {
	s.guard.learning = true
	defer func() { s.guard.learning = false }()
	return s.columns("SELECT * FROM " + view)
}

// admit decides whether a statement may run on s.
//
// SQLite tells the authoriser the name of the view that a read comes from, but a
// WITH of the user's own can bear the name of a view and read any table under
// it. So the statement is first prepared on an empty database that has the views
// it mentions, with their columns, and nothing else: there, no table that a
// statement could reach exists. Only then is it run, and there each read must be
// one that the view itself was seen to make.
func (d *Diagnostics) admit(ctx context.Context, s *session, query string) error {
	stage, err := d.connect(ctx, ":memory:")
	if err != nil {
		return sqliteError("prepare the diagnostics", err)
	}
	defer stage.Close()
	mentioned := strings.ToLower(query)
	for _, view := range s.views {
		if !strings.Contains(mentioned, view) {
			continue
		}
		columns, err := s.learn(view)
		if err != nil {
			return sqliteError("read the view "+view, err)
		}
		for i, c := range columns {
			columns[i] = `NULL AS "` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		if _, err := stage.conn.ExecContext(ctx, "CREATE VIEW "+view+" AS SELECT "+strings.Join(columns, ", ")); err != nil {
			return sqliteError("prepare the diagnostics", err)
		}
		stage.guard.views[view], s.guard.views[view] = true, true
	}
	if err := stage.restrict(); err != nil {
		return err
	}
	if _, err := stage.columns(query); err != nil {
		return refusal(err, stage.guard.refused, s.views)
	}
	return nil
}

// run executes an admitted statement and reads as much as the request allows.
func (s *session) run(ctx context.Context, r DiagnoseRequest) (DiagnoseResult, error) {
	result := DiagnoseResult{Rows: [][]any{}}
	rows, err := s.conn.QueryContext(ctx, r.SQL)
	if err != nil {
		return result, refusal(err, s.guard.refused, s.views)
	}
	defer rows.Close()
	if result.Columns, err = rows.Columns(); err != nil {
		return result, refusal(err, s.guard.refused, s.views)
	}
	for size := 0; rows.Next(); {
		row := make([]any, len(result.Columns))
		pointers := make([]any, len(row))
		for i := range row {
			pointers[i] = &row[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return result, refusal(err, s.guard.refused, s.views)
		}
		for i := range row {
			var bytes int
			row[i], bytes = plainValue(row[i])
			size += bytes
		}
		if len(result.Rows) == r.MaxRows || size > diagnoseResult {
			result.Truncated = true
			return result, nil
		}
		result.Rows = append(result.Rows, row)
	}
	if err := rows.Err(); err != nil {
		return result, refusal(err, s.guard.refused, s.views)
	}
	return result, nil
}

// plainValue is a value as every face can show it, and what it weighs.
func plainValue(v any) (any, int) {
	switch v := v.(type) {
	case []byte:
		text := "x'" + hex.EncodeToString(v) + "'"
		return text, len(text) + 16
	case string:
		if !utf8.ValidString(v) {
			v = strings.ToValidUTF8(v, "\ufffd")
		}
		return v, len(v) + 16
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), 48
	}
	return v, 16
}

// explain gives the end of a statement that ran out of something its reason.
func explain(ctx context.Context, r DiagnoseRequest, err error) error {
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil:
		return err
	case errors.Is(cause, errTime):
		e := engine.Errorf(engine.Exhausted, "the statement was ended after %s", r.Timeout)
		return e.With("", fmt.Sprintf("ask for less, or for more time (at most %s)", DiagnoseMaxTimeout))
	case errors.Is(cause, errMemory):
		e := engine.Errorf(engine.Exhausted, "the statement was ended: it needed more than %d MiB", diagnoseMemory>>20)
		return e.With("", "ask for fewer or smaller values")
	}
	return &engine.Error{Code: engine.Unavailable, Message: "the statement was ended", Err: err}
}

// refusal makes SQLite's error helpful: it names what was refused, and the views
// when one is not known.
func refusal(err error, refused string, views []string) error {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return err
	}
	text := strings.TrimSuffix(failed.Error(), fmt.Sprintf(" (%d)", failed.Code()))
	text = strings.TrimPrefix(text, "SQL logic error: ")
	switch code := failed.Code() & 0xff; {
	case code == lib.SQLITE_AUTH, strings.Contains(text, "not authorized"):
		if refused == "" {
			refused = "that"
		}
		return engine.Errorf(engine.Invalid, "%s is not permitted in diagnostics", refused).
			With("sql", "one SELECT, WITH, VALUES or EXPLAIN over the views diag_… and sqlite_schema")
	case code == lib.SQLITE_TOOBIG, code == lib.SQLITE_NOMEM:
		return engine.Errorf(engine.Exhausted, "a value or the statement is too large").
			With("sql", fmt.Sprintf("values have at most %d bytes, statements %d", diagnoseValue, diagnoseSQLLength))
	case code == lib.SQLITE_READONLY:
		return engine.Errorf(engine.Invalid, "diagnostics only read")
	case code != lib.SQLITE_ERROR && code != lib.SQLITE_RANGE && code != lib.SQLITE_MISMATCH && code != lib.SQLITE_CONSTRAINT:
		return sqliteError("diagnostics", err)
	}
	if name, unknown := strings.CutPrefix(text, "no such table: "); unknown {
		return engine.Errorf(engine.Invalid, "unknown view %s", name).With("sql", "try "+suggestion(name, views))
	}
	return engine.Errorf(engine.Invalid, "%s", text).With("sql", "")
}

// suggestion lists the views, those that share a word with name first.
func suggestion(name string, views []string) string {
	if len(views) == 0 {
		return "sqlite_schema: this database has no views for diagnostics"
	}
	name = strings.TrimPrefix(strings.ToLower(name), "diag_")
	near, far := []string{}, []string{}
	for _, v := range views {
		if word := strings.TrimPrefix(v, "diag_"); name != "" && (strings.Contains(word, name) || strings.Contains(name, word)) {
			near = append(near, v)
		} else {
			far = append(far, v)
		}
	}
	return strings.Join(slices.Concat(near, far), ", ")
}
