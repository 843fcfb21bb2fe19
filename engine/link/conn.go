package link

import (
	"net"
	"sync"

	"hexad/engine"
)

// Conn is an authenticated connection with a member. It hides TLS from its
// users, who would otherwise judge the session themselves.
type Conn struct {
	net.Conn
	link       *Link
	raw        net.Conn
	node       string
	key        shown
	cluster    string
	generation engine.Generation
	purpose    Purpose
	layer      *RaftLayer
	remote     Hello
	once       sync.Once
}

// Node is the node id of the member at the other end.
func (c *Conn) Node() string { return c.node }

// Remote is the hello of the member at the other end.
func (c *Conn) Remote() Hello { return c.remote }

// Close ends the connection. It may be called twice.
func (c *Conn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// abort ends the connection without a word, so that a full buffer cannot hold
// up whoever ends it.
func (c *Conn) abort() {
	c.forget()
	c.raw.Close()
}

func (c *Conn) forget() {
	c.once.Do(func() {
		c.link.mu.Lock()
		delete(c.link.conns, c)
		c.link.mu.Unlock()
	})
}

// adopt takes an authenticated connection into the books of the link.
func (l *Link) adopt(c *Conn) *refused {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return refusef(NotReady, "this system is stopping")
	}
	if l.countLocked(c.node) >= maxPerNode {
		return refusef(TooMany, "%d from node %s", maxPerNode, c.node)
	}
	if c.purpose == PurposeRaft {
		if l.layer != nil && !l.layer.takes(c.generation) {
			return refusef(NotReady, "the database is of another generation than this system")
		}
		c.layer = l.layer
	}
	l.conns[c] = struct{}{}
	return nil
}

// connQueue is a net.Listener that is fed with authenticated connections.
type connQueue struct {
	addr net.Addr
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, ch: make(chan net.Conn), done: make(chan struct{})}
}

func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.ch:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

func (q *connQueue) Addr() net.Addr { return q.addr }
