package h323

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hexad/engine"
)

// Port is where peers speak RAS. Source: reference 6.1.
const Port = 1719

// probe is the alias that a watching LRQ asks for; it is nobody's. Source:
// reference/voip.md 3.3.
var probe = Alias{H323ID, "gatekeeper-monitoring-check"}

// maxPeers bounds what is watched, whatever the snapshot holds.
const maxPeers = 16

// Conn is one UDP socket; *net.UDPConn is one.
type Conn interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// Options of a watch. Listen and Peers are needed.
type Options struct {
	// Listen are this peer's own addresses, one socket each; port 0 is any free one.
	Listen []netip.AddrPort
	// Peers returns the RAS addresses of the other peers, this one not among
	// them. It is called about once a second and must be quick.
	Peers func() []netip.AddrPort
	// Enabled tells whether H.323 mode is on; while it is off nothing is sent
	// and nothing answered. nil means on.
	Enabled func() bool
	// Find returns the call signalling address of an alias registered here; nil finds none.
	Find func(Alias) (netip.AddrPort, bool)
	Emit func(engine.Event)
	// Changed is told of each change of a peer's state; it must be quick.
	Changed func(PeerState)
	Log     *slog.Logger
	// RequestEvery and ServiceEvery are the time between two LRQs and between
	// two SCIs to a peer that answers; 5 s and 20 s unless set.
	RequestEvery, ServiceEvery time.Duration
	// Bind opens a socket; UDP of the system unless set.
	Bind func(netip.AddrPort) (Conn, error)
}

// Counters count packets since Open.
type Counters struct {
	Received  uint64 // from peers
	Ignored   uint64 // from anyone else, or while H.323 mode was off
	Malformed uint64 // from peers, not understood
	Stray     uint64 // answers to nothing that was asked
	Unsent    uint64 // refused by the network
}

// Watch is this peer's side of the RAS between peers.
type Watch struct {
	o     Options
	conns []Conn

	mu       sync.Mutex
	peers    map[netip.AddrPort]*peer
	seq      uint16
	counters Counters
	closed   bool

	wake chan struct{} // something is due earlier
}

// New makes a watch.
func New(o Options) *Watch {
	if o.Enabled == nil {
		o.Enabled = func() bool { return true }
	}
	if o.Emit == nil {
		o.Emit = func(engine.Event) {}
	}
	if o.Changed == nil {
		o.Changed = func(PeerState) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.RequestEvery <= 0 {
		o.RequestEvery = 5 * time.Second
	}
	if o.ServiceEvery <= 0 {
		o.ServiceEvery = 20 * time.Second
	}
	if o.Bind == nil {
		o.Bind = bind
	}
	return &Watch{o: o, peers: make(map[netip.AddrPort]*peer), seq: uint16(rand.N(65535)), wake: make(chan struct{}, 1)}
}

func bind(address netip.AddrPort) (Conn, error) {
	network := "udp4"
	if address.Addr().Unmap().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(address))
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Open binds the sockets: all of them or none.
//
// Errors: Unavailable (an address is in use or not this machine's).
func (w *Watch) Open(context.Context) error {
	for _, address := range w.o.Listen {
		conn, err := w.o.Bind(address)
		if err != nil {
			w.Close()
			return engine.Errorf(engine.Unavailable, "H.323 RAS cannot listen on UDP %s: %w", address, err).
				With("--ras-port", "stop what uses the port, or choose another with --ras-port on all peers")
		}
		w.conns = append(w.conns, conn)
	}
	return nil
}

// Addresses returns where the sockets are bound, in the order of Options.Listen.
func (w *Watch) Addresses() []netip.AddrPort {
	out := make([]netip.AddrPort, len(w.conns))
	for i, c := range w.conns {
		out[i] = local(c)
	}
	return out
}

func local(c Conn) netip.AddrPort {
	address, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return plain(address.AddrPort())
}

// plain is an address in the one form that is compared.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Run watches and answers until ctx ends, then closes the sockets.
//
// Errors: Unavailable when a socket fails.
func (w *Watch) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for _, conn := range w.conns {
		wg.Go(func() {
			if err := w.read(ctx, conn); err != nil {
				stop(err)
			}
		})
	}
	w.ask(ctx)
	w.Close()
	wg.Wait()
	if cause := context.Cause(ctx); engine.CodeOf(cause) == engine.Unavailable {
		return cause
	}
	return nil
}

// Close closes the sockets. It may be called twice.
func (w *Watch) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	var errs []error
	for _, c := range w.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// States returns every watched peer, by address.
func (w *Watch) States() []PeerState {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]PeerState, 0, len(w.peers))
	for _, p := range w.peers {
		out = append(out, p.PeerState)
	}
	slices.SortFunc(out, func(a, b PeerState) int { return a.Address.Compare(b.Address) })
	return out
}

// Counters returns the counters.
func (w *Watch) Counters() Counters {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counters
}

// ask sends what is due until ctx ends.
func (w *Watch) ask(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.wake:
		}
		timer.Reset(w.due(time.Now()))
	}
}

// due brings the peers up to date, does what is due and returns how long the
// next thing takes, a second at most.
func (w *Watch) due(now time.Time) time.Duration {
	var listed []netip.AddrPort
	if w.o.Enabled() {
		listed = w.o.Peers()
	}
	w.mu.Lock()
	w.follow(listed, now)
	next := time.Second
	var lines []engine.Event
	var changes []PeerState
	for _, p := range w.peers {
		for _, x := range p.exchanges() {
			if !x.due.After(now) {
				more, changed := w.advance(p, x, now)
				lines = append(lines, more...)
				if changed {
					changes = append(changes, p.PeerState)
				}
			}
			next = min(next, x.due.Sub(now))
		}
	}
	w.mu.Unlock()
	w.tell(lines, changes)
	return max(next, 0)
}

