package host

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// The timers of the resolver. Source: the seed's log (300 s); reference 11.
const (
	RetryInterval   = 300 * time.Second // between tries of names that failed
	refreshInterval = 60 * time.Second  // of watched names that resolve
	maxTTL          = 60 * time.Second
	minTTL          = 5 * time.Second
	queryTimeout    = 2 * time.Second // of one server
	maxNames        = 1024            // names remembered
)

// Names are the settings of a Resolver.
//
// Servers are "ip" or "ip:port"; none means the system's resolver. IPVersion is
// IPv4 (also when empty) or IPv6. Domain completes names without a dot.
type Names struct {
	Servers   []string
	IPVersion string
	Domain    string
	Mapping   bool // the address mapping is enabled
	Mappings  []engine.Mapping
}

// Resolver is the one resolver of a peer: the address mapping first, and a hit
// asks no DNS; IP literals are themselves; else DNS.
//
// While a server does not answer, the last addresses that a name had are given,
// so that peers keep finding each other; Facts tells of the failure all the
// same. Safe for concurrent use.
//
// Source: design 4; reference 1.10.
type Resolver struct {
	log  *slog.Logger
	emit func(engine.Event)
	wake chan struct{} // settings or the watched names changed
	ask  func(ctx context.Context, servers []string, name string, v6 bool) ([]netip.Addr, time.Duration, error)

	mu      sync.Mutex
	names   Names
	watched []string
	known   map[string]*entry
}

// entry is what is known of one name. Addrs outlive a failure.
type entry struct {
	addrs   []netip.Addr
	expires time.Time
	failed  error
}

// NewResolver makes a resolver that asks the system until it is Set. emit
// takes the event log's lines.
func NewResolver(log *slog.Logger, emit func(engine.Event)) *Resolver {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if emit == nil {
		emit = func(engine.Event) {}
	}
	return &Resolver{log: log, emit: emit, ask: lookup, wake: make(chan struct{}, 1), known: map[string]*entry{}}
}

// Set changes the settings. What DNS said before is forgotten when the servers
// or the IP version differ.
func (r *Resolver) Set(n Names) {
	n.Servers = slices.DeleteFunc(slices.Clone(n.Servers), func(s string) bool { return s == "" })
	n.Mappings = slices.Clone(n.Mappings)
	r.mu.Lock()
	if !slices.Equal(n.Servers, r.names.Servers) || n.IPVersion != r.names.IPVersion || n.Domain != r.names.Domain {
		r.known = map[string]*entry{}
	}
	r.names = n
	r.mu.Unlock()
	r.poke()
}

// Watch names the addresses of the peer list. They are resolved in the
// background, so that Match answers from memory.
func (r *Resolver) Watch(addresses []string) {
	r.mu.Lock()
	changed := !slices.Equal(r.watched, addresses)
	r.watched = slices.Clone(addresses)
	r.mu.Unlock()
	if changed {
		r.poke()
	}
}

func (r *Resolver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Servers are the configured servers.
func (r *Resolver) Servers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.names.Servers)
}

// Mapped returns the mapping's IP address for an FQDN, if the mapping is
// enabled and has one.
func (r *Resolver) Mapped(name string) (netip.Addr, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mappedLocked(name)
}

func (r *Resolver) mappedLocked(name string) (netip.Addr, bool) {
	if !r.names.Mapping {
		return netip.Addr{}, false
	}
	for _, m := range r.names.Mappings {
		if m.FQDN != "" && canonical(m.FQDN) == canonical(name) {
			a, err := netip.ParseAddr(m.IP)
			return a.Unmap(), err == nil
		}
	}
	return netip.Addr{}, false
}

// Lookup returns the addresses of a name or IP literal.
//
// Errors: NotFound (no such name, or none of the IP version), Unavailable (no
// server answered and the name was never known).
func (r *Resolver) Lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return r.lookup(ctx, name, false)
}

