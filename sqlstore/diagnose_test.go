package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/migrations"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// diagnosed is a local.db with something in it and a secret in every place that has one.
func diagnosed(t testing.TB) *sqlstore.Local {
	t.Helper()
	l := sqlstoretest.Local(t)
	ctx := t.Context()
	id, err := l.Identity(ctx)
	id.Secret = []byte("canary-secret")
	_, err2 := l.SaveItems(ctx, []engine.Change{{Path: "SystemUnit Name", Value: "peer-one"}, {Path: "SNMP Password", Value: "canary-snmp"}}, engine.System, noon, "")
	for _, err := range []error{err, err2,
		l.PutIdentity(ctx, id, []engine.Member{{Node: "b", Address: "192.0.2.2"}}),
		l.PutAccount(ctx, sqlstore.Account{Name: "admin", Role: "administrator", Hash: "canary-hash"}),
		l.PutSession(ctx, hash("x"), sqlstore.Session{Account: "admin", Created: noon, Idle: noon.Add(time.Hour), Absolute: noon.Add(time.Hour)}),
		l.PutCredentials(ctx, sqlstore.Credentials{Certificate: []byte("cert"), PrivateKey: []byte("canary-key")}),
		l.PutPage(ctx, sqlstore.Page{Entered: engine.Clustering{Name: "c", Primary: 1, Peers: []string{"192.0.2.1", "192.0.2.2"}}}),
		l.AppendEvents(ctx, []engine.Event{{Time: noon, Kind: "alarm.raised", Detail: "100% sure"}, {Time: noon, Kind: "alarm.lowered"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	l := diagnosed(t)
	d := sqlstore.NewDiagnostics()
	cases := []struct {
		sql  string
		want [][]any
	}{
		{"SELECT path, value FROM diag_local_item ORDER BY path", [][]any{{"SNMP Password", "********"}, {"SystemUnit Name", "peer-one"}}},
		{"select PEER_INDEX, address, is_primary from Diag_Clustering_Peer where kind = 'entered' order by 1;", [][]any{{int64(1), "192.0.2.1", int64(1)}, {int64(2), "192.0.2.2", int64(0)}}},
		{"-- who\n;; SELECT name, role FROM \"diag_account\" /* all */ ; -- done;\n;", [][]any{{"admin", "administrator"}}},
		{"WITH a AS (SELECT name FROM diag_account), b AS (SELECT * FROM a) SELECT count(*), 1.5, NULL, x'0aff', ';' FROM b", [][]any{{int64(1), 1.5, nil, "x'0aff'", ";"}}},
		{"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT group_concat(i) FROM n", [][]any{{"1,2,3"}}},
		{"VALUES (1), (2)", [][]any{{int64(1)}, {int64(2)}}},
		{"SELECT count(*) FROM diag_event e JOIN diag_identity i WHERE e.detail LIKE '100\\%%' ESCAPE '\\'", [][]any{{int64(1)}}},
		{"SELECT kind, row_number() OVER (ORDER BY id) FROM diag_event ORDER BY id LIMIT 1", [][]any{{"alarm.raised", int64(1)}}},
		{"SELECT value FROM json_each('[5]')", [][]any{{int64(5)}}},
		{"SELECT '{\"a\":[1,2]}' ->> '$.a[1]'", [][]any{{int64(2)}}},
		{"SELECT instr('日本語x', 'x'), instr('ab', 'c'), replace('aXbX', 'X', '--'), trim('  a '), ltrim('xxa', 'x'), rtrim(1.0, '0'), instr(NULL, 'a')", [][]any{{int64(4), int64(0), "a--b--", "a", "a", "1.", nil}}},
		{"SELECT name FROM sqlite_schema WHERE type = 'view' AND name = 'diag_pin'", [][]any{{"diag_pin"}}},
		{"SELECT p.name FROM sqlite_schema s, pragma_table_info(s.name) p WHERE s.name = 'diag_restart_reason'", [][]any{{"reason"}, {"since_ms"}}},
		{"SELECT 1 WHERE false", [][]any{}},
	}
	for _, c := range cases {
		got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: c.sql})
		if err != nil || !reflect.DeepEqual(got.Rows, c.want) || got.Truncated || len(got.Columns) == 0 {
			t.Errorf("%s\ngot  %v, %v\nwant %v", c.sql, got, err, c.want)
		}
	}
	for _, sql := range []string{"PRAGMA table_info(diag_pin)", "PRAGMA table_list", "EXPLAIN SELECT * FROM diag_pin", "EXPLAIN QUERY PLAN SELECT * FROM diag_event WHERE kind = 'x'"} {
		if got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: sql}); err != nil || len(got.Rows) == 0 {
			t.Errorf("%s: %v, %v", sql, got, err)
		}
	}
	views, err := d.Views(t.Context(), l.Path())
	if err != nil || len(views) < 15 {
		t.Fatalf("views = %v, %v", views, err)
	}
	for _, v := range views {
		got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: "SELECT * FROM " + v.Name})
		if err != nil || !reflect.DeepEqual(got.Columns, v.Columns) {
			t.Errorf("%s: columns %v, %v, want %v", v.Name, got.Columns, err, v.Columns)
		}
		if text := fmt.Sprint(got.Rows); strings.Contains(text, "canary-") || strings.Contains(text, sqlstore.SealedPrefix) {
			t.Errorf("%s shows a secret: %s", v.Name, text)
		}
	}
}

