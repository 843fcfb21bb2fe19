package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine/link"
)

func rawDial(t *testing.T, from string, p *peer, port int) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", net.JoinHostPort(p.ip(), strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ended reports whether the other side has ended c within d.
func ended(c net.Conn, d time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, c)
	return err == nil || !strings.Contains(err.Error(), "timeout")
}

// TestFlood: hundreds of silent connections from many addresses hold only their
// share, a listed peer gets in beside them, and they end at the deadline.
func TestFlood(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.71"), start(t, "b", "127.0.0.72")
	meet(a, b)
	echo(t, a)
	var conns []net.Conn
	for i := range 500 {
		port := a.link.Ports().Peer
		if i%2 == 0 {
			port = a.link.Ports().Raft
		}
		conns = append(conns, rawDial(t, "127.0.7."+strconv.Itoa(1+i%50), a, port))
	}
	a.refusal(link.Inbound, link.TooMany)
	began := time.Now()
	c, err := dialRaft(b, a)
	if err != nil {
		t.Fatalf("a peer was kept out: %v", err)
	}
	wantEcho(t, c)
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("a peer waited %s", d)
	}
	var open atomic.Int32
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			if !ended(c, 500*time.Millisecond) {
				open.Add(1)
			}
		})
	}
	wg.Wait()
	if n := open.Load(); n > link.MaxPending {
		t.Errorf("%d connections are held, want at most %d", n, link.MaxPending)
	}
	for _, c := range conns {
		wg.Go(func() {
			if !ended(c, link.HandshakeTimeout+3*time.Second) {
				open.Add(-1000)
			}
		})
	}
	wg.Wait()
	if open.Load() < 0 {
		t.Error("a silent connection outlived the deadline")
	}
	reports := 0
	a.mu.Lock()
	for _, c := range a.contacts {
		if c.Err != nil {
			reports++
		}
	}
	a.mu.Unlock()
	if reports > 150 {
		t.Errorf("%d reports of one flood", reports)
	}
}

// TestPendingPerAddress: one address has eight places, the next its own.
func TestPendingPerAddress(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.73"), start(t, "b", "127.0.0.74")
	meet(a, b)
	echo(t, a)
	for range 40 {
		rawDial(t, "127.0.0.75", a, a.link.Ports().Raft)
	}
	c := a.refusal(link.Inbound, link.TooMany)
	if c.RemoteIP != "127.0.0.75" {
		t.Errorf("contact %+v", c)
	}
	conn, err := dialRaft(b, a)
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, conn)
}

// TestRandomBytes: noise before TLS and after it, and huge lengths, end the
// connection and nothing else.
func TestRandomBytes(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.76"), start(t, "b", "127.0.0.77")
	meet(a, b)
	echo(t, a)
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(random.Uint32())
		}
		return out
	}
	length := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for i := range 30 {
		c := rawDial(t, "127.0.7."+strconv.Itoa(100+i%10), a, a.link.Ports().Peer)
		c.Write(noise(1 + i*37))
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
		if !ended(c, 8*time.Second) {
			t.Fatal("noise holds a connection")
		}
	}
	inside := [][]byte{length(1 << 31), length(^uint32(0)), length(0), length(link.MaxHello + 1), append(length(9), "not JSON!"...),
		append(length(2), "{}"...), append(length(14), `{"hello":null}`...), append(length(4), "null"...), noise(64)}
	for _, message := range inside {
		for port, protocol := range map[int]string{a.link.Ports().Peer: "hexad-peer/1", a.link.Ports().Raft: "hexad-raft/1"} {
			c := tls.Client(rawDial(t, b.ip(), a, port), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol},
				Certificates: []tls.Certificate{link.TLSCertificate(b.link.Credentials())}})
			if _, err := c.Write(message); err != nil {
				t.Fatal(err)
			}
			c.CloseWrite()
			if !ended(c, 8*time.Second) {
				t.Fatalf("% x holds a connection", message[:4])
			}
			c.Close()
		}
	}
	conn, err := dialRaft(b, a)
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, conn)
}

func FuzzHello(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add(append([]byte{0, 0, 0, 33}, `{"hello":"e30=","mac":"AAAAAAAA"}`...))
	f.Add(append([]byte{0, 0, 0, 46}, `{"hello":"eyJ2ZXJzaW9uIjotMX0=","mac":"AAAA"}`+"\n"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		_, body, _, err := link.ReadHello(r)
		if err == nil && len(body) > link.MaxHello {
			t.Errorf("accepted %d bytes", len(body))
		}
		if read := len(data) - r.Len(); read > link.MaxHello+4 {
			t.Errorf("read %d bytes", read)
		}
	})
}