func (w *Watch) tell(lines []engine.Event, changes []PeerState) {
	for _, ev := range lines {
		w.o.Emit(ev)
	}
	for _, c := range changes {
		w.o.Changed(c)
	}
}

// follow makes the watched peers those of listed.
func (w *Watch) follow(listed []netip.AddrPort, now time.Time) {
	wanted := make(map[netip.AddrPort]bool, len(listed))
	for _, a := range listed[:min(len(listed), maxPeers)] {
		a = plain(a)
		wanted[a] = true
		if w.peers[a] == nil {
			w.peers[a] = newPeer(a, w.o.RequestEvery, w.o.ServiceEvery, now)
		}
	}
	for a := range w.peers {
		if !wanted[a] {
			delete(w.peers, a)
		}
	}
}

// advance begins, repeats or gives up one request that is due.
func (w *Watch) advance(p *peer, x *exchange, now time.Time) (lines []engine.Event, changed bool) {
	switch {
	case x.seq == 0:
		w.begin(p, x, now)
		return nil, false
	case x.sent < sends:
		line := x.again(p.Address, now)
		w.send(x.packet, p.Address)
		return []engine.Event{line}, false
	default:
		return p.giveUp(x, now)
	}
}

// begin sends a new request.
func (w *Watch) begin(p *peer, x *exchange, now time.Time) {
	if w.seq++; w.seq == 0 {
		w.seq = 1
	}
	x.seq, x.sent, x.begun, x.due, x.quiet = w.seq, 1, now, now.Add(x.wait), p.State == Silent
	m := Message{Type: x.kind, Seq: x.seq}
	if x.kind == LRQ {
		m.Aliases, m.HopCount = []Alias{probe}, 1
		if conn := w.conn(p.Address); conn != nil {
			m.ReplyTo = local(conn)
		}
	}
	packet, err := m.Marshal()
	if err != nil { // no socket of the peer's address family
		x.packet = nil
		return
	}
	x.packet = packet
	w.send(packet, p.Address)
}

// conn is the socket for an address: of the same family.
func (w *Watch) conn(to netip.AddrPort) Conn {
	for _, c := range w.conns {
		if local(c).Addr().Is4() == to.Addr().Is4() {
			return c
		}
	}
	return nil
}

// send sends; what the network refuses is as lost as what it drops.
func (w *Watch) send(packet []byte, to netip.AddrPort) {
	conn := w.conn(to)
	if conn == nil || packet == nil {
		w.counters.Unsent++
		return
	}
	if _, err := conn.WriteToUDPAddrPort(packet, to); err != nil {
		w.counters.Unsent++
	}
}

// read handles what arrives at one socket until it is closed.
func (w *Watch) read(ctx context.Context, conn Conn) error {
	buf := make([]byte, maxMessage+1) // one more, so that a longer packet is noticed
	failures := 0
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed), err != nil && failures > 100:
			return engine.Errorf(engine.Unavailable, "RAS socket failed: %w", err)
		case err != nil:
			failures++
		default:
			failures = 0
			w.take(conn, buf[:n], plain(from))
		}
	}
}

// take handles one packet.
func (w *Watch) take(conn Conn, packet []byte, from netip.AddrPort) {
	now := time.Now()
	w.mu.Lock()
	if !w.knows(from) {
		w.counters.Ignored++
		w.mu.Unlock()
		return
	}
	w.counters.Received++
	m, err := Parse(packet)
	if err != nil {
		w.counters.Malformed++
		w.mu.Unlock()
		return
	}
	if m.Type == LRQ || m.Type == SCI {
		w.mu.Unlock()
		w.answer(conn, m, from)
		return
	}
	var lines []engine.Event
	var changes []PeerState
	p := w.peers[from]
	if p == nil {
		w.counters.Stray++
	} else {
		more, ok, changed := p.answered(m, now)
		lines = more
		if !ok {
			w.counters.Stray++
		}
		if changed {
			changes = []PeerState{p.PeerState}
		}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	w.tell(lines, changes)
}

// knows tells whether from is a peer's address, at whatever port.
func (w *Watch) knows(from netip.AddrPort) bool {
	for a := range w.peers {
		if a.Addr() == from.Addr() {
			return true
		}
	}
	return false
}

// answer replies to a request at the address that it came from; the one that it
// names is not trusted. A probe is nobody's alias and is not looked for.
func (w *Watch) answer(conn Conn, m Message, from netip.AddrPort) {
	reply := Message{Type: SCR, Seq: m.Seq}
	if m.Type == LRQ {
		reply = Message{Type: LRJ, Seq: m.Seq, Reason: NotRegistered}
		if contact, found := w.find(m.Aliases); found {
			reply = Message{Type: LCF, Seq: m.Seq, Signal: contact, RAS: local(conn)}
		}
	}
	packet, err := reply.Marshal()
	if err == nil {
		_, err = conn.WriteToUDPAddrPort(packet, from)
	}
	if err != nil {
		w.mu.Lock()
		w.counters.Unsent++
		w.mu.Unlock()
	}
}

func (w *Watch) find(aliases []Alias) (netip.AddrPort, bool) {
	if w.o.Find == nil {
		return netip.AddrPort{}, false
	}
	for _, a := range aliases {
		if a == probe || a.Kind == OtherAlias {
			continue
		}
		if contact, found := w.o.Find(a); found {
			return contact, true
		}
	}
	return netip.AddrPort{}, false
}
