package h323

import (
	"net/netip"
	"time"

	"hexad/engine"
)

// How often a request is sent again before it is given up, and after what
// time: an LRQ after 2, 4 and 6 s, an SCI after 4, 8 and 12 s.
//
// Source: reference 6.3, 11.
const (
	sends       = 3
	requestWait = 2 * time.Second
	serviceWait = 4 * time.Second
)

// Answering is what is known of a peer.
type Answering string

// What is known of a peer.
const (
	Unknown Answering = "unknown" // nothing yet
	Answers Answering = "answers"
	Silent  Answering = "silent" // an LRQ was given up, nothing was answered since
)

// PeerState is one peer as the watch sees it. Since is when State was entered;
// RTT is of the last request that was answered at its first sending.
type PeerState struct {
	Address netip.AddrPort
	State   Answering
	Since   time.Time
	RTT     time.Duration
}

// exchange is the request of one type that one peer is asked again and again.
//
// seq is 0 between two requests; due is when something is to be done next.
type exchange struct {
	kind   Type
	every  time.Duration
	wait   time.Duration
	seq    uint16
	packet []byte
	sent   int
	begun  time.Time
	due    time.Time
	quiet  bool // begun while the peer was silent already
}

// peer is one watched peer, guarded by the watch's lock.
type peer struct {
	PeerState
	request exchange
	service exchange
}

func newPeer(address netip.AddrPort, requestEvery, serviceEvery time.Duration, now time.Time) *peer {
	return &peer{
		PeerState: PeerState{Address: address, State: Unknown, Since: now},
		service:   exchange{kind: SCI, every: serviceEvery, wait: serviceWait, due: now},
		request:   exchange{kind: LRQ, every: requestEvery, wait: requestWait, due: now},
	}
}

func (p *peer) exchanges() []*exchange { return []*exchange{&p.service, &p.request} }

// enter changes the state and reports whether it was another.
func (p *peer) enter(s Answering, now time.Time) bool {
	if p.State == s {
		return false
	}
	p.State, p.Since = s, now
	return true
}

// again counts one more sending and returns its log line.
func (x *exchange) again(to netip.AddrPort, now time.Time) engine.Event {
	x.sent++
	x.due = now.Add(x.wait) // from now: after a pause of the machine nothing comes in a burst
	return x.hushed(Resent(x.kind, to, x.seq))
}

// giveUp ends the request and returns the log lines, the Event Log's first as
// in the seed. Only a lost LRQ makes a peer silent.
func (p *peer) giveUp(x *exchange, now time.Time) (lines []engine.Event, changed bool) {
	timeout := x.hushed(TimedOut(x.kind, p.Address, x.seq))
	x.seq, x.due = 0, now.Add(x.every)
	if x.kind != LRQ {
		return []engine.Event{timeout}, false
	}
	x.due = now // asked again without a rest, so that its return is seen within 2 s
	if !p.enter(Silent, now) {
		return []engine.Event{timeout}, false
	}
	return []engine.Event{Lost(p.Address), timeout}, true
}

// hushed makes the lines of an outage that was told already lines for debugging.
func (x *exchange) hushed(ev engine.Event) engine.Event {
	if x.quiet {
		ev.Level = "DEBUG"
	}
	return ev
}

// answered takes an answer; ok when it belongs to the request in progress.
func (p *peer) answered(m Message, now time.Time) (lines []engine.Event, ok, changed bool) {
	x := &p.request
	if m.Type == SCR {
		x = &p.service
	}
	if x.seq == 0 || x.seq != m.Seq {
		return nil, false, false
	}
	if x.sent == 1 {
		p.RTT = now.Sub(x.begun)
	}
	x.seq, x.due = 0, x.begun.Add(x.every)
	if x.due.Before(now) {
		x.due = now
	}
	if p.State == Silent {
		lines = []engine.Event{Found(p.Address)}
		p.request.due = now // its LRQ, if any, is asked afresh
		p.request.seq = 0
	}
	return lines, true, p.enter(Answers, now)
}
