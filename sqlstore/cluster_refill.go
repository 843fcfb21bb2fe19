package sqlstore

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hexad/engine"
)

// gate keeps Raft from the network: until its store is open and, where that has
// lost its log, until the group has taken the vote of this peer. It could vote
// against what it once confirmed.
type gate struct {
	Layer
	open chan struct{}
	once sync.Once
}

func newGate(l Layer) *gate { return &gate{Layer: l, open: make(chan struct{})} }

func (g *gate) lift() { g.once.Do(func() { close(g.open) }) }

func (g *gate) lifted() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

// Accept ends connections until the gate is lifted.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Layer.Accept()
		if err != nil || g.lifted() {
			return conn, err
		}
		conn.Close()
	}
}

var errLost = errors.New("this peer has lost its copy and waits for the group to take it in again")

func (g *gate) Dial(address string, timeout time.Duration) (net.Conn, error) {
	if !g.lifted() {
		return nil, errLost
	}
	return g.Layer.Dial(address, timeout)
}

// Refill makes an empty store of generation g in the place of a damaged one that
// was moved to remains. It takes no part in the group until Readmitted: the
// leader has to remove this peer first, so that the vote of the lost log is
// gone, and add it anew. Until the leader has sent everything, reading shows
// the newest sound copy of the damaged store.
func (c *Cluster) Refill(ctx context.Context, g engine.Generation, remains string) error {
	return c.replace(ctx, g, func() (*raftStore, error) {
		return c.openFilled(ctx, g, lost, func(dir string) error { return linkCopy(ctx, remains, dir) })
	})
}

// linkCopy keeps the newest sound copy of one store in another one.
func linkCopy(ctx context.Context, from, to string) error {
	if from == "" {
		return nil
	}
	l := openCopy(ctx, from)
	if l == nil {
		return nil
	}
	l.db.Close()
	path := copyPath(to, l.index)
	err := copyFile(l.path, path)
	if err == nil && exists(l.path+copyNoteSuffix) {
		err = copyFile(l.path+copyNoteSuffix, path+copyNoteSuffix)
	}
	return errors.Join(err, syncDirectory(to))
}

// Lost reports whether the store is an empty one that waits for Readmitted.
func (c *Cluster) Lost() bool {
	s, err := c.current()
	return err == nil && !s.gate.lifted()
}

// Readmitted notes that the leader has taken this peer out of the group and in
// again, without a vote: from now on it takes part.
func (c *Cluster) Readmitted() error {
	s, err := c.current()
	if err != nil || s.gate.lifted() {
		return err
	}
	if err := s.mark(c.o.Node, following); err != nil {
		return err
	}
	s.gate.lift()
	return nil
}

// Quarantine moves the store of generation g, which is not open, to a
// directory. One that is gone is no error.
func (c *Cluster) Quarantine(g engine.Generation, to string) error {
	from := c.o.directory(g)
	if !exists(from) {
		return nil
	}
	const doing = "set the damaged cluster database aside"
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fileError(doing, err)
	}
	return fileError(doing, errors.Join(os.Rename(from, to), syncDir(filepath.Dir(to)), syncDir(c.o.Dir), syncDir(filepath.Dir(filepath.Dir(to)))))
}
