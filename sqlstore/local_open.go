package sqlstore

import (
	"context"
	"crypto/rand"
	dbsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/migrations"
)

const (
	markerFile = "hexad.id" // present from the first complete start on: local.db must be there too
	lockFile   = "lock"
)

// OpenLocal locks the data directory, opens local.db, checks it and brings it
// to the form of this release. The first start makes the directory, the system
// key, the database and a node id.
//
// A directory that was in use before and whose local.db is missing, empty or
// damaged is an error (ErrDamaged), never a silent new start.
//
// Errors: Conflict (ErrInUse), Denied (not writable), Internal (ErrDamaged),
// Unavailable (ErrNewer, ErrFull, ErrDisk; ErrKey unless WithoutKey).
func OpenLocal(ctx context.Context, o LocalOptions) (_ *Local, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.EventLimit <= 0 {
		o.EventLimit = DefaultEventLimit
	}
	if o.DecisionLimit <= 0 {
		o.DecisionLimit = DefaultDecisionLimit
	}
	if o.DecisionBytes <= 0 {
		o.DecisionBytes = DefaultDecisionBytes
	}
	if o.DecisionAge <= 0 {
		o.DecisionAge = DefaultDecisionAge
	}
	if o.Secret == nil {
		o.Secret = secretByName
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fileError("open the data directory", err)
	}
	l := &Local{dir: dir, logger: o.Logger, options: o}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if err := l.acquire(); err != nil {
		return nil, err
	}
	first, err := l.firstStart()
	if err != nil {
		return nil, err
	}
	if err := l.connectAll(ctx, first); err != nil {
		return nil, err
	}
	if err := migrate(ctx, l.durable, migrations.Local(), o.Release); err != nil {
		return nil, l.damaged(err)
	}
	if err := l.identify(ctx, first); err != nil {
		return nil, l.damaged(err)
	}
	return l, nil
}

// acquire makes the data directory and takes its lock, which the kernel frees
// when the process ends, however it ends.
func (l *Local) acquire() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fileError("make the data directory "+l.dir, err)
	}
	f, err := os.OpenFile(filepath.Join(l.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileError("open the data directory "+l.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fileError("lock the data directory "+l.dir, err)
		}
		e := engine.Errorf(engine.Conflict, "the data directory %s is in use by process %s", l.dir, strings.TrimSpace(string(holder)))
		e.Remedy, e.Err = "stop that process, or name another --data-dir", ErrInUse
		return e
	}
	l.lock = f
	if err := f.Truncate(0); err != nil {
		return fileError("lock the data directory "+l.dir, err)
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return fileError("lock the data directory "+l.dir, err)
	}
	return nil
}

// firstStart reports whether this directory was never completely started.
func (l *Local) firstStart() (bool, error) {
	_, err := os.Stat(filepath.Join(l.dir, markerFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fileError("read the data directory", err)
	}
	info, err := os.Stat(l.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, l.damage("is missing", nil)
	case err != nil:
		return false, fileError("read the data directory", err)
	case info.Size() == 0:
		return false, l.damage("is empty", nil)
	}
	return false, nil
}

// damage is the error of a local.db that cannot be used.
func (l *Local) damage(what string, cause error) *engine.Error {
	e := engine.Errorf(engine.Internal, "the local database %s %s", l.Path(), what)
	e.Remedy = "restore a backup of this peer; or move the whole data directory away, start, and join the cluster again"
	e.Err = errors.Join(ErrDamaged, cause)
	return e
}

// damaged names the file in an error that came from inside SQLite.
func (l *Local) damaged(err error) error {
	if errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), l.Path()) {
		return l.damage("is damaged", err)
	}
	return err
}

func (l *Local) connectAll(ctx context.Context, first bool) error {
	var err error
	if l.durable, err = connect(l.Path(), "FULL", 1); err != nil {
		return sqliteError("open the local database", err)
	}
	if !first {
		if err := l.check(ctx); err != nil {
			return err
		}
	}
	if err := sqliteError("open the local database", l.durable.PingContext(ctx)); err != nil {
		return l.damaged(err)
	}
	if err := os.Chmod(l.Path(), 0o600); err != nil {
		return fileError("protect the local database", err)
	}
	if l.journal, err = connect(l.Path(), "NORMAL", 1); err != nil {
		return sqliteError("open the local database", err)
	}
	l.read, err = connect(l.Path(), "NORMAL", 4, "query_only(1)")
	return sqliteError("open the local database", err)
}

