package sqlite3_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A kept statement must answer as one that was prepared for the occasion.
func TestStatementsAreKept(t *testing.T) {
	t.Parallel()
	conn := open(t, filepath.Join(t.TempDir(), "kept.sqlite"))
	exec(t, conn, "CREATE TABLE kv (k INTEGER PRIMARY KEY, v TEXT NOT NULL)")
	insert := "INSERT INTO kv (k, v) VALUES (?, ?)"
	for k := range 3 {
		if _, err := conn.ExecContext(t.Context(), insert, k, fmt.Sprint("v", k)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.ExecContext(t.Context(), insert, 1, "again"); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed: kv.k") {
		t.Fatalf("a key twice: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), insert, 3, "v3"); err != nil {
		t.Fatalf("after a failure: %v", err)
	}
	if got := one(t, conn, "SELECT group_concat(v) FROM kv"); got != "v0,v1,v2,v3" {
		t.Errorf("rows are %s", got)
	}

	t.Run("while its rows are read", func(t *testing.T) {
		text := "SELECT k FROM kv ORDER BY k"
		outer, err := conn.QueryContext(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		defer outer.Close()
		if !outer.Next() {
			t.Fatal("no row")
		}
		if got := one(t, conn, text); got != "0" {
			t.Errorf("the second reader begins with %s", got)
		}
		for want := 1; want < 4; want++ {
			var k int
			if !outer.Next() || outer.Scan(&k) != nil || k != want {
				t.Errorf("the first reader goes on with %d, want %d", k, want)
			}
		}
	})
	t.Run("when the schema changes", func(t *testing.T) {
		text := "SELECT * FROM kv WHERE k = 0"
		columns := func() string {
			rows, err := conn.QueryContext(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			names, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(names, ",")
		}
		if got := columns(); got != "k,v" {
			t.Fatalf("columns are %s", got)
		}
		exec(t, conn, "ALTER TABLE kv ADD COLUMN more TEXT")
		if got := columns(); got != "k,v,more" {
			t.Errorf("columns are %s", got)
		}
		exec(t, conn, "DROP TABLE kv")
		if _, err := conn.QueryContext(t.Context(), text); err == nil || !strings.Contains(err.Error(), "no such table: kv") {
			t.Errorf("without its table: %v", err)
		}
	})
	t.Run("more than are kept", func(t *testing.T) {
		for round := range 2 {
			for n := range 200 {
				if got := one(t, conn, fmt.Sprintf("SELECT %d + %d", n, round)); got != fmt.Sprint(n+round) {
					t.Fatalf("%d + %d is %s", n, round, got)
				}
			}
		}
	})
}
