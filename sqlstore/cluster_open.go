package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// Start is how Switch comes by the store of another generation.
type Start int

// The ways.
const (
	Existing Start = iota // its directory is here: Open
	Empty                 // it comes from the leader: Follow
)

// storeFile describes a store, in its directory: a directory that should hold a
// store is never taken for an empty one.
const storeFile = "store.json"

type storeRecord struct {
	Node       string            `json:"node"`
	Generation engine.Generation `json:"generation"`
	State      storeState        `json:"state"`
	Founding   *engine.Founding  `json:"founding,omitempty"` // here, on the copy of another generation
}

type storeState string

const (
	founding  storeState = "founding"  // a crash now leaves nothing of use
	founded   storeState = "founded"   // all is there; whether it counts is said by the identity, which is written next
	following storeState = "following" // empty until the leader has sent something
	emptying  storeState = "emptying"  // what is there is to go; then it is following
	complete  storeState = "complete"  // it has held a database
	lost      storeState = "lost"      // empty in the place of a damaged one, until the group has taken its vote: Refill
)

// whole reports whether a store of this state has a database.
func (s storeState) whole() bool { return s == founded || s == complete }

// Directory is where the store of a generation lives.
func (o ClusterOptions) directory(g engine.Generation) string {
	return filepath.Join(o.Dir, strconv.FormatInt(g.Number, 10)+"-"+g.ID)
}

// Directory is where the store of generation g lives, open or not.
func (c *Cluster) Directory(g engine.Generation) string { return c.o.directory(g) }

// Open opens the store of generation g, which Found, Follow or Refound made. A
// group of one is writable when it returns; other groups may have no leader yet.
//
// Errors: NotFound when there is no such store or its founding was cut short;
// Internal with ErrDamaged when there is one that cannot be used; Unavailable
// when another process has it. It never starts with an empty store instead.
func (c *Cluster) Open(ctx context.Context, g engine.Generation) error {
	return c.replace(ctx, g, func() (*raftStore, error) { return c.openExisting(ctx, g) })
}

// Follow makes an empty store of generation g, which waits to be added to the
// group by its leader. A store of that generation that is here already is removed.
func (c *Cluster) Follow(ctx context.Context, g engine.Generation) error {
	return c.replace(ctx, g, func() (*raftStore, error) { return c.openNew(ctx, g, following) })
}

// Switch closes the store and gets that of another generation. Readers wait
// meanwhile; writes are tried again on the new one. The old directory stays.
// When it fails no store is open, and Status says Failed: the caller decides
// whether to go back to the old one.
func (c *Cluster) Switch(ctx context.Context, g engine.Generation, start Start) error {
	if start == Empty {
		return c.Follow(ctx, g)
	}
	return c.Open(ctx, g)
}

// Found makes a new group of generation g with this peer as its only voter: an
// empty configuration at revision 0, with self as its one member and primary.
// cluster is the new cluster's id.
func (c *Cluster) Found(ctx context.Context, g engine.Generation, cluster string, self engine.Member) error {
	return c.found(ctx, g, foundation{fill: func(ctx context.Context, s *raftStore) error {
		if err := s.migrate(ctx); err != nil {
			return err
		}
		return s.install(ctx,
			stmt("INSERT INTO agreed (one, cluster, generation, generation_id, parent, primary_node, revision) VALUES (1, ?, ?, ?, ?, ?, 0)",
				cluster, g.Number, g.ID, g.Parent, c.o.Node),
			insertMember(self, knownMigrations()))
	}})
}

// replace closes the store there is and puts the one that open returns in its
// place. Readers wait until it is there.
func (c *Cluster) replace(ctx context.Context, g engine.Generation, open func() (*raftStore, error)) error {
	c.change.Lock()
	defer c.change.Unlock()
	if ctx.Err() != nil {
		return engine.Errorf(engine.Unavailable, "the cluster database was not opened: %w", ctx.Err())
	}
	s, err := c.swap(g, open)
	if err != nil {
		return err
	}
	sole, err := s.settle(ctx, c.o.Node)
	if err != nil || !sole {
		return err
	}
	return c.compare(s)
}

