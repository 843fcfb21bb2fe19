package sqlstore

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"hexad/engine"
)

// LocalFile is the name of the local database in the data directory.
const LocalFile = "local.db"

// Sizes of the rings in local.db.
const (
	DefaultEventLimit = 200_000
	localHistoryLimit = 50_000
)

// LocalOptions says where local.db is and how much it keeps.
//
// Secret tells which peer-specific items are secret: sealed at rest, masked in
// history and diagnostics. When nil, items whose last word is Password, Secret,
// Passphrase or Key are.
type LocalOptions struct {
	Dir           string
	Logger        *slog.Logger
	Release       string        // of this binary; recorded beside each migration
	EventLimit    int           // rows; 0: DefaultEventLimit
	DecisionLimit int           // rows; 0: DefaultDecisionLimit
	DecisionBytes int64         // of all decisions with their steps; 0: DefaultDecisionBytes
	DecisionAge   time.Duration // behind the newest; 0: DefaultDecisionAge
	Secret        func(path string) bool
	// WithoutKey opens local.db although no key file fits it: LostKey then, and
	// RenewKey repairs. Otherwise that is an error.
	WithoutKey bool
}

// Local is this peer's own database. It works with every other peer gone.
//
// All methods are safe for concurrent use. What a method named Put, Save,
// Delete, Clear or Use wrote is on disk when it returns; events, decisions and
// facts are on disk within a checkpoint, or at Close.
//
// Errors of every method, beyond those it names: Unavailable (disk full, disk
// error, context ended), Internal (damage).
type Local struct {
	dir     string
	logger  *slog.Logger
	options LocalOptions
	lock    *os.File

	keys     sync.RWMutex // held while secrets are read, so that their key stays; after mu
	key      *systemKey
	keyFault error // why the key is lost

	mu      sync.Mutex // held by the one writer, so that none waits inside SQLite
	durable *dbsql.DB  // synchronous=FULL
	journal *dbsql.DB  // synchronous=NORMAL: a power cut may lose the last rows, never damage the file
	read    *dbsql.DB

	closing sync.Once
	closed  error
}

// Dir is the data directory.
func (l *Local) Dir() string { return l.dir }

// Path is the file of local.db, for Diagnostics.
func (l *Local) Path() string { return filepath.Join(l.dir, LocalFile) }

// Close ends every connection and gives the data directory free. It may be
// called twice.
func (l *Local) Close() error {
	l.closing.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, db := range []*dbsql.DB{l.read, l.journal, l.durable} {
			if db != nil {
				l.closed = errors.Join(l.closed, db.Close())
			}
		}
		if l.lock != nil {
			l.closed = errors.Join(l.closed, l.lock.Close())
		}
	})
	return l.closed
}

// connect opens a pool on path with the settings that all connections share.
func connect(path, synchronous string, connections int, more ...string) (*dbsql.DB, error) {
	q := url.Values{
		"_pragma": append([]string{
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "foreign_keys(1)",
			"secure_delete(1)", "temp_store(MEMORY)", "trusted_schema(0)",
		}, more...),
		"_txlock": {"immediate"}, "_dqs": {"0"}, "_defensive": {"1"}, "_error_rc": {"1"},
	}
	db, err := dbsql.Open("sqlite", fileURI(path)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// fileURI is path as SQLite's URI form takes it.
func fileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// write runs change in one transaction whose effect is on disk when it returns nil.
func (l *Local) write(ctx context.Context, doing string, change func(*dbsql.Tx) error) error {
	return l.transact(ctx, l.durable, doing, change)
}

// note runs change in one transaction that a power cut may undo.
func (l *Local) note(ctx context.Context, doing string, change func(*dbsql.Tx) error) error {
	return l.transact(ctx, l.journal, doing, change)
}

func (l *Local) transact(ctx context.Context, db *dbsql.DB, doing string, change func(*dbsql.Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return sqliteError(doing, err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := change(tx); err != nil {
		return sqliteError(doing, err)
	}
	return sqliteError(doing, tx.Commit())
}

// exec is write for a single statement.
func (l *Local) exec(ctx context.Context, doing, query string, args ...any) error {
	return l.write(ctx, doing, func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// scanner is a row of *dbsql.Rows, or a *dbsql.Row.
type scanner interface{ Scan(dest ...any) error }

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, doing string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, sqliteError(doing, err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, sqliteError(doing, err)
		}
		out = append(out, v)
	}
	return out, sqliteError(doing, rows.Err())
}

// one reads the first row of a query; no row is NotFound with the text missing.
func one[T any](ctx context.Context, q querier, doing, missing string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	found, err := collect(ctx, q, doing, scan, query, args...)
	if err != nil || len(found) == 0 {
		var none T
		if err == nil {
			err = engine.Errorf(engine.NotFound, "%s", missing)
		}
		return none, err
	}
	return found[0], nil
}

// millis is t as it rests in a …_ms column: 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant is the inverse of millis, in UTC.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// jsonText is v as JSON; the types that pass here cannot fail to encode.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

// listText is list as a JSON array, [] for nil.
func listText(list []string) string {
	if list == nil {
		list = []string{}
	}
	return jsonText(list)
}
