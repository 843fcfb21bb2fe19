package sqlstoretest

import (
	"errors"
	"net"
	"sync"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
)

// Board is a switchboard between the peers of one process: the layers it hands
// out are connected by loopback TCP when their generations are equal, and every
// link can be cut and healed.
type Board struct {
	mu     sync.Mutex
	layers map[string]*layer
	cut    map[link]bool
	conns  map[link][]net.Conn
	pairs  net.Listener
	pairMu sync.Mutex
}

type link struct{ a, b string }

func linkOf(a, b string) link {
	if a > b {
		a, b = b, a
	}
	return link{a, b}
}

// NewBoard makes a board without links cut.
func NewBoard() (*Board, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Board{layers: map[string]*layer{}, cut: map[link]bool{}, conns: map[link][]net.Conn{}, pairs: ln}, nil
}

// Close ends the board; the layers are closed by their users.
func (b *Board) Close() error { return b.pairs.Close() }

// Layer connects node to the board, in place of the layer it had before.
func (b *Board) Layer(node string, g engine.Generation) sqlstore.Layer {
	l := &layer{board: b, node: node, generation: g, incoming: make(chan net.Conn), closed: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.layers[node] = l
	return l
}

// Cut breaks the link between two nodes and keeps it broken.
func (b *Board) Cut(x, y string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := linkOf(x, y)
	b.cut[k] = true
	for _, c := range b.conns[k] {
		c.Close()
	}
	delete(b.conns, k)
}

// Isolate cuts node off from every other.
func (b *Board) Isolate(node string) {
	for _, other := range b.nodes() {
		if other != node {
			b.Cut(node, other)
		}
	}
}

// Heal mends every link.
func (b *Board) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.cut)
}

// Linked reports whether two nodes can reach each other.
func (b *Board) Linked(x, y string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.cut[linkOf(x, y)]
}

func (b *Board) nodes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for n := range b.layers {
		out = append(out, n)
	}
	return out
}

var errCut = errors.New("link cut")

func (b *Board) dial(from *layer, to string) (net.Conn, error) {
	k := linkOf(from.node, to)
	b.mu.Lock()
	target, cut := b.layers[to], b.cut[k]
	b.mu.Unlock()
	if cut || target == nil || target.generation.ID != from.generation.ID {
		return nil, errCut
	}
	near, far, err := b.pair()
	if err != nil {
		return nil, err
	}
	if !b.keep(k, near, far) || !from.keep(near) || !target.keep(far) {
		near.Close()
		far.Close()
		return nil, errCut
	}
	select {
	case target.incoming <- far:
		return near, nil
	case <-target.closed:
		near.Close()
		return nil, errCut
	}
}

// keep remembers the ends of a connection for Cut; false when the link is cut.
func (b *Board) keep(k link, ends ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut[k] {
		return false
	}
	b.conns[k] = append(b.conns[k], ends...)
	return true
}

// pair makes both ends of one loopback connection.
func (b *Board) pair() (near, far net.Conn, err error) {
	b.pairMu.Lock()
	defer b.pairMu.Unlock()
	if near, err = net.Dial("tcp", b.pairs.Addr().String()); err != nil {
		return nil, nil, err
	}
	if far, err = b.pairs.Accept(); err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// layer is the network of one store of one node.
type layer struct {
	board      *Board
	node       string
	generation engine.Generation
	incoming   chan net.Conn
	closed     chan struct{}

	mu    sync.Mutex
	conns []net.Conn
	ended bool
}

// keep remembers a connection for Close; false when the layer is closed.
func (l *layer) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return !l.ended
}

func (l *layer) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *layer) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.ended = true
	close(l.closed)
	for _, c := range l.conns {
		c.Close()
	}
	return nil
}

func (l *layer) Addr() net.Addr { return l.board.pairs.Addr() }

func (l *layer) Dial(address string, _ time.Duration) (net.Conn, error) {
	return l.board.dial(l, address)
}
