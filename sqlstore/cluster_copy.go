package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rqlite/rqlite/v8/command/proto"

	"hexad/engine"
)

// A copy is made when nothing has changed for copyQuiet, so that its syncs do
// not stand in the way of saves; at the latest copyLatest after a change.
const (
	copyQuiet  = time.Second
	copyLatest = time.Minute
)

// lastCopy is the database as it last was before this process opened the store.
//
// Raft does not know what is committed until it hears of a leader, and rqlite
// builds the database anew from its snapshot and the log. A peer that is
// restarted while it is cut off would have nothing to read, or a state of long
// ago. So each peer keeps a plain copy beside the log and reads that until the
// store has caught up with it. The file's name carries its Raft index.
type lastCopy struct {
	path  string
	index uint64
	db    *sql.DB
}

// primaryOf is the primary in that copy, "" when it is not known.
func (l *lastCopy) primaryOf() (node string) {
	if l == nil {
		return ""
	}
	if err := l.db.QueryRow("SELECT primary_node FROM agreed").Scan(&node); err != nil {
		return ""
	}
	return node
}

const copyPrefix, copySuffix = "copy-", ".sqlite"

// halfCopies are those that are being written, or were when the process was killed.
const halfCopies = ".copy-*"

func dropHalfCopies(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, halfCopies))
	for _, path := range left {
		os.Remove(path) // one that stays is only in the way of the disk
	}
}

// openCopy opens the newest sound copy in dir; nil when there is none.
func openCopy(ctx context.Context, dir string) *lastCopy {
	indexes := copiesIn(dir)
	for _, index := range slices.Backward(indexes) {
		path := copyPath(dir, index)
		if soundCopy(ctx, path) != nil {
			continue
		}
		db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&immutable=1&_pragma=query_only(1)")
		if err != nil {
			continue
		}
		db.SetConnMaxIdleTime(time.Minute) // it is read during the first seconds only
		return &lastCopy{path: path, index: index, db: db}
	}
	return nil
}

func copyPath(dir string, index uint64) string {
	return filepath.Join(dir, copyPrefix+strconv.FormatUint(index, 10)+copySuffix)
}

// LastCopy is the newest sound copy that this peer keeps of generation g and its
// Raft index; "" when there is none. It outlives damage to the store: Refound
// can read it.
func (c *Cluster) LastCopy(ctx context.Context, g engine.Generation) (path string, index uint64) {
	l := openCopy(ctx, c.o.directory(g))
	if l == nil {
		return "", 0
	}
	l.db.Close()
	return l.path, l.index
}

// copiesIn lists the indexes of the copies in dir in rising order.
func copiesIn(dir string) []uint64 {
	entries, _ := os.ReadDir(dir) // a directory that cannot be read has no copy that can
	var out []uint64
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), copyPrefix)
		if number, ok2 := strings.CutSuffix(number, copySuffix); ok && ok2 {
			if index, err := strconv.ParseUint(number, 10, 64); err == nil {
				out = append(out, index)
			}
		}
	}
	slices.Sort(out)
	return out
}

// behindCopy returns the copy while the store has not caught up with it.
func (s *raftStore) behindCopy() *lastCopy {
	if s.copy != nil && s.store.DBAppliedIndex() < s.copy.index {
		return s.copy
	}
	return nil
}

// query reads from the copy in the form of rqlite's answers.
func (l *lastCopy) query(statements []statement) ([]*proto.QueryRows, error) {
	tx, err := l.db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, readError(err)
	}
	defer tx.Rollback()
	var out []*proto.QueryRows
	for _, st := range statements {
		rows, err := queryRows(tx, st)
		if err != nil {
			return nil, readError(err)
		}
		out = append(out, rows)
	}
	return out, nil
}

func queryRows(tx *sql.Tx, st statement) (*proto.QueryRows, error) {
	rows, err := tx.Query(st.SQL, st.Args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := &proto.QueryRows{Columns: columns}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := &proto.Values{}
		for _, v := range values {
			p := &proto.Parameter{}
			switch v := v.(type) {
			case int64:
				p.Value = &proto.Parameter_I{I: v}
			case string:
				p.Value = &proto.Parameter_S{S: v}
			}
			row.Parameters = append(row.Parameters, p)
		}
		out.Values = append(out.Values, row)
	}
	return out, rows.Err()
}

// backup writes a consistent copy of what reading reads now.
func (s *raftStore) backup(w io.Writer) error {
	if l := s.behindCopy(); l != nil {
		f, err := os.Open(l.path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}
	return s.store.Backup(&proto.BackupRequest{Format: proto.BackupRequest_BACKUP_REQUEST_FORMAT_DELETE}, w)
}

// keep makes a copy of the present database, on disk when it returns, and
// removes the older ones. It does nothing when the newest copy is as new.
func (s *raftStore) keep() error {
	s.copying.Lock()
	defer s.copying.Unlock()
	if err := s.wholeCopy(); err != nil {
		return err
	}
	if err := s.seal(); err != nil {
		return err
	}
	index := s.store.DBAppliedIndex() // what the backup has, at least
	if index <= s.copied || s.behindCopy() != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, halfCopies)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = s.backup(f)
	if err = errors.Join(err, syncFile(f), f.Close()); err != nil {
		return err
	}
	sum, err := fileSum(f.Name())
	if err != nil {
		return err
	}
	path := copyPath(s.dir, index)
	if err := writeKept(path+copyNoteSuffix, []byte(jsonText(s.note(index, sum))+"\n")); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := syncDirectory(s.dir); err != nil {
		return err
	}
	s.copied = index
	for _, old := range copiesIn(s.dir) {
		if old < index {
			os.Remove(copyPath(s.dir, old)) // one that stays is only in the way of the disk
			os.Remove(copyPath(s.dir, old) + copyNoteSuffix)
		}
	}
	return nil
}

// writeKept writes a small file beside a copy, as the copy is written.
func writeKept(path string, text []byte) error {
	if synced {
		return writeSynced(path, text, 0o600)
	}
	return os.WriteFile(path, text, 0o600)
}

// keepCopies makes a copy after changes until the store closes.
func (c *Cluster) keepCopies(s *raftStore) {
	for {
		select {
		case <-s.dirty:
		case <-s.closing:
			return
		}
		if !s.awaitQuiet() {
			return
		}
		if err := s.keep(); err != nil {
			c.o.Logger.Warn("no copy of the cluster database made", "error", err)
			continue
		}
		if s.snapshotDue(true) {
			if err := s.snapshot(); err != nil {
				c.o.Logger.Warn("no snapshot of the cluster database made", "error", err)
			}
		}
	}
}

// awaitQuiet waits until it is time for a copy; false when the store closes.
func (s *raftStore) awaitQuiet() bool {
	latest, quiet, look := time.NewTimer(copyLatest), time.NewTimer(copyQuiet), time.NewTicker(hurryEvery)
	defer latest.Stop()
	defer quiet.Stop()
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if s.snapshotDue(false) || s.unsealed() {
				return true
			}
		case <-s.dirty:
			quiet.Reset(copyQuiet)
		case <-quiet.C:
			return true
		case <-latest.C:
			return true
		case <-s.closing:
			return false
		}
	}
}

// soil asks for a copy.
func (s *raftStore) soil() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// report tells the keeper of the journal that there may be something new.
func (s *raftStore) report() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}
