package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/hashicorp/raft"
	"github.com/rqlite/rqlite/v8/command/proto"
	"github.com/rqlite/rqlite/v8/store"

	"hexad/engine"
)

// The files of rqlite in the directory of a store.
const (
	raftFile     = "raft.db"
	databaseFile = "db.sqlite"
)

// nodeAddr is a node id as a net.Addr: Raft's address of a peer is its node id.
type nodeAddr string

func (nodeAddr) Network() string  { return "hexad" }
func (a nodeAddr) String() string { return string(a) }

// addressed is a layer whose address is the node id, whatever it says itself.
type addressed struct {
	Layer
	addr nodeAddr
}

func (a addressed) Addr() net.Addr { return a.addr }

// raftStore is one rqlite store open in the directory of one generation.
type raftStore struct {
	store      *store.Store
	raft       *raft.Raft
	dir        string
	generation engine.Generation
	founding   *engine.Founding // when it was founded here on the copy of another generation
	layer      Layer
	gate       *gate // of layer
	logs       *raftLog

	last uint64 // index of the newest entry when the store was opened
	// caught: everything up to last is in the database, or was given up by the
	// group; and up to goal, which the group had confirmed when this peer first
	// heard of it: a copy that was emptied is filled from the beginning, and shows
	// old states on the way.
	caught  atomic.Bool
	goal    atomic.Uint64
	led     atomic.Pointer[lead]
	reached atomic.Pointer[carriedMark]

	closing      chan struct{} // closed when close begins
	once         sync.Once
	agreed       atomic.Pointer[agreedAt]
	digest       atomic.Pointer[engine.ContentDigest]
	replications *replications
	watched      chan struct{} // closed when the watcher has ended; made by watch
	whole        bool          // its record says complete; the watcher's

	copy    *lastCopy // from before; nil when there was none
	copying sync.Mutex
	copied  uint64        // index of the newest copy
	dirty   chan struct{} // there are changes to copy
	news    chan struct{} // there are changes for the journal

	broken   atomic.Pointer[error] // an entry is missing in this copy: see cluster_broken.go
	onBroken func(error)

	alarms sync.Map // nodes whose published alarms are as this copy has them

	snapshotted uint64 // index of the last snapshot; with copying
	sealed      string // ID of the snapshot that is known to be on disk; with copying
}

// openRaft opens the store in dir, whatever is in it; an empty directory
// becomes a store that waits to be bootstrapped or added to a group.
func openRaft(ctx context.Context, o ClusterOptions, dir string, generation engine.Generation) (*raftStore, error) {
	if err := unlocked(filepath.Join(dir, raftFile)); err != nil {
		return nil, err
	}
	logs, err := newRaftLog(o.Logger)
	if err != nil {
		return nil, err
	}
	gate := newGate(o.Layer(generation))
	s := &raftStore{dir: dir, generation: generation, layer: gate, gate: gate, logs: logs,
		closing: make(chan struct{}), dirty: make(chan struct{}, 1), news: make(chan struct{}, 1), onBroken: o.OnBroken}
	written.Store(filepath.Join(dir, databaseFile), s)
	dropHalfCopies(dir)
	if s.copy = openCopy(ctx, dir); s.copy != nil {
		s.copied = s.copy.index
	}
	err = logs.capture(func() error { return s.open(o) })
	if err != nil {
		s.abandon()
		return nil, err
	}
	if record, _ := readRecord(dir); record.State != lost { // openExisting has looked at it
		gate.lift()
	}
	return s, nil
}

func (s *raftStore) open(o ClusterOptions) (err error) {
	if err := wholeLog(filepath.Join(s.dir, raftFile)); err != nil {
		return err
	}
	if s.sealed, err = soundSnapshot(s.dir); err != nil {
		if lost := mend(context.Background(), s.dir); lost != nil {
			o.Logger.Warn("the snapshot of the cluster database is not trusted and cannot be replaced", "because", err, "and", lost)
			s.sealed = ""
			if id := newestSnapshot(s.dir); id == "" {
				return err
			} else if unsound := checkDatabase(context.Background(), filepath.Join(s.dir, snapshotDir, id+".db")); unsound != nil {
				return errors.Join(err, unsound)
			}
		} else {
			o.Logger.Warn("the snapshot of the cluster database was replaced by one made of the newest copy", "because", err)
			s.sealed = newestSnapshot(s.dir)
		}
	}
	// bbolt panics on some damaged files instead of returning an error, and maps
	// them into memory: what is not there is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	conf := store.NewDBConfig()
	conf.FKConstraints = true
	s.store = store.New(addressed{s.layer, nodeAddr(o.Node)}, &store.Config{
		DBConf: conf, Dir: s.dir, ID: o.Node,
		Logger: log.New(s.logs.w, "[store] ", 0),
	})
	s.store.RaftLogLevel = "WARN"
	timers := o.Timers
	primary := s.copy.primaryOf()
	yields := primary != "" && primary != o.Node
	if yields {
		timers = timers.yielding()
	}
	s.store.HeartbeatTimeout = timers.Heartbeat + hurryBy
	s.store.ElectionTimeout = timers.Election + hurryBy // it must not be shorter
	s.store.LeaderLeaseTimeout = o.Timers.Lease
	s.store.SnapshotThreshold = neverSnapshot // see cluster_snapshot.go
	s.store.SnapshotInterval = time.Hour
	s.store.SnapshotThresholdWALSize = 0
	if err := s.store.Open(); err != nil {
		return err
	}
	handle, ok := inside[*raft.Raft](s.store, "raft")
	if !ok || handle == nil {
		return errors.Join(errors.New("rqlite's store does not have the Raft handle where it is expected"), s.store.Close(true))
	}
	s.raft, s.replications = handle, watchReplication(handle)
	pace(handle, o)
	if yields {
		go s.endYielding(o.Timers)
	}
	mendTransport(handle, s.replications)
	s.last = handle.LastIndex()
	if shots, err := os.ReadDir(filepath.Join(s.dir, snapshotDir)); err == nil && len(shots) > 0 {
		var p position
		if _, err := fmt.Sscanf(newestSnapshot(s.dir), "%d-%d-", &p.term, &p.index); err == nil {
			s.snapshotted = p.index
		}
	}
	if s.last > 0 {
		o.Logger.Debug("cluster database opened; what came after its snapshot is carried out anew", "snapshot", s.snapshotted, "copy", s.copied, "log", s.last)
	}
	return nil
}

