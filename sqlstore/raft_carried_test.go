package sqlstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// A voter whose database is made again from its whole log is not called up to
// date before it is, and its journal is not set aside for what the database does not have yet.
func TestJournalOutlivesReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 3, journalled(dir))
	a, b := g.Peers[0], g.Peers[2]
	const saves, changes = 8, 3000
	for i := range saves {
		s := change(t, a, "Zones Zone 1 Name", fmt.Sprint("branch ", i))
		for n := range changes {
			s.Changes = append(s.Changes, engine.Change{Path: fmt.Sprintf("Zones Zone %d Name", n+2), Value: fmt.Sprint("branch ", i, n)})
		}
		if _, err := a.SaveConfiguration(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	g.Equal()
	path := journalOf(dir, b.Node)
	g.Until("the journal has everything", func() error {
		if _, revision := journalAt(path); revision != saves {
			return fmt.Errorf("revision %d", revision)
		}
		return nil
	})
	b.Close()
	copies, _ := filepath.Glob(filepath.Join(b.Dir, "1-first", "copy-*"))
	for _, name := range copies { // as when the disk failed before there was one
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	g.Reopen(b, g.Generation)
	g.Until("the copy is up to date", func() error {
		caught := b.Status().Caught // first
		now, err := b.Agreed(t.Context())
		if caught && (err != nil || now.Revision < saves) {
			t.Fatalf("called up to date at revision %d of %d, %v", now.Revision, saves, err)
		}
		if !caught {
			return errors.New("not called up to date")
		}
		return nil
	})
	save(t, a, "Zones Zone 1 Name", "last")
	g.Until("the journal goes on", func() error {
		if _, revision := journalAt(path); revision != saves+1 {
			return fmt.Errorf("revision %d", revision)
		}
		return nil
	})
	if aside, _ := filepath.Glob(path + ".aside-*"); len(aside) > 0 {
		t.Errorf("set aside: %v", aside)
	}
}

// journalAt is what a journal that is being written leads to.
func journalAt(path string) (map[string]string, int64) {
	file, _ := os.ReadFile(path) // one that is not there leads to nothing
	return items(sqlstore.ReadJournal(file))
}