// board is a switchboard under the dialler: a cut link carries nothing and
// says nothing.
type board struct {
	cut atomic.Bool
}

type cable struct {
	net.Conn
	board *board
	dead  chan struct{}
	once  sync.Once
}

func (b *board) dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return &cable{Conn: c, board: b, dead: make(chan struct{})}, nil
}

func (c *cable) Write(p []byte) (int, error) {
	if c.board.cut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.board.cut.Load() && err == nil {
		<-c.dead
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.dead) })
	return c.Conn.Close()
}

// TestSilentLinkIsNoticed within two seconds, by both sides.
func TestSilentLinkIsNoticed(t *testing.T) {
	t.Parallel()
	var b board
	held := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			select {
			case <-r.Context().Done():
			case <-held:
			}
		}
	})
	defer close(held)
	p := start(t, "p", "127.0.0.78", func(c *link.Config) { c.Handler = handler })
	q := start(t, "q", "127.0.0.79", func(c *link.Config) { c.Dial = b.dial })
	meet(p, q)
	res, err := q.link.Client("p").Get("http://peer/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	failed := make(chan error, 1)
	go func() {
		_, err := q.link.Client("p").Get("http://peer/wait")
		failed <- err
	}()
	waitFor(t, "the request to be under way", func() bool { return q.link.Connections("p") == 1 && p.link.Connections("q") == 1 })
	b.cut.Store(true)
	began := time.Now()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("a request over a cut link succeeded")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("a silent link went unnoticed")
	}
	if d := time.Since(began); d > 2*time.Second+500*time.Millisecond { // half a second for a busy machine
		t.Errorf("noticed after %s", d)
	}
	waitFor(t, "the other side to notice", func() bool { return p.link.Connections("q") == 0 })
	b.cut.Store(false)
	res, err = q.link.Client("p").Get("http://peer/")
	if err != nil {
		t.Fatalf("after the link came back: %v", err)
	}
	res.Body.Close()
}

// TestDialDeadline: what accepts and says nothing costs one
// deadline.
func TestDialDeadline(t *testing.T) {
	t.Parallel()
	a := start(t, "a", "127.0.0.80")
	ln, err := net.Listen("tcp", "127.0.0.81:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	a.dir.change(func(d *directory) {
		d.peers = []link.PeerAddress{
			{Node: "mute", Address: "127.0.0.81", Fingerprint: "00", Ports: link.Ports{Peer: port, Raft: port}},
			{Node: "gone", Address: "127.0.0.82", Fingerprint: "00", Ports: link.Ports{Peer: port, Raft: port}},
			{Node: "name", Address: "no.such.name", Fingerprint: "00"},
			{Node: "new", Address: "127.0.0.83"}}
	})
	for node, want := range map[string]link.Refusal{"mute": link.NoResponse, "gone": link.NoResponse, "name": link.DNSFailed, "new": link.NotPinned, "nobody": link.NotListed} {
		began := time.Now()
		_, err := a.link.Dial(node, 300*time.Millisecond)
		wantRefusal(t, err, want)
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("%s: gave up after %s", node, d)
		}
	}
}

// TestNothingOutlivesClose: all goroutines end, whatever state connections are in.
func TestNothingOutlivesClose(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("peers", func(t *testing.T) {
		a, b := start(t, "a", "127.0.0.84"), start(t, "b", "127.0.0.85", func(c *link.Config) {
			c.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		})
		meet(a, b)
		layer := a.link.Raft()
		if _, err := dialRaft(b, a); err != nil { // accepted by nobody
			t.Fatal(err)
		}
		rawDial(t, "127.0.0.86", a, a.link.Ports().Raft)
		go a.link.Client("b").Get("http://peer/")
		waitFor(t, "the request", func() bool { return b.link.Connections("a") == 1 })
		a.link.Close()
		a.link.Close()
		b.link.Close()
		if _, err := layer.Accept(); err == nil {
			t.Error("a closed layer accepts")
		}
		if _, err := dialRaft(a, b); err == nil {
			t.Error("dialling works after Close")
		}
	})
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
}
