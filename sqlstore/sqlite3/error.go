package sqlite3

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/libc"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

var errMemory = errors.New("out of memory")

// Error carries mattn's text, which is sqlite3_errmsg alone, above modernc's
// error. rqlite shows and compares that text.
type Error struct {
	Code int // SQLite's extended result code
	msg  string
	err  error
}

func (e *Error) Error() string { return e.msg }
func (e *Error) Unwrap() error { return e.err }

// general holds the texts of result codes that modernc puts before the message.
var general = map[string]bool{
	"constraint failed": true, "SQL logic error": true, "attempt to write a readonly database": true,
	"datatype mismatch": true, "database is locked": true,
}

// convert gives an error of modernc's mattn's text: "constraint failed: UNIQUE
// constraint failed: t.a (2067)" becomes "UNIQUE constraint failed: t.a".
func convert(err error) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	message := strings.TrimSuffix(e.Error(), fmt.Sprintf(" (%d)", e.Code()))
	if before, after, ok := strings.Cut(message, ": "); ok && general[before] {
		message = after
	}
	return &Error{Code: e.Code(), msg: message, err: err}
}

// lastError is the last error of the connection in SQLite's words.
func (c *SQLiteConn) lastError() error {
	return &Error{
		Code: int(lib.Xsqlite3_extended_errcode(c.tls, c.db)),
		msg:  libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db)),
	}
}
