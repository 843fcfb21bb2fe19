package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hexad/engine"
)

// The bounds of a link.
const (
	HandshakeTimeout = 5 * time.Second  // TCP accept to the end of the hellos
	JoinTimeout      = 30 * time.Second // one side's decision on a join
	MaxPending       = 64               // connections that are not authenticated yet, at once
	MaxPendingPerIP  = 8                // of them from one address
	reservedPending  = 16               // of them kept for listed addresses
	maxJoins         = 4                // join exchanges at once
	maxPerNode       = 64               // authenticated connections of one member
	alertLinger      = 300 * time.Millisecond
)

// keepAlive makes the kernel notice within two to three seconds that
// the other side of an idle connection is gone, so that a cut link is seen
// although nothing is being said on it.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2}

// unacknowledged is how long the kernel lets what was sent lie without a sign
// from the other host before it gives the connection up. A new one is tried every
// half second; the pauses of one that stays are as long as the cut was.
const unacknowledged = 2 * time.Second

// impatient makes the kernel send what is lost on a connection with little on its
// way again at an even pace at first, and give the connection up in time. With
// TCP's doubled pauses a peer would hear as late after a cut is healed as the cut
// was long. Accepted connections have it from their listener.
func impatient(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// A kernel without them has the pauses.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	})
}

// Ports are the two TCP ports of a peer.
type Ports struct {
	Peer int // 4371
	Raft int // 4372
}

// StandardPorts are the ports that the peers of a cluster use. Source: reference 6.1.
var StandardPorts = Ports{Peer: 4371, Raft: 4372}

// PeerAddress is one peer whose key was pinned, or that was removed.
//
// Address is its Peer N field as listed now: a changed key is noticed by
// it. Fingerprint is its pin, "" before first contact.
// A removed peer is told so, and nothing else. Zero Ports are the standard ones.
type PeerAddress struct {
	Node        string
	Address     string
	Fingerprint string
	Removed     bool
	Ports       Ports
}

// Self is what this peer is now: one consistent snapshot.
type Self struct {
	Node       string
	Cluster    string
	Primary    string // node id of the agreed configuration primary, "" when unknown
	Secret     []byte // the cluster secret; never sent
	Generation engine.Generation
	Release    string
	Applied    uint64 // Raft index
	Digest     string // identifies the clustering page in effect; may be ""
	Mode       engine.TLSMode
	Trust      Trust
}

// Identity is what Directory.Identify judges.
type Identity struct {
	ConfiguredAddress string   // the Peer N field
	SourceIP          string   // where the session comes from or goes to
	Names             []string // SANs, then the CN
	ChainErr          error    // nil: the chain verifies against the trust store
	Mode              engine.TLSMode
}

// Directory tells the link what this peer is and whom it knows. Its methods
// are called for each connection, from many goroutines; all but Resolve and
// Identify answer at once from memory.
type Directory interface {
	Self() Self
	// Peers lists the other members and the removed ones. An entry with this
	// peer's own node id is ignored.
	Peers() []PeerAddress
	// Listed returns the peer list entry that ip belongs to.
	Listed(ip netip.Addr) (address string, ok bool)
	// Identify judges the names of a certificate. Its answer decides in
	// Enforcing mode and is only told in Permissive.
	Identify(ctx context.Context, id Identity) (ok bool, reason string)
	// Resolve returns the addresses of a Peer N field, best first.
	Resolve(ctx context.Context, address string) ([]netip.Addr, error)
}

// Direction is who opened a connection.
type Direction string

// The directions.
const (
	Outbound Direction = "outbound"
	Inbound  Direction = "inbound"
)

// Contact is one try of two systems to talk, however it ended.
//
// Err is nil when both sides went on. Node and Address are the member that was
// dialled or whose key was shown; "" for a stranger. Remote is the other side's
// hello, as far as it came. Repeats counts equal refusals of strangers that
// were not reported before this one, so that a flood does not become one of reports.
type Contact struct {
	Node        string
	Address     string
	RemoteIP    string
	Purpose     Purpose
	Direction   Direction
	At          time.Time
	Err         error
	Refusal     Refusal
	Local       Hello
	Remote      Hello
	Certificate engine.CertFacts
	Repeats     int
}

// Config is what New needs. IP is the own address: it is listened on and
// dialled from; the zero Addr leaves both to the system. A port of 0 is real
// after Open.
type Config struct {
	IP          netip.Addr
	Ports       Ports
	Credentials *Credentials
	Directory   Directory
	Joins       JoinHandler   // nil: nobody can join here
	Handler     http.Handler  // serves the peer link; RemoteNode tells who asks
	Recovery    http.Handler  // serves members of any generation, reading only; nil: nobody
	Report      func(Contact) // called from the connection's goroutine; must not block
	Log         *slog.Logger
	// Dial replaces the network under TLS, for tests that cut links.
	Dial func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)
}

// Link is both TLS ports of one peer and the dialler to the others'. It is
// safe for concurrent use.
type Link struct {
	cfg         Config
	credentials atomic.Pointer[Credentials]
	tokens      Tokens
	slots       slots
	joins       chan struct{}
	reports     limiter

	peer, raft net.Listener
	requests   *connQueue // authenticated peer links on their way to the HTTP server
	server     *http.Server

	mu      sync.Mutex
	closed  bool
	conns   map[*Conn]struct{}
	clients map[string]*http.Client // by purpose and node
	layer   *RaftLayer
	wg      sync.WaitGroup
}