// inside reads an unexported field of rqlite's store. The Store offers neither
// promotion in place nor the last contact, and the observer that hands out the
// Raft handle can miss the only leader change there is. v8.43.4 is pinned.
func inside[T any](st *store.Store, field string) (T, bool) {
	if f := fieldOf[T](reflect.ValueOf(st).Elem(), field); f != nil {
		return *f, true
	}
	var zero T
	return zero, false
}

// abandon releases what a failed open has left open: rqlite forgets the Raft
// log there, and its file lock would make the next try in this process wait for ever.
func (s *raftStore) abandon() {
	s.layer.Close()
	if s.store != nil {
		f := reflect.ValueOf(s.store).Elem().FieldByName("boltStore")
		if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() {
			if c, ok := reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Interface().(io.Closer); ok {
				c.Close()
			}
		}
	}
	s.release()
}

// release ends what surrounds the store.
func (s *raftStore) release() {
	written.CompareAndDelete(filepath.Join(s.dir, databaseFile), s)
	s.logs.close()
	if s.copy != nil {
		s.copy.db.Close()
	}
}

// unlocked fails when another process holds the Raft log: opening it would
// wait for ever. A file that does not exist is not locked.
func unlocked(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return engine.Errorf(engine.Unavailable, "the cluster database %s is open in another process", path)
	}
	return nil
}

// close stops the store and cuts its connections. It may be called twice.
func (s *raftStore) close() (err error) {
	s.once.Do(func() {
		close(s.closing)
		s.layer.Close()
		err = errors.Join(s.keep(), s.store.Close(true))
		s.release()
	})
	return err
}

// path is the file of the database, for read-only connections.
func (s *raftStore) path() string {
	if l := s.behindCopy(); l != nil {
		return l.path
	}
	return filepath.Join(s.dir, databaseFile)
}

// bootstrap makes a new group with this peer as its only voter.
func (s *raftStore) bootstrap(node string) error {
	return s.store.Bootstrap(store.NewServer(node, node, true))
}

// hurryBy is what a store's heartbeat timeout is shortened by to hurry it.
const hurryBy = time.Millisecond

// hurry makes a follower stand for election now instead of after the silence of
// one or two heartbeats: shortening the timeout ends the wait. For a sole voter
// only, who has nobody to wait for.
func (s *raftStore) hurry() {
	c := s.raft.ReloadableConfig()
	c.HeartbeatTimeout -= hurryBy
	s.raft.ReloadConfig(c) // refused the second time, when it would get below the lease: then nothing is won
}

// awaitLeader waits until this store, whose peer is the sole voter, leads.
func (s *raftStore) awaitLeader(ctx context.Context) error {
	s.hurry()
	// A new leader is one before it says so: it refuses writes until it is Ready.
	for !s.store.IsLeader() || !s.store.Ready() {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return engine.Errorf(engine.Unavailable, "this peer did not become the Raft leader of its own group in time")
		}
	}
	return nil
}

// awaitApplied waits until everything up to index is in the database.
func (s *raftStore) awaitApplied(ctx context.Context, index uint64) error {
	reached := make(chan error, 1)
	patience := 10 * time.Minute
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end)
	}
	go func() {
		_, err := s.store.WaitForFSMIndex(index, patience)
		reached <- err
	}()
	select {
	case err := <-reached:
		if err != nil {
			return engine.Errorf(engine.Unavailable, "index %d is not applied here yet", index)
		}
		return nil
	case <-ctx.Done():
		return engine.Errorf(engine.Unavailable, "index %d is not applied here yet", index)
	case <-s.closing:
		return errClosed
	}
}

// query runs fixed read-only statements on the own copy in one transaction.
func (s *raftStore) query(statements ...statement) ([]*proto.QueryRows, error) {
	if l := s.behindCopy(); l != nil {
		return l.query(statements)
	}
	rows, _, err := s.store.Query(&proto.QueryRequest{
		Request: &proto.Request{Transaction: true, Statements: encodeStatements(statements)},
		Level:   proto.QueryRequest_QUERY_REQUEST_LEVEL_NONE,
	})
	if err != nil {
		return nil, readError(err)
	}
	for _, r := range rows {
		if r.Error != "" {
			return nil, readError(errors.New(r.Error))
		}
	}
	return rows, nil
}

// nudge lets the followers know at once that the last change is committed,
// instead of 50 to 100 ms later.
func (s *raftStore) nudge() {
	servers, err := s.servers()
	if err != nil || s.replications.nudge(servers, s.store.ID()) {
		return
	}
	go func() { // ends at the latest when the store closes
		if f, err := s.store.Noop("nudge"); err == nil {
			f.Error()
		}
	}()
}

// pause sleeps for d; an error when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
