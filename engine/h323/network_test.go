package h323_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"hexad/engine/h323"
)

// network carries datagrams between sockets in one process, so that time can
// run in a bubble. A cut address neither sends nor receives.
type network struct {
	mu      sync.Mutex
	sockets map[netip.AddrPort]*socket
	cut     map[netip.AddrPort]bool
	sent    map[netip.AddrPort][][]byte // by destination, cut or not
}

func newNetwork() *network {
	return &network{
		sockets: map[netip.AddrPort]*socket{}, cut: map[netip.AddrPort]bool{},
		sent: map[netip.AddrPort][][]byte{},
	}
}

func (n *network) bind(a netip.AddrPort) (h323.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets[a] != nil {
		return nil, errors.New("address in use")
	}
	s := &socket{net: n, address: a, packets: make(chan datagram, 100), done: make(chan struct{})}
	n.sockets[a] = s
	return s, nil
}

func (n *network) setCut(a netip.AddrPort, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[a] = cut
}

// seen returns what was sent to an address.
func (n *network) seen(to netip.AddrPort) [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent[to]
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

type socket struct {
	net     *network
	address netip.AddrPort
	packets chan datagram
	once    sync.Once
	done    chan struct{}
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.packets:
		return copy(b, d.data), d.from, nil
	case <-s.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	data := append([]byte(nil), b...)
	s.net.sent[to] = append(s.net.sent[to], data)
	other := s.net.sockets[to]
	if other == nil || s.net.cut[s.address] || s.net.cut[to] {
		return len(b), nil
	}
	select {
	case other.packets <- datagram{s.address, data}:
	default:
	}
	return len(b), nil
}

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.address) }

func (s *socket) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