// compare closes the store of a sole voter that has not what was saved in it.
func (c *Cluster) compare(s *raftStore) error {
	why := c.short(s)
	if why == nil {
		return nil
	}
	err := errors.Join(why, s.close())
	<-s.watched
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store, c.failure = nil, damaged(s.dir, err)
	c.generation.Store(nil)
	return c.failure
}

func (c *Cluster) swap(g engine.Generation, open func() (*raftStore, error)) (*raftStore, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if c.store != nil {
		if err := c.store.close(); err != nil {
			c.o.Logger.Warn("cluster database not closed cleanly", "error", err)
		}
		c.store = nil
	}
	c.followers.reset()
	c.generation.Store(&g)
	s, err := open()
	if err != nil {
		c.failure = err
		c.generation.Store(nil)
		return nil, err
	}
	c.store, c.failure = s, nil
	c.watch(s)
	return s, nil
}

// Refuse notes why the store of generation g is not to be opened, as if opening
// it had found it damaged: Status says Failed.
func (c *Cluster) Refuse(g engine.Generation, why error) error {
	err := damaged(c.o.directory(g), why)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	return err
}

// settle waits until the store of a sole voter has applied its log and can be
// written, and reports whether this is one. In other groups that takes the
// contact with the leader.
func (s *raftStore) settle(ctx context.Context, node string) (sole bool, err error) {
	servers, err := s.servers()
	if err != nil {
		return false, err
	}
	for _, sv := range servers {
		if sv.Voter != (sv.Node == node) {
			return false, nil
		}
	}
	if len(servers) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var cause error
	for {
		err := s.awaitLeader(ctx)
		if err == nil {
			if err = s.noop(); err == nil {
				return true, nil
			}
			cause = err // a leader that fails to write is none for a moment
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return false, unwritable(cmp.Or(cause, err))
		}
	}
}

// settleTime is how long a sole voter may take to write for the first time.
const settleTime = 3 * time.Second

func (s *raftStore) noop() error {
	f, err := s.store.Noop("settle")
	if err != nil {
		return err
	}
	return f.Error()
}

// unwritable is the error of a store that was opened but takes no writes.
func unwritable(cause error) error {
	e := &engine.Error{Code: engine.Unavailable, Err: cause,
		Message: "the cluster database was opened but cannot be written: " + cause.Error(),
		Remedy:  "see whether the disk of the data directory is full or fails; hexad tries again by itself"}
	if disk := diskTrouble(cause); disk != nil {
		e.Err = disk
	}
	return e
}