func (r *Resolver) lookup(ctx context.Context, name string, fresh bool) ([]netip.Addr, error) {
	if a, ok := r.Mapped(name); ok {
		return []netip.Addr{a}, nil
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	key := canonical(name)
	r.mu.Lock()
	n := r.names
	if e := r.known[key]; e != nil && !fresh && e.failed == nil && time.Now().Before(e.expires) {
		addrs := e.addrs
		r.mu.Unlock()
		return addrs, nil
	}
	r.mu.Unlock()
	addrs, ttl, err := r.ask(ctx, n.Servers, n.qualify(key), n.IPVersion == "IPv6")
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, err // the caller lost interest, which says nothing of the name
	}
	return r.remember(key, addrs, ttl, err)
}

// remember keeps what DNS said and decides what a failure means to the caller.
func (r *Resolver) remember(key string, addrs []netip.Addr, ttl time.Duration, err error) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[key]
	if e == nil {
		if len(r.known) >= maxNames {
			r.forgetLocked()
		}
		e = &entry{}
		r.known[key] = e
	}
	e.failed = err
	if err == nil {
		e.addrs, e.expires = addrs, time.Now().Add(min(max(ttl, minTTL), maxTTL))
		return addrs, nil
	}
	if engine.CodeOf(err) == engine.NotFound {
		e.addrs = nil // the answer is that there is none
		return nil, err
	}
	if len(e.addrs) > 0 {
		return e.addrs, nil
	}
	return nil, err
}

// forgetLocked makes room: anything but the watched names can be asked again.
func (r *Resolver) forgetLocked() {
	maps.DeleteFunc(r.known, func(name string, _ *entry) bool {
		return !slices.ContainsFunc(r.watched, func(w string) bool { return canonical(w) == name })
	})
}

// Match returns the entry of addresses that ip belongs to: a literal, a mapped
// name, or a name that resolves to it. It never asks the network.
func (r *Resolver) Match(ip netip.Addr, addresses []string) (string, bool) {
	ip = ip.Unmap()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, address := range addresses {
		if m, ok := r.mappedLocked(address); ok {
			if m == ip {
				return address, true
			}
			continue
		}
		if a, err := netip.ParseAddr(address); err == nil {
			if a.Unmap() == ip {
				return address, true
			}
			continue
		}
		if e := r.known[canonical(address)]; e != nil && slices.Contains(e.addrs, ip) {
			return address, true
		}
	}
	return "", false
}

// Same reports whether two entries of a peer list name one address, as far as
// is known without asking the network.
func (r *Resolver) Same(a, b string) bool {
	if canonical(a) == canonical(b) {
		return a != ""
	}
	x, y := r.knownAddrs(a), r.knownAddrs(b)
	return slices.ContainsFunc(x, func(ip netip.Addr) bool { return slices.Contains(y, ip) })
}

func (r *Resolver) knownAddrs(name string) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.mappedLocked(name); ok {
		return []netip.Addr{a}
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a.Unmap()}
	}
	if e := r.known[canonical(name)]; e != nil {
		return e.addrs
	}
	return nil
}

// Run keeps the watched names resolved until ctx ends, and tries those that
// failed again every RetryInterval.
func (r *Resolver) Run(ctx context.Context) error {
	refresh, retry := time.NewTicker(refreshInterval), time.NewTicker(RetryInterval)
	defer refresh.Stop()
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
			r.refresh(ctx, func(e *entry) bool { return e == nil || e.failed != nil })
		case <-refresh.C:
			r.refresh(ctx, func(e *entry) bool { return e == nil || e.failed == nil })
		case <-retry.C:
			r.RetryFailed(ctx)
		}
	}
}

// RetryFailed asks again for the watched names that failed. The event log shows
// it, when there are any.
func (r *Resolver) RetryFailed(ctx context.Context) {
	if len(r.Failed()) == 0 {
		return
	}
	r.emit(engine.Event{Time: time.Now().UTC(), Kind: "dns.retry-started", Module: "developer.clusterdb.peernameresolver", Level: "INFO",
		Detail: "Triggering forced peer update of peers which failed DNS and queueing next run",
		Fields: []engine.Field{{Name: "Queue-Time-ms", Value: "300000"}}})
	r.refresh(ctx, func(e *entry) bool { return e != nil && e.failed != nil })
}

