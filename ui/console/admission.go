package console

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"hexad/ui/signin"
)

// Bounds of connections. A browser needs one, or six without HTTP/2.
const (
	maxConnections       = 256
	maxConnectionsByHost = 48
)

// admission bounds the open connections of the console, in all and of one
// host. When there is no room the one that has been idle longest makes some, of the
// same host where that has its share: whoever only holds connections loses
// them, and administrators get in. Without an idle one the new one is closed.
type admission struct {
	net.Listener

	mu     sync.Mutex
	conns  map[*admitted]struct{}
	byHost map[string]int
}

// admitted is one open connection.
type admitted struct {
	net.Conn
	all  *admission
	host string
	once sync.Once
	busy bool      // answers a request now; guarded by all.mu
	idle time.Time // since when it does not
}

func newAdmission(l net.Listener) *admission {
	return &admission{Listener: l, conns: map[*admitted]struct{}{}, byHost: map[string]int{}}
}

// Accept returns the next connection that there is room for.
func (a *admission) Accept() (net.Conn, error) {
	for {
		c, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if in := a.admit(c); in != nil {
			return in, nil
		}
		c.Close()
	}
}

func (a *admission) admit(c net.Conn) *admitted {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = c.RemoteAddr().String()
	}
	in := &admitted{Conn: c, all: a, host: signin.AddressKey(host), idle: time.Now()}
	a.mu.Lock()
	var gives *admitted
	room := true
	if a.byHost[in.host] >= maxConnectionsByHost {
		gives = a.longestIdle(in.host)
		room = gives != nil
	} else if len(a.conns) >= maxConnections {
		gives = a.longestIdle("")
		room = gives != nil
	}
	if room {
		a.conns[in] = struct{}{}
		a.byHost[in.host]++
	}
	a.mu.Unlock()
	if gives != nil {
		gives.Close()
	}
	if !room {
		return nil
	}
	return in
}

// longestIdle is the connection of a host, of any when it is "", that has not
// answered a request for the longest time; nil when all do.
func (a *admission) longestIdle(host string) *admitted {
	var out *admitted
	for c := range a.conns {
		if !c.busy && (host == "" || c.host == host) && (out == nil || c.idle.Before(out.idle)) {
			out = c
		}
	}
	return out
}

// Close closes the connection and makes its place free.
func (c *admitted) Close() error {
	c.once.Do(func() {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		delete(c.all.conns, c)
		if c.all.byHost[c.host]--; c.all.byHost[c.host] <= 0 {
			delete(c.all.byHost, c.host)
		}
	})
	return c.Conn.Close()
}

// state follows what the server does with a connection.
func (a *admission) state(c net.Conn, state http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	in, ok := c.(*admitted)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if in.busy = state == http.StateActive; !in.busy {
		in.idle = time.Now()
	}
}

// strangers counts the failed requests of people who are not signed in: they
// are told of together, not one by one.
type strangers struct {
	mu    sync.Mutex
	told  time.Time
	count int
}

// strangersEvery is the least time between two lines about them.
const strangersEvery = 10 * time.Second

// failed notes one, with the last error as the example.
func (s *strangers) failed(log *slog.Logger, path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if now := time.Now(); now.Sub(s.told) >= strangersEvery {
		log.Warn("requests without a session failed", "count", s.count, "path", path, "error", err)
		s.told, s.count = now, 0
	}
}
