package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"time"

	_ "modernc.org/sqlite"
)

// poll is how often the copies are looked at. A look costs nothing: the counter
// of changes in the index of the write-ahead log is read from shared memory;
// the database is asked only when it moved.
const poll = 100 * time.Microsecond

// changes is where SQLite counts the transactions: WalIndexHdr.iChange.
// Source: https://www.sqlite.org/walformat.html#the_wal_index_header
const changes = 8

// copies are the database files of all nodes, read only.
type copies struct {
	list []*copyOf
}

type copyOf struct {
	db    *sql.DB
	query *sql.Stmt
	shm   []byte
	seen  uint32
	value int64
}

func openCopies(paths []string, query string) (*copies, error) {
	c := &copies{}
	for _, path := range paths {
		one, err := openCopy(path, query)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.list = append(c.list, one)
	}
	return c, nil
}

func openCopy(path, query string) (*copyOf, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	f, err := os.Open(path + "-shm")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	shm, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	one := &copyOf{db: db, shm: shm}
	if one.query, err = db.Prepare(query); err != nil {
		return nil, err
	}
	return one, one.read()
}

func (c *copyOf) changed() bool { return binary.NativeEndian.Uint32(c.shm[changes:]) != c.seen }

func (c *copyOf) read() error {
	c.seen = binary.NativeEndian.Uint32(c.shm[changes:])
	err := c.query.QueryRow().Scan(&c.value)
	if err == sql.ErrNoRows {
		return nil
	}
	return err
}

// most is the greatest value that any copy has.
func (c *copies) most() (int64, error) {
	var out int64
	for _, one := range c.list {
		if err := one.read(); err != nil {
			return 0, err
		}
		out = max(out, one.value)
	}
	return out, nil
}

func (c *copies) await(ctx context.Context, want int64) (time.Time, error) {
	return awaitAll(ctx, func() (missing int, err error) {
		for _, one := range c.list {
			if one.value >= want {
				continue
			}
			if one.changed() {
				if err := one.read(); err != nil {
					return 0, err
				}
			}
			if one.value < want {
				missing++
			}
		}
		return missing, nil
	})
}

// awaitAll looks again and again until nothing is missing.
func awaitAll(ctx context.Context, look func() (missing int, err error)) (time.Time, error) {
	end := time.Now().Add(10 * time.Second)
	for {
		missing, err := look()
		now := time.Now()
		if err != nil || missing == 0 {
			return now, err
		}
		if now.After(end) || ctx.Err() != nil {
			return now, fmt.Errorf("%d nodes do not have a change", missing)
		}
		time.Sleep(poll)
	}
}

func (c *copies) close() {
	for _, one := range c.list {
		one.db.Close()
		_ = syscall.Munmap(one.shm)
	}
}
