package sqlstore

import (
	"net"
	"sync"
	"time"
)

// Layer carries Raft between the peers. Connections are authenticated and past
// the fence when they arrive here: package engine/link. The address given to
// Dial is a node id.
type Layer interface {
	net.Listener
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

// nodeAddr is a node id as a net.Addr: Raft's address of a peer is its node id.
type nodeAddr string

func (nodeAddr) Network() string  { return "hexad" }
func (a nodeAddr) String() string { return string(a) }

// trunk accepts from the peers' layer as long as the peer lives and hands each
// connection to the store that is open now; with none open it hangs up.
type trunk struct {
	layer Layer
	done  chan struct{}

	mu      sync.Mutex
	current *branch
}

func newTrunk(layer Layer) *trunk {
	t := &trunk{layer: layer, done: make(chan struct{})}
	go t.accept()
	return t
}

func (t *trunk) accept() {
	defer close(t.done)
	for {
		conn, err := t.layer.Accept()
		if err != nil {
			return
		}
		t.mu.Lock()
		b := t.current
		t.mu.Unlock()
		if b == nil || !b.offer(conn) {
			conn.Close()
		}
	}
}

// branch makes the listener of the next store; the one before must be closed.
func (t *trunk) branch(node string) *branch {
	b := &branch{
		trunk: t, addr: nodeAddr(node),
		incoming: make(chan net.Conn), closed: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = b
	return b
}

// close ends accepting for good.
func (t *trunk) close() error {
	err := t.layer.Close()
	<-t.done
	return err
}

// branch is one store's share of the layer. Closing it cuts its connections, so
// that nothing of one generation reaches the store of the next.
type branch struct {
	trunk    *trunk
	addr     nodeAddr
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// offer hands conn to the store; false when the store is closed.
func (b *branch) offer(conn net.Conn) bool {
	tracked, ok := b.track(conn)
	if !ok {
		return false
	}
	select {
	case b.incoming <- tracked:
		return true
	case <-b.closed:
		return false
	}
}

func (b *branch) Accept() (net.Conn, error) {
	select {
	case conn := <-b.incoming:
		return conn, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

func (b *branch) Dial(address string, timeout time.Duration) (net.Conn, error) {
	conn, err := b.trunk.layer.Dial(address, timeout)
	if err != nil {
		return nil, err
	}
	tracked, ok := b.track(conn)
	if !ok {
		conn.Close()
		return nil, net.ErrClosed
	}
	return tracked, nil
}

func (b *branch) Addr() net.Addr { return b.addr }

func (b *branch) Close() error {
	b.once.Do(func() {
		close(b.closed)
		b.trunk.mu.Lock()
		if b.trunk.current == b {
			b.trunk.current = nil
		}
		b.trunk.mu.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		for conn := range b.conns {
			conn.Close()
		}
		b.conns = nil
	})
	return nil
}

func (b *branch) track(conn net.Conn) (net.Conn, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		return nil, false
	}
	b.conns[conn] = struct{}{}
	return &trackedConn{Conn: conn, branch: b}, true
}

// trackedConn leaves its branch when it is closed.
type trackedConn struct {
	net.Conn
	branch *branch
}

func (c *trackedConn) Close() error {
	c.branch.mu.Lock()
	delete(c.branch.conns, c.Conn)
	c.branch.mu.Unlock()
	return c.Conn.Close()
}