// New fills a Link; Open makes it listen.
func New(cfg Config) *Link {
	if cfg.Report == nil {
		cfg.Report = func(Contact) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Handler == nil {
		cfg.Handler = http.NotFoundHandler()
	}
	if cfg.Recovery == nil {
		cfg.Recovery = http.NotFoundHandler()
	}
	if cfg.Dial == nil {
		cfg.Dial = dialTCP
	}
	l := &Link{cfg: cfg, joins: make(chan struct{}, maxJoins), conns: map[*Conn]struct{}{}, clients: map[string]*http.Client{}}
	l.credentials.Store(cfg.Credentials)
	l.slots.perIP = map[netip.Addr]int{}
	l.reports.last = map[string]*reported{}
	return l
}

// Open listens on both ports.
//
// Errors: Invalid (no credentials or directory), Unavailable (a port is taken).
func (l *Link) Open(ctx context.Context) error {
	if l.cfg.Directory == nil || l.credentials.Load() == nil {
		return engine.Errorf(engine.Invalid, "the peer link needs credentials and a directory")
	}
	var err error
	if l.peer, err = l.listen(ctx, l.cfg.Ports.Peer); err != nil {
		return err
	}
	if l.raft, err = l.listen(ctx, l.cfg.Ports.Raft); err != nil {
		l.peer.Close()
		return err
	}
	l.requests = newConnQueue(l.peer.Addr())
	l.server = l.newServer()
	return nil
}

func (l *Link) listen(ctx context.Context, port int) (net.Listener, error) {
	host := ""
	if l.cfg.IP.IsValid() {
		host = l.cfg.IP.String()
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := (&net.ListenConfig{KeepAliveConfig: keepAlive, Control: impatient}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &engine.Error{Code: engine.Unavailable, Message: "the peer link cannot listen on TCP " + address + ": " + err.Error(), Err: err,
			Item: "--address", Remedy: "stop what uses the port, or give an --address that this host has"}
	}
	return ln, nil
}

// Ports are the ports listened on, after Open.
func (l *Link) Ports() Ports {
	return Ports{Peer: l.peer.Addr().(*net.TCPAddr).Port, Raft: l.raft.Addr().(*net.TCPAddr).Port}
}

// Run serves both ports until ctx ends or Close is called.
func (l *Link) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	release := context.AfterFunc(ctx, func() { l.Close() })
	defer release()
	l.wg.Go(func() { l.accept(ctx, l.peer, PurposePeer, PurposeJoin, PurposeRecover) })
	l.wg.Go(func() { l.accept(ctx, l.raft, PurposeRaft) })
	err := l.server.Serve(l.requests)
	l.Close()
	stop() // ends the handshakes under way
	l.wg.Wait()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close ends both listeners and every connection. It may be called twice.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	layer := l.layer
	l.layer = nil
	l.mu.Unlock()
	if l.raft == nil { // never opened
		return nil
	}
	l.peer.Close()
	l.raft.Close()
	l.requests.Close()
	l.server.Close()
	if layer != nil {
		layer.Close()
	}
	l.dropWhere(func(*Conn) bool { return true })
	return nil
}

// SetCredentials makes new connections use c. Connections that are open stay.
func (l *Link) SetCredentials(c *Credentials) { l.credentials.Store(c) }

// Credentials are the ones in use.
func (l *Link) Credentials() *Credentials { return l.credentials.Load() }

// Tokens are the join tokens of this peer.
func (l *Link) Tokens() *Tokens { return &l.tokens }

// Drop ends every connection with a member: it was removed, or its pin changed.
func (l *Link) Drop(node string) {
	l.dropWhere(func(c *Conn) bool { return c.node == node })
}

// Recheck ends the connections that would not be let on now, because the
// generation, the cluster or a pin changed since they were.
func (l *Link) Recheck() {
	self := l.cfg.Directory.Self()
	peers := l.cfg.Directory.Peers()
	pinned := func(c *Conn) bool {
		return slices.ContainsFunc(peers, func(p PeerAddress) bool { return !p.Removed && p.Node == c.node && c.key.isOf(p, self.Trust) })
	}
	l.dropWhere(func(c *Conn) bool {
		return c.cluster != self.Cluster || fenced && c.purpose != PurposeRecover && Stand(self.Generation, c.generation) != Same || !pinned(c)
	})
}

// Connections counts the authenticated connections with a member.
func (l *Link) Connections(node string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countLocked(node)
}

func (l *Link) countLocked(node string) int {
	n := 0
	for c := range l.conns {
		if c.node == node {
			n++
		}
	}
	return n
}

func (l *Link) dropWhere(match func(*Conn) bool) {
	var out []*Conn
	l.mu.Lock()
	for c := range l.conns {
		if match(c) {
			out = append(out, c)
		}
	}
	l.mu.Unlock()
	for _, c := range out {
		c.abort()
	}
}

// report completes a contact and passes it on.
func (l *Link) report(c Contact, err error) {
	c.Err, c.Refusal, c.At = err, RefusalOf(err), time.Now().UTC()
	if c.Direction == Inbound && c.Node == "" && err != nil {
		ok, repeats := l.reports.allow(c.RemoteIP+" "+string(c.Refusal), c.At)
		if !ok {
			return
		}
		c.Repeats = repeats
	}
	l.cfg.Report(c)
}
