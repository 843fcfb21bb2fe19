package sqlite3

import (
	"context"
	"database/sql"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFailure: what a full disk does to a statement or a commit of a writing
// connection is told of, once each and before the caller; a mistake in a
// statement and a reading connection are not.
func TestFailure(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("hexad-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "db.sqlite")
	var told []string
	OnFailure(func(file string, err error) { told = append(told, file+": "+err.Error()) })
	t.Cleanup(func() { OnFailure(nil) })
	sql.Register("failing", &SQLiteDriver{})
	db, err := sql.Open("failing", "file:"+path+"?_journal=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (a BLOB)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO nowhere VALUES (1)"); err == nil || len(told) != 0 {
		t.Fatalf("a mistake: %v, told %q", err, told)
	}
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil && len(told) == 0 {
		_, err = tx.Exec("INSERT INTO t VALUES (zeroblob(100000))")
		if err == nil {
			err = tx.Commit()
		}
		if err == nil {
			tx, err = db.BeginTx(context.Background(), nil)
		}
	}
	if err == nil || len(told) == 0 {
		t.Fatalf("on a full disk: %v, told %q", err, told)
	}
	if want := path + ": " + err.Error(); told[0] != want {
		t.Errorf("told %q, want %q", told, want)
	}
	for name, want := range map[string]string{"file:/a/b?mode=ro": "", "file:/a/b?_x=1": "/a/b", "/a/b": "/a/b", "file:/a/b?_query_only=true": ""} {
		if got := writtenFile(name); got != want {
			t.Errorf("%s writes %q, want %q", name, got, want)
		}
	}
}
