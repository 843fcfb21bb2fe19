package sqlstore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// Refounding says what a new generation is made of.
type Refounding struct {
	From    io.Reader       // a database file as Backup writes it; nil: all that this peer has of the present generation
	Cluster string          // id of another cluster; "" keeps it
	Members []engine.Member // the members from now on; nil keeps them
	// Commit makes the new generation the one that this peer opens from now
	// on. It is called when all of it is on disk and before anybody can write
	// to it; when it fails, nothing has changed. nil: the caller does it afterwards.
	Commit func(engine.Founding) error
}

// Refound makes a new group of generation g with this peer as its only voter
// and primary, filled with a copy of a database. It is how another primary is
// named when most voters are gone, how a peer leaves a cluster with its
// configuration, and how a backup is restored. The old directory stays.
//
// The own copy is taken when the old store is closed, so that nothing which
// arrives meanwhile is left out, and with the end of its log (see Take).
//
// Errors: Invalid when From holds no database of a cluster that this release
// can read. When it fails before Commit, the old store is open again.
func (c *Cluster) Refound(ctx context.Context, g engine.Generation, r Refounding) error {
	old := c.Generation()
	path, err := c.refoundingFile()
	if err != nil {
		return err
	}
	defer os.Remove(path)
	made := engine.Founding{By: c.o.Node, At: time.Now().UTC()}
	f := foundation{founding: &made, commit: func() error { return nil }}
	if r.Commit != nil {
		f.commit = func() error { return r.Commit(made) }
	}
	if r.From != nil {
		if err := fill(path, r.From); err != nil {
			return err
		}
		state, err := ExamineCopy(ctx, path)
		if err != nil {
			return err
		}
		made.Revision = state.Revision
	} else {
		f.prepare = func(ctx context.Context) error {
			state, err := c.takeClosed(ctx, path, old)
			made.Revision, made.Index, made.Term = state.Revision, state.Index, state.Term
			return errors.Join(err, fail.Point("refound.file"))
		}
	}
	committed := false
	commit := f.commit
	f.commit = func() error { err := commit(); committed = err == nil; return err }
	f.fill = func(ctx context.Context, s *raftStore) error { return c.readIn(ctx, s, path, g, r) }
	err = c.found(ctx, g, f)
	if err != nil && !committed && old.ID != "" {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), foundingTime)
		defer stop()
		return errors.Join(err, os.RemoveAll(c.o.directory(g)), c.Open(ctx, old))
	}
	return err
}

// refoundingFile names a new file beside the stores.
func (c *Cluster) refoundingFile() (string, error) {
	const doing = "found a generation anew"
	if err := os.MkdirAll(c.o.Dir, 0o700); err != nil {
		return "", fileError(doing, err)
	}
	file, err := os.CreateTemp(c.o.Dir, refoundFile)
	if err != nil {
		return "", fileError(doing, err)
	}
	return file.Name(), fileError(doing, errors.Join(file.Close(), os.Remove(file.Name())))
}

const refoundFile = "refound-*.sqlite"

func fill(path string, from io.Reader) error {
	const doing = "found a generation anew"
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError(doing, err)
	}
	_, err = io.Copy(file, from)
	return fileError(doing, errors.Join(err, file.Close()))
}

