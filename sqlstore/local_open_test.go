package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

func TestOpenLocalFirstStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	l := sqlstoretest.LocalIn(t, dir)
	id, err := l.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(id.Node) != 16 || len(id.Serial) != 8 || id.State != sqlstore.Standalone || id.Cluster != "" {
		t.Errorf("first identity = %+v", id)
	}
	for name, mode := range map[string]os.FileMode{"system.key": 0o600, "local.db": 0o600, "hexad.id": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, error %v, want %v", name, info, err, mode)
		}
	}
	page, err := l.Page(t.Context())
	if err != nil || page.Entered.Primary != 1 || page.Entered.TLSMode != engine.Permissive || len(page.Entered.Peers) != 0 {
		t.Errorf("first page = %+v, %v", page, err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Errorf("close twice: %v", err)
	}
	again, err := sqlstoretest.LocalIn(t, dir).Identity(t.Context())
	if err != nil || again.Node != id.Node || again.Serial != id.Serial {
		t.Errorf("identity after a restart = %+v, %v, want %+v", again, err, id)
	}
}

// TestOpenLocalFaults spoils the data directory of a peer that ran before; no
// fault may end in an empty database.
func TestOpenLocalFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		code  engine.Code
		cause error
		text  string
	}{
		{"database removed", func(t *testing.T, dir string) { remove(t, dir, "local.db") }, engine.Internal, sqlstore.ErrDamaged, "local.db is missing"},
		{"database emptied", func(t *testing.T, dir string) { truncate(t, dir, "local.db", 0) }, engine.Internal, sqlstore.ErrDamaged, "local.db is empty"},
		{"database cut off", func(t *testing.T, dir string) { truncate(t, dir, "local.db", 20_000) }, engine.Internal, sqlstore.ErrDamaged, "local.db"},
		{"header overwritten", func(t *testing.T, dir string) { flip(t, dir, 0, 64) }, engine.Internal, sqlstore.ErrDamaged, "local.db is damaged"},
		{"first page overwritten", func(t *testing.T, dir string) { flip(t, dir, 100, 600) }, engine.Internal, sqlstore.ErrDamaged, "local.db"},
		{"a page overwritten", func(t *testing.T, dir string) { flip(t, dir, 4096*3, 512) }, engine.Internal, sqlstore.ErrDamaged, "local.db is damaged"},
		{"other content", func(t *testing.T, dir string) { write(t, dir, "local.db", strings.Repeat("not a database\n", 1000)) }, engine.Internal, sqlstore.ErrDamaged, "local.db is damaged"},
		{"empty database", func(t *testing.T, dir string) { remove(t, dir, "local.db"); run(t, dir, "CREATE TABLE x (y)") }, engine.Internal, sqlstore.ErrDamaged, "holds no identity"},
		{"key removed", func(t *testing.T, dir string) { remove(t, dir, "system.key"); remove(t, dir, "system.key.copy") }, engine.Unavailable, sqlstore.ErrKey, "system.key is missing"},
		{"key cut off", func(t *testing.T, dir string) { truncate(t, dir, "system.key", 7); remove(t, dir, "system.key.copy") }, engine.Unavailable, sqlstore.ErrKey, "system.key is damaged: 7 bytes"},
		{"another key", func(t *testing.T, dir string) {
			write(t, dir, "system.key", strings.Repeat("k", 32))
			write(t, dir, "system.key.copy", strings.Repeat("k", 32))
		}, engine.Unavailable, sqlstore.ErrKey, "is not the one"},
		{"newer release", func(t *testing.T, dir string) {
			run(t, dir, "INSERT INTO migration VALUES (9999, 'later', '', 0, '')")
		}, engine.Unavailable, sqlstore.ErrNewer, "newer release"},
		{"other migration", func(t *testing.T, dir string) {
			run(t, dir, "UPDATE migration SET checksum = 'x' WHERE version = 1")
		}, engine.Internal, nil, "step 1 (local)"},
		{"directory is a file", func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, engine.Internal, nil, "data directory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			if err := sqlstoretest.LocalIn(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			before := listing(t, dir)
			l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir})
			if err == nil {
				l.Close()
				t.Fatal("opened")
			}
			if engine.CodeOf(err) != c.code || (c.cause != nil && !errors.Is(err, c.cause)) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q (%s), want %s, cause %v, text %q", err, engine.CodeOf(err), c.code, c.cause, c.text)
			}
			var e *engine.Error
			if c.cause != nil && (!errors.As(err, &e) || e.Remedy == "") {
				t.Errorf("%q has no remedy", err)
			}
			for name := range before {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Errorf("%s was removed: %v", name, err)
				}
			}
		})
	}
}

