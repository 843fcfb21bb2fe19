package sqlite3

import (
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// SQLiteBackup is a copy of one database to another that is under way.
type SQLiteBackup struct {
	handle uintptr // sqlite3_backup*
	to     *SQLiteConn
}

// Backup begins to copy database fromName of connection from to database
// toName of c. Finish it.
func (c *SQLiteConn) Backup(toName string, from *SQLiteConn, fromName string) (*SQLiteBackup, error) {
	to, err := libc.CString(toName)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, to)
	source, err := libc.CString(fromName)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, source)
	handle := lib.Xsqlite3_backup_init(c.tls, c.db, to, from.db, source)
	if handle == 0 {
		return nil, c.lastError()
	}
	return &SQLiteBackup{handle: handle, to: c}, nil
}

// Step copies up to pages pages, all of them when it is negative. It reports
// whether the copy is complete; false without an error means: later.
func (b *SQLiteBackup) Step(pages int) (bool, error) {
	switch lib.Xsqlite3_backup_step(b.to.tls, b.handle, int32(pages)) {
	case lib.SQLITE_DONE:
		return true, nil
	case lib.SQLITE_OK, lib.SQLITE_LOCKED, lib.SQLITE_BUSY:
		return false, nil
	default:
		return false, b.to.lastError()
	}
}

// Remaining is how many pages were still to be copied after the last Step.
func (b *SQLiteBackup) Remaining() int {
	return int(lib.Xsqlite3_backup_remaining(b.to.tls, b.handle))
}

// PageCount is how many pages the source had at the last Step.
func (b *SQLiteBackup) PageCount() int {
	return int(lib.Xsqlite3_backup_pagecount(b.to.tls, b.handle))
}

// Finish releases the copy, complete or not. It may be called twice.
func (b *SQLiteBackup) Finish() error {
	if b.handle == 0 {
		return nil
	}
	rc := lib.Xsqlite3_backup_finish(b.to.tls, b.handle)
	b.handle = 0
	if rc != lib.SQLITE_OK {
		return b.to.lastError()
	}
	return nil
}
