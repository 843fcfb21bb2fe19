package host

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beevik/ntp"

	"hexad/engine"
)

// The bounds of NTP.
const (
	NTPInterval = 64 * time.Second
	ntpTimeout  = 3 * time.Second
	maxServers  = 5
	// MaxOffset is how far this machine's clock may be from the best server's to
	// count as synchronized: less than a network of 80 ms and a busy machine
	// never show, more than a second in a log line hides. hexad measures; the
	// operating system sets the clock.
	MaxOffset = 500 * time.Millisecond
)

// The states of NTP. Source: reference 2.1, 4.3.
const (
	Synchronized   = "Synchronized"
	Unsynchronized = "Unsynchronized" // a server answers, the clock differs
	NTPFailed      = "Failed"         // no server gives the time
	Unconfigured   = "Unconfigured"
)

// NTP compares this machine's clock with the configured servers. It is safe for
// concurrent use.
type NTP struct {
	lookup  func(ctx context.Context, name string) ([]netip.Addr, error)
	changed func(engine.NTPFacts)
	wake    chan struct{}

	mu    sync.Mutex
	facts engine.NTPFacts
}

// NewNTP makes an NTP without servers. Names of servers are resolved with
// lookup (Resolver.Lookup); changed, if any, is called when State changes.
func NewNTP(lookup func(ctx context.Context, name string) ([]netip.Addr, error), changed func(engine.NTPFacts)) *NTP {
	if changed == nil {
		changed = func(engine.NTPFacts) {}
	}
	return &NTP{lookup: lookup, changed: changed, wake: make(chan struct{}, 1), facts: engine.NTPFacts{State: Unconfigured}}
}

// Set names the servers: up to five names, "ip" or "host:port". They are asked
// at once by Run.
func (n *NTP) Set(servers []string) {
	servers = slices.DeleteFunc(slices.Clone(servers), func(s string) bool { return s == "" })
	servers = servers[:min(len(servers), maxServers)]
	n.mu.Lock()
	changed := !slices.Equal(servers, n.facts.Servers)
	n.facts.Servers = servers
	n.mu.Unlock()
	if changed {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// Facts is what was found when the servers were last asked.
func (n *NTP) Facts() engine.NTPFacts {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.facts
	f.Servers = slices.Clone(f.Servers)
	return f
}

// Run asks the servers every NTPInterval and after each Set, until ctx ends.
func (n *NTP) Run(ctx context.Context) error {
	tick := time.NewTicker(NTPInterval)
	defer tick.Stop()
	for {
		n.Check(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-tick.C:
		}
	}
}

// Check asks all servers now and returns what it found.
func (n *NTP) Check(ctx context.Context) engine.NTPFacts {
	servers := n.Facts().Servers
	answers := make([]answer, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		wg.Go(func() { answers[i] = n.query(ctx, server) })
	}
	wg.Wait()
	found := judge(servers, answers)
	n.mu.Lock()
	before := n.facts.State
	stale := !slices.Equal(servers, n.facts.Servers) || ctx.Err() != nil
	if !stale {
		n.facts = found
	}
	n.mu.Unlock()
	if !stale && before != found.State {
		n.changed(found)
	}
	return found
}

// answer is what one server said: an offset, or why not.
type answer struct {
	offset   time.Duration
	distance time.Duration // of the server from the true time
	err      error
}

// judge takes the answer of the server that is nearest to the true time.
func judge(servers []string, answers []answer) engine.NTPFacts {
	f := engine.NTPFacts{Servers: servers, State: Unconfigured}
	if len(servers) == 0 {
		return f
	}
	best := -1
	var causes []string
	for i, a := range answers {
		if a.err != nil {
			causes = append(causes, servers[i]+": "+oneLine(a.err))
			continue
		}
		if best < 0 || a.distance < answers[best].distance {
			best = i
		}
	}
	f.Cause = strings.Join(causes, "; ")
	if best < 0 {
		f.State = NTPFailed
		return f
	}
	f.OffsetMS = float64(answers[best].offset.Microseconds()) / 1000
	f.State = Synchronized
	if math.Abs(f.OffsetMS) > float64(MaxOffset.Milliseconds()) {
		f.State = Unsynchronized
		f.Cause = strings.TrimPrefix(f.Cause+"; "+servers[best]+": the clock differs by "+
			strconv.FormatFloat(f.OffsetMS, 'f', 0, 64)+" ms", "; ")
	}
	return f
}

func (n *NTP) query(ctx context.Context, server string) answer {
	ctx, cancel := context.WithTimeout(ctx, ntpTimeout)
	defer cancel()
	name, port := server, "123"
	if h, p, err := net.SplitHostPort(server); err == nil {
		name, port = h, p
	}
	addrs, err := n.lookup(ctx, name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return answer{err: err}
	}
	response, err := ntp.QueryWithOptions(net.JoinHostPort(addrs[0].String(), port), ntp.QueryOptions{Timeout: ntpTimeout,
		Dialer: func(_, remote string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "udp", remote)
			if err == nil { // Stop waiting when ctx ends; the query itself closes c.
				context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
			}
			return c, err
		}})
	if err == nil {
		err = response.Validate()
	}
	if err != nil {
		return answer{err: err}
	}
	return answer{offset: response.ClockOffset, distance: response.RootDistance}
}
