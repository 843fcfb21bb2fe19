package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

// serveLock is held by the parent for as long as it lives. The child's own
// lock is free while a child is between two lives; without this one a second
// system could slip in there.
const serveLock = "serve.lock"

// lockDataDir makes the data directory and takes the parent's lock.
//
// Errors: Conflict, naming the process that has it; Unavailable.
func lockDataDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, engine.Errorf(engine.Unavailable, "the data directory %s cannot be made: %w", dir, err).With("--data-dir", "name a directory that this user may write to")
	}
	f, err := os.OpenFile(filepath.Join(dir, serveLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, engine.Errorf(engine.Unavailable, "the data directory %s cannot be used: %w", dir, err).With("--data-dir", "name a directory that this user may write to")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, engine.Errorf(engine.Unavailable, "the data directory %s cannot be locked: %w", dir, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // without it the message says less
		e := engine.Errorf(engine.Conflict, "the data directory %s is in use by process %s", dir, strings.TrimSpace(string(holder)))
		e.Remedy, e.Err = "stop that process, or name another --data-dir", sqlstore.ErrInUse
		return nil, e
	}
	if f.Truncate(0) == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid()) // on a full disk the message above lacks the number
	}
	return f, nil
}

// freedWithin is how long the child of a killed parent may take to end.
const freedWithin = 5 * time.Second

// openFreed opens local.db for the parent. The child of a parent that was
// killed may still be ending, and has it for so long.
func openFreed(ctx context.Context, o Options) (*sqlstore.Local, error) {
	deadline := time.Now().Add(freedWithin)
	for {
		local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: o.DataDir, Logger: o.Log, Release: o.Release, WithoutKey: true})
		if !errors.Is(err, sqlstore.ErrInUse) || time.Now().After(deadline) || !pause(ctx, 20*time.Millisecond) {
			return local, err
		}
	}
}
