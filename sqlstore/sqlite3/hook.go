package sqlite3

import "modernc.org/sqlite"

// SQLitePreUpdateData is modernc's: its fields and methods are those of mattn's.
type SQLitePreUpdateData = sqlite.SQLitePreUpdateData

// RegisterPreUpdateHook calls f before each row is changed; nil ends it.
func (c *SQLiteConn) RegisterPreUpdateHook(f func(SQLitePreUpdateData)) {
	if f == nil {
		c.inner.RegisterPreUpdateHook(nil)
		return
	}
	c.inner.RegisterPreUpdateHook(f)
}

// RegisterCommitHook calls f before each commit; an answer other than 0 turns
// it into a rollback. nil ends it.
func (c *SQLiteConn) RegisterCommitHook(f func() int) {
	if f == nil {
		c.inner.RegisterCommitHook(nil)
		return
	}
	c.inner.RegisterCommitHook(func() int32 { return int32(f()) })
}

// RegisterUpdateHook calls f for each changed row; nil ends it. modernc has no
// update hook, so it takes the place of the preupdate hook and comes before the
// change. rqlite's store uses neither.
func (c *SQLiteConn) RegisterUpdateHook(f func(op int, db, table string, rowid int64)) {
	if f == nil {
		c.inner.RegisterPreUpdateHook(nil)
		return
	}
	c.inner.RegisterPreUpdateHook(func(d SQLitePreUpdateData) {
		id := d.NewRowID
		if d.Op == SQLITE_DELETE {
			id = d.OldRowID
		}
		f(int(d.Op), d.DatabaseName, d.TableName, id)
	})
}
