package sqlstoretest

import (
	"testing"

	"hexad/sqlstore"
)

// Local is a real local.db in a directory of the test's own, closed at its end.
func Local(t testing.TB) *sqlstore.Local {
	t.Helper()
	return LocalIn(t, t.TempDir())
}

// LocalIn is Local in a directory that outlives it: for tests of restarts.
func LocalIn(t testing.TB, dir string) *sqlstore.Local {
	t.Helper()
	l, err := sqlstore.OpenLocal(t.Context(), sqlstore.LocalOptions{Dir: dir, Release: "test"})
	if err != nil {
		t.Fatalf("open local.db in %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close local.db: %v", err)
		}
	})
	return l
}