// hostile statements: each must be refused, or answer without a secret, in
// bounded time, and none may write.
var hostile = []string{
	// writing
	"INSERT INTO event (at_ms) VALUES (1)", "UPDATE account SET role = 'administrator'", "DELETE FROM event", "REPLACE INTO pin VALUES (1)",
	"DROP TABLE event", "DROP VIEW diag_event", "CREATE TABLE x (y)", "CREATE TABLE x AS SELECT 1", "CREATE TEMP TABLE x (y)", "CREATE TEMP VIEW diag_x AS SELECT * FROM account",
	"CREATE VIRTUAL TABLE x USING fts5(y)", "CREATE VIRTUAL TABLE temp.x USING dbstat(main)", "CREATE INDEX i ON event (name)", "CREATE TRIGGER t AFTER INSERT ON event BEGIN SELECT 1; END",
	"ALTER TABLE event RENAME TO x", "REINDEX", "ANALYZE", "VACUUM", "VACUUM INTO 'copy.db'", "VACUUM main INTO 'copy.db'",
	"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x",
	"WITH x AS (SELECT 1) INSERT INTO event (at_ms) SELECT * FROM x", "WITH x AS (SELECT 1) DELETE FROM event", "EXPLAIN DELETE FROM event", "EXPLAIN VACUUM INTO 'copy.db'",
	"WITH x AS (SELECT 1) UPDATE account SET hash = '' RETURNING *",
	// other files
	"ATTACH 'new.db' AS x", "ATTACH DATABASE ':memory:' AS x", "DETACH main", "EXPLAIN ATTACH 'new.db' AS x", "SELECT load_extension('x')", "SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT edit('x')",
	// second statements
	"SELECT 1; DELETE FROM event", "SELECT 1; SELECT 2", "SELECT 1;;ATTACH 'new.db' AS x", "SELECT 1 /* ; */; VACUUM INTO 'copy.db'", "SELECT ';'; DROP TABLE event", "SELECT \";\"; DROP TABLE event",
	"SELECT [;]; DROP TABLE event", "SELECT `;`; DROP TABLE event", "SELECT 1 -- ;\n; DROP TABLE event", "SELECT $a('); DROP TABLE event --'", "SELECT 1 /*", "/**/; SELECT hash FROM account",
	"/**/; WITH diag_local_item AS (SELECT value FROM local_item) SELECT * FROM diag_local_item", "; ;WITH diag_local_item AS (SELECT value FROM local_item) SELECT * FROM diag_local_item",
	"SELECT 1) ; DELETE FROM event; SELECT * FROM (SELECT 1", "SELECT 'a\x00'; DELETE FROM event",
	// tables behind the views
	"SELECT * FROM account", "SELECT hash FROM main.account", "SELECT count(*) FROM account", "SELECT 1 FROM account", "SELECT * FROM session", "SELECT sealed_secret FROM identity", "SELECT value FROM local_item", "SELECT rowid FROM account",
	"SELECT (SELECT hash FROM account) FROM diag_account", "SELECT name FROM diag_account WHERE name IN (SELECT hash FROM account)", "SELECT * FROM diag_account NATURAL JOIN account",
	"WITH diag_account AS (SELECT hash FROM account) SELECT * FROM diag_account", "WITH diag_local_item(v) AS (SELECT value FROM local_item) SELECT v FROM diag_local_item",
	"WITH diag_local_item AS MATERIALIZED (SELECT value FROM local_item) SELECT * FROM diag_local_item", "SELECT * FROM (WITH \"DIAG_LOCAL_ITEM\" AS (SELECT value FROM local_item) SELECT * FROM diag_local_item)",
	"SELECT * FROM (SELECT hash FROM account) AS diag_account", "SELECT diag_account.* FROM account AS diag_account", "SELECT (SELECT count(*) FROM account WHERE hash LIKE 'c%')", "SELECT 1 ORDER BY (SELECT hash FROM account)",
	"SELECT * FROM diag_account UNION SELECT hash, 1, 1, 1, 1 FROM account", "SELECT * FROM diag_account GROUP BY (SELECT hash FROM account)", "EXPLAIN SELECT hash FROM account", "SELECT sum(1) OVER (ORDER BY (SELECT hash FROM account))",
	"VALUES ((SELECT hash FROM account))", "SELECT EXISTS (SELECT 1 FROM session)", "SELECT * FROM diag_account LIMIT (SELECT length(hash) FROM account)", "SELECT ('admin', 'x') IN account",
	// the pages and the insides of SQLite
	"SELECT data FROM sqlite_dbpage", "SELECT count(*) FROM sqlite_dbpage", "SELECT * FROM dbstat", "SELECT * FROM sqlite_stmt", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM sqlite_temp_schema", "SELECT * FROM sqlite_sequence", "SELECT * FROM sqlite_stat1",
	"SELECT * FROM pragma_database_list", "SELECT * FROM pragma_function_list", "SELECT * FROM pragma_journal_mode('delete')", "SELECT * FROM pragma_user_version", "SELECT fts5(1)", "SELECT fts5_source_id()", "SELECT rtreecheck('x')",
	"SELECT sqlite_compileoption_get(1)", "SELECT sqlite_offset(name) FROM diag_account", "SELECT last_insert_rowid()", "SELECT sqlite_log(1, 'x')", "SELECT subtype(1)", "SELECT deserialize('x')", "SELECT geopoly_debug(1)",
	// settings
	"PRAGMA writable_schema = 1", "PRAGMA query_only = 0", "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 9", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA temp_store_directory = '/tmp'", "PRAGMA database_list", "PRAGMA key = 'x'",
	"PRAGMA integrity_check", "PRAGMA main.optimize", "PRAGMA hard_heap_limit = 1", "PRAGMA mmap_size = 1000000000", "PRAGMA cache_size = 1000000", "PRAGMA trusted_schema = 1", "PRAGMA incremental_vacuum", "PRAGMA data_store_directory = 'x'",
	"EXPLAIN PRAGMA writable_schema = 1", "PRAGMA foreign_key_check", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA table_info(diag_pin); PRAGMA writable_schema = 1",
	// time and memory
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n ORDER BY i DESC",
	"SELECT count(*) FROM diag_event a, diag_event b, diag_event c, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n) d, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n) e",
	"WITH RECURSIVE n(i, v) AS (SELECT 1, printf('%500000d', 1) UNION ALL SELECT i + 1, printf('%500000d', i) FROM n) SELECT count(*) FROM (SELECT v FROM n ORDER BY v DESC)",
	"WITH RECURSIVE n(v) AS (SELECT printf('%500000d', 1) UNION SELECT v || 'x' FROM n) SELECT count(*) FROM n",
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT group_concat(printf('%1000d', i)) FROM n", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT json_group_array(i) FROM n",
	"SELECT hex(zeroblob(400000000))", "SELECT randomblob(1000000000)", "SELECT printf('%*s', 2000000000, 'x')", "SELECT printf('%.*f', 100000000, 1.5)", "SELECT printf('%.1000000000c', 'x')", "SELECT replace(printf('%1000000d', 1), ' ', printf('%1000000d', 1))",
	"SELECT instr(replace(printf('%1000000d', 1), ' ', 'a'), replace(printf('%500000d', 1), ' ', 'a'))", "SELECT trim(printf('%1000000d', 1), printf('%1000000d', 1))",
	"SELECT printf('%1000000d', 1) LIKE '" + strings.Repeat("%_", 2000) + "'", "SELECT printf('%1000000d', 1) LIKE '" + strings.Repeat("% ", 400) + "b'", "SELECT printf('%1000000d', 1) GLOB '" + strings.Repeat("*[ -z]", 150) + "q'",
	"SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000), "SELECT 1" + strings.Repeat(" UNION SELECT 1", 50), "SELECT " + strings.Repeat("1+", 5000) + "1", "SELECT 1" + strings.Repeat(",1", 3000), "SELECT * FROM diag_event" + strings.Repeat(", diag_event", 70),
	"SELECT '" + strings.Repeat("x", 70_000) + "'", "SELECT json_extract('" + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "', '$')", "SELECT ?", "SELECT :a", "SELECT @a", "SELECT ?1000000000",
	// not SQL
	"", ";", "--", "/* */", "SELECT", "SELECT FROM", "'", "SELECT * FROM diag_nothing", "SELECT nothing FROM diag_pin", "\xff\xfe", "SELECT 1 FROM", "EXPLAIN", "EXPLAIN EXPLAIN SELECT 1", "WITH x AS (SELECT 1)", "VALUES",
}

