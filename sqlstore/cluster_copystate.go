package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/command/chunking"
	"github.com/rqlite/rqlite/v8/command/proto"
	rdb "github.com/rqlite/rqlite/v8/db"
	"github.com/rqlite/rqlite/v8/store"
	rlog "github.com/rqlite/rqlite/v8/store/log"

	"hexad/engine"
)

// Take writes all that this peer has of cluster.db into a new file at path, a
// plain SQLite file, on disk when it returns, and describes it.
//
// That is more than reading shows: of a save that most voters have confirmed, a
// follower may have no more than the entry in its log. So the end of the log is
// carried out on the copy, confirmed or not; an entry that was never confirmed
// is one whose sender was told that the outcome is not known.
//
// Errors: Unavailable when there is no copy yet.
func (c *Cluster) Take(ctx context.Context, path string) (engine.CopyState, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, err := c.currentLocked()
	if err != nil {
		return engine.CopyState{}, err
	}
	logs, ok := inside[*rlog.Log](s.store, "boltStore")
	if !ok {
		return engine.CopyState{}, engine.Errorf(engine.Internal, "rqlite's store does not have its log where it is expected")
	}
	index := s.store.DBAppliedIndex() // what the backup has, at least
	if l := s.behindCopy(); l != nil {
		index = l.index
	}
	return take(ctx, path, s.backup, index, logs)
}

// takeClosed is Take for a store that is closed.
func (c *Cluster) takeClosed(ctx context.Context, path string, g engine.Generation) (engine.CopyState, error) {
	dir := c.o.directory(g)
	l := openCopy(ctx, dir)
	if l == nil {
		return engine.CopyState{}, engine.Errorf(engine.Unavailable, "this peer has no copy of the cluster database")
	}
	defer l.db.Close()
	logs, drop, err := duplicateLog(filepath.Join(dir, raftFile))
	if err != nil {
		return engine.CopyState{}, fileError("read the Raft log", err)
	}
	defer drop()
	defer logs.Close()
	state, err := take(ctx, path, l.write, l.index, logs)
	if err == nil {
		err = checkDatabase(ctx, path) // the next generation is founded on it
	}
	return state, err
}

// write writes the copy to w.
func (l *lastCopy) write(w io.Writer) error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// take makes the file, carries out what the log has after index, and describes it.
func take(ctx context.Context, path string, write func(io.Writer) error, index uint64, logs *rlog.Log) (engine.CopyState, error) {
	const doing = "copy the cluster database"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return engine.CopyState{}, fileError(doing, err)
	}
	err = fileError(doing, errors.Join(write(f), f.Close()))
	var end position
	if err == nil {
		end, err = carryOut(path, index, logs)
	}
	var state engine.CopyState
	if err == nil {
		state, err = DescribeCopy(ctx, path)
	}
	if err == nil {
		err = fileError(doing, errors.Join(syncPath(path), syncDir(filepath.Dir(path))))
	}
	if err != nil {
		os.Remove(path)
		return engine.CopyState{}, err
	}
	state.Index, state.Term, state.Unconfirmed = max(end.index, index), end.term, end.carried
	return state, nil
}

// position is the end of a log, and how many changes were carried out to get there.
type position struct {
	index, term uint64
	carried     int
}

