package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

func init() { sql.Register("sqlite3", &sqlite3.SQLiteDriver{}) }

// open returns one connection to the database file of that name.
func open(t *testing.T, name string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("sqlite3", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func exec(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func one(t *testing.T, conn *sql.Conn, text string) string {
	t.Helper()
	var out any
	if err := conn.QueryRowContext(t.Context(), text).Scan(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if b, ok := out.([]byte); ok {
		out = string(b)
	}
	return fmt.Sprint(out)
}

// raw runs f on the connection below database/sql.
func raw(t *testing.T, conn *sql.Conn, f func(*sqlite3.SQLiteConn) error) {
	t.Helper()
	if err := conn.Raw(func(c any) error { return f(c.(*sqlite3.SQLiteConn)) }); err != nil {
		t.Fatal(err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	text, number, source := sqlite3.Version()
	if !strings.HasPrefix(text, "3.") || number < 3_050_000 || source == "" {
		t.Errorf("%q %d %q", text, number, source)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                     "0 delete 2 0 5000",
		"?_fk=true&_sync=0":    "1 delete 0 0 5000",
		"?_foreign_keys=on":    "1 delete 2 0 5000",
		"?_journal=WAL":        "0 wal 2 0 5000",
		"?_query_only=1":       "0 delete 2 1 5000",
		"?_busy_timeout=70":    "0 delete 2 0 70",
		"?_fk=false&_sync=OFF": "0 delete 0 0 5000",
	} {
		conn := open(t, "file:"+filepath.Join(t.TempDir(), "t.db")+query)
		var got []string
		for _, pragma := range []string{"foreign_keys", "journal_mode", "synchronous", "query_only", "busy_timeout"} {
			got = append(got, one(t, conn, "PRAGMA "+pragma))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
}

func TestReadOnlyName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	exec(t, open(t, path), "CREATE TABLE t(a)")
	_, err := open(t, "file:"+path+"?mode=ro").ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	if err == nil || err.Error() != "attempt to write a readonly database" {
		t.Errorf("got %v", err)
	}
}

// The texts that rqlite passes on are those of the model package.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	conn := open(t, "file::memory:?_fk=1")
	exec(t, conn, "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c CONSTRAINT small CHECK (c < 9)); CREATE TABLE u(a REFERENCES t)")
	exec(t, conn, "INSERT INTO t VALUES (1, 'x', 1)")
	for text, want := range map[string]string{
		"INSERT INTO t VALUES (2, 'x', 1)": "UNIQUE constraint failed: t.b",
		"INSERT INTO t VALUES (2, 'y', 9)": "CHECK constraint failed: small",
		"INSERT INTO u VALUES (7)":         "FOREIGN KEY constraint failed",
		"INSERT INTO v VALUES (7)":         "no such table: v",
		"SELEC 1":                          `near "SELEC": syntax error`,
	} {
		_, err := conn.ExecContext(t.Context(), text)
		var e *sqlite3.Error
		if err == nil || err.Error() != want || !errors.As(err, &e) || e.Code == 0 {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestStatements(t *testing.T) {
	t.Parallel()
	conn := open(t, ":memory:")
	exec(t, conn, "CREATE TABLE t(a)")
	raw(t, conn, func(c *sqlite3.SQLiteConn) error {
		for text, want := range map[string]bool{
			"SELECT * FROM t": true, "PRAGMA table_info(t)": true, "EXPLAIN SELECT 1": true,
			"-- nothing": true, "INSERT INTO t VALUES (1)": false, "DROP TABLE t": false,
			"WITH x AS (SELECT 1) DELETE FROM t": false,
		} {
			s, err := c.Prepare(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got := s.(*sqlite3.SQLiteStmt).Readonly(); got != want {
				t.Errorf("%s: read-only %t, want %t", text, got, want)
			}
			s.Close()
		}
		if _, err := c.Prepare("SELECT * FROM absent"); err == nil || err.Error() != "no such table: absent" {
			t.Errorf("preparing nonsense: %v", err)
		}
		return nil
	})
	for _, text := range []string{"", "  ", "-- nothing", ";"} {
		r, err := conn.ExecContext(t.Context(), text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if n, err := r.RowsAffected(); n != 0 || err != nil {
			t.Errorf("%q: %d rows, %v", text, n, err)
		}
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	conn := open(t, ":memory:")
	auto := func() (on bool) {
		raw(t, conn, func(c *sqlite3.SQLiteConn) error { on = c.AutoCommit(); return nil })
		return on
	}
	if !auto() {
		t.Error("a new connection is in a transaction")
	}
	exec(t, conn, "BEGIN")
	if auto() {
		t.Error("BEGIN opened no transaction")
	}
	exec(t, conn, "ROLLBACK")
}

func TestWALStaysOnClose(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "t.db")
		conn := open(t, "file:"+path+"?_journal=WAL")
		if keep {
			raw(t, conn, (*sqlite3.SQLiteConn).DBConfigNoCkptOnClose)
		}
		exec(t, conn, "CREATE TABLE t(a)")
		raw(t, conn, func(c *sqlite3.SQLiteConn) error { return c.Close() })
		_, err := os.Stat(path + "-wal")
		if got := err == nil; got != keep {
			t.Errorf("the WAL is there after closing: %t, want %t", got, keep)
		}
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	conn := open(t, ":memory:")
	exec(t, conn, "CREATE TABLE t(a)")
	var seen []string
	commits, refuse := 0, 0
	raw(t, conn, func(c *sqlite3.SQLiteConn) error {
		c.RegisterPreUpdateHook(func(d sqlite3.SQLitePreUpdateData) {
			seen = append(seen, fmt.Sprint(d.Op, d.TableName, d.OldRowID, d.NewRowID))
		})
		c.RegisterCommitHook(func() int { commits++; return refuse })
		return nil
	})
	exec(t, conn, "INSERT INTO t VALUES (1)")
	exec(t, conn, "UPDATE t SET a = 2")
	exec(t, conn, "DELETE FROM t")
	want := []string{
		fmt.Sprint(sqlite3.SQLITE_INSERT, "t", 1, 1), fmt.Sprint(sqlite3.SQLITE_UPDATE, "t", 1, 1),
		fmt.Sprint(sqlite3.SQLITE_DELETE, "t", 1, 1),
	}
	if len(seen) != 3 || seen[1] != want[1] || commits != 3 {
		t.Errorf("seen %v (%d commits), want %v", seen, commits, want)
	}
	refuse = 1
	if _, err := conn.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("a refused commit went through")
	}
	var rows []string
	raw(t, conn, func(c *sqlite3.SQLiteConn) error {
		c.RegisterCommitHook(nil)
		c.RegisterPreUpdateHook(nil)
		c.RegisterUpdateHook(func(op int, db, table string, rowid int64) {
			rows = append(rows, fmt.Sprint(op, db, table, rowid))
		})
		return nil
	})
	exec(t, conn, "INSERT INTO t VALUES (1)")
	raw(t, conn, func(c *sqlite3.SQLiteConn) error { c.RegisterUpdateHook(nil); return nil })
	exec(t, conn, "INSERT INTO t VALUES (1)")
	if len(rows) != 1 || rows[0] != fmt.Sprint(sqlite3.SQLITE_INSERT, "main", "t", 1) {
		t.Errorf("update hook saw %v", rows)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	from, to := open(t, ":memory:"), open(t, filepath.Join(t.TempDir(), "copy.db"))
	exec(t, from, "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT printf('%100d', i) FROM n")
	raw(t, to, func(c *sqlite3.SQLiteConn) error {
		return from.Raw(func(source any) error {
			b, err := c.Backup("main", source.(*sqlite3.SQLiteConn), "main")
			if err != nil {
				return err
			}
			done, err := b.Step(3)
			if done || err != nil || b.Remaining() == 0 || b.PageCount() <= b.Remaining() {
				t.Errorf("after three pages: %t %v, %d of %d to go", done, err, b.Remaining(), b.PageCount())
			}
			if done, err = b.Step(-1); !done || err != nil {
				t.Errorf("all: %t %v", done, err)
			}
			return errors.Join(b.Finish(), b.Finish())
		})
	})
	if got := one(t, to, "SELECT count(*) FROM t"); got != "5000" {
		t.Errorf("the copy has %s rows", got)
	}
	raw(t, to, func(c *sqlite3.SQLiteConn) error {
		return from.Raw(func(source any) error {
			if _, err := c.Backup("nowhere", source.(*sqlite3.SQLiteConn), "main"); err == nil {
				t.Error("a backup to a database that is not there began")
			}
			return nil
		})
	})
}

func TestSerialize(t *testing.T) {
	t.Parallel()
	conn := open(t, ":memory:")
	exec(t, conn, "CREATE TABLE t(a)")
	raw(t, conn, func(c *sqlite3.SQLiteConn) error {
		b, err := c.Serialize("main")
		if err == nil && !strings.HasPrefix(string(b), "SQLite format 3\x00") {
			t.Errorf("%d bytes that are no database", len(b))
		}
		return err
	})
}

func TestExtensionsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := (&sqlite3.SQLiteDriver{Extensions: []string{"x"}}).Open(":memory:"); err == nil {
		t.Error("a driver with an extension opened")
	}
	raw(t, open(t, ":memory:"), func(c *sqlite3.SQLiteConn) error {
		if err := c.LoadExtension("x", ""); err == nil {
			t.Error("an extension was loaded")
		}
		return nil
	})
}

func TestConnectHook(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	called := false
	d := &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("SELECT ?", []driver.Value{int64(1)})
		called = true
		return errors.Join(err, refused)
	}}
	if _, err := d.Open(":memory:"); !errors.Is(err, refused) || !called {
		t.Errorf("got %v", err)
	}
}

// Both drivers are one library: each sees the other's locks on a file.
func TestOneLibrary(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	mine := open(t, "file:"+path+"?_busy_timeout=10")
	exec(t, mine, "CREATE TABLE t(a)")
	exec(t, mine, "BEGIN IMMEDIATE")
	other, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(context.Background(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("two writers at once")
	}
	exec(t, mine, "COMMIT")
	if _, err := other.ExecContext(context.Background(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Error(err)
	}
}
