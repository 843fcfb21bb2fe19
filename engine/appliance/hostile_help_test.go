package appliance_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine/appliance/appliancetest"
)

// attack is one way to be a nuisance on one port.
type attack struct {
	name string
	port string
	do   func(*attacker)
}

// attacker is a host that attacks one port of a peer.
type attacker struct {
	t    *testing.T
	from string
	to   string // host:port

	mu    sync.Mutex
	conns []net.Conn
	tried int
}

// dial opens a connection; nil when the peer does not want any more.
func (a *attacker) dial() net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(a.from)}, Timeout: 2 * time.Second}
	c, err := d.Dial("tcp", a.to)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried++
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(8 * time.Second)) // no attack takes longer
	a.conns = append(a.conns, c)
	return c
}

// over ends everything that the attack has left open.
func (a *attacker) over() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.conns {
		c.Close()
	}
	a.conns = nil
}

// many does something on count connections, some at a time.
func (a *attacker) many(count, together int, do func(n int, c net.Conn)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, together)
	for n := range count {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if c := a.dial(); c != nil {
				do(n, c)
			}
		})
	}
	wg.Wait()
}

// dripped writes text a byte at a time until it is through or for d.
func dripped(c net.Conn, text []byte, d time.Duration) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(d)
	for _, b := range text {
		if _, err := c.Write([]byte{b}); err != nil || time.Now().After(end) {
			return
		}
		<-tick.C
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// inside is the connection after a handshake with a certificate of the
// attacker's own; nil when the peer does not go that far.
func inside(c net.Conn, protocol string, own tls.Certificate) net.Conn {
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
	if protocol != "" {
		config.NextProtos = []string{protocol}
	}
	t := tls.Client(c, config)
	if t.Handshake() != nil {
		return nil
	}
	return t
}

// Frames of HTTP/2. Source: RFC 9113 section 6; RFC 7541 appendix A.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 0, 1, 3, 4, 6, 9
	endStream, endHeaders                                                            = 1, 4
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	out := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(out, stream), payload...)
}

// Compressed headers: method, scheme, path and an authority.
var (
	getRoot    = append([]byte{0x82, 0x87, 0x84, 0x41, 4}, "peer"...)
	postSignIn = append(append(append(append([]byte{0x83, 0x87, 0x44, 8}, "/sign-in"...), 0x41, 4), "peer"...),
		append([]byte{0x0f, 0x10, 33}, "application/x-www-form-urlencoded"...)...) // content-type, static index 31
)

// spoken is a connection that speaks HTTP/2, nil when there is none. What the
// peer says is read and dropped.
func spoken(c net.Conn, own tls.Certificate) net.Conn {
	t := inside(c, "h2", own)
	if t == nil {
		return nil
	}
	if _, err := t.Write(append([]byte(preface), frame(frameSettings, 0, 0, nil)...)); err != nil {
		return nil
	}
	go func() {
		into := make([]byte, 16<<10)
		for {
			if _, err := t.Read(into); err != nil {
				return
			}
		}
	}()
	return t
}

// written writes until the peer has had enough.
func written(c net.Conn, count int, next func(n int) []byte) {
	for n := range count {
		if _, err := c.Write(next(n)); err != nil {
			return
		}
	}
}

// size is what a process takes.
type size struct {
	resident    int // KiB
	descriptors int
}

func sizeOf(t *testing.T, pid int) size {
	t.Helper()
	var out size
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			out.resident, _ = strconv.Atoi(f[1])
		}
	}
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	out.descriptors = len(names)
	return out
}

// served measures how long a save and a page of the console take while it runs.
type served struct {
	stop  chan struct{}
	done  chan struct{}
	worst time.Duration
	what  string
	count atomic.Int64
}

// serving saves on p and reads a page, over and over, until ended.
func serving(p *appliancetest.Peer, b *appliancetest.Browser) *served {
	s := &served{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			n := s.count.Add(1)
			s.time("save", func() string {
				_, err := p.Try(fmt.Sprintf(`xConfiguration Zones Zone 1 Name: "during %d"`, n))
				return why(err)
			})
			s.time("page", func() string {
				if status, _ := b.Get("/clustering"); status != 200 {
					return fmt.Sprintf("status %d", status)
				}
				return ""
			})
		}
	}()
	return s
}

func (s *served) time(what string, do func() string) {
	began := time.Now()
	if wrong := do(); wrong != "" {
		s.worst, s.what = time.Hour, what+": "+wrong
		return
	}
	if took := time.Since(began); took > s.worst {
		s.worst, s.what = took, what
	}
}

func (s *served) end() { close(s.stop); <-s.done }

// starved is how many times longer than asked a short sleep takes now.
func starved() float64 {
	const asked, rounds = 5 * time.Millisecond, 20
	began := time.Now()
	tick := time.NewTicker(asked)
	defer tick.Stop()
	for range rounds {
		<-tick.C
	}
	return max(1, float64(time.Since(began))/float64(rounds*asked))
}