// Failed lists the watched names that did not resolve when last asked.
func (r *Resolver) Failed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, name := range r.watched {
		if e := r.known[canonical(name)]; e != nil && e.failed != nil {
			out = append(out, name)
		}
	}
	return out
}

// refresh asks for the watched names that match, each for itself, so that one
// that hangs delays no other. A change is told to the event log.
func (r *Resolver) refresh(ctx context.Context, match func(*entry) bool) {
	r.mu.Lock()
	var ask []string
	before := map[string]entry{}
	for _, name := range r.watched {
		if _, err := netip.ParseAddr(name); name == "" || err == nil {
			continue
		}
		if _, mapped := r.mappedLocked(name); mapped {
			continue
		}
		if e := r.known[canonical(name)]; match(e) {
			ask = append(ask, name)
			if e != nil {
				before[name] = *e
			}
		}
	}
	r.mu.Unlock()
	var wg sync.WaitGroup
	for _, name := range ask {
		wg.Go(func() { r.refreshOne(ctx, name, before[name]) })
	}
	wg.Wait()
}

func (r *Resolver) refreshOne(ctx context.Context, name string, before entry) {
	addrs, err := r.lookup(ctx, name, true)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.log.Warn("name does not resolve", "name", name, "error", err)
	}
	if !slices.Equal(addrs, before.addrs) {
		r.emit(engine.Event{Time: time.Now().UTC(), Kind: "dns.address-changed", Module: "developer.clusterdb.peernameresolver", Level: "INFO",
			Detail: "Notifying databasemanager (Management Framework)", Fields: []engine.Field{{Name: "Name", Value: name}}})
	}
}

// Facts tells whether each address resolves, names back again too.
func (r *Resolver) Facts(ctx context.Context, addresses []string) engine.DNSFacts {
	facts := engine.DNSFacts{Servers: r.Servers(), OK: true, Failures: map[string]string{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, address := range addresses {
		wg.Go(func() {
			if fault := r.fault(ctx, address); fault != "" {
				mu.Lock()
				facts.Failures[address], facts.OK = fault, false
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return facts
}

// fault says what fails for one address, "" for nothing. A mapped name and an
// IP literal need no DNS.
func (r *Resolver) fault(ctx context.Context, address string) string {
	if _, mapped := r.Mapped(address); mapped {
		return ""
	}
	if _, err := netip.ParseAddr(address); err == nil {
		return ""
	}
	addrs, err := r.lookup(ctx, address, true)
	if err == nil {
		err = r.failure(address) // remembered addresses hide that no server answers
	}
	if err != nil {
		return err.Error()
	}
	for _, a := range addrs {
		names, err := r.Reverse(ctx, a)
		if err != nil {
			return "reverse lookup of " + a.String() + ": " + err.Error()
		}
		if len(names) == 0 {
			return "reverse lookup of " + a.String() + " finds no name"
		}
	}
	return ""
}

func (r *Resolver) failure(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.known[canonical(name)]; e != nil {
		return e.failed
	}
	return nil
}

// Reverse returns the names of an address: mapped ones first, else DNS.
//
// Errors: NotFound, Unavailable.
func (r *Resolver) Reverse(ctx context.Context, ip netip.Addr) ([]string, error) {
	r.mu.Lock()
	n := r.names
	r.mu.Unlock()
	if n.Mapping {
		for _, m := range n.Mappings {
			if a, err := netip.ParseAddr(m.IP); err == nil && a.Unmap() == ip.Unmap() {
				return []string{m.FQDN}, nil
			}
		}
	}
	return reverse(ctx, n.Servers, ip.Unmap())
}

// canonical is a name without case and closing dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// qualify completes a name without a dot.
func (n Names) qualify(name string) string {
	if n.Domain == "" || strings.Contains(name, ".") {
		return name
	}
	return name + "." + canonical(n.Domain)
}