func (c *Cluster) openExisting(ctx context.Context, g engine.Generation) (*raftStore, error) {
	dir := c.o.directory(g)
	record, err := readRecord(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(filepath.Join(dir, raftFile)):
		return nil, engine.Errorf(engine.NotFound, "there is no cluster database of generation %d (%s) in %s", g.Number, g.ID, dir)
	case err != nil:
		return nil, unopened(dir, err)
	case record.State == emptying && record.Node == c.o.Node && record.Generation.ID == g.ID:
		return c.openNew(ctx, g, following)
	case record.State == founding:
		return nil, engine.Errorf(engine.NotFound, "the cluster database of generation %d (%s) was never completed", g.Number, g.ID)
	case record.Node != c.o.Node || record.Generation.ID != g.ID || record.Generation.Number != g.Number:
		return nil, damaged(dir, fmt.Errorf("it belongs to node %s and generation %d (%s)",
			record.Node, record.Generation.Number, record.Generation.ID))
	case record.State.whole() && !exists(filepath.Join(dir, raftFile)):
		return nil, damaged(dir, errors.New("the Raft log is missing"))
	}
	s, err := openRaft(ctx, c.o, dir, g)
	if err != nil {
		return nil, unopened(dir, err)
	}
	s.founding = record.Founding
	if record.State.whole() && s.raft.LastIndex() == 0 {
		return nil, damaged(dir, errors.Join(errors.New("the Raft log is empty"), s.close()))
	}
	if last := s.raft.LastIndex(); record.State.whole() && last < s.copied {
		return nil, damaged(dir, errors.Join(fmt.Errorf("the Raft log ends at entry %d, but entry %d had been carried out", last, s.copied), s.close()))
	}
	if record.State == founded {
		if err := s.mark(c.o.Node, complete); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// openNew opens an empty store; what is in its directory is removed first.
func (c *Cluster) openNew(ctx context.Context, g engine.Generation, state storeState) (*raftStore, error) {
	return c.openFilled(ctx, g, state, func(string) error { return nil })
}

// openFilled is openNew where put may lay something into the directory first.
func (c *Cluster) openFilled(ctx context.Context, g engine.Generation, state storeState, put func(dir string) error) (*raftStore, error) {
	if g.ID == "" || filepath.Base(g.ID) != g.ID {
		return nil, engine.Errorf(engine.Invalid, "generation id %q cannot name a directory", g.ID)
	}
	dir := c.o.directory(g)
	if record, err := readRecord(dir); state == founding && err == nil && record.State != founding {
		return nil, engine.Errorf(engine.Conflict, "there is a cluster database of generation %d (%s) already", g.Number, g.ID)
	}
	const doing = "make the directory of the cluster database"
	// A crash on the way leaves a record that says how to go on, and never a
	// part of the old store that looks like one.
	if state == following && exists(filepath.Join(dir, storeFile)) {
		if err := writeRecord(dir, storeRecord{Node: c.o.Node, Generation: g, State: emptying}); err != nil {
			return nil, fileError(doing, err)
		}
		if err := fail.Point("follow.emptying"); err != nil {
			return nil, err
		}
	}
	if err := emptyDir(dir); err != nil {
		return nil, fileError(doing, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fileError(doing, err)
	}
	if err := errors.Join(writeRecord(dir, storeRecord{Node: c.o.Node, Generation: g, State: state}), syncDir(c.o.Dir)); err != nil {
		return nil, fileError(doing, err)
	}
	if err := put(dir); err != nil {
		return nil, fileError(doing, err)
	}
	s, err := openRaft(ctx, c.o, dir, g)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the new cluster database in " + dir + " could not be opened: " + err.Error(), Err: err}
	}
	return s, nil
}

// emptyDir removes all but the record from the directory of a store.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != storeFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, syncDir(dir))
}

// mark records the state of the store in its directory.
func (s *raftStore) mark(node string, state storeState) error {
	return fileError("mark the cluster database as "+string(state),
		writeRecord(s.dir, storeRecord{Node: node, Generation: s.generation, State: state, Founding: s.founding}))
}

func damaged(dir string, err error) error {
	return &engine.Error{
		Code:    engine.Internal,
		Message: fmt.Sprintf("the cluster database in %s cannot be used: %v", dir, err),
		Remedy:  "keep that directory for examination; get a copy from the primary, or restore a backup",
		Err:     errors.Join(ErrDamaged, err),
	}
}

func readRecord(dir string) (storeRecord, error) {
	text, err := os.ReadFile(filepath.Join(dir, storeFile))
	if err != nil {
		return storeRecord{}, err
	}
	var r storeRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", storeFile, err)
	}
	return r, nil
}

func writeRecord(dir string, r storeRecord) error {
	return writeSynced(filepath.Join(dir, storeFile), []byte(jsonText(r)+"\n"), 0o600)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// install runs the statements that fill a new group.
func (s *raftStore) install(ctx context.Context, statements ...statement) error {
	a, err := s.execute(ctx, newBatch(statements...))
	switch {
	case err != nil:
		return &engine.Error{Code: engine.Unavailable, Message: "the new cluster database could not be filled: " + err.Error(), Err: err}
	case a.Outcome != applied:
		return statementError(a.Message)
	}
	return nil
}

// Backup writes a consistent copy of the database, a plain SQLite file, to w.
// It needs no leader.
func (c *Cluster) Backup(ctx context.Context, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return engine.Errorf(engine.Unavailable, "not copied: %w", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, err := c.currentLocked()
	if err != nil {
		return err
	}
	if err := s.backup(w); err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the cluster database could not be copied", Err: err}
	}
	return nil
}
