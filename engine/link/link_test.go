package link_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// peer is one system under test: a real link on its own loopback address.
type peer struct {
	t    *testing.T
	link *link.Link
	dir  *directory
	node string

	mu       sync.Mutex
	contacts []link.Contact
	grew     chan struct{}
}

// directory is a link.Directory that tests change as they go.
type directory struct {
	mu      sync.Mutex
	self    link.Self
	peers   []link.PeerAddress
	listed  map[string]string // ip -> entry
	resolve map[string]string // address -> ip, where it is not itself
}

func (d *directory) Self() link.Self {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self
}

func (d *directory) Peers() []link.PeerAddress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.peers)
}

func (d *directory) Listed(ip netip.Addr) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.listed[ip.String()]
	return a, ok
}

func (d *directory) Identify(_ context.Context, id link.Identity) (bool, string) {
	return slices.Contains(id.Names, id.ConfiguredAddress), "name"
}

func (d *directory) Resolve(_ context.Context, address string) ([]netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ip := d.resolve[address]; ip != "" {
		address = ip
	}
	a, err := netip.ParseAddr(address)
	return []netip.Addr{a}, err
}

func (d *directory) change(f func(*directory)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// credentialsFor makes a self-signed certificate for an address.
func credentialsFor(t *testing.T, ip string, now time.Time) *link.Credentials {
	t.Helper()
	cert, key, err := link.NewCredentials([]string{"peer-" + ip}, []net.IP{net.ParseIP(ip)}, now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := link.LoadCredentials(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var secret = []byte("0123456789abcdef0123456789abcdef")

// start opens a peer that knows nobody yet.
func start(t *testing.T, node, ip string, change ...func(*link.Config)) *peer {
	t.Helper()
	p := &peer{t: t, node: node, grew: make(chan struct{}, 1), dir: &directory{listed: map[string]string{}, self: link.Self{
		Node: node, Cluster: "c1", Secret: secret, Generation: engine.Generation{Number: 1, ID: "g1"}, Release: "1.0.0", Mode: engine.Permissive,
	}}}
	cfg := link.Config{IP: netip.MustParseAddr(ip), Credentials: credentialsFor(t, ip, time.Now()), Directory: p.dir, Report: p.contact}
	for _, f := range change {
		f(&cfg)
	}
	p.link = link.New(cfg)
	if err := p.link.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.link.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: Run: %v", node, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: Run did not end", node)
		}
	})
	return p
}

func (p *peer) contact(c link.Contact) {
	p.mu.Lock()
	p.contacts = append(p.contacts, c)
	p.mu.Unlock()
	select {
	case p.grew <- struct{}{}:
	default:
	}
}

// reported waits for a contact that match accepts.
func (p *peer) reported(what string, match func(link.Contact) bool) link.Contact {
	p.t.Helper()
	deadline := time.After(8 * time.Second)
	for {
		p.mu.Lock()
		for _, c := range p.contacts {
			if match(c) {
				p.mu.Unlock()
				return c
			}
		}
		seen := slices.Clone(p.contacts)
		p.mu.Unlock()
		select {
		case <-p.grew:
		case <-deadline:
			p.t.Fatalf("%s never reported %s; it reported %+v", p.node, what, seen)
		}
	}
}

func (p *peer) refusal(d link.Direction, r link.Refusal) link.Contact {
	p.t.Helper()
	return p.reported("refusal "+string(r), func(c link.Contact) bool { return c.Direction == d && c.Refusal == r })
}

func (p *peer) ip() string { return p.link.Credentials().Certificate().IPAddresses[0].String() }

func (p *peer) address() link.PeerAddress {
	return link.PeerAddress{Node: p.node, Address: p.ip(), Fingerprint: p.link.Credentials().Fingerprint(), Ports: p.link.Ports()}
}

// meet makes peers know each other's pins.
func meet(peers ...*peer) {
	for _, p := range peers {
		p.dir.change(func(d *directory) {
			d.peers = nil
			for _, q := range peers {
				d.peers = append(d.peers, q.address())
				d.listed[q.ip()] = q.ip()
			}
		})
	}
}

func wantRefusal(t *testing.T, err error, want link.Refusal) {
	t.Helper()
	if got := link.RefusalOf(err); got != want {
		t.Errorf("refusal = %q (%v), want %q", got, err, want)
	}
}

