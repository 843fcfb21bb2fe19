package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"hexad/ui/shell"
	"hexad/ui/ssh"
)

// memory is a listener whose connections are pipes.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newMemory() *memory { return &memory{make(chan net.Conn), make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { close(m.closed); return nil }
func (m *memory) Addr() net.Addr { return from("pipe") }

type from string

func (from) Network() string  { return "tcp" }
func (f from) String() string { return string(f) }

// half is one direction of a connection; a writer never waits.
type half struct {
	mu     sync.Mutex
	more   *sync.Cond
	bytes  []byte
	closed bool
}

func newHalf() *half {
	h := &half{}
	h.more = sync.NewCond(&h.mu)
	return h
}

func (h *half) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.bytes) == 0 && !h.closed {
		h.more.Wait()
	}
	if len(h.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.bytes)
	h.bytes = h.bytes[n:]
	return n, nil
}

func (h *half) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, io.ErrClosedPipe
	}
	h.bytes = append(h.bytes, p...)
	h.more.Broadcast()
	return len(p), nil
}

func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.more.Broadcast()
}

// end is one end of a connection, with the address that it sees.
type end struct {
	in, out *half
	remote  from
}

func (e end) Read(p []byte) (int, error)       { return e.in.Read(p) }
func (e end) Write(p []byte) (int, error)      { return e.out.Write(p) }
func (e end) Close() error                     { e.in.close(); e.out.close(); return nil }
func (e end) LocalAddr() net.Addr              { return from("192.0.2.254:22") }
func (e end) RemoteAddr() net.Addr             { return e.remote }
func (e end) SetDeadline(time.Time) error      { return nil }
func (e end) SetReadDeadline(time.Time) error  { return nil }
func (e end) SetWriteDeadline(time.Time) error { return nil }

func (m *memory) dial(source string) net.Conn {
	there, back := newHalf(), newHalf()
	m.conns <- end{there, back, from(source)}
	return end{back, there, "192.0.2.254:22"}
}

// bubble runs do with a server on memory, on a clock of its own.
func bubble(t *testing.T, do func(t *testing.T, s *system, server *ssh.Server, m *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, m := newSystem(t), newMemory()
		server, err := ssh.New(s.options(t))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(ctx, m) }()
		do(t, s, server, m)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

func enter(t *testing.T, s *system, m *memory, source string) *xssh.Client {
	t.Helper()
	key, _ := s.newKey(t, "admin")
	conn, channels, requests, err := xssh.NewClientConn(m.dial(source), "pipe", client("admin", xssh.PublicKeys(key)))
	if err != nil {
		t.Fatalf("sign in from %s: %v", source, err)
	}
	return xssh.NewClient(conn, channels, requests)
}

// A session ends half an hour after the last key, and after half a day in any case.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	t.Run("idle", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *system, server *ssh.Server, m *memory) {
			c := enter(t, s, m, "192.0.2.1:1000")
			time.Sleep(29 * time.Minute)
			if _, _, status := run(t, c, "xStatus SSH"); status != 0 {
				t.Errorf("after 29 minutes: status %d", status)
			}
			began := time.Now()
			_ = c.Wait()
			if took := time.Since(began); took < 30*time.Minute || took > 31*time.Minute {
				t.Errorf("it ended after %v without a key", took)
			}
			synctest.Wait()
			if !s.told("Admin Session Finish: admin: Nothing was typed for 30 minutes") || len(server.Sessions()) != 0 {
				t.Errorf("events %v, sessions %v", s.events, server.Sessions())
			}
		})
	})
	t.Run("absolute", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *system, _ *ssh.Server, m *memory) {
			c := enter(t, s, m, "192.0.2.1:1000")
			began := time.Now()
			for time.Since(began) < 11*time.Hour+50*time.Minute {
				time.Sleep(10 * time.Minute)
				run(t, c, "xStatus SSH")
			}
			_ = c.Wait()
			if took := time.Since(began); took < 12*time.Hour || took > 12*time.Hour+time.Minute {
				t.Errorf("it ended after %v", took)
			}
		})
	})
	t.Run("sign-in", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *system, _ *ssh.Server, m *memory) {
			began := time.Now()
			for name, speak := range map[string]string{"silent": "", "half": "SSH-2.0-half\r\n", "noise": strings.Repeat("x\r\n", 20)} {
				c := m.dial("192.0.2.1:1000")
				go io.WriteString(c, speak)
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if took := time.Since(began); took > 21*time.Second {
					t.Errorf("%s: it may try for %v", name, took)
				}
				began = time.Now()
			}
		})
	})
}

// Who only holds connections loses them; administrators get in.
func TestStrangersGiveWay(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *system, _ *ssh.Server, m *memory) {
		inside := enter(t, s, m, "192.0.2.1:999")
		lost := make(chan int, 1000)
		hold := func(n int, source string) {
			c := m.dial(source)
			go func() {
				_, _ = io.Copy(io.Discard, c)
				lost <- n
			}()
		}
		for n := range 9 { // one more than a source may hold
			hold(n, "192.0.2.1:1000")
		}
		synctest.Wait()
		if first := <-lost; first != 0 {
			t.Errorf("connection %d gave way, want the oldest", first)
		}
		for n := range 60 {
			hold(100+n, fmt.Sprintf("192.0.2.%d:1000", 10+n))
		}
		synctest.Wait()
		if len(lost) < 30 {
			t.Errorf("%d of 69 connections gave way", len(lost)+1)
		}
		enter(t, s, m, "198.51.100.7:1000").Close()
		if _, _, status := run(t, inside, "xStatus SSH"); status != 0 {
			t.Errorf("who was inside: status %d", status)
		}
	})
}

// There are so many sessions and no more; who comes too late is told so.
func TestSessionsAreCounted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *system, server *ssh.Server, m *memory) {
		refused := func(source, want string) {
			t.Helper()
			c := enter(t, s, m, source)
			_, errs, status := run(t, c, "xStatus SSH")
			if status != shell.ExitUnreachable || !strings.Contains(errs, want) {
				t.Errorf("from %s: status %d, %q", source, status, errs)
			}
			_ = c.Wait()
		}
		var inside []*xssh.Client
		for range 12 {
			inside = append(inside, enter(t, s, m, "192.0.2.1:1000"))
		}
		synctest.Wait()
		refused("192.0.2.1:1000", "12 from this address")
		for n := range 20 {
			inside = append(inside, enter(t, s, m, fmt.Sprintf("192.0.2.%d:1000", 10+n)))
		}
		synctest.Wait()
		refused("192.0.2.200:1000", "32 in all")
		inside[0].Close()
		synctest.Wait()
		if n := len(server.Sessions()); n != 31 {
			t.Errorf("%d sessions", n)
		}
		if _, _, status := run(t, enter(t, s, m, "192.0.2.201:1000"), "xStatus SSH"); status != 0 {
			t.Errorf("with room again: status %d", status)
		}
		if !s.told("Login Failure: admin: too many sessions") {
			t.Errorf("nobody was told: %v", s.events)
		}
	})
}

// One connection holds four conversations.
func TestConversationsAreCounted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *system, _ *ssh.Server, m *memory) {
		c := enter(t, s, m, "192.0.2.1:1000")
		var first *xssh.Session
		for range 4 {
			session, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			first = session
		}
		var refused *xssh.OpenChannelError
		if _, err := c.NewSession(); !errors.As(err, &refused) || refused.Reason != xssh.ResourceShortage {
			t.Errorf("the fifth: %v", err)
		}
		first.Close()
		synctest.Wait()
		run(t, c, "xStatus SSH")
	})
}