func TestDiagnoseHostile(t *testing.T) {
	l := diagnosed(t)
	d := sqlstore.NewDiagnostics()
	if _, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: "SELECT 1"}); err != nil {
		t.Fatal(err)
	}
	t.Chdir(l.Dir()) // so that a relative name of a new file would land there
	before := contents(t, l)
	refused := 0
	for _, sql := range hostile {
		began := time.Now()
		got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: sql, Timeout: 200 * time.Millisecond})
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%.200s\ntook %s", sql, took)
		}
		switch code := engine.CodeOf(err); code {
		case engine.Invalid, engine.Exhausted:
			refused++
		case "":
			t.Logf("answered: %.120s: %.80s", sql, fmt.Sprint(got.Rows))
			if text := fmt.Sprint(got.Rows); strings.Contains(text, "canary-") || strings.Contains(text, sqlstore.SealedPrefix) {
				t.Errorf("%.200s\nshows a secret: %.200s", sql, text)
			}
		default:
			t.Errorf("%.200s\ngot %v (%s)", sql, err, code)
		}
	}
	if after := contents(t, l); !reflect.DeepEqual(before, after) {
		t.Errorf("files before %v\nafter %v", before, after)
	}
	t.Logf("%d statements, %d refused", len(hostile), refused)
	if events, err := l.Events(t.Context(), sqlstore.EventFilter{}); err != nil || len(events) != 2 {
		t.Errorf("events afterwards: %v, %v", events, err)
	}
}

