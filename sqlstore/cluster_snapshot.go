package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/snapshot"
	"github.com/rqlite/rqlite/v8/store"
	rlog "github.com/rqlite/rqlite/v8/store/log"
)

// Snapshots are taken at times of this package's choosing, never by Raft or
// rqlite themselves: the call cuts the log before anyone can sync the snapshot, so that a
// power cut would take both. A full copy with its index is on disk before it,
// and the log keeps snapshotTrailing entries, so that the copy always meets it;
// mend makes a snapshot of that copy when the snapshot itself is lost.
//
// Source: reference/faults.md 0 and 2.5.
const (
	snapshotEntries  = 256     // since the last one: a fifth of a second to carry out; more for a large database
	snapshotFirst    = 16      // before there is one: the log begins with all that a database is made of
	snapshotBytes    = 1 << 16 // of the database for each entry more: to copy them takes as long as to carry it out
	snapshotWAL      = 4 << 20 // bytes: some hundred changes; twice as much while they go on, or half of the database
	snapshotTrailing = 10240
	neverSnapshot    = 1 << 60
	snapshotDir      = "rsnapshots" // rqlite's, in the directory of a store
	sealFile         = "snapshot.sum"
)

// snapshotDue reports whether the log or the write-ahead log is long enough for
// a snapshot: a start, and a peer that is new, carries out again what came after
// the last one. While changes go on a copy costs them time, the more the larger
// the database is.
func (s *raftStore) snapshotDue(quiet bool) bool {
	size := func(suffix string) int64 {
		info, err := os.Stat(filepath.Join(s.dir, databaseFile+suffix))
		if err != nil {
			return 0 // it is being replaced
		}
		return info.Size()
	}
	limit := int64(snapshotWAL)
	if !quiet {
		limit = max(2*limit, size("")/2)
	}
	entries := snapshotEntries + uint64(size("")/snapshotBytes)
	if s.snapshotted == 0 {
		entries = snapshotFirst
	}
	return size("-wal") >= limit || s.raft.LastIndex()-s.snapshotted >= entries
}

// snapshot makes a snapshot, which shortens the log. The newest copy is on disk
// before, the snapshot when it returns.
func (s *raftStore) snapshot() error {
	if err := s.keep(); err != nil {
		return err
	}
	s.copying.Lock()
	defer s.copying.Unlock()
	at := s.raft.LastIndex()
	if s.behindCopy() != nil || at > s.copied+snapshotTrailing/2 {
		return nil // later: the log would be cut behind the copy
	}
	if err := s.store.Snapshot(snapshotTrailing); err != nil && !errors.Is(err, store.ErrNothingNewToSnapshot) {
		return err
	}
	s.snapshotted = at
	return s.seal()
}

// snapshotSeal says which snapshot is on disk as a whole, and what it holds.
type snapshotSeal struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
}

// newestSnapshot is the ID of the snapshot that a start would use, "" for none.
func newestSnapshot(dir string) string {
	entries, _ := os.ReadDir(filepath.Join(dir, snapshotDir)) // one that cannot be read has none that can
	newest, at := "", position{}
	for _, e := range entries {
		var p position
		var ms int64
		if _, err := fmt.Sscanf(e.Name(), "%d-%d-%d", &p.term, &p.index, &ms); err != nil || !e.IsDir() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if newest == "" || p.term > at.term || p.term == at.term && (p.index > at.index || p.index == at.index && e.Name() > newest) {
			newest, at = e.Name(), p
		}
	}
	return newest
}

// seal puts the newest snapshot on disk and writes down its digest, once.
func (s *raftStore) seal() error {
	id := newestSnapshot(s.dir)
	if id == "" || id == s.sealed {
		return nil
	}
	if err := syncTree(s.dir); err != nil {
		return err
	}
	sum, err := snapshotSum(s.dir, id)
	if err != nil || newestSnapshot(s.dir) != id {
		return nil // it is being replaced: the next look finds the new one
	}
	if err := writeKept(filepath.Join(s.dir, sealFile), []byte(jsonText(snapshotSeal{id, sum})+"\n")); err != nil {
		return err
	}
	s.sealed = id
	return nil
}

// unsealed reports whether there is a snapshot that seal has not seen, one that
// came from the leader.
func (s *raftStore) unsealed() bool {
	s.copying.Lock()
	defer s.copying.Unlock()
	return newestSnapshot(s.dir) != s.sealed
}

