package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// accept takes connections of one port. Each is handled in its own goroutine
// with one deadline, so that a slow handshake holds up nobody.
func (l *Link) accept(ctx context.Context, ln net.Listener, protocols ...Purpose) {
	for {
		c, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			l.cfg.Log.Error("cannot accept", "port", ln.Addr().String(), "error", err)
			select { // out of descriptors: what is open must end first
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		ip := addrOf(c.RemoteAddr())
		_, listed := l.cfg.Directory.Listed(ip)
		if !l.slots.take(ip, listed) {
			c.Close()
			l.report(Contact{RemoteIP: ip.String(), Direction: Inbound}, refusef(TooMany, "%s", ip))
			continue
		}
		l.wg.Go(func() { l.welcome(ctx, c, protocols) })
	}
}

// welcome authenticates one incoming connection and hands it on.
func (l *Link) welcome(ctx context.Context, raw net.Conn, protocols []Purpose) {
	ip := addrOf(raw.RemoteAddr())
	pending := true
	release := func() {
		if pending {
			pending = false
			l.slots.release(ip)
		}
	}
	defer release()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	raw.SetDeadline(time.Now().Add(HandshakeTimeout))
	hctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()

	contact := Contact{RemoteIP: ip.String(), Direction: Inbound}
	var s *session
	var r *refused
	tc := tls.Server(raw, l.tlsConfig(func(cs tls.ConnectionState) error {
		if s, r = l.verifyClient(hctx, cs, ip, protocols); r != nil {
			return r
		}
		return nil
	}, protocols...))
	err := tc.HandshakeContext(hctx)
	if s != nil {
		s.stamp(&contact)
	}
	if err != nil {
		closeAfterAlert(raw)
		l.report(contact, handshakeRefusal(r, err))
		return
	}
	if s.purpose == PurposeJoin {
		l.answerJoin(ctx, tc, s, contact, release)
		return
	}
	conn, err := l.answerHello(tc, raw, s, &contact)
	if err != nil {
		tc.Close()
		l.report(contact, err)
		return
	}
	release()
	stop() // from here on Close ends it by the books
	l.report(contact, nil)
	l.handOver(ctx, conn)
}

// closeAfterAlert ends a connection so that the alert on its way arrives: a
// close with bytes unread would make the system discard it, and the dialler
// would see a broken connection instead of a refused certificate.
func closeAfterAlert(raw net.Conn) {
	if t, ok := raw.(*net.TCPConn); ok && t.CloseWrite() == nil {
		raw.SetReadDeadline(time.Now().Add(alertLinger))
		io.CopyN(io.Discard, raw, maxJoin)
	}
	raw.Close()
}

// handshakeRefusal tells why a TLS handshake failed: r when this side refused.
func handshakeRefusal(r *refused, err error) error {
	if r != nil {
		return r
	}
	if isTimeout(err) {
		return ioRefusal("TLS handshake", err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return ioRefusal("TLS handshake", err)
	}
	return refusef(BadTLS, "%w", err)
}

// hello is this peer's own, for one session.
func (s *session) hello() Hello {
	return Hello{Version: Version, Cluster: s.self.Cluster, Generation: s.self.Generation, Node: s.self.Node, Primary: s.self.Primary, Release: s.self.Release,
		Applied: s.self.Applied, Purpose: s.purpose, Digest: s.self.Digest, Seen: s.remoteIP}
}

// answerHello hears a member's hello and always answers with its own, so that
// both sides know why when one refuses.
func (l *Link) answerHello(tc *tls.Conn, raw net.Conn, s *session, contact *Contact) (*Conn, error) {
	key, err := exported(tc.ConnectionState(), exporterLabel)
	if err != nil {
		return nil, refusef(BadTLS, "%w", err)
	}
	theirs, authentic, err := receiveHello(tc, s.self.Secret, key, fromDialer)
	if err != nil {
		return nil, ioRefusal("hello", err)
	}
	contact.Remote, contact.Local = theirs, s.hello()
	peer, r := l.judgeMember(s, theirs, authentic)
	contact.Node, contact.Address = peer.Node, peer.Address
	conn := l.conn(tc, raw, s, peer.Node, theirs)
	if r == nil {
		r = l.adopt(conn)
	}
	mine := contact.Local
	if r != nil {
		mine.Refusal, mine.Message = r.refusal, r.Error()
	}
	if err := sendHello(tc, mine, s.self.Secret, key, fromAccepter); err != nil {
		conn.forget()
		return nil, ioRefusal("answer to the hello", err)
	}
	// The verdict is read even after a refusal: closing before it has come
	// would make the system discard the answer on its way.
	last, authentic, err := receiveHello(tc, s.self.Secret, key, verdict)
	switch {
	case r != nil:
		return nil, r
	case err != nil:
		conn.forget()
		return nil, ioRefusal("verdict", err)
	case last.Refusal != "":
		conn.forget()
		return nil, refusef(last.Refusal, "the other side says: %q", last.Message)
	case !authentic:
		conn.forget()
		return nil, refusef(WrongSecret, "node %s", theirs.Node)
	}
	return conn, tc.SetDeadline(time.Time{})
}

// judgeMember finds the member that sent a hello among those that hold the key
// of its session, and says why it is not let on.
func (l *Link) judgeMember(s *session, theirs Hello, authentic bool) (PeerAddress, *refused) {
	peer := s.peers[0]
	found := false
	for _, p := range s.peers {
		if p.Node == theirs.Node {
			peer, found = p, true
		}
	}
	if peer.Removed {
		return peer, refusef(Removed, "node %s", peer.Node)
	}
	if r := judgeHello(s.hello(), theirs, s.purpose, authentic); r != nil {
		return peer, r
	}
	if !found {
		return peer, refusef(NodeMismatch, "node %q with the key of %s", theirs.Node, peer.Node)
	}
	if r := s.verdicts[peer.Address]; r != nil {
		return peer, r
	}
	if s.purpose == PurposeRaft && !l.raftReady() {
		return peer, refusef(NotReady, "the database is not open")
	}
	return peer, nil
}

func (l *Link) conn(tc *tls.Conn, raw net.Conn, s *session, node string, remote Hello) *Conn {
	return &Conn{Conn: tc, link: l, raw: raw, node: node, key: s.key(), cluster: s.self.Cluster,
		generation: s.self.Generation, purpose: s.purpose, remote: remote}
}

// handOver gives an authenticated connection to its user.
func (l *Link) handOver(ctx context.Context, c *Conn) {
	queue := l.requests
	if c.purpose == PurposeRaft {
		if c.layer == nil {
			c.abort()
			return
		}
		queue = c.layer.queue
	}
	timer := time.NewTimer(HandshakeTimeout)
	defer timer.Stop()
	select {
	case queue.ch <- c:
		return
	case <-queue.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	c.abort()
}