// readIn fills the store of a new generation with the database in a file.
func (c *Cluster) readIn(ctx context.Context, s *raftStore, path string, g engine.Generation, r Refounding) error {
	file, err := os.Open(path)
	if err != nil {
		return fileError("found a generation anew", err)
	}
	defer file.Close()
	if _, err := s.store.ReadFrom(file); err != nil {
		return &engine.Error{Code: engine.Internal, Message: "the copy of the database could not be read in", Err: err}
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	statements := []statement{stmt("UPDATE agreed SET generation = ?, generation_id = ?, parent = ?, primary_node = ?",
		g.Number, g.ID, g.Parent, c.o.Node)}
	if r.Cluster != "" {
		statements = append(statements, stmt("UPDATE agreed SET cluster = ?", r.Cluster))
	}
	if r.Members != nil {
		statements = append(statements, stmt("DELETE FROM member"), stmt("DELETE FROM alarm WHERE node <> ?", c.o.Node))
		for _, m := range r.Members {
			statements = append(statements, insertMember(m, 0))
		}
	}
	statements = append(statements, stmt("UPDATE member SET known = ? WHERE node = ?", int64(knownMigrations()), c.o.Node))
	if err := s.install(ctx, statements...); err != nil {
		return err
	}
	return errors.Join(syncTree(s.dir), fail.Point("refound.filled"))
}

// foundation is how a new group comes by its contents.
type foundation struct {
	prepare  func(context.Context) error // before anything of it is there; the old store is closed
	fill     func(context.Context, *raftStore) error
	commit   func() error // all is on disk, nobody sees it yet
	founding *engine.Founding
}

// foundingTime bounds what a new group takes to lead itself and to be filled.
const foundingTime = 30 * time.Second

// found makes the store of a new group, fills it and marks it complete.
func (c *Cluster) found(ctx context.Context, g engine.Generation, f foundation) error {
	ctx, cancel := context.WithTimeout(ctx, foundingTime)
	defer cancel()
	return c.replace(ctx, g, func() (*raftStore, error) {
		if err := fail.Point("refound.old-closed"); err != nil {
			return nil, err
		}
		if f.prepare != nil {
			if err := f.prepare(ctx); err != nil {
				return nil, err
			}
		}
		s, err := c.openNew(ctx, g, founding)
		if err != nil {
			return nil, err
		}
		if err := c.complete(ctx, s, f); err != nil {
			return nil, errors.Join(err, s.close())
		}
		return s, nil
	})
}

// complete fills a new store; it counts from commit on.
func (c *Cluster) complete(ctx context.Context, s *raftStore, f foundation) error {
	err := s.bootstrap(c.o.Node)
	if err == nil {
		err = fail.Point("refound.bootstrapped")
	}
	if err == nil {
		err = s.awaitLeader(ctx)
	}
	if err == nil {
		err = f.fill(ctx, s)
	}
	if err == nil {
		err = fileError("copy the cluster database", s.keep())
	}
	if err != nil || f.commit == nil {
		return errors.Join(err, s.markUnless(err, c.o.Node, complete))
	}
	s.founding = f.founding
	if err = s.mark(c.o.Node, founded); err == nil {
		err = fail.Point("refound.marked")
	}
	if err == nil {
		err = f.commit()
	}
	if err != nil {
		return err
	}
	if err := errors.Join(fail.Point("refound.committed"), s.mark(c.o.Node, complete)); err != nil {
		c.o.Logger.Warn("cluster database not marked complete", "error", err) // Open does it
	}
	return nil
}

func (s *raftStore) markUnless(err error, node string, state storeState) error {
	if err != nil {
		return nil
	}
	return s.mark(node, state)
}

// Sweep removes what a founding or a change of generation that was cut short
// has left: stores that never came into service, and files that were to be
// read in. g is the generation that this peer is of.
func (c *Cluster) Sweep(g engine.Generation) error {
	entries, err := os.ReadDir(c.o.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var failed error
	for _, e := range entries {
		path := filepath.Join(c.o.Dir, e.Name())
		if match, _ := filepath.Match(refoundFile, e.Name()); match {
			failed = errors.Join(failed, os.Remove(path))
			continue
		}
		record, err := readRecord(path)
		if err != nil || path == c.o.directory(g) || record.State == complete {
			continue // not a store; in service; kept
		}
		failed = errors.Join(failed, os.RemoveAll(path))
	}
	return errors.Join(fileError("look for stores that were never completed", err), failed)
}

// Founding is how the generation that is open began, when it was founded here
// on another; nil otherwise.
func (c *Cluster) Founding() *engine.Founding {
	s, err := c.current()
	if err != nil {
		return nil
	}
	return s.founding
}
