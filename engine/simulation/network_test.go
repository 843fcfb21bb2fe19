package simulation_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"
)

// way is one direction between two machines.
type way struct {
	cut   bool
	delay time.Duration
	loss  int // of a hundred packets
}

// network is every direction between the machines; [from][to].
type network [machines][machines]way

// resend is how long a lost packet takes to be sent again.
const resend = 200 * time.Millisecond

// passes reports whether a packet may travel now, both machines running.
func (w *world) passes(from, to *machine) bool { return !w.net[from.i][to.i].cut }

// trip is how long one message takes; ok is false when it does not arrive.
func (w *world) trip(from, to *machine) (d time.Duration, ok bool) {
	l := &w.net[from.i][to.i]
	if l.cut {
		return 0, false
	}
	d = l.delay
	if d > 0 { // jitter, so that messages overtake each other
		d += time.Duration(w.dice.Int64N(int64(d)/4 + 1))
	}
	for range 6 {
		if l.loss == 0 || w.dice.IntN(100) >= l.loss {
			return d, true
		}
		d += resend
	}
	return d, true
}

// dialError is how a connection to a port fails.
func dialError(to *machine, port int, cause error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(to.ip), Port: port}, Err: cause}
}

// send carries one message of a connection from one machine to another and
// returns the process that took it. A message that is cut off, or that a
// standing process does not read, is waited for until ctx ends; after a heal it
// is sent again, as TCP does.
func (w *world) send(ctx context.Context, from *process, to *machine, port int) (*process, error) {
	for {
		w.mu.Lock()
		d, ok := w.trip(from.m, to)
		w.mu.Unlock()
		if !ok {
			d = resend
		}
		if d > 0 && !pause(ctx, d) {
			return nil, dialError(to, port, os.ErrDeadlineExceeded)
		}
		w.mu.Lock()
		p, cut := to.proc, !w.passes(from.m, to)
		closed := p == nil || !p.open
		var standing <-chan struct{}
		if p != nil {
			standing = p.standing()
		}
		w.mu.Unlock()
		switch {
		case !ok, cut:
			continue
		case closed:
			return nil, dialError(to, port, syscall.ECONNREFUSED)
		case standing != nil:
			select {
			case <-standing:
			case <-p.gone:
			case <-ctx.Done():
				return nil, dialError(to, port, os.ErrDeadlineExceeded)
			}
			continue
		}
		return p, nil
	}
}

// answer carries the reply of a request back; the network may have changed since.
func (w *world) answer(ctx context.Context, from, to *process) error {
	back, err := w.send(ctx, from, to.m, 0)
	if err == nil && back != to {
		return syscall.ECONNRESET // another run of the process than asked
	}
	if err != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// idle is the connection that a peer holds to another's database port.
type idle struct {
	net.Conn // no other method is called
	w        *world
	from, to *process
	ended    chan struct{}
	err      error // why; nil: closed here
}

func (c *idle) Read([]byte) (int, error) {
	<-c.ended
	if c.err != nil {
		return 0, c.err
	}
	return 0, net.ErrClosed
}

func (c *idle) Close() error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.end(nil)
	return nil
}

// end ends the connection; w.mu is held.
func (c *idle) end(why error) {
	if c.w.idles[c] {
		delete(c.w.idles, c)
		c.err = why
		close(c.ended)
	}
}

// probeTime is how long the kernel's probes of an idle connection take to find
// that nobody answers. Source: engine/link/link.go.
const probeTime = 3 * time.Second

// probe ends the idle connections whose other side is gone or cut off; w.mu is held.
func (w *world) probe() {
	for c := range w.idles {
		if c.to.dead || !w.passes(c.from.m, c.to.m) || !w.passes(c.to.m, c.from.m) {
			c.end(syscall.ETIMEDOUT)
		}
	}
}

// reset ends the connections that concern a process that is gone, as far as
// the network lets the other side know. w.mu is held.
func (w *world) reset(p *process) {
	for c := range w.idles {
		if c.from == p || c.to == p && w.passes(p.m, c.from.m) {
			c.end(syscall.ECONNRESET)
		}
	}
	w.later(probeTime, w.probe)
}