func dialRaft(from, to *peer) (net.Conn, error) {
	return from.link.Dial(to.node, 5*time.Second)
}

func echo(t *testing.T, p *peer) *link.RaftLayer {
	t.Helper()
	layer := p.link.Raft()
	go func() {
		for {
			c, err := layer.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 64)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := c.Write(b[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return layer
}

func wantEcho(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := c.Read(b); err != nil || string(b) != "ping" {
		t.Fatalf("read %q, %v", b, err)
	}
}

func TestRaftConnection(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.11"), start(t, "b", "127.0.0.12")
	meet(a, b)
	layer := echo(t, b)
	c, err := a.link.Raft().Dial("b", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c)
	if got := layer.Addr().String(); got != "b" {
		t.Errorf("Raft address %q, want the node id", got)
	}
	in := b.reported("the contact", func(c link.Contact) bool { return c.Err == nil && c.Purpose == link.PurposeRaft })
	if in.Node != "a" || in.RemoteIP != "127.0.0.11" || in.Remote.Seen != "127.0.0.12" {
		t.Errorf("contact %+v: not from a's own address", in)
	}
	layer.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived its layer")
	}
	_, err = dialRaft(a, b)
	wantRefusal(t, err, link.NotReady)
	echo(t, b) // a store that was opened again
	c, err = dialRaft(a, b)
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("From", link.RemoteNode(r.Context()))
		w.Header().Set("Address", link.RemoteIP(r.Context()))
		w.Header().Set("Proto", r.Proto)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	a, b := start(t, "a", "127.0.0.13"), start(t, "b", "127.0.0.14", func(c *link.Config) { c.Handler = handler })
	meet(a, b)
	for range 3 {
		res, err := a.link.Client("b").Get("http://peer/facts")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if h := res.Header; h.Get("From") != "a" || h.Get("Proto") != "HTTP/2.0" || h.Get("Address") != "127.0.0.13" {
			t.Errorf("headers %v", h)
		}
	}
	if got := a.link.Connections("b"); got != 1 {
		t.Errorf("%d connections for three requests, want 1", got)
	}
	for size, want := range map[int]int{link.MaxBody: http.StatusOK, link.MaxBody + 1: http.StatusRequestEntityTooLarge} {
		res, err := a.link.Client("b").Post("http://peer/", "application/json", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes: status %d, want %d", size, res.StatusCode, want)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, "http://peer/", nil)
	req.Header.Set("Long", strings.Repeat("x", 64<<10))
	if res, err := a.link.Client("b").Do(req); err == nil {
		res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("a header of 64 KiB: status %d", res.StatusCode)
		}
	}
	b.link.Drop("a")
	waitFor(t, "the connection to end", func() bool { return a.link.Connections("b") == 0 })
	res, err := a.link.Client("b").Get("http://peer/facts")
	if err != nil {
		t.Fatalf("after Drop: %v", err)
	}
	res.Body.Close()
}

// waitFor waits for a condition that has no event.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(8 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

func TestRecheckEndsWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*directory){
		"generation": func(d *directory) { d.self.Generation = engine.Generation{Number: 2, ID: "g2", Parent: "g1"} },
		"cluster":    func(d *directory) { d.self.Cluster = "c2" },
		"pin":        func(d *directory) { d.peers[1].Fingerprint = "00" },
		"removal":    func(d *directory) { d.peers[1].Removed = true },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, "a", "127.0.0.15"), start(t, "b", "127.0.0.16")
			meet(a, b)
			echo(t, b)
			c, err := dialRaft(a, b)
			if err != nil {
				t.Fatal(err)
			}
			a.link.Recheck()
			wantEcho(t, c)
			a.dir.change(change)
			a.link.Recheck()
			if got := a.link.Connections("b"); got != 0 {
				t.Errorf("%d connections left", got)
			}
			if _, err := c.Write([]byte("x")); err == nil {
				t.Error("the connection still carries bytes")
			}
		})
	}
}

func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	for _, r := range link.Refusals {
		if text := r.Text(); text.EN == "" || text.JA == "" {
			t.Errorf("refusal %q: text %+v", r, text)
		}
	}
}
