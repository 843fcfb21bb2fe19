package h323_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/h323"
)

var (
	peer1 = netip.MustParseAddrPort("192.0.2.11:1719")
	peer2 = netip.MustParseAddrPort("192.0.2.12:1719")
	peer3 = netip.MustParseAddrPort("192.0.2.13:1719")
)

// station is one running watch with what it wrote.
type station struct {
	*h323.Watch
	mu      sync.Mutex
	lines   []engine.Event
	changes []h323.PeerState
	off     bool
	peers   []netip.AddrPort
}

func (s *station) enabled() bool { s.mu.Lock(); defer s.mu.Unlock(); return !s.off }

func (s *station) setOff(off bool) { s.mu.Lock(); s.off = off; s.mu.Unlock() }

func (s *station) emit(ev engine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, ev)
}

// told returns the events as "level name detail".
func (s *station) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, ev := range s.lines {
		out = append(out, ev.Level+" "+ev.Name+ev.Detail)
	}
	return out
}

// run starts a watch at address; find may be nil. It ends with the test.
func run(t *testing.T, o h323.Options, peers ...netip.AddrPort) *station {
	t.Helper()
	s := &station{peers: peers}
	o.Peers = func() []netip.AddrPort { s.mu.Lock(); defer s.mu.Unlock(); return s.peers }
	o.Enabled, o.Emit = s.enabled, s.emit
	o.Changed = func(p h323.PeerState) { s.mu.Lock(); s.changes = append(s.changes, p); s.mu.Unlock() }
	s.Watch = h323.New(o)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
	return s
}

func at(n *network, a netip.AddrPort) h323.Options {
	return h323.Options{Listen: []netip.AddrPort{a}, Bind: n.bind}
}

func TestPeersAnswerEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		one := run(t, at(n, peer1), peer2)
		two := run(t, at(n, peer2), peer1)
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, s := range []*station{one, two} {
			if states := s.States(); len(states) != 1 || states[0].State != h323.Answers {
				t.Errorf("states = %+v", states)
			}
			if told := s.told(); len(told) != 0 {
				t.Errorf("lines of a quiet minute: %q", told)
			}
			if c := s.Counters(); c.Malformed+c.Stray+c.Unsent != 0 || c.Received < 10 {
				t.Errorf("counters = %+v", c)
			}
		}
	})
}

// TestLostPeer follows an outage to the millisecond: what is sent again, what
// is given up, and which lines say so.
func TestLostPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		o := at(n, peer1)
		o.RequestEvery, o.ServiceEvery = 5*time.Second, 20*time.Second
		one := run(t, o, peer2)
		two := run(t, at(n, peer2))
		two.mu.Lock()
		two.peers = []netip.AddrPort{peer1}
		two.mu.Unlock()
		begun := time.Now()
		time.Sleep(18 * time.Second)
		n.setCut(peer2, true)
		time.Sleep(time.Until(begun.Add(40 * time.Second)))
		synctest.Wait()

		one.mu.Lock()
		var seen []string
		for _, ev := range one.lines {
			if ev.Level != "DEBUG" {
				seen = append(seen, fmt.Sprintf("%s %s%s", ev.Time.Sub(begun).Round(100*time.Millisecond), ev.Name, cutSeq(ev.Detail)))
			}
		}
		changes := len(one.changes)
		one.mu.Unlock()
		want := []string{
			"22s Sending RAS LRQ SeqNum=N Retransmit=True",
			"24s Sending RAS SCI SeqNum=N Retransmit=True",
			"24s Sending RAS LRQ SeqNum=N Retransmit=True",
			"26s External Server Communications Failurename:192.0.2.12:1719",
			"26s Sending RAS LRQ SeqNum=N Timeout=True",
			"28s Sending RAS SCI SeqNum=N Retransmit=True",
			"32s Sending RAS SCI SeqNum=N Timeout=True",
		}
		if !slices.Equal(seen, want) {
			t.Errorf("lines:\n%q\nwant\n%q", seen, want)
		}
		if changes != 2 { // unknown to answers, answers to silent
			t.Errorf("%d changes of state, want 2", changes)
		}
		if st := one.States()[0]; st.State != h323.Silent || st.Since.Sub(begun).Round(time.Second) != 26*time.Second {
			t.Errorf("state = %+v", st)
		}

		n.setCut(peer2, false)
		healed := time.Now()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if st := one.States()[0]; st.State != h323.Answers || st.Since.Sub(healed) > 3*time.Second {
			t.Errorf("after the repair: %+v", st)
		}
		if told := one.told(); told[len(told)-1] != "INFO Peer answers RAS again" {
			t.Errorf("last line = %q", told[len(told)-1])
		}
	})
}

func cutSeq(detail string) string {
	var kind, outcome string
	var seq int
	if _, err := fmt.Sscanf(detail, "Sending RAS %s SeqNum=%d %s", &kind, &seq, &outcome); err != nil {
		return detail
	}
	return fmt.Sprintf("Sending RAS %s SeqNum=N %s", kind, outcome)
}

func TestLongOutageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		one := run(t, at(n, peer1), peer2, peer3)
		time.Sleep(time.Hour)
		synctest.Wait()
		failures, loud := 0, 0
		for _, line := range one.told() {
			switch {
			case line[:2] == "1 ":
				failures++
			case line[:5] == "INFO ":
				loud++
			}
		}
		if failures != 2 || loud > 12 {
			t.Errorf("%d failures and %d loud lines in an hour for two lost peers", failures, loud)
		}
	})
}

func TestSequenceNumbersWrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		o := at(n, peer1)
		o.RequestEvery = time.Millisecond
		run(t, o, peer2)
		run(t, at(n, peer2), peer1)
		time.Sleep(80 * time.Second)
		synctest.Wait()
		numbers := map[uint16]bool{}
		for _, packet := range n.seen(peer2) {
			m, err := h323.Parse(packet)
			if err != nil {
				t.Fatalf("sent %x: %v", packet, err)
			}
			numbers[m.Seq] = true
		}
		if len(numbers) != 65535 || numbers[0] {
			t.Errorf("%d numbers were used, 0 among them: %v", len(numbers), numbers[0])
		}
	})
}

func TestOnlyPeersAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		o := at(n, peer1)
		contact := netip.MustParseAddrPort("192.0.2.50:1720")
		o.Find = func(a h323.Alias) (netip.AddrPort, bool) { return contact, a.Value == "alice" }
		one := run(t, o, peer2)
		peer, err := n.bind(peer2)
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := n.bind(netip.MustParseAddrPort("198.51.100.9:1719"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		lrq := h323.Message{Type: h323.LRQ, Seq: 5, ReplyTo: netip.MustParseAddrPort("203.0.113.1:9"), Aliases: []h323.Alias{{Kind: h323.H323ID, Value: "bob"}}}
		found := lrq
		found.Seq, found.Aliases = 6, []h323.Alias{{Kind: h323.H323ID, Value: "alice"}}
		for _, m := range []h323.Message{lrq, found, {Type: h323.SCI, Seq: 7}} {
			packet, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []h323.Conn{peer, stranger} {
				if _, err := s.WriteToUDPAddrPort(packet, peer1); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, junk := range []string{"", "junk", string(make([]byte, 1501))} {
			if _, err := peer.WriteToUDPAddrPort([]byte(junk), peer1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		var answers []h323.Message
		for _, packet := range n.seen(peer2) {
			if m, err := h323.Parse(packet); err == nil && m.Type != h323.LRQ && m.Type != h323.SCI {
				answers = append(answers, m)
			}
		}
		want := []h323.Message{
			{Type: h323.LRJ, Seq: 5, Reason: h323.NotRegistered},
			{Type: h323.LCF, Seq: 6, Signal: contact, RAS: peer1},
			{Type: h323.SCR, Seq: 7},
		}
		if fmt.Sprint(answers) != fmt.Sprint(want) {
			t.Errorf("answers:\n%+v\nwant\n%+v", answers, want)
		}
		if sent := n.seen(netip.MustParseAddrPort("198.51.100.9:1719")); len(sent) != 0 {
			t.Errorf("%d answers to a stranger", len(sent))
		}
		if sent := n.seen(netip.MustParseAddrPort("203.0.113.1:9")); len(sent) != 0 {
			t.Errorf("%d answers to the address that a packet named", len(sent))
		}
		if c := one.Counters(); c.Ignored != 3 || c.Malformed != 3 || c.Received != 6 {
			t.Errorf("counters = %+v", c)
		}
	})
}

func TestModeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		one := run(t, at(n, peer1), peer2)
		two := run(t, at(n, peer2), peer1)
		two.setOff(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := one.States(); st[0].State != h323.Silent {
			t.Errorf("a peer without H.323 seems to answer: %+v", st)
		}
		if st := two.States(); len(st) != 0 {
			t.Errorf("it watches all the same: %+v", st)
		}
		two.setOff(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if st := one.States(); st[0].State != h323.Answers {
			t.Errorf("after H.323 is back: %+v", st)
		}
	})
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	n := newNetwork()
	o := at(n, peer1)
	o.Listen = []netip.AddrPort{peer1, peer1}
	if err := h323.New(o).Open(t.Context()); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("got %v", err)
	}
}

// TestRealSockets runs two watches over UDP of the system, in both versions of IP.
func TestRealSockets(t *testing.T) {
	t.Parallel()
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		t.Run(loopback, func(t *testing.T) {
			t.Parallel()
			free := netip.AddrPortFrom(netip.MustParseAddr(loopback), 0)
			if conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(free)); err != nil {
				t.Skipf("no %s here: %v", loopback, err)
			} else if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			one := run(t, h323.Options{Listen: []netip.AddrPort{free}, RequestEvery: 10 * time.Millisecond})
			two := run(t, h323.Options{Listen: []netip.AddrPort{free}, RequestEvery: 10 * time.Millisecond})
			meet(one, two)
			meet(two, one)
			deadline := time.After(20 * time.Second)
			for !answers(one) || !answers(two) {
				select {
				case <-deadline:
					t.Fatalf("states: %+v, %+v; counters: %+v, %+v", one.States(), two.States(), one.Counters(), two.Counters())
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
}

func meet(s, other *station) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = other.Addresses()
}

func answers(s *station) bool {
	st := s.States()
	return len(st) == 1 && st[0].State == h323.Answers
}
