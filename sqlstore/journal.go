package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hexad/engine"
)

// journalReserve is the room that is laid out ahead of the records, at once, so
// that most appends change no size; journalLimit is from what size on the
// journal is written anew as one record, unless that record alone is large;
// journalRetry is the time between tries to begin anew after a failure.
const (
	journalReserve = 256 << 10
	journalLimit   = 8 << 20
	journalRetry   = time.Second
)

// journal is the configuration journal of this peer: beside the store, so that
// damage there leaves it whole, and on disk before a save is answered.
//
// Writers that come together share one write and one sync. A failed write or
// sync ends the use of the file: Linux forgets what it could not write, and a
// later sync would succeed without it. What follows goes into a new file, which
// begins with the whole configuration.
type journal struct {
	path string
	log  *slog.Logger
	tell func(error) // told when writing begins to fail, and nil when it works again; may be nil

	mu      sync.Mutex
	quiet   *sync.Cond // nobody writes any more
	pending []journalEntry
	writing bool

	// Of the one who writes:
	file       *os.File
	generation engine.Generation // of the records
	cluster    string
	revision   int64 // that they lead to
	judged     bool  // the copy has been at that revision since the file was opened
	digest     string
	size, room int64 // end of the records, and of the file
	whole      int64 // size of the record that the file begins with
	failed     time.Time
	failure    error
}

// journalEntry is what one caller wants to be in the journal: revisions that it
// made, a batch, or everything that its store has.
type journalEntry struct {
	store *raftStore
	steps []JournalStep
	batch *batch
	done  chan error
}

func newJournal(path string, log *slog.Logger, tell func(error)) *journal {
	j := &journal{path: path, log: log, tell: tell}
	j.quiet = sync.NewCond(&j.mu)
	return j
}

// off is a journal without a file, which records nothing.
func (j *journal) off() bool { return j.path == "" }

// commit returns when e is in the journal, on disk.
//
// Errors: that of the file, for which this change is not in the journal.
func (j *journal) commit(e journalEntry) error {
	if j.off() {
		return nil
	}
	e.done = make(chan error, 1)
	j.mu.Lock()
	j.pending = append(j.pending, e)
	if !j.writing {
		j.writing = true
		j.writeGroup() // leaves mu unlocked
	} else {
		j.mu.Unlock()
	}
	return <-e.done
}

// writeGroup writes what is pending, as one record; what comes meanwhile is
// written by a goroutine of its own. mu is held at the begin, and not at the end.
func (j *journal) writeGroup() {
	group := j.pending
	j.pending = nil
	j.mu.Unlock()
	err := j.write(group)
	for _, e := range group {
		e.done <- err
	}
	j.mu.Lock()
	if len(j.pending) > 0 {
		go func() {
			j.mu.Lock()
			j.writeGroup()
		}()
	} else {
		j.writing = false
		j.quiet.Broadcast()
	}
	j.mu.Unlock()
}

// write makes the record of a group and appends it. Entries of a store that was
// replaced meanwhile are left out: their generation has ended here.
func (j *journal) write(group []journalEntry) error {
	s := group[len(group)-1].store
	var record JournalRecord
	for _, e := range group {
		if e.store.generation.ID != s.generation.ID {
			continue
		}
		record.Steps = append(record.Steps, e.steps...)
		if e.batch != nil {
			record.Batches = append(record.Batches, *e.batch)
		}
	}
	err := j.append(s, record)
	switch {
	case errors.Is(err, errNotCaught): // what the group has is not known yet: it is recorded when it is
		if len(record.Steps)+len(record.Batches) == 0 {
			return nil
		}
	case err != nil:
		j.abandon()
		if j.failure == nil {
			j.failed = time.Now()
			j.log.Error("the configuration journal cannot be written", "file", j.path, "err", err)
			j.told(err)
		}
		j.failure = err
	case j.failure != nil:
		j.failure = nil
		j.log.Info("the configuration journal is written again", "file", j.path)
		j.told(nil)
	}
	return err
}

func (j *journal) told(err error) {
	if j.tell != nil {
		go j.tell(err)
	}
}

// append brings record into the file, or the whole configuration when the file
// does not lead up to it.
func (j *journal) append(s *raftStore, record JournalRecord) error {
	if j.failure != nil {
		if time.Since(j.failed) < journalRetry {
			return j.failure
		}
		j.failed = time.Now()
		return j.rewrite(s, record)
	}
	if j.file == nil {
		if err := j.open(s); err != nil {
			return err
		}
	}
	if j.file != nil && j.generation.ID == s.generation.ID && !j.judged {
		if err := j.judge(s); err != nil {
			return err
		}
	}
	if j.file == nil || j.generation.ID != s.generation.ID || j.size > max(journalLimit, 4*j.whole) {
		return j.rewrite(s, record)
	}
	wanted := record.wanted()
	if known := s.agreed.Load(); known != nil && known.Revision == j.revision && wanted == 0 && len(record.Batches) == 0 {
		return nil // most changes are no revisions
	}
	slices.SortFunc(record.Steps, func(a, b JournalStep) int { return int(a.Revision - b.Revision) })
	record.Steps = slices.DeleteFunc(record.Steps, func(st JournalStep) bool { return st.Revision <= j.revision })
	if !j.leadsTo(record.Steps) && (wanted > j.revision || wanted == 0) {
		steps, whole, err := s.stepsSince(j.revision)
		switch {
		case err != nil:
			return err
		case whole:
			return j.rewrite(s, record)
		}
		record.Steps = steps
	}
	if len(record.Steps) == 0 && len(record.Batches) == 0 {
		return nil
	}
	if max(j.revision, record.last()) < wanted {
		return errNotCaught
	}
	record.Before, record.Generation, record.Cluster = j.digest, j.generation, j.cluster
	if err := j.put(record); err != nil {
		return err
	}
	j.revision = max(j.revision, record.last())
	return nil
}

