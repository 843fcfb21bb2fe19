package sqlstore_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// journalled gives each peer of a group a journal in dir.
func journalled(dir string) func(*sqlstore.ClusterOptions) {
	return func(o *sqlstore.ClusterOptions) { o.Journal = journalOf(dir, o.Node) }
}

func journalOf(dir, node string) string { return filepath.Join(dir, node+".journal") }

func readJournal(t *testing.T, path string) sqlstore.JournalText {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := sqlstore.ReadJournal(file)
	if text.Bad != nil || text.Torn {
		t.Fatalf("%s: torn %v, %v", path, text.Torn, text.Bad)
	}
	return text
}

// items is the configuration that a journal leads to, and its revision.
func items(text sqlstore.JournalText) (map[string]string, int64) {
	out, revision := map[string]string{}, int64(0)
	for _, r := range text.Records {
		if r.Whole != nil {
			out, revision = map[string]string{}, r.Whole.Revision
			table := r.Whole.Tables["item"]
			path, value := slices.Index(table.Columns, "path"), slices.Index(table.Columns, "value")
			for _, row := range table.Rows {
				out[row[path].(string)] = row[value].(string)
			}
		}
		for _, st := range r.Steps {
			revision = st.Revision
			for _, ch := range st.Changes {
				if out[ch.Path] = ch.Value; ch.Delete {
					delete(out, ch.Path)
				}
			}
		}
	}
	return out, revision
}

// A save is in the primary's journal when it is answered; the others follow.
func TestJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 2, journalled(dir))
	p := g.Peers[0]
	for i := range int64(5) {
		save(t, p, fmt.Sprintf("Zones Zone %d Name", i%2+1), fmt.Sprint("branch ", i))
		text := readJournal(t, journalOf(dir, p.Node))
		got, revision := items(text)
		if want, _ := p.Configuration(t.Context()); revision != i+1 || fmt.Sprint(got) != fmt.Sprint(want.Items) {
			t.Fatalf("after save %d the journal has revision %d, %v; want %v", i+1, revision, got, want.Items)
		}
	}
	gone := change(t, p, "Zones Zone 2 Name", "")
	gone.Changes[0].Delete = true
	gone.Changes = append(gone.Changes, engine.Change{Path: "Zones Zone 3 Password", Value: "{cipher}abc"})
	if _, err := p.SaveConfiguration(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	want, _ := p.Configuration(t.Context())
	for _, peer := range g.Peers {
		g.Until(peer.Node+" has the revision in its journal", func() error {
			file, _ := os.ReadFile(journalOf(dir, peer.Node))
			if got, revision := items(sqlstore.ReadJournal(file)); revision != 6 || fmt.Sprint(got) != fmt.Sprint(want.Items) {
				return fmt.Errorf("revision %d, %v; want %v", revision, got, want.Items)
			}
			return nil
		})
	}
	text := readJournal(t, journalOf(dir, p.Node))
	last := text.Records[len(text.Records)-1].Steps[0]
	if last.Actor.User != "admin" || last.Actor.Source != "192.0.2.9:50000" || last.Peer != p.Node || last.AtMS != gone.Time.UnixMilli() || last.Operation != gone.Operation {
		t.Errorf("the last step is %+v", last)
	}
	p.Close()
	if after := readJournal(t, journalOf(dir, p.Node)); after.Digest != text.Digest {
		t.Error("closing changed the journal")
	}
}

// What a change of the policies or of the members needs is there, too.
func TestJournalKeepsBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 1, journalled(dir))
	p := g.Peers[0]
	// Those that come while the journal is being synced share the next record.
	for round := 1; ; round++ {
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				m := sqlstoretest.Member(i + 10)
				m.Release = fmt.Sprint(round)
				if err := p.PutMember(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		text := readJournal(t, journalOf(dir, p.Node))
		batches := 0
		for _, r := range text.Records {
			batches += len(r.Batches)
			if r.Whole != nil {
				batches += len(r.Whole.Tables["member"].Rows) - 1
			}
		}
		switch {
		case batches < 64*round:
			t.Fatalf("%d batches in round %d", batches, round)
		case len(text.Records) < 64*round:
			return
		case round == 10:
			t.Fatalf("%d batches in %d records, want them in fewer", batches, len(text.Records))
		}
	}
}

