package sqlstoretest

import (
	"errors"
	"net"
	"sync"
	"time"

	"hexad/sqlstore"
)

// Board is a switchboard between the peers of one process: the layers it hands
// out are connected by loopback TCP, and every link can be cut and healed.
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
func (b *Board) Layer(node string) sqlstore.Layer {
	l := &layer{board: b, node: node, incoming: make(chan net.Conn), closed: make(chan struct{})}
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

func (b *Board) dial(from, to string) (net.Conn, error) {
	b.mu.Lock()
	target, cut := b.layers[to], b.cut[linkOf(from, to)]
	b.mu.Unlock()
	if cut || target == nil {
		return nil, errCut
	}
	near, far, err := b.pair()
	if err != nil {
		return nil, err
	}
	select {
	case target.incoming <- far:
	case <-target.closed:
		near.Close()
		far.Close()
		return nil, errCut
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k := linkOf(from, to)
	if b.cut[k] {
		near.Close()
		far.Close()
		return nil, errCut
	}
	b.conns[k] = append(b.conns[k], near, far)
	return near, nil
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

// layer is one node's connection to the board.
type layer struct {
	board    *Board
	node     string
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
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
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *layer) Addr() net.Addr { return nodeAddr(l.node) }

func (l *layer) Dial(address string, _ time.Duration) (net.Conn, error) {
	return l.board.dial(l.node, address)
}

type nodeAddr string

func (nodeAddr) Network() string  { return "board" }
func (a nodeAddr) String() string { return string(a) }