// snapshotSum is the SHA-256 of what a snapshot consists of.
func snapshotSum(dir, id string) (string, error) {
	h := sha256.New()
	for _, name := range []string{filepath.Join(id, "meta.json"), id + ".db"} {
		f, err := os.Open(filepath.Join(dir, snapshotDir, name))
		if err != nil {
			return "", err
		}
		n, err := io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", err
		}
		fmt.Fprintf(h, "\n%d\n", n)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// soundSnapshot reports why the snapshot in dir is not to be trusted: it was not
// known to be on disk, or is not what it was then. nil when there is none.
func soundSnapshot(dir string) (sealed string, err error) {
	id := newestSnapshot(dir)
	var was snapshotSeal
	text, err := os.ReadFile(filepath.Join(dir, sealFile))
	if err == nil {
		err = json.Unmarshal(text, &was)
	}
	switch {
	case id == "" && was.ID == "":
		return "", nil
	case id == "":
		return "", errors.New("the snapshot is gone")
	case err != nil || was.ID != id:
		return "", errors.New("the snapshot was not on disk as a whole")
	}
	sum, err := snapshotSum(dir, id)
	if err == nil && sum != was.SHA256 {
		err = errors.New("the snapshot is not what it was")
	}
	return id, err
}

// copyNote says of a copy what a snapshot made of it has to say: its place in
// the log, and who the servers were. SHA256 is that of the file.
type copyNote struct {
	Index         uint64             `json:"index"`
	Term          uint64             `json:"term"` // 0: not known
	Configuration raft.Configuration `json:"configuration"`
	SHA256        string             `json:"sha256"`
}

const copyNoteSuffix = ".json"

// note is the note of a copy that has everything up to index.
func (s *raftStore) note(index uint64, sum string) copyNote {
	n := copyNote{Index: index, SHA256: sum}
	if f := s.raft.GetConfiguration(); f.Error() == nil {
		n.Configuration = f.Configuration()
	}
	var entry raft.Log
	if logs, ok := inside[*rlog.Log](s.store, "boltStore"); ok && logs.GetLog(index, &entry) == nil {
		n.Term = entry.Term
	}
	return n
}

func readCopyNote(path string) (n copyNote, err error) {
	text, err := os.ReadFile(path + copyNoteSuffix)
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

// soundCopy reports whether a copy is what was written, as far as that was noted.
func soundCopy(ctx context.Context, path string) error {
	n, err := readCopyNote(path)
	if err != nil || n.SHA256 == "" {
		return checkDatabase(ctx, path)
	}
	sum, err := fileSum(path)
	if err != nil {
		return err
	}
	if sum != n.SHA256 {
		return errors.New("it is not what it was")
	}
	return checkForm(ctx, path) // its structure was sound when the sum was made, and takes long to examine
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mend puts a snapshot made of the newest sound copy in the place of one that
// was lost or damaged. Log, term and vote stay as they are, so this peer remains
// the voter that it was. The old snapshot stays beside, under another name. Call it
// within capture: what it uses writes to os.Stderr.
//
// Errors: why that cannot be done without loss; then nothing has changed.
func mend(ctx context.Context, dir string) (err error) {
	l := openCopy(ctx, dir)
	if l == nil {
		return errors.New("there is no sound copy")
	}
	l.db.Close()
	note, err := readCopyNote(l.path)
	if err != nil || len(note.Configuration.Servers) == 0 {
		return errors.New("the copy has no note of its place in the log")
	}
	if note.Term, err = termAt(dir, note); err != nil {
		return err
	}
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer file.Close()
	old := filepath.Join(dir, snapshotDir)
	aside := old + ".damaged"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if exists(old) {
		if err := os.Rename(old, aside); err != nil {
			return err
		}
	}
	made, err := snapshot.NewStore(old)
	if err != nil {
		return err
	}
	sink, err := made.Create(1, note.Index, note.Term, note.Configuration, note.Index, nil)
	if err != nil {
		return err
	}
	data, err := inWALMode(file)
	if err != nil {
		return err
	}
	if err := errors.Join(snapshot.NewSnapshot(data).Persist(sink), sink.Close()); err != nil {
		return err
	}
	return (&raftStore{dir: dir}).seal()
}

// inWALMode is a database file that is in rollback mode, as one that is in the
// mode of write-ahead logging: two bytes of its header differ. The next snapshot
// is the write-ahead log since this one, which rqlite refuses to put into the other.
//
// Source: https://www.sqlite.org/fileformat2.html, 1.3.3.
func inWALMode(file io.ReadCloser) (io.ReadCloser, error) {
	header := make([]byte, 100)
	if _, err := io.ReadFull(file, header); err != nil {
		return nil, fmt.Errorf("the copy has no header: %w", err)
	}
	header[18], header[19] = 2, 2
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(header), file), file}, nil
}

// termAt is the term of the entry that a copy ends at, by the log, which has to
// lead on from there.
func termAt(dir string, note copyNote) (term uint64, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { // bbolt panics on some damaged files
		if p := recover(); p != nil {
			err = fmt.Errorf("the log is damaged, too: %v", p)
		}
	}()
	path := filepath.Join(dir, raftFile)
	if err := wholeLog(path); err != nil || !exists(path) {
		return 0, errors.Join(errors.New("the log cannot be read"), err)
	}
	logs, err := rlog.New(path, false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	first, last, err := logs.Indexes()
	if err != nil {
		return 0, err
	}
	if first == 0 || first > note.Index+1 || last < note.Index {
		return 0, fmt.Errorf("the log has entries %d to %d, but the copy ends at %d", first, last, note.Index)
	}
	for i := max(first, note.Index); i <= last; i++ { // after a snapshot of the leader's there can be a gap
		if err := logs.GetLog(i, &raft.Log{}); err != nil {
			return 0, fmt.Errorf("entry %d of the log: %w", i, err)
		}
	}
	if first > note.Index {
		if note.Term == 0 {
			return 0, errors.New("the term of the copy is not known")
		}
		return note.Term, nil
	}
	var entry raft.Log
	if err := logs.GetLog(note.Index, &entry); err != nil {
		return 0, err
	}
	if note.Term != 0 && entry.Term != note.Term {
		return 0, fmt.Errorf("entry %d is of term %d in the log and of %d in the copy", note.Index, entry.Term, note.Term)
	}
	return entry.Term, nil
}

// hurryEvery is how often a store that does not become quiet is looked at.
const hurryEvery = time.Second