// The end of a write that never ended is cut off; what is damaged in the middle
// is set aside, and the whole configuration begins a new file.
func TestJournalDamage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		do    func(text sqlstore.JournalText, file []byte) []byte
		aside bool
	}{
		{"torn", func(text sqlstore.JournalText, file []byte) []byte {
			return append(slices.Clone(file[:text.Size]), file[len("hexad configuration journal 1\n"):][:60]...)
		}, false},
		{"torn in reserved room", func(text sqlstore.JournalText, file []byte) []byte {
			return append(append(slices.Clone(file[:text.Size]), "\xffhxj"...), make([]byte, 5000)...)
		}, false},
		{"changed in the middle", func(_ sqlstore.JournalText, file []byte) []byte {
			file[100] ^= 1
			return file
		}, true},
		{"a length in the middle is wrong", func(_ sqlstore.JournalText, file []byte) []byte {
			binary.BigEndian.PutUint32(file[len("hexad configuration journal 1\n")+4:], 1<<25)
			return file
		}, true},
		{"another file", func(sqlstore.JournalText, []byte) []byte { return []byte("something else") }, true},
		{"empty", func(sqlstore.JournalText, []byte) []byte { return nil }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			g := sqlstoretest.Start(t, 1, journalled(dir))
			p := g.Peers[0]
			save(t, p, "Zones Zone 1 Name", "branch")
			save(t, p, "Zones Zone 2 Name", "lab")
			path := journalOf(dir, p.Node)
			text := readJournal(t, path)
			file, _ := os.ReadFile(path)
			if err := os.WriteFile(path, tt.do(text, file), 0o600); err != nil {
				t.Fatal(err)
			}
			g.Restart(p)
			save(t, p, "Zones Zone 3 Name", "attic")
			got, revision := items(readJournal(t, path))
			if revision != 3 || len(got) != 3 {
				t.Errorf("the journal has revision %d, %v", revision, got)
			}
			aside, _ := filepath.Glob(path + ".aside-*")
			if (len(aside) > 0) != tt.aside {
				t.Errorf("set aside: %v, want %v", aside, tt.aside)
			}
		})
	}
}

// A journal that cannot be written is told with each save, which is in the
// database nevertheless; it goes on when it can.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := make(chan error, 10)
	g := sqlstoretest.Start(t, 1, journalled(filepath.Join(dir, "later")), func(o *sqlstore.ClusterOptions) { o.OnJournal = func(err error) { told <- err } })
	p := g.Peers[0]
	s := change(t, p, "Zones Zone 1 Name", "branch")
	saved, err := p.SaveConfiguration(t.Context(), s)
	if engine.CodeOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "saved in the cluster database") || value(t, p, "Zones Zone 1 Name") != "branch" {
		t.Fatalf("saved %+v, %v", saved, err)
	}
	if err := <-told; err == nil {
		t.Error("told that it works")
	}
	if err := os.Mkdir(filepath.Join(dir, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	g.Until("the same save is answered", func() error {
		saved, err = p.SaveConfiguration(t.Context(), s)
		return err
	})
	if saved.Revision != 1 {
		t.Errorf("saved %+v", saved)
	}
	if err := <-told; err != nil {
		t.Errorf("told %v", err)
	}
	if _, revision := items(readJournal(t, journalOf(filepath.Join(dir, "later"), p.Node))); revision != 1 {
		t.Errorf("the journal has revision %d", revision)
	}
}

// The journal stays small: one whole record takes the place of many.
func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 1, journalled(dir))
	p := g.Peers[0]
	path := journalOf(dir, p.Node)
	for i := range int64(12) {
		save(t, p, "Zones Zone 1 Name", fmt.Sprint(i, strings.Repeat("x", 1<<20)))
		info, err := os.Stat(path)
		if err != nil || info.Size() > 10<<20 {
			t.Fatalf("%d bytes, %v", info.Size(), err)
		}
	}
	text := readJournal(t, path)
	if _, revision := items(text); revision != 12 || len(text.Records) > 8 {
		t.Errorf("revision %d in %d records", revision, len(text.Records))
	}
}

// oldJournal is a journal as an earlier build wrote it: one of the first form stays readable.
const oldJournal = "testdata/journal/first.journal"

func TestOldJournal(t *testing.T) {
	t.Parallel()
	text := readJournal(t, oldJournal)
	got, revision := items(text)
	if revision != 4 || got["Zones Zone 1 Name"] != "2" || len(got) != 1 || len(text.Records) < 2 || text.Records[0].Whole == nil {
		t.Errorf("revision %d, %v, %d records", revision, got, len(text.Records))
	}
}

// FuzzReadJournal: whatever the bytes, what is read of them is sound by itself.
func FuzzReadJournal(f *testing.F) {
	file, err := os.ReadFile(oldJournal)
	if err != nil {
		f.Fatal(err)
	}
	whole := sqlstore.ReadJournal(file)
	f.Add(file[:whole.Size])
	f.Add(file[:whole.Size-7])
	f.Add([]byte("hexad configuration journal 1\n\xffhxj\x00\x00\x00\x02"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		text := sqlstore.ReadJournal(b)
		if text.Size < 0 || text.Size > int64(len(b)) || text.Torn && text.Bad != nil {
			t.Fatalf("%d of %d bytes, torn %v, %v", text.Size, len(b), text.Torn, text.Bad)
		}
		again := sqlstore.ReadJournal(b[:text.Size])
		if again.Bad != nil || again.Torn || again.Digest != text.Digest || len(again.Records) != len(text.Records) {
			t.Fatalf("what is sound is read again as %d records of %d, torn %v, %v", len(again.Records), len(text.Records), again.Torn, again.Bad)
		}
	})
}
