package ssh

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"hexad/ui/signin"
)

// door bounds the connections that have not signed in yet, in all and of one
// source. When there is no room, the one that has been trying the longest makes
// some, of the same source where that has its share: whoever only holds
// connections loses them, and administrators get in. One that has signed in
// never gives way.
type door struct {
	mu        sync.Mutex
	strangers map[*guest]struct{}
	came      int // connections so far

	told  time.Time // when refusals were told of last
	count int       // refusals since
}

// guest is one connection.
type guest struct {
	net.Conn
	door   *door
	key    string // what its source is counted by
	number int    // in the order in which they came
}

func newDoor() *door { return &door{strangers: map[*guest]struct{}{}} }

// admit takes a connection in, in the place of another where there is no room.
func (d *door) admit(c net.Conn) *guest {
	in := &guest{Conn: c, door: d, key: sourceKey(c.RemoteAddr())}
	d.mu.Lock()
	d.came++
	in.number = d.came
	here := 0
	for g := range d.strangers {
		if g.key == in.key {
			here++
		}
	}
	var gives *guest
	switch {
	case here >= maxStrangersOne:
		gives = d.oldest(in.key)
	case len(d.strangers) >= maxStrangers:
		gives = d.oldest("")
	}
	if gives != nil {
		delete(d.strangers, gives)
	}
	d.strangers[in] = struct{}{}
	d.mu.Unlock()
	if gives != nil {
		gives.Conn.Close()
	}
	return in
}

func (d *door) oldest(key string) *guest {
	var out *guest
	for g := range d.strangers {
		if (key == "" || g.key == key) && (out == nil || g.number < out.number) {
			out = g
		}
	}
	return out
}

// refusedEvery is the least time between two lines about connections that came
// to nothing.
const refusedEvery = 10 * time.Second

// refused notes a connection that came to nothing: they are told of together.
func (d *door) refused(log *slog.Logger, why string, from net.Addr) {
	d.mu.Lock()
	d.count++
	n := d.count
	now := time.Now()
	due := now.Sub(d.told) >= refusedEvery
	if due {
		d.told, d.count = now, 0
	}
	d.mu.Unlock()
	if due {
		log.Warn("connections to the shell came to nothing", "module", "ssh", "count", n, "source", from.String(), "why", why)
	}
}

// known notes that somebody has signed in.
func (g *guest) known() {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	delete(g.door.strangers, g)
}

// leave ends a connection that has not signed in.
func (g *guest) leave() {
	g.door.mu.Lock()
	_, stranger := g.door.strangers[g]
	g.door.mu.Unlock()
	if stranger {
		g.Conn.Close()
	}
}

// Write gives the other side a while to take what is written.
func (g *guest) Write(p []byte) (int, error) {
	_ = g.Conn.SetWriteDeadline(time.Now().Add(writeTime))
	return g.Conn.Write(p)
}

// Close closes the connection and makes its place free.
func (g *guest) Close() error {
	g.known()
	return g.Conn.Close()
}

func sourceKey(a net.Addr) string { return signin.AddressKey(hostOf(a)) }

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