// TestOpenLocalCutShort starts again where a first start was cut at each step.
func TestOpenLocalCutShort(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, dir string){
		"after the key": func(t *testing.T, dir string) { remove(t, dir, "hexad.id"); remove(t, dir, "local.db") },
		"within the key": func(t *testing.T, dir string) {
			remove(t, dir, "hexad.id")
			remove(t, dir, "local.db")
			truncate(t, dir, "system.key", 3)
		},
		"before the marker": func(t *testing.T, dir string) { remove(t, dir, "hexad.id") },
		"within the tables": func(t *testing.T, dir string) {
			remove(t, dir, "hexad.id")
			remove(t, dir, "local.db")
			run(t, dir, "PRAGMA user_version = 0")
		},
		"with an empty file": func(t *testing.T, dir string) { remove(t, dir, "hexad.id"); truncate(t, dir, "local.db", 0) },
	}
	for name, cut := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := sqlstoretest.LocalIn(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			cut(t, dir)
			id, err := sqlstoretest.LocalIn(t, dir).Identity(t.Context())
			if err != nil || id.Node == "" {
				t.Errorf("identity = %+v, %v", id, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "hexad.id")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenLocalInUse(t *testing.T) {
	t.Parallel()
	l := sqlstoretest.Local(t)
	_, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: l.Dir()})
	if engine.CodeOf(err) != engine.Conflict || !errors.Is(err, sqlstore.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("second open: %v", err)
	}
	if err := l.PutRestartReasons(t.Context(), []string{"still open"}); err != nil {
		t.Errorf("the first one after a refused second: %v", err)
	}
}

func TestOpenLocalNotWritable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir})
	if engine.CodeOf(err) != engine.Denied {
		t.Errorf("got %v, want denied", err)
	}
}

// TestFlippedBytes flips single bytes over the whole file: every one is either
// found when opening, or what is read is as it was or an error, never a panic.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := sqlstoretest.LocalIn(t, dir)
	if _, err := l.SaveItems(t.Context(), []engine.Change{{Path: "SystemUnit Name", Value: "peer-one"}}, engine.System, noon, ""); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(filepath.Join(dir, "local.db"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; at < len(sound); at += 4111 {
		spoilt := append([]byte(nil), sound...)
		spoilt[at] ^= 0xff
		write(t, dir, "local.db", string(spoilt))
		remove(t, dir, "local.db-wal")
		remove(t, dir, "local.db-shm")
		l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir})
		if err != nil {
			found++
			continue
		}
		if items, err := l.Items(t.Context()); err == nil && len(items) != 1 {
			t.Errorf("byte %d: items = %v", at, items)
		}
		if err := l.Close(); err != nil {
			t.Errorf("byte %d: close: %v", at, err)
		}
	}
	t.Logf("%d of %d flips found when opening", found, len(sound)/4111+1)
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, dir, name string, size int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flip inverts count bytes of local.db.
func flip(t *testing.T, dir string, at, count int) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "local.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		content[at+i] ^= 0xff
	}
	write(t, dir, "local.db", string(content))
}

// run executes SQL on local.db behind hexad's back.
func run(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "local.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(context.Background(), query)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// listing is the files of a directory with their contents.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return out // a case replaced the directory
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(content)
	}
	return out
}

// TestDamagedRecords: a damaged event log does not keep a peer from starting, and
// is found when the records are checked; a damaged table that something is
// decided by is found at the start.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		table string
		opens bool
	}{{"event", true}, {"local_item", false}, {"local_history", false}} {
		t.Run(tt.table, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := sqlstoretest.LocalIn(t, dir)
			for range 20 {
				if err := l.AppendEvents(t.Context(), slices.Repeat([]engine.Event{{Time: time.Now(), Module: "management", Detail: strings.Repeat("x", 500)}}, 50)); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.CheckRecords(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.Close()
			flip(t, dir, rootOf(t, dir, tt.table), 512)
			l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir, Release: "test"})
			if !tt.opens {
				if !errors.Is(err, sqlstore.ErrDamaged) {
					t.Errorf("opened: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := l.CheckRecords(t.Context()); !errors.Is(err, sqlstore.ErrDamaged) {
				t.Errorf("the records are sound: %v", err)
			}
		})
	}
}

// rootOf is where the first page of a table or an index begins.
func rootOf(t *testing.T, dir, name string) int {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "local.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var root, size int
	if err := db.QueryRow("SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?", name).Scan(&root, &size); err != nil {
		t.Fatal(err)
	}
	return (root - 1) * size
}
