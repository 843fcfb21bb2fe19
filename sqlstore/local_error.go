package sqlstore

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"hexad/engine"
)

// Causes that main tells apart with errors.Is: each has its own alarm.
var (
	ErrDamaged = errors.New("database damaged")             // alarm 15005
	ErrNewer   = errors.New("database of a newer release")  // a downgrade
	ErrInUse   = errors.New("data directory in use")        // another process
	ErrFull    = errors.New("disk full")                    // nothing more can be stored
	ErrDisk    = errors.New("disk error")                   // the medium failed a read, a write or a sync
	errAuth    = errors.New("statement not permitted here") // refused by the authoriser
)

// sqliteError gives err of modernc's SQLite its code and a text for people; it
// is the only place that looks at result codes. doing says what was being done:
// "save the clustering page". It returns nil for nil and leaves an
// *engine.Error alone.
//
// A failed write may have reached the disk in part, never in effect: SQLite
// rolls it back.
func sqliteError(doing string, err error) error {
	var known *engine.Error
	var failed *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &engine.Error{Code: engine.Unavailable, Message: doing + ": not finished in time", Err: err}
	case !errors.As(err, &failed):
		return fileError(doing, err)
	}
	e := &engine.Error{Code: engine.Internal, Message: doing + ": the database refused it", Err: err}
	switch failed.Code() & 0xff {
	case lib.SQLITE_FULL:
		full(e, doing)
	case lib.SQLITE_IOERR:
		e.Code, e.Message = engine.Unavailable, doing+": the disk failed"
		e.Remedy, e.Err = "check the disk and its file system; hexad restarts its store by itself", errors.Join(ErrDisk, err)
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM:
		e.Code, e.Message = engine.Unavailable, doing+": the database file cannot be written"
		e.Remedy = "check the owner and the mode of the data directory, and that its file system is not mounted read-only"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		e.Code, e.Message, e.Remedy = engine.Unavailable, doing+": the database is busy", "try again"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		e.Message, e.Err = doing+": the database file is damaged", errors.Join(ErrDamaged, err)
		e.Remedy = "restore a backup of this peer"
	case lib.SQLITE_NOMEM, lib.SQLITE_TOOBIG:
		e.Code, e.Message = engine.Exhausted, doing+": the value is too large"
	case lib.SQLITE_CONSTRAINT:
		e.Code, e.Message = engine.Invalid, doing+": a value breaks the rules of the table"
	case lib.SQLITE_AUTH:
		e.Code, e.Message, e.Err = engine.Denied, doing+": not permitted", errors.Join(errAuth, err)
	}
	return e
}

// fileError does the same for errors of the file system.
func fileError(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := &engine.Error{Code: engine.Internal, Message: doing + ": " + err.Error(), Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		full(e, doing)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Code, e.Remedy = engine.Denied, "give the account that hexad runs under the right to write there"
	case errors.Is(err, syscall.EIO):
		e.Code, e.Err = engine.Unavailable, errors.Join(ErrDisk, err)
	}
	return e
}

func full(e *engine.Error, doing string) {
	e.Code, e.Message = engine.Unavailable, doing+": the disk is full"
	e.Remedy, e.Err = "free space on the file system of the data directory, then try again", errors.Join(ErrFull, e.Err)
}
