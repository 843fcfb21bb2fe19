package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Dial opens an authenticated Raft connection to a member. It is what the
// Raft layer dials with: node is its Raft address.
//
// Errors: those of RefusalOf; each is reported too.
func (l *Link) Dial(node string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return l.dial(ctx, node, PurposeRaft)
}

func (l *Link) dial(ctx context.Context, node string, purpose Purpose) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	contact := Contact{Node: node, Purpose: purpose, Direction: Outbound}
	conn, err := l.dialMember(ctx, node, purpose, &contact)
	l.report(contact, err)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (l *Link) dialMember(ctx context.Context, node string, purpose Purpose, contact *Contact) (*Conn, error) {
	peer, err := l.member(node)
	if err != nil {
		return nil, err
	}
	contact.Address = peer.Address
	tc, raw, s, err := l.connect(ctx, peer, purpose, contact)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn, err := l.sayHello(tc, raw, s, node, contact)
	if err != nil {
		tc.Close()
		return nil, err
	}
	return conn, nil
}

func (l *Link) member(node string) (PeerAddress, error) {
	for _, p := range l.members() {
		switch {
		case p.Node != node:
		case p.Removed:
			return p, refusef(Removed, "node %s", node)
		case p.Fingerprint == "":
			return p, refusef(NotPinned, "%s", p.Address)
		default:
			return p, nil
		}
	}
	return PeerAddress{}, refusef(NotListed, "node %q is no member", node)
}

// connect resolves, connects and does the TLS handshake, as far as one address
// of the peer lets it.
func (l *Link) connect(ctx context.Context, peer PeerAddress, purpose Purpose, contact *Contact) (*tls.Conn, net.Conn, *session, error) {
	addrs, err := l.cfg.Directory.Resolve(ctx, peer.Address)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, nil, nil, refusef(DNSFailed, "%s: %w", peer.Address, err)
	}
	port := peer.port(purpose)
	var raw net.Conn
	for i, a := range addrs {
		contact.RemoteIP = a.String()
		if raw, err = l.connectOne(ctx, purpose, netip.AddrPortFrom(a, port), len(addrs)-i); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, nil, ioRefusal(peer.Address, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		raw.SetDeadline(deadline)
	}
	return l.secure(ctx, raw, peer, purpose, contact)
}

// retriedConnect bounds a TCP handshake with a member that is dialled again and
// again anyway: the supported round trip of 80 ms several times over. TCP itself
// sends its first packet again after one second, three and seven, and who waits
// for that finds a peer as late after it is back as it was away.
const retriedConnect = 500 * time.Millisecond

// connectOne gives one of left addresses its share of the time.
func (l *Link) connectOne(ctx context.Context, purpose Purpose, to netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		share := time.Until(deadline) / time.Duration(left)
		if purpose == PurposeRaft || purpose == PurposePeer {
			share = min(share, retriedConnect)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	return l.cfg.Dial(ctx, l.cfg.IP, to)
}

func (l *Link) secure(ctx context.Context, raw net.Conn, peer PeerAddress, purpose Purpose, contact *Contact) (*tls.Conn, net.Conn, *session, error) {
	var s *session
	var r *refused
	remote := addrOf(raw.RemoteAddr())
	cfg := l.tlsConfig(func(cs tls.ConnectionState) error {
		if s, r = l.verifyServer(ctx, cs, remote, peer, purpose); r != nil {
			return r
		}
		return nil
	}, purpose)
	cfg.ServerName = peer.Address
	tc := tls.Client(raw, cfg)
	err := tc.HandshakeContext(ctx)
	if s != nil {
		s.stamp(contact)
	}
	if err != nil {
		raw.Close()
		return nil, nil, nil, handshakeRefusal(r, err)
	}
	return tc, raw, s, nil
}

// sayHello sends this peer's hello, hears the answer and gives the verdict.
func (l *Link) sayHello(tc *tls.Conn, raw net.Conn, s *session, node string, contact *Contact) (*Conn, error) {
	key, err := exported(tc.ConnectionState(), exporterLabel)
	if err != nil {
		return nil, refusef(BadTLS, "%w", err)
	}
	contact.Local = s.hello()
	if err := sendHello(tc, contact.Local, s.self.Secret, key, fromDialer); err != nil {
		return nil, ioRefusal("hello", err)
	}
	theirs, authentic, err := receiveHello(tc, s.self.Secret, key, fromAccepter)
	if err != nil {
		return nil, ioRefusal("answer to the hello", err)
	}
	contact.Remote = theirs
	r := judgeHello(contact.Local, theirs, s.purpose, authentic)
	if r == nil && theirs.Node != node {
		r = refusef(NodeMismatch, "reached node %q, wanted %s", theirs.Node, node)
	}
	// What they say counts when this side has nothing to say; that this peer
	// was removed explains more than anything it could find out itself.
	if theirs.Refusal != "" && (r == nil || theirs.Refusal == Removed) {
		r = refusef(theirs.Refusal, "the other side says: %q", theirs.Message)
	}
	conn := l.conn(tc, raw, s, node, theirs)
	if r == nil {
		r = l.adopt(conn)
	}
	last := contact.Local
	if r != nil {
		last.Refusal, last.Message = r.refusal, r.Error()
	}
	if err := sendHello(tc, last, s.self.Secret, key, verdict); err != nil && r == nil {
		conn.forget()
		return nil, ioRefusal("verdict", err)
	}
	if r != nil {
		return nil, r
	}
	return conn, tc.SetDeadline(time.Time{})
}

func (p PeerAddress) port(purpose Purpose) uint16 {
	ports := p.Ports
	if ports.Peer == 0 {
		ports.Peer = StandardPorts.Peer
	}
	if ports.Raft == 0 {
		ports.Raft = StandardPorts.Raft
	}
	if purpose == PurposeRaft {
		return uint16(ports.Raft)
	}
	return uint16(ports.Peer)
}

// dialTCP dials from the own address when it is of the same family.
func dialTCP(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive, Control: impatient}
	if from.IsValid() && !from.IsUnspecified() && from.Is4() == to.Addr().Unmap().Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}
