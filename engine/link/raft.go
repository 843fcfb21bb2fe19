package link

import (
	"net"
	"time"
)

// RaftLayer is the network that one Raft store uses: a net.Listener of
// authenticated connections and a dialler. Closing it ends its connections
// and leaves the port open for the next store, since a store is closed and
// another opened whenever the database is founded again.
type RaftLayer struct {
	link  *Link
	queue *connQueue
}

// nodeAddr is a node id as a net.Addr: Raft addresses are opaque.
type nodeAddr string

func (nodeAddr) Network() string  { return "hexad" }
func (a nodeAddr) String() string { return string(a) }

// Raft makes the layer that Raft connections are handed to from now on. The
// one before is closed.
func (l *Link) Raft() *RaftLayer {
	layer := &RaftLayer{link: l, queue: newConnQueue(nodeAddr(l.cfg.Directory.Self().Node))}
	l.mu.Lock()
	old := l.layer
	l.layer = layer
	closed := l.closed
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
	if closed {
		layer.Close()
	}
	return layer
}

func (l *Link) raftReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.layer != nil
}

// Accept waits for the next connection of a member.
func (r *RaftLayer) Accept() (net.Conn, error) { return r.queue.Accept() }

// Addr is this peer's Raft address: its node id.
func (r *RaftLayer) Addr() net.Addr { return r.queue.addr }

// Dial opens a connection to the member with node id node.
func (r *RaftLayer) Dial(node string, timeout time.Duration) (net.Conn, error) {
	select {
	case <-r.queue.done:
		return nil, net.ErrClosed
	default:
		return r.link.Dial(node, timeout)
	}
}

// Close ends the layer and its connections. It may be called twice.
func (r *RaftLayer) Close() error {
	r.queue.Close()
	r.link.mu.Lock()
	if r.link.layer == r {
		r.link.layer = nil
	}
	r.link.mu.Unlock()
	r.link.dropWhere(func(c *Conn) bool { return c.layer == r })
	return nil
}
