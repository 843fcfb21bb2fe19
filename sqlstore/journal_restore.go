package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	rlog "github.com/rqlite/rqlite/v8/store/log"

	"hexad/engine"
	"hexad/migrations"
)

// Remains is what a database is rebuilt from when its store is damaged.
type Remains struct {
	Dir        string            // the damaged store, wherever it was moved; "" when it is gone
	Journal    string            // the configuration journal
	Generation engine.Generation // of the store
}

// Rebuilt is what a database could be rebuilt from, and up to where.
type Rebuilt struct {
	Copy     uint64 // index of the copy; 0 when there was none
	Log      bool   // the log after it was carried out
	Journal  int64  // revision that the journal has; 0 when it has none of this generation
	Revision int64  // of the result
}

// Rebuild makes a database file at path, on disk when it returns, of the newest
// sound copy, the log that follows it, and the configuration journal. For the
// only voter of a group: what its log and its journal hold is all that was ever
// confirmed. Where log and journal differ, the journal counts, which has checksums.
//
// Errors: Unavailable when there is neither a copy nor a journal.
func Rebuild(ctx context.Context, r Remains, path string) (out Rebuilt, err error) {
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	if out.Copy, out.Log, err = copyOf(ctx, r.Dir, path); err != nil {
		return out, err
	}
	records, err := readRecords(r.Journal, r.Generation)
	if err != nil {
		return out, err
	}
	if out.Copy == 0 && len(records) == 0 {
		return out, engine.Errorf(engine.Unavailable, "there is no sound copy of the cluster database, and no configuration journal of its generation").
			With("", "restore a backup, or reset this peer and add it to its cluster again")
	}
	out.Journal = lastOf(records)
	db, err := sql.Open("sqlite", fileURI(path))
	if err != nil {
		return out, sqliteError("rebuild the cluster database", err)
	}
	db.SetMaxOpenConns(1)
	b := rebuilding{db: db}
	if out.Copy == 0 {
		err = b.create(ctx)
	}
	for _, record := range records {
		if err == nil {
			err = b.apply(ctx, record)
		}
	}
	if err == nil {
		err = b.agree(ctx, records)
	}
	if err == nil {
		out.Revision, err = b.revision(ctx)
	}
	if err = errors.Join(sqliteError("rebuild the cluster database", err), db.Close()); err != nil {
		return out, err
	}
	if err := checkDatabase(ctx, path); err != nil {
		return out, err
	}
	return out, fileError("rebuild the cluster database", errors.Join(syncPath(path), syncDir(filepath.Dir(path))))
}

// copyOf puts the newest sound copy of dir at path, with the log after it when
// that can be carried out.
func copyOf(ctx context.Context, dir, path string) (index uint64, log bool, err error) {
	if dir == "" {
		return 0, false, nil
	}
	l := openCopy(ctx, dir)
	if l == nil {
		return 0, false, nil
	}
	defer l.db.Close()
	put := func() error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(l.write(f), f.Close())
	}
	if err := put(); err != nil {
		return 0, false, fileError("rebuild the cluster database", err)
	}
	if carryOutOf(ctx, dir, path, l.index) == nil {
		return l.index, true, nil
	}
	for _, of := range []string{"", "-wal", "-shm", "-journal"} { // what it had come to is of no use
		os.Remove(path + of)
	}
	return l.index, false, fileError("rebuild the cluster database", put())
}

// carryOutOf carries out the log of a damaged store, if it can be read.
func carryOutOf(ctx context.Context, dir, path string, index uint64) (err error) {
	defer func() { // bbolt panics on some damaged files
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	file := filepath.Join(dir, raftFile)
	if err := wholeLog(file); err != nil || !exists(file) {
		return errors.Join(errors.New("no log"), err)
	}
	logs, drop, err := duplicateLog(file)
	if err != nil {
		return err
	}
	defer drop()
	_, err = carryOut(path, index, logs)
	if err = errors.Join(err, logs.Close()); err != nil {
		return err
	}
	return checkDatabase(ctx, path)
}

// duplicateLog opens a copy of the log of a closed store; drop removes it. Who
// opened the log itself and met damage may hold its lock until the process ends,
// and to open it would wait for that.
func duplicateLog(path string) (logs *rlog.Log, drop func(), err error) {
	from, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(path), halfCopies)
	if err != nil {
		return nil, nil, err
	}
	drop = func() { os.Remove(to.Name()) }
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err == nil {
		logs, err = rlog.New(to.Name(), false)
	}
	if err != nil {
		drop()
	}
	return logs, drop, err
}