// contents is a digest of each file in the data directory but the index of the
// write-ahead log, in which readers mark their place.
func contents(t testing.TB, l *sqlstore.Local) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(l.Dir(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "-shm") {
			return err
		}
		content, err := os.ReadFile(path)
		out[path] = fmt.Sprintf("%x", sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDiagnoseErrors(t *testing.T) {
	t.Parallel()
	l := diagnosed(t)
	d := sqlstore.NewDiagnostics()
	cases := []struct{ name, sql, text string }{
		{"unknown view", "SELECT * FROM diag_alarm", "unknown view diag_alarm (try diag_alarm_own, diag_account, "},
		{"table", "SELECT hash FROM account", "unknown view account (try diag_account, "},
		{"unknown column", "SELECT hash FROM diag_account", "no such column: hash"},
		{"writing", "DELETE FROM diag_account", "DELETE is not permitted in diagnostics (one SELECT"},
		{"function", "SELECT randomblob(1)", "the function randomblob is not permitted"},
		{"pragma", "PRAGMA journal_mode", "PRAGMA journal_mode is not permitted"},
		{"two", "SELECT 1; SELECT 2", "one statement at a time"},
		{"parameter", "SELECT ?1", "parameters (?) are not taken"},
		{"syntax", "SELECT FROM WHERE", `near "FROM": syntax error`},
		{"needle", "SELECT instr('a', printf('%5000d', 1))", "the second argument of instr has more than 4096 bytes"},
	}
	for _, c := range cases {
		_, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: c.sql})
		if engine.CodeOf(err) != engine.Invalid || !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%s: got %q (%s), want %q", c.name, err, engine.CodeOf(err), c.text)
		}
	}
	if _, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path() + "x", SQL: "SELECT 1"}); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := os.Stat(l.Path() + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("asking made the file: %v", err)
	}
}