// carryOut applies the log's entries after index to the database in a file, as
// Raft would. An entry that the database has already finds itself done.
func carryOut(path string, index uint64, logs *rlog.Log) (p position, err error) {
	first, last, err := logs.Indexes()
	if err != nil || last == 0 {
		return p, fileError("read the Raft log", err)
	}
	if first > index+1 {
		return p, engine.Errorf(engine.Unavailable, "the Raft log begins at entry %d, but the newest copy ends at %d", first, index)
	}
	defer func() { // rqlite panics on an entry that it cannot read
		if r := recover(); r != nil {
			err = &engine.Error{Code: engine.Internal, Message: fmt.Sprintf("the Raft log cannot be carried out: %v", r), Err: ErrDamaged}
		}
	}()
	db, err := rdb.OpenSwappable(path, rdb.DefaultDriver(), true, false)
	if err != nil {
		return p, fileError("open the copy of the cluster database", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	chunks, err := chunking.NewDechunkerManager(filepath.Dir(path))
	if err != nil {
		return p, fileError("open the copy of the cluster database", err)
	}
	processor := store.NewCommandProcessor(log.New(io.Discard, "", 0), chunks)
	for i := max(index+1, first); i <= last; i++ {
		var entry raft.Log
		if err := logs.GetLog(i, &entry); err != nil {
			return p, fileError("read the Raft log", err)
		}
		p.index, p.term = i, entry.Term
		if entry.Type != raft.LogCommand {
			continue
		}
		if _, mutated, _ := processor.Process(entry.Data, db); mutated {
			p.carried++
		}
	}
	if p.index == 0 { // nothing after index
		var entry raft.Log
		if err := logs.GetLog(last, &entry); err != nil {
			return p, fileError("read the Raft log", err)
		}
		p.index, p.term = last, entry.Term
	}
	return p, nil
}

func syncPath(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// reader answers fixed statements from one copy in one transaction.
type reader func(...statement) ([]*proto.QueryRows, error)

// readFile opens a copy that Take made for reading.
func readFile(path string) (reader, func() error, error) {
	db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&immutable=1&_pragma=query_only(1)")
	if err != nil {
		return nil, nil, sqliteError("open the copy of the cluster database", err)
	}
	l := &lastCopy{path: path, db: db}
	return func(s ...statement) ([]*proto.QueryRows, error) { return l.query(s) }, db.Close, nil
}

// ExamineCopy is DescribeCopy for a file that may be damaged: its structure is
// checked as a whole.
func ExamineCopy(ctx context.Context, path string) (engine.CopyState, error) {
	if err := checkDatabase(ctx, path); err != nil {
		return engine.CopyState{}, err
	}
	return DescribeCopy(ctx, path)
}

// DescribeCopy describes a file that Take made, without its place in the log.
//
// Errors: Invalid when it holds no database of a cluster.
func DescribeCopy(ctx context.Context, path string) (engine.CopyState, error) {
	if err := checkForm(ctx, path); err != nil {
		return engine.CopyState{}, err
	}
	read, end, err := readFile(path)
	if err != nil {
		return engine.CopyState{}, err
	}
	defer end()
	return describeCopy(read, -1)
}

// CopyItems are the configuration items of a file that Take made; secrets stay sealed.
func CopyItems(path string) (map[string]string, error) {
	read, end, err := readFile(path)
	if err != nil {
		return nil, err
	}
	defer end()
	rows, err := read(stmt("SELECT path, value FROM item"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for r := range each(rows[0]) {
		path := r.text()
		out[path] = r.text()
	}
	return out, nil
}

// State describes this peer's copy as reading shows it. History covers the
// changes up to revision, all of them when it is negative.
//
// Errors: Unavailable while this peer has no copy.
func (c *Cluster) State(ctx context.Context, revision int64) (engine.CopyState, error) {
	return describeCopy(func(s ...statement) ([]*proto.QueryRows, error) { return c.query(ctx, s...) }, revision)
}

// historyCompared is how many of the newest history entries two copies are
// compared by; two that went apart differ in the newest of them.
const historyCompared = 500

// policyTables hold what operators made; acknowledgements of peers are no part of it.
var policyTables = []string{
	"SELECT name, hook, builtin, draft, draft_by FROM policy_script ORDER BY name",
	"SELECT sha256, name FROM policy_version ORDER BY sha256",
	"SELECT n, state, based_on, author, activated_ms FROM policy_revision ORDER BY n",
	"SELECT n, tbl, key, value FROM policy_data ORDER BY n, tbl, key",
	"SELECT tbl, key, value, removed FROM policy_data_draft ORDER BY tbl, key",
	"SELECT id, finding, peer, until_ms FROM policy_waiver ORDER BY id",
}

func describeCopy(read reader, revision int64) (engine.CopyState, error) {
	statements := []statement{
		stmt("SELECT generation, generation_id, parent, primary_node, revision FROM agreed"),
		stmt("SELECT count(*) FROM item"),
		stmt("SELECT at_ms FROM history ORDER BY id DESC LIMIT 1"),
		stmt(`SELECT revision, at_ms, user, peer, path, old_value, new_value FROM history
WHERE ? < 0 OR revision <= ? ORDER BY id DESC LIMIT ?`, revision, revision, int64(historyCompared)),
	}
	for _, s := range policyTables {
		statements = append(statements, stmt(s))
	}
	rows, err := read(statements...)
	if err != nil {
		return engine.CopyState{}, err
	}
	if len(rows[0].GetValues()) == 0 {
		return engine.CopyState{}, errNoCopy
	}
	var out engine.CopyState
	for r := range each(rows[0]) {
		out.Generation = engine.Generation{Number: r.int(), ID: r.text(), Parent: r.text()}
		out.Primary, out.Revision = r.text(), r.int()
	}
	for r := range each(rows[1]) {
		out.Items = int(r.int())
	}
	for r := range each(rows[2]) {
		out.Saved = r.instant()
	}
	out.History, out.Policies = copyDigest(rows[3:4]), copyDigest(rows[4:])
	return out, nil
}

// copyDigest is the SHA-256 of rows.
func copyDigest(results []*proto.QueryRows) string {
	h := sha256.New()
	for n, rows := range results {
		fmt.Fprintf(h, "%d %d\n", n, len(rows.GetValues()))
		for r := range each(rows) {
			for _, v := range r.values {
				fmt.Fprintf(h, "%d %q ", v.GetI(), v.GetS())
			}
			fmt.Fprintln(h)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
