package link

import (
	"net"
	"time"

	"hexad/engine"
)

// RaftLayer is the network that one Raft store uses: a net.Listener of
// authenticated connections and a dialler. Closing it ends its connections
// and leaves the port open for the next store, since a store is closed and
// another opened whenever the database is founded again.
type RaftLayer struct {
	link       *Link
	queue      *connQueue
	generation engine.Generation // of the store; none: whatever this peer is of
}

// nodeAddr is a node id as a net.Addr: Raft addresses are opaque.
type nodeAddr string

func (nodeAddr) Network() string  { return "hexad" }
func (a nodeAddr) String() string { return string(a) }

// Raft makes the layer that Raft connections are handed to from now on. The
// one before is closed.
func (l *Link) Raft() *RaftLayer { return l.RaftOf(engine.Generation{}) }

// RaftOf is Raft for the store of a generation: as long as this peer's hello
// says another one, nobody is let on and nobody reached. A store is opened
// before the identity says so; connections of the old generation would end in
// the new one.
func (l *Link) RaftOf(g engine.Generation) *RaftLayer {
	layer := &RaftLayer{link: l, queue: newConnQueue(nodeAddr(l.cfg.Directory.Self().Node)), generation: g}
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

// takes reports whether connections of a generation belong to this layer.
func (r *RaftLayer) takes(g engine.Generation) bool {
	return !fenced || r.generation.ID == "" || Stand(r.generation, g) == Same
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
		if !r.takes(r.link.cfg.Directory.Self().Generation) {
			return nil, refusef(NotReady, "the database is of another generation than this system")
		}
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