func TestDiagnoseLimits(t *testing.T) {
	l := diagnosed(t)
	d := sqlstore.NewDiagnostics()
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
	got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: endless + "i FROM n"})
	if err != nil || len(got.Rows) != sqlstore.DiagnoseRows || !got.Truncated {
		t.Errorf("rows: %d, truncated %v, %v", len(got.Rows), got.Truncated, err)
	}
	got, err = d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: endless + "printf('%100000d', i) FROM n"})
	if err != nil || len(got.Rows) > 90 || !got.Truncated {
		t.Errorf("bytes: %d rows, truncated %v, %v", len(got.Rows), got.Truncated, err)
	}
	began := time.Now()
	_, err = d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: endless + "sum(i) FROM n", Timeout: 100 * time.Millisecond})
	if took := time.Since(began); engine.CodeOf(err) != engine.Exhausted || took > 2*time.Second {
		t.Errorf("time: %v after %s", err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err = d.Query(ctx, sqlstore.DiagnoseRequest{Path: l.Path(), SQL: endless + "sum(i) FROM n", Timeout: 10 * time.Second}); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("cancelled: %v", err)
	}
	if runtime.GOOS == "linux" {
		_, err = d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: l.Path(), Timeout: 10 * time.Second,
			SQL: "WITH RECURSIVE n(i, v) AS (SELECT 1, printf('%900000d', 1) UNION ALL SELECT i + 1, printf('%900000d', i) FROM n) SELECT count(*) FROM (SELECT v FROM n ORDER BY v DESC)"})
		if engine.CodeOf(err) != engine.Exhausted || !strings.Contains(err.Error(), "MiB") {
			t.Errorf("memory: %v", err)
		}
	}
}

// TestDiagnoseReplacedFile asks before and after the file was replaced, as
// rqlite does with cluster.db when it loads a snapshot.
func TestDiagnoseReplacedFile(t *testing.T) {
	t.Parallel()
	d := sqlstore.NewDiagnostics()
	dir := t.TempDir()
	for _, want := range []string{"one", "two"} {
		run(t, dir, "CREATE TABLE t (a); INSERT INTO t VALUES ('"+want+"'); CREATE VIEW diag_t AS SELECT a FROM t")
		if err := os.Rename(filepath.Join(dir, "local.db"), filepath.Join(dir, "cluster.db")); err != nil {
			t.Fatal(err)
		}
		got, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: filepath.Join(dir, "cluster.db"), SQL: "SELECT a FROM diag_t"})
		if err != nil || !reflect.DeepEqual(got.Rows, [][]any{{want}}) {
			t.Errorf("got %v, %v, want %s", got.Rows, err, want)
		}
	}
}

// FuzzDiagnose: no statement writes, panics, shows a secret or fails with a
// fault of hexad's.
func FuzzDiagnose(f *testing.F) {
	for _, sql := range hostile {
		f.Add(sql)
	}
	f.Add("SELECT * FROM diag_event")
	l := diagnosed(f)
	d := sqlstore.NewDiagnostics()
	if _, err := d.Views(f.Context(), l.Path()); err != nil {
		f.Fatal(err)
	}
	before := contents(f, l)
	f.Fuzz(func(t *testing.T, sql string) {
		began := time.Now()
		got, err := d.Query(context.Background(), sqlstore.DiagnoseRequest{Path: l.Path(), SQL: sql, MaxRows: 50, Timeout: 50 * time.Millisecond})
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q took %s", sql, took)
		}
		switch engine.CodeOf(err) {
		case "", engine.Invalid, engine.Exhausted:
		default:
			t.Errorf("%q: %v (%s)", sql, err, engine.CodeOf(err))
		}
		if text := fmt.Sprint(got.Rows); strings.Contains(text, "canary-") || strings.Contains(text, sqlstore.SealedPrefix) {
			t.Errorf("%q shows a secret: %s", sql, text)
		}
		if after := contents(t, l); !reflect.DeepEqual(before, after) {
			t.Errorf("%q changed a file", sql)
		}
	})
}

// TestDiagnoseClusterViews reads every view of cluster.db, whatever SQL it uses,
// while another connection has the file open for writing.
func TestDiagnoseClusterViews(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cluster.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, m := range migrations.Cluster() {
		if _, err := db.ExecContext(t.Context(), m.SQL); err != nil {
			t.Fatalf("%04d_%s: %v", m.Version, m.Name, err)
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "CREATE TABLE being_written (a)"); err != nil {
		t.Fatal(err)
	}
	d := sqlstore.NewDiagnostics()
	views, err := d.Views(t.Context(), path)
	if err != nil || len(views) == 0 {
		t.Fatalf("views = %v, %v", views, err)
	}
	for _, v := range views {
		for _, sql := range []string{"SELECT * FROM " + v.Name, "SELECT count(*) FROM " + v.Name, "WITH x AS (SELECT * FROM " + v.Name + ") SELECT count(*) FROM x a, x b"} {
			if _, err := d.Query(t.Context(), sqlstore.DiagnoseRequest{Path: path, SQL: sql}); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}
