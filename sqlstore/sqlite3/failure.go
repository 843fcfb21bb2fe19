package sqlite3

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"

	lib "modernc.org/sqlite/lib"
)

// failure is what OnFailure set.
var failure atomic.Pointer[func(file string, err error)]

// OnFailure calls f whenever a connection that writes could not: the disk
// failed, is full or read-only, or the file is damaged. file is the database as
// it was named when the connection was opened, without its parameters. f is called
// before whoever wrote learns of it. nil ends it.
//
// rqlite takes such an error for the answer of a statement and goes on with the
// next entry of the log, although this copy now lacks one.
func OnFailure(f func(file string, err error)) {
	if f == nil {
		failure.Store(nil)
		return
	}
	failure.Store(&f)
}

// medium holds the result codes that say something of the disk or the file, and
// nothing of the statement.
var medium = map[int]bool{
	lib.SQLITE_IOERR: true, lib.SQLITE_CORRUPT: true, lib.SQLITE_FULL: true, lib.SQLITE_CANTOPEN: true,
	lib.SQLITE_NOTADB: true, lib.SQLITE_READONLY: true,
}

// writtenFile is the file that a connection of this name writes, "" when it
// only reads.
func writtenFile(name string) string {
	file, parameters, _ := strings.Cut(strings.TrimPrefix(name, "file:"), "?")
	if strings.Contains(parameters, "mode=ro") || strings.Contains(parameters, "query_only=true") || strings.Contains(parameters, "query_only(1)") {
		return ""
	}
	return file
}

// checked tells of err when it is a failure, and returns it as convert does.
func (c *SQLiteConn) checked(err error) error {
	err = convert(err)
	var e *Error
	if c.file != "" && errors.As(err, &e) && medium[e.Code&0xff] {
		if f := failure.Load(); f != nil {
			(*f)(c.file, err)
		}
	}
	return err
}

// BeginTx begins a transaction whose commit is checked.
func (c *SQLiteConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.inner.BeginTx(ctx, options)
	if err != nil {
		return nil, c.checked(err)
	}
	return checkedTx{tx, c}, nil
}

type checkedTx struct {
	driver.Tx
	conn *SQLiteConn
}

func (t checkedTx) Commit() error { return t.conn.checked(t.Tx.Commit()) }