// readRecords are the records of a generation from the last whole one on; what
// is damaged ends them.
func readRecords(path string, g engine.Generation) ([]JournalRecord, error) {
	file, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError("read the configuration journal", err)
	}
	records := ReadJournal(file).Records
	for i, record := range slices.Backward(records) {
		if record.Whole != nil {
			records = records[i:]
			break
		}
	}
	if len(records) == 0 || records[0].Generation.ID != g.ID {
		return nil, nil
	}
	return records, nil
}

// rebuilding brings records into a database file.
type rebuilding struct{ db *sql.DB }

func (b rebuilding) do(ctx context.Context, statements ...statement) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, st := range statements {
		if _, err := tx.ExecContext(ctx, st.SQL, st.Args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// create makes an empty database of this release's form.
func (b rebuilding) create(ctx context.Context) error {
	for _, m := range migrations.Cluster() {
		err := b.do(ctx, stmt(m.SQL), stmt("INSERT INTO schema_migration (version, name, checksum, at_ms) VALUES (?, ?, ?, 0)", int64(m.Version), m.Name, m.Checksum))
		if err != nil {
			return err
		}
	}
	return b.do(ctx, stmt("INSERT INTO agreed (one, cluster, generation, generation_id, parent, primary_node, revision) VALUES (1, '', 0, '', '', '', -1)"))
}

func (b rebuilding) revision(ctx context.Context) (n int64, err error) {
	return n, b.db.QueryRowContext(ctx, "SELECT revision FROM agreed").Scan(&n)
}

// apply brings one record in, as far as the database does not have it.
func (b rebuilding) apply(ctx context.Context, r JournalRecord) error {
	now, err := b.revision(ctx)
	if err != nil {
		return err
	}
	if r.Whole != nil && r.Whole.Revision > now {
		if err := b.whole(ctx, r); err != nil {
			return err
		}
		now = r.Whole.Revision
	}
	for _, st := range r.Steps {
		if st.Revision != now+1 {
			continue
		}
		if err := b.step(ctx, st); err != nil {
			return err
		}
		now++
	}
	for _, kept := range r.Batches {
		var known int
		if err := b.db.QueryRowContext(ctx, "SELECT count(*) FROM operation WHERE id = ?", kept.Operation).Scan(&known); err != nil || known > 0 {
			if err != nil {
				return err
			}
			continue
		}
		statements := append([]statement{stmt("INSERT INTO operation (id, revision, at_ms) VALUES (?, ?, ?)", kept.Operation, kept.Revision, kept.AtMS)}, kept.Statements...)
		if err := b.do(ctx, statements...); err != nil && !strings.Contains(err.Error(), "constraint failed") { // what the guard refuses now is in the database already
			return err
		}
	}
	return nil
}

// whole puts the tables of a whole record in the place of those that are there.
func (b rebuilding) whole(ctx context.Context, r JournalRecord) error {
	g := r.Generation
	statements := []statement{stmt("UPDATE agreed SET cluster = ?, generation = ?, generation_id = ?, parent = ?, primary_node = ?, revision = ?",
		r.Cluster, g.Number, g.ID, g.Parent, r.Whole.Primary, r.Whole.Revision)}
	for _, name := range journalTables {
		table, ok := r.Whole.Tables[name]
		if !ok {
			continue
		}
		statements = append(statements, stmt("DELETE FROM "+name))
		text := "INSERT INTO " + name + " (" + strings.Join(table.Columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(table.Columns)-1) + ")"
		for _, row := range table.Rows {
			statements = append(statements, stmt(text, row...))
		}
	}
	return b.do(ctx, statements...)
}

// step makes one revision as the save of it did.
func (b rebuilding) step(ctx context.Context, st JournalStep) error {
	statements := []statement{stmt("UPDATE agreed SET revision = ?", st.Revision)}
	if st.Operation != "" {
		statements = append(statements, stmt("INSERT OR IGNORE INTO operation (id, revision, at_ms) VALUES (?, ?, ?)", st.Operation, st.Revision, st.AtMS))
	}
	from := origin{Revision: st.Revision, AtMS: st.AtMS, Actor: st.Actor, Peer: st.Peer, Comment: st.Comment}
	var bound []change
	for _, ch := range st.Changes {
		bound = append(bound, from.change(ch))
	}
	statements = append(statements, changeStatements(bound)...)
	return b.do(ctx, statements...)
}

// agree makes the items those of the journal, when both are at one revision: a
// log has no checksums, and what was changed in it may still look sound.
func (b rebuilding) agree(ctx context.Context, records []JournalRecord) error {
	now, err := b.revision(ctx)
	if err != nil || len(records) == 0 || lastOf(records) != now {
		return err
	}
	want := journalItems(records)
	have, err := b.items(ctx)
	if err != nil || maps.Equal(want, have) {
		return err
	}
	statements := []statement{stmt("DELETE FROM item")}
	for path, value := range want {
		table, index, leaf := cutPath(path)
		statements = append(statements, stmt("INSERT INTO item (path, tbl, idx, leaf, value) VALUES (?, ?, ?, ?, ?)", path, table, index, leaf, value))
	}
	return b.do(ctx, statements...)
}

func (b rebuilding) items(ctx context.Context) (map[string]string, error) {
	rows, err := b.db.QueryContext(ctx, "SELECT path, value FROM item")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var path, value string
		if err := rows.Scan(&path, &value); err != nil {
			return nil, err
		}
		out[path] = value
	}
	return out, rows.Err()
}

// journalItems is the configuration that records lead to.
func journalItems(records []JournalRecord) map[string]string {
	out := map[string]string{}
	for _, r := range records {
		if r.Whole != nil {
			clear(out)
			table := r.Whole.Tables["item"]
			path, value := slices.Index(table.Columns, "path"), slices.Index(table.Columns, "value")
			for _, row := range table.Rows {
				p, _ := row[path].(string)
				out[p], _ = row[value].(string)
			}
		}
		for _, st := range r.Steps {
			for _, ch := range st.Changes {
				if out[ch.Path] = ch.Value; ch.Delete {
					delete(out, ch.Path)
				}
			}
		}
	}
	return out
}

// short says what a sole voter's database has not that its journal has; nil when
// nothing is known to be missing.
func (c *Cluster) short(s *raftStore) error {
	records, err := readRecords(c.journal.path, s.generation)
	if err != nil || len(records) == 0 {
		return nil // the journal says so itself, when it is written
	}
	now, err := s.readAgreed()
	if err != nil {
		return nil // nothing has come here yet
	}
	last := lastOf(records)
	if now.Revision < last {
		return fmt.Errorf("it is at revision %d, but revision %d was saved: the configuration journal has it", now.Revision, last)
	}
	if now.Revision > last {
		return nil
	}
	rows, err := s.query(stmt("SELECT path, value FROM item"))
	if err != nil {
		return err
	}
	want := journalItems(records)
	same := len(want) == len(rows[0].GetValues())
	for r := range each(rows[0]) {
		path := r.text()
		value, ok := want[path]
		same = same && ok && value == r.text()
	}
	if !same {
		return fmt.Errorf("its configuration of revision %d is not the one that was saved: the configuration journal has that", last)
	}
	return nil
}

// copyFile makes a copy of a file, on disk when it returns.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, syncFile(out), out.Close())
}
