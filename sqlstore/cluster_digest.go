package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// digestTries is how often a digest is begun when changes come in between;
// digestMost bounds one try.
const (
	digestTries = 3
	digestMost  = 10 * time.Second
)

// Digest says what this peer's copy holds at one entry of the log. It costs
// reading all of the copy when something has changed since the last time, and
// nothing when not.
//
// Errors: Unavailable while there is no copy, and when changes come so quickly
// that it is never at rest.
func (c *Cluster) Digest(ctx context.Context) (engine.ContentDigest, error) {
	c.digesting.Lock()
	defer c.digesting.Unlock()
	for range digestTries {
		out, at, err := c.digestOnce(ctx)
		if err != nil || at {
			return out, err
		}
	}
	return engine.ContentDigest{}, engine.Errorf(engine.Unavailable, "the cluster database changes too quickly to be examined").With("", "try again in a moment")
}

// digestOnce reports whether nothing changed meanwhile.
func (c *Cluster) digestOnce(ctx context.Context) (engine.ContentDigest, bool, error) {
	s, err := c.current()
	if err != nil {
		return engine.ContentDigest{}, false, err
	}
	index := s.readIndex()
	if known := s.digest.Load(); known != nil && known.Index == index {
		return *known, true, nil
	}
	agreed, err := c.Agreed(ctx)
	if err != nil {
		return engine.ContentDigest{}, false, err
	}
	out := engine.ContentDigest{Node: c.o.Node, Generation: agreed.Generation, Index: index, Revision: agreed.Revision}
	if out.Tables, err = digestTables(ctx, s.path()); err != nil {
		return out, false, err
	}
	// Whatever was carried out while this was read has moved the index by now.
	if s.readIndex() != index {
		return out, false, nil
	}
	h := sha256.New()
	for _, table := range slices.Sorted(maps.Keys(out.Tables)) {
		fmt.Fprintf(h, "%s %s\n", table, out.Tables[table])
	}
	out.Digest = hex.EncodeToString(h.Sum(nil))
	s.digest.Store(&out)
	return out, true, nil
}

// readIndex is the Raft index of the last change in what reading reads.
func (s *raftStore) readIndex() uint64 {
	if l := s.behindCopy(); l != nil {
		return l.index
	}
	return s.store.DBAppliedIndex()
}

// digestTables is the SHA-256 of each table in a database file, read in one
// transaction.
func digestTables(ctx context.Context, path string) (map[string]string, error) {
	const doing = "examine the cluster database"
	ctx, cancel := context.WithTimeout(ctx, digestMost)
	defer cancel()
	db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&_pragma=query_only(1)")
	if err != nil {
		return nil, sqliteError(doing, err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, sqliteError(doing, err)
	}
	defer tx.Rollback()
	orders, err := tableOrders(ctx, tx)
	if err != nil {
		return nil, sqliteError(doing, err)
	}
	out := map[string]string{}
	for table, order := range orders {
		h := sha256.New()
		if digested {
			if err := hashTable(ctx, tx, h, table, order); err != nil {
				return nil, sqliteError(doing, err)
			}
		}
		out[table] = hex.EncodeToString(h.Sum(nil))
	}
	return out, nil
}

// tableOrders are the tables with the columns of their primary keys. SQLite's
// own tables are no contents: each peer keeps its own statistics.
func tableOrders(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT t.name, coalesce((SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk)), 'rowid')
FROM sqlite_schema AS t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var table, order string
		if err := rows.Scan(&table, &order); err != nil {
			return nil, err
		}
		out[table] = order
	}
	return out, rows.Err()
}

func hashTable(ctx context.Context, tx *sql.Tx, h hash.Hash, table, order string) (err error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY "+order)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	fmt.Fprintln(h, strings.Join(columns, " "))
	values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var head []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for _, v := range values {
			head = head[:0]
			if v == nil {
				head = append(head, '-')
			}
			head = fmt.Appendf(head, "%d:", len(v))
			h.Write(head)
			h.Write(v)
		}
		h.Write([]byte{'\n'})
	}
	return nil
}
