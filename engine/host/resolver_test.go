package host_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hexad/engine"
	"hexad/engine/host"
)

// server is a DNS server that answers from a table.
type server struct {
	addr string
	mu   sync.Mutex
	a    map[string][]string // name or reverse name -> values; nil: SERVFAIL
	mute bool
	asks int
}

func startDNS(t *testing.T, ip string, table map[string][]string) *server {
	t.Helper()
	pc, err := net.ListenPacket("udp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: pc.LocalAddr().String(), a: table}
	started := make(chan struct{}, 2)
	for _, d := range []*dns.Server{{PacketConn: pc, Handler: s}, {Listener: ln, Handler: s}} {
		d.NotifyStartedFunc = func() { started <- struct{}{} }
		go d.ActivateAndServe()
		t.Cleanup(func() { d.Shutdown() })
	}
	<-started
	<-started
	return s
}

func (s *server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	if s.mute {
		return
	}
	m := new(dns.Msg)
	m.SetReply(q)
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	values, ok := s.a[strings.ToLower(strings.TrimSuffix(name, "."))]
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	switch {
	case !ok:
		m.Rcode = dns.RcodeNameError
	case values == nil:
		m.Rcode = dns.RcodeServerFailure
	case strings.HasPrefix(name, "big.") && !overTCP:
		m.Truncated = true
	default:
		for _, v := range values {
			if rr, err := dns.NewRR(record(name, v)); err == nil && (rr.Header().Rrtype == kind || rr.Header().Rrtype == dns.TypeCNAME) {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	w.WriteMsg(m)
}

func record(name, v string) string {
	a, err := netip.ParseAddr(v)
	switch {
	case err == nil && a.Is4():
		return name + " 30 IN A " + v
	case err == nil:
		return name + " 30 IN AAAA " + v
	case strings.HasSuffix(name, ".arpa."):
		return name + " 30 IN PTR " + v + "."
	}
	return name + " 30 IN CNAME " + v + "."
}

func (s *server) set(f func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *server) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks
}

func addrs(ips ...string) (out []netip.Addr) {
	for _, ip := range ips {
		out = append(out, netip.MustParseAddr(ip))
	}
	return out
}

func TestLookup(t *testing.T) {
	t.Parallel()
	s := startDNS(t, "127.0.0.91", map[string][]string{
		"p1.example": {"10.0.0.1", "2001:db8::1"}, "p2.example": {"10.0.0.2", "10.0.0.3"}, "big.example": {"10.0.0.4"},
		"six.example": {"2001:db8::6"}, "broken.example": nil})
	mappings := []engine.Mapping{{FQDN: "P1.Example", IP: "192.168.0.1"}, {FQDN: "", IP: "10.9.9.9"}, {FQDN: "bad.example", IP: "x"}}
	tests := []struct {
		name  string
		names host.Names
		ask   string
		want  []netip.Addr
		code  engine.Code
		asked bool
	}{
		{"a name", host.Names{}, "p2.example", addrs("10.0.0.2", "10.0.0.3"), "", true},
		{"case and dot", host.Names{}, "P2.EXAMPLE.", addrs("10.0.0.2", "10.0.0.3"), "", true},
		{"mapped, no DNS", host.Names{Mapping: true, Mappings: mappings}, "p1.example", addrs("192.168.0.1"), "", false},
		{"mapping disabled", host.Names{Mappings: mappings}, "p1.example", addrs("10.0.0.1"), "", true},
		{"not in the mapping", host.Names{Mapping: true, Mappings: mappings}, "p2.example", addrs("10.0.0.2", "10.0.0.3"), "", true},
		{"IPv6", host.Names{IPVersion: "IPv6"}, "p1.example", addrs("2001:db8::1"), "", true},
		{"none of the version", host.Names{}, "six.example", nil, engine.NotFound, true},
		{"literal", host.Names{}, "10.1.1.1", addrs("10.1.1.1"), "", false},
		{"literal 6", host.Names{}, "2001:db8::9", addrs("2001:db8::9"), "", false},
		{"over TCP", host.Names{}, "big.example", addrs("10.0.0.4"), "", true},
		{"completed", host.Names{Domain: "example"}, "p1", addrs("10.0.0.1"), "", true},
		{"no such name", host.Names{}, "p9.example", nil, engine.NotFound, true},
		{"no name at all", host.Names{}, "a..b", nil, engine.NotFound, false},
		{"server fails", host.Names{}, "broken.example", nil, engine.Unavailable, true},
	}
	for _, test := range tests {
		r := host.NewResolver(nil, nil)
		test.names.Servers = []string{s.addr}
		r.Set(test.names)
		before := s.asked()
		got, err := r.Lookup(t.Context(), test.ask)
		if engine.CodeOf(err) != test.code || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v; want %v, code %q", test.name, got, err, test.want, test.code)
		}
		if asked := s.asked() > before; asked != test.asked {
			t.Errorf("%s: DNS asked: %v, want %v", test.name, asked, test.asked)
		}
	}
}

// TestSecondServer: a server that fails or is mute is passed over.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	mute := startDNS(t, "127.0.0.92", nil)
	mute.set(func(s *server) { s.mute = true })
	failing := startDNS(t, "127.0.0.93", map[string][]string{"p1.example": nil})
	good := startDNS(t, "127.0.0.94", map[string][]string{"p1.example": {"10.0.0.1"}})
	r := host.NewResolver(nil, nil)
	r.Set(host.Names{Servers: []string{"", "nonsense", failing.addr, mute.addr, good.addr}})
	got, err := r.Lookup(t.Context(), "p1.example")
	if err != nil || !slices.Equal(got, addrs("10.0.0.1")) {
		t.Errorf("%v, %v", got, err)
	}
	if want := []string{"nonsense", failing.addr, mute.addr, good.addr}; !slices.Equal(r.Servers(), want) {
		t.Errorf("servers %v", r.Servers())
	}
}

// TestLastKnown: without a server the last addresses go on being given, and the
// facts say that DNS fails.
func TestLastKnown(t *testing.T) {
	t.Parallel()
	s := startDNS(t, "127.0.0.95", map[string][]string{"p1.example": {"10.0.0.1"}, "1.0.0.10.in-addr.arpa": {"p1.example"}})
	var mu sync.Mutex
	var events []engine.Event
	r := host.NewResolver(nil, func(e engine.Event) { mu.Lock(); events = append(events, e); mu.Unlock() })
	r.Set(host.Names{Servers: []string{s.addr}})
	r.Watch([]string{"p1.example", "10.0.0.2", "p2.example"})
	if f := r.Facts(t.Context(), []string{"p1.example", "10.0.0.2"}); !f.OK || len(f.Failures) != 0 || f.Servers[0] != s.addr {
		t.Errorf("facts %+v", f)
	}
	s.set(func(s *server) { s.a["p1.example"] = nil })
	f := r.Facts(t.Context(), []string{"p1.example", "p2.example"})
	if f.OK || !strings.Contains(f.Failures["p1.example"], "SERVFAIL") || !strings.Contains(f.Failures["p2.example"], "does not exist") {
		t.Errorf("facts %+v", f)
	}
	if got, err := r.Lookup(t.Context(), "p1.example"); err != nil || !slices.Equal(got, addrs("10.0.0.1")) {
		t.Errorf("while DNS fails: %v, %v", got, err)
	}
	if got := r.Failed(); !slices.Equal(got, []string{"p1.example", "p2.example"}) {
		t.Errorf("failed %v", got)
	}
	s.set(func(s *server) { s.a["p1.example"] = []string{"10.0.0.7"}; s.a["p2.example"] = []string{"10.0.0.8"} })
	r.RetryFailed(t.Context())
	if got := r.Failed(); len(got) != 0 {
		t.Errorf("after the retry: %v", got)
	}
	if a, ok := r.Match(netip.MustParseAddr("10.0.0.7"), []string{"p1.example"}); !ok || a != "p1.example" {
		t.Errorf("the new address is not matched: %q %v", a, ok)
	}
	n := len(events)
	r.RetryFailed(t.Context())
	mu.Lock()
	defer mu.Unlock()
	if len(events) != n {
		t.Error("a retry of nothing was logged")
	}
	e := events[0]
	if e.Module != "developer.clusterdb.peernameresolver" || e.Detail != "Triggering forced peer update of peers which failed DNS and queueing next run" ||
		!slices.Equal(e.Fields, []engine.Field{{Name: "Queue-Time-ms", Value: "300000"}}) {
		t.Errorf("event %+v", e)
	}
}

func TestReverseMissing(t *testing.T) {
	t.Parallel()
	s := startDNS(t, "127.0.0.96", map[string][]string{"p1.example": {"10.0.0.1"}, "p2.example": {"10.0.0.2"}})
	r := host.NewResolver(nil, nil)
	r.Set(host.Names{Servers: []string{s.addr}, Mapping: true, Mappings: []engine.Mapping{{FQDN: "p2.example", IP: "10.0.0.2"}}})
	f := r.Facts(t.Context(), []string{"p1.example", "p2.example"})
	if f.OK || len(f.Failures) != 1 || !strings.Contains(f.Failures["p1.example"], "reverse lookup of 10.0.0.1") {
		t.Errorf("facts %+v; want the reverse of p1 missing, p2 mapped", f)
	}
	if got, err := r.Reverse(t.Context(), netip.MustParseAddr("10.0.0.2")); err != nil || !slices.Equal(got, []string{"p2.example"}) {
		t.Errorf("mapped reverse: %v, %v", got, err)
	}
}

// TestMatch answers from memory only.
func TestMatch(t *testing.T) {
	t.Parallel()
	s := startDNS(t, "127.0.0.97", map[string][]string{"p1.example": {"10.0.0.1"}, "p2.example": {"10.0.0.2"}})
	r := host.NewResolver(nil, nil)
	list := []string{"10.0.0.9", "p1.example", "p2.example"}
	r.Set(host.Names{Servers: []string{s.addr}, Mapping: true, Mappings: []engine.Mapping{{FQDN: "p2.example", IP: "192.168.0.2"}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	r.Watch(list)
	waitFor(t, "the watched name", func() bool { _, ok := r.Match(netip.MustParseAddr("10.0.0.1"), list); return ok })
	asks := s.asked()
	for ip, want := range map[string]string{"10.0.0.9": "10.0.0.9", "::ffff:10.0.0.9": "10.0.0.9", "10.0.0.1": "p1.example",
		"192.168.0.2": "p2.example", "10.0.0.2": "", "10.0.0.3": ""} {
		if got, ok := r.Match(netip.MustParseAddr(ip), list); got != want || ok != (want != "") {
			t.Errorf("Match(%s) = %q, want %q", ip, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"p1.example", "P1.example", true}, {"p1.example", "10.0.0.1", true}, {"p2.example", "192.168.0.2", true},
		{"p2.example", "10.0.0.2", false}, {"", "", false}, {"p1.example", "p2.example", false}} {
		if got := r.Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v", c.a, c.b, got)
		}
	}
	if s.asked() != asks {
		t.Error("Match asked DNS")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

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
