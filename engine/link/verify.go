package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"time"

	"hexad/engine"
)

// session is what the TLS handshake proved of the other side.
//
// peers are the members whose pinned key it holds, or one that follows it: one, or
// several that share a certificate; the hello then says which. It is a candidate
// when there are none.
type session struct {
	self        Self
	purpose     Purpose
	remoteIP    string
	fingerprint string
	chain       []*x509.Certificate
	listed      string // peer list entry of remoteIP
	peers       []PeerAddress
	verdicts    map[string]*refused // per configured address, in Enforcing mode
	certificate engine.CertFacts
}

func (s *session) key() shown { return shown{s.fingerprint, s.chain} }

// stamp fills in a contact what the session knows.
func (s *session) stamp(c *Contact) {
	c.Purpose, c.Certificate = s.purpose, s.certificate
	if len(s.peers) == 1 && c.Node == "" {
		c.Node, c.Address = s.peers[0].Node, s.peers[0].Address
	}
	if c.Address == "" {
		c.Address = s.listed
	}
}

func (l *Link) tlsConfig(verify func(tls.ConnectionState) error, protocols ...Purpose) *tls.Config {
	c := &tls.Config{
		Certificates:           []tls.Certificate{l.credentials.Load().peers},
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // VerifyConnection does it, by pin and not only by chain
		SessionTicketsDisabled: true, // a resumed session would skip nothing, but would prove an old key
		VerifyConnection:       verify,
	}
	for _, p := range protocols {
		c.NextProtos = append(c.NextProtos, p.alpn())
	}
	return c
}

// begin reads from a session what both sides need of it.
func (l *Link) begin(cs tls.ConnectionState, remote netip.Addr, protocols []Purpose) (*session, *refused) {
	s := &session{self: l.cfg.Directory.Self(), remoteIP: remote.String(), verdicts: map[string]*refused{}}
	for _, p := range protocols {
		if cs.NegotiatedProtocol == p.alpn() {
			s.purpose = p
		}
	}
	if len(cs.PeerCertificates) == 0 {
		return s, refusef(BadCertificate, "none was shown")
	}
	leaf := cs.PeerCertificates[0]
	s.fingerprint, s.chain = Fingerprint(leaf), cs.PeerCertificates
	s.certificate = Describe(leaf, s.self.Trust, cs.PeerCertificates[1:], time.Now())
	if s.purpose == "" {
		return s, refusef(BadTLS, "protocol %q", cs.NegotiatedProtocol)
	}
	if fault := basicFault(leaf, s.self.Trust, time.Now()); fault != "" {
		return s, refusef(BadCertificate, "%s", fault)
	}
	return s, nil
}

// verifyClient judges who opened a connection.
func (l *Link) verifyClient(ctx context.Context, cs tls.ConnectionState, remote netip.Addr, protocols []Purpose) (*session, *refused) {
	ctx, end := engine.WithStages(ctx)
	defer end()
	s, r := l.judgeClient(ctx, cs, remote, protocols)
	stageVerdict(ctx, s, r)
	return s, r
}

func (l *Link) judgeClient(ctx context.Context, cs tls.ConnectionState, remote netip.Addr, protocols []Purpose) (*session, *refused) {
	s, r := l.begin(cs, remote, protocols)
	if r != nil {
		return s, r
	}
	listed, ok := l.cfg.Directory.Listed(remote)
	s.listed = listed
	gone := false
	for _, p := range l.members() {
		if s.key().isOf(p, s.self.Trust) {
			s.peers = append(s.peers, p)
			gone = gone || p.Removed
		}
	}
	if gone && s.purpose == PurposeJoin {
		s.peers = nil // a removed peer joins again as a stranger
	}
	stagePin(ctx, s, ok)
	if len(s.peers) == 0 {
		if r := l.judgeStranger(s, ok); r != nil {
			return s, r
		}
		return s, l.identify(ctx, s, cs, listed, x509.ExtKeyUsageClientAuth)
	}
	for _, p := range s.peers {
		if p.Removed {
			return s, nil // will be told so, and nothing else
		}
		r = l.identify(ctx, s, cs, p.Address, x509.ExtKeyUsageClientAuth)
		s.verdicts[p.Address] = r
	}
	if len(s.peers) > 1 {
		return s, nil // the hello says which verdict counts
	}
	return s, r
}

// judgeStranger says why a key that nobody pinned may not ask to join.
func (l *Link) judgeStranger(s *session, listed bool) *refused {
	if !listed {
		return refusef(NotListed, "%s", s.remoteIP)
	}
	for _, p := range l.members() {
		if strings.EqualFold(p.Address, s.listed) && p.Fingerprint != "" && !p.Removed {
			return refusef(KeyChanged, "%s was pinned with %s and shows %s", p.Address, p.Fingerprint, s.fingerprint)
		}
	}
	if s.purpose != PurposeJoin {
		return refusef(NotPinned, "%s shows %s", s.listed, s.fingerprint)
	}
	return nil
}

// verifyServer judges who answered at a peer's address.
func (l *Link) verifyServer(ctx context.Context, cs tls.ConnectionState, remote netip.Addr, p PeerAddress, purpose Purpose) (*session, *refused) {
	ctx, end := engine.WithStages(ctx)
	defer end()
	s, r := l.judgeServer(ctx, cs, remote, p, purpose)
	stageVerdict(ctx, s, r)
	return s, r
}

func (l *Link) judgeServer(ctx context.Context, cs tls.ConnectionState, remote netip.Addr, p PeerAddress, purpose Purpose) (*session, *refused) {
	s, r := l.begin(cs, remote, []Purpose{purpose})
	s.listed = p.Address
	if r != nil {
		return s, r
	}
	if p.Fingerprint != "" && !s.key().isOf(p, s.self.Trust) {
		return s, refusef(KeyChanged, "%s was pinned with %s and shows %s", p.Address, p.Fingerprint, s.fingerprint)
	}
	if p.Fingerprint != "" {
		s.peers = []PeerAddress{p}
	} else if purpose != PurposeJoin {
		return s, refusef(NotPinned, "%s", p.Address)
	}
	stagePin(ctx, s, true)
	return s, l.identify(ctx, s, cs, p.Address, x509.ExtKeyUsageServerAuth)
}

// identify asks whether the certificate names the peer. In Permissive mode the
// answer is only told.
func (l *Link) identify(ctx context.Context, s *session, cs tls.ConnectionState, address string, use x509.ExtKeyUsage) *refused {
	leaf := cs.PeerCertificates[0]
	chain := verifyChain(leaf, cs.PeerCertificates[1:], s.self.Trust, time.Now(), use)
	stageChain(ctx, chain)
	ok, why := l.cfg.Directory.Identify(ctx, Identity{ConfiguredAddress: address, SourceIP: s.remoteIP, Names: names(leaf), ChainErr: chain, Mode: s.self.Mode})
	switch {
	case chain != nil:
		why = reason(chain)
	case ok:
		why = ""
	case why == "":
		why = "no name of the certificate is that of " + address
	}
	s.certificate.Chain, s.certificate.Valid, s.certificate.Reason = chain == nil, why == "", why
	if why == "" || s.self.Mode != engine.Enforcing {
		return nil
	}
	return refusef(BadCertificate, "%s: %s", address, why)
}

// members is Directory.Peers without this peer.
func (l *Link) members() []PeerAddress {
	self := l.cfg.Directory.Self().Node
	var out []PeerAddress
	for _, p := range l.cfg.Directory.Peers() {
		if p.Node != self {
			out = append(out, p)
		}
	}
	return out
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}