// records are the tables that say what happened and decide nothing. They hold
// nearly all of a local.db that has served for a while: examining them takes longer than
// everything else of a start.
var records = []string{"event", "decision", "decision_step"}

// check is SQLite's own check of the structure, of all tables but the records.
// CheckRecords has those.
func (l *Local) check(ctx context.Context) error {
	text := func(s scanner) (v string, err error) { return v, s.Scan(&v) }
	tables, err := collect(ctx, l.durable, "check the local database", text, "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
	if err != nil {
		return l.damaged(err)
	}
	for _, table := range tables {
		if slices.Contains(records, table) {
			continue
		}
		if err := l.quickCheck(ctx, l.durable, `PRAGMA quick_check("`+table+`")`); err != nil {
			return err
		}
	}
	return nil
}

// CheckRecords checks the structure of the whole file, which takes seconds when
// it is large; others read and write meanwhile. An error that is ErrDamaged is
// about the records, or about what was damaged since the start.
func (l *Local) CheckRecords(ctx context.Context) error {
	return l.quickCheck(ctx, l.read, "PRAGMA quick_check(5)")
}

func (l *Local) quickCheck(ctx context.Context, db *dbsql.DB, pragma string) error {
	text := func(s scanner) (v string, err error) { return v, s.Scan(&v) }
	found, err := collect(ctx, db, "check the local database", text, pragma)
	if err != nil {
		return l.damaged(err)
	}
	if len(found) != 1 || found[0] != "ok" {
		return l.damage("is damaged", errors.New(strings.Join(found, "; ")))
	}
	return nil
}

// identify opens the system key and, at the first start, makes the identity
// and then the marker, in that order: a start cut short begins again.
func (l *Local) identify(ctx context.Context, first bool) error {
	var check string
	err := l.durable.QueryRowContext(ctx, "SELECT sealed_check FROM identity").Scan(&check)
	fresh := errors.Is(err, dbsql.ErrNoRows)
	switch {
	case fresh && !first:
		return l.damage("holds no identity", nil)
	case err != nil && !fresh:
		return sqliteError("read the identity", err)
	}
	if fresh {
		if l.key, err = firstKey(l.dir); err != nil {
			return err
		}
		err = l.exec(ctx, "store the identity", `INSERT INTO identity (one, node, serial, sealed_check, state, changed_ms)
			VALUES (1, ?, ?, ?, ?, ?)`, newNode(), newSerial(), l.key.sealer.Seal(checkDomain, nil), Standalone, time.Now().UnixMilli())
	} else if l.key, err = findKey(l.dir, check); errors.Is(err, ErrKey) && l.options.WithoutKey {
		err = l.withoutKey(err)
	}
	if err != nil || !first {
		return err
	}
	return l.mark(ctx)
}

// withoutKey goes on with a key of this process alone, which seals nothing.
func (l *Local) withoutKey(fault error) (err error) {
	if l.key, err = newSystemKey(randomKey()); err != nil {
		return err
	}
	l.key.lost, l.keyFault = true, fault
	return nil
}

const checkDomain = "system key"

// mark writes the file that says: this directory holds a peer.
func (l *Local) mark(ctx context.Context) error {
	id, err := l.Identity(ctx)
	if err != nil {
		return err
	}
	text := "This directory holds a hexad peer. Do not delete single files of it.\nnode " + id.Node + "\n"
	return fileError("mark the data directory", writeSynced(filepath.Join(l.dir, markerFile), []byte(text), 0o600))
}

// newNode is a random node id: 16 lower-case hexadecimal digits.
func newNode() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// newSerial is a random serial number: 8 upper-case hexadecimal digits.
func newSerial() string { return strings.ToUpper(newNode()[:8]) }