// wanted is the newest revision that somebody waits for; 0 when nobody does.
func (r JournalRecord) wanted() int64 {
	var out int64
	for _, st := range r.Steps {
		out = max(out, st.Revision)
	}
	return out
}

// leadsTo reports whether steps are all that is missing; none at all asks for
// what the store has.
func (j *journal) leadsTo(steps []JournalStep) bool {
	for i, st := range steps {
		if st.Revision != j.revision+1+int64(i) {
			return false
		}
	}
	return len(steps) > 0
}

// put writes one record behind the last and waits for the disk.
func (j *journal) put(record JournalRecord) error {
	framed, digest, err := record.frame()
	if err != nil {
		return err
	}
	if end := j.size + int64(len(framed)); end > j.room {
		room := end + journalReserve - end%journalReserve
		if _, err := j.file.WriteAt(make([]byte, room-j.room), j.room); err != nil {
			return fmt.Errorf("%s: %w", j.path, err)
		}
		j.room = room
	}
	if _, err := j.file.WriteAt(framed, j.size); err != nil {
		return fmt.Errorf("%s: %w", j.path, err)
	}
	if err := syncData(j.file); err != nil {
		return fmt.Errorf("%s: %w", j.path, err)
	}
	j.size, j.digest = j.size+int64(len(framed)), digest
	return nil
}

// open takes up the file where it ends. One that is damaged is set aside.
func (j *journal) open(s *raftStore) error {
	file, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text := ReadJournal(file)
	if text.Bad != nil {
		return j.setAside("it is damaged: " + text.Bad.Error())
	}
	if len(text.Records) == 0 {
		return nil
	}
	last := text.Records[len(text.Records)-1]
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if text.Torn {
		if err := errors.Join(f.Truncate(text.Size), syncFile(f)); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.generation, j.cluster, j.revision, j.digest = f, last.Generation, last.Cluster, lastOf(text.Records), text.Digest
	j.size, j.room = text.Size, info.Size()
	for _, r := range text.Records {
		if r.Whole != nil {
			framed, _, _ := r.frame() // it was read from one
			j.whole = int64(len(framed))
		}
	}
	j.judged = false
	return nil
}

// judge compares the records from before this start with what the copy has. A copy that has
// less says nothing until it is known to have all of its group's log; nothing
// is recorded before.
func (j *journal) judge(s *raftStore) error {
	level := s.level() // first: the copy may move on meanwhile
	now, err := s.readAgreed()
	if err != nil {
		return errNotCaught
	}
	if now.Revision >= j.revision {
		j.judged = true
		return nil
	}
	if servers, err := s.servers(); !level || err != nil || len(servers) == 1 {
		return errNotCaught // the database of a sole voter is rebuilt from it
	}
	j.abandon()
	return j.setAside(fmt.Sprintf("it has revision %d, the database of the group only %d", j.revision, now.Revision))
}

// errNotCaught is that of a copy which is behind the journal and not up to date:
// nothing has to be recorded yet.
var errNotCaught = errors.New("the copy is behind the journal")

// setAside renames the file: it is kept for whoever examines what happened.
func (j *journal) setAside(why string) error {
	aside := j.path + ".aside-" + time.Now().UTC().Format("20060102T150405.000")
	j.log.Error("the configuration journal is set aside", "file", j.path, "as", aside, "because", why)
	if err := os.Rename(j.path, aside); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(j.path))
}

// rewrite begins the file anew with the whole configuration that s has; the old
// one is in place until the new one is on disk.
func (j *journal) rewrite(s *raftStore, wanted JournalRecord) error {
	if err := s.keep(); err != nil { // a copy that is older than the batches it drops would miss them
		return err
	}
	record, err := s.wholeRecord()
	if err != nil {
		if engine.CodeOf(err) == engine.Unavailable { // there is none yet
			return errNotCaught
		}
		return err
	}
	if record.Generation.ID != s.generation.ID || record.Whole.Revision < wanted.wanted() {
		return errNotCaught
	}
	framed, digest, err := record.frame()
	if err != nil {
		return err
	}
	dir, name := filepath.Split(j.path)
	f, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // once it has its name that finds nothing
	_, err = f.WriteString(journalTitle)
	if err == nil {
		_, err = f.Write(framed)
	}
	if err == nil {
		err = syncFile(f)
	}
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err == nil {
		err = syncDirectory(dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.abandon()
	j.file, j.generation, j.cluster, j.revision, j.digest = f, record.Generation, record.Cluster, record.Whole.Revision, digest
	j.size = int64(len(journalTitle) + len(framed))
	j.room, j.whole, j.judged = j.size, int64(len(framed)), true
	return nil
}

// abandon closes the file: the next write opens it, or begins a new one.
func (j *journal) abandon() {
	if j.file != nil {
		j.file.Close() // everything in it that counts is on disk
		j.file = nil
	}
}

// close ends the use of the journal.
func (j *journal) close() {
	if j.off() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.writing {
		j.quiet.Wait()
	}
	j.abandon()
}

// syncFile, syncData and syncDirectory wait until what was written is on disk.
func syncFile(f *os.File) error {
	if !synced {
		return nil
	}
	return f.Sync()
}

func syncData(f *os.File) error {
	if !synced {
		return nil
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return fmt.Errorf("fdatasync: %w", err)
	}
	return nil
}

func syncDirectory(dir string) error {
	if !synced {
		return nil
	}
	return syncDir(dir)
}
