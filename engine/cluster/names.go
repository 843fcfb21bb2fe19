package cluster

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// Names resolves entries of the peer list: the address mapping first, then
// DNS. Match and Same answer at once from what is known.
type Names interface {
	Lookup(ctx context.Context, address string) ([]netip.Addr, error)
	// Match is the address among addresses that ip belongs to.
	Match(ip netip.Addr, addresses []string) (string, bool)
	// Same reports whether two addresses denote the same system.
	Same(a, b string) bool
	// Watch keeps the addresses resolved from now on.
	Watch(addresses []string)
}

// lookupTime bounds the resolution of one entry when somebody waits for it.
const lookupTime = 2 * time.Second

// openLookupTime bounds the resolution of all entries at a start.
const openLookupTime = 100 * time.Millisecond

// lookUp resolves the entries now, so that Match and Same know them.
func (s *Service) lookUp(ctx context.Context, entries []string) map[string]engine.Resolution {
	ctx, stop := context.WithTimeout(ctx, lookupTime)
	defer stop()
	var wg sync.WaitGroup
	var mu sync.Mutex
	out := map[string]engine.Resolution{}
	for _, address := range entries {
		wg.Go(func() {
			r := engine.Resolution{Address: address}
			ips, err := s.o.Names.Lookup(ctx, address)
			for _, ip := range ips {
				r.IPs = append(r.IPs, ip.String())
			}
			if err != nil {
				r.Failure = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			out[address] = r
		})
	}
	wg.Wait()
	return out
}

// indexOf is the 1-based entry of this system in peers, 0 when it is not there.
func (s *Service) indexOf(peers []string) int {
	f := s.host()
	fqdn := f.HostName
	if f.Domain != "" {
		fqdn += "." + f.Domain
	}
	for i, address := range peers {
		if fqdn != "" && strings.EqualFold(address, fqdn) {
			return i + 1
		}
	}
	for _, own := range append(slices.Clone(f.Addresses), f.Address) {
		ip, err := netip.ParseAddr(own)
		if err != nil {
			continue
		}
		if address, ok := s.o.Names.Match(ip, peers); ok {
			return entry(peers, address)
		}
	}
	return 0
}

// Listed is the entry of the running list that ip belongs to: whom the link
// may listen to as a candidate. This system's own entry is not one.
func (s *Service) Listed(ip netip.Addr) (string, bool) {
	peers := s.Running().Peers
	address, ok := s.o.Names.Match(ip, peers)
	if !ok || entry(peers, address) == s.indexOf(peers) {
		return "", false
	}
	return address, true
}

// Targets are the other members, each with the address that this peer's own
// list has for it.
func (s *Service) Targets() []engine.Member {
	s.mu.Lock()
	members, peers := s.agreed.Members, s.page.Running.Peers
	s.mu.Unlock()
	var out []engine.Member
	for _, m := range members {
		if m.Node != s.o.Node {
			out = append(out, s.asListed(m, peers))
		}
	}
	return out
}

// asListed is the member under the address that the list has for it; one that
// the list does not have keeps its own.
func (s *Service) asListed(m engine.Member, peers []string) engine.Member {
	if own := s.indexOf(peers); m.Node == s.o.Node && own > 0 {
		m.Address = peers[own-1] // this machine's address may be another than when it joined
		return m
	}
	if entry(peers, m.Address) > 0 {
		return m
	}
	for _, address := range peers {
		if s.o.Names.Same(address, m.Address) {
			m.Address = address
			return m
		}
	}
	return m
}

// lists reports whether a list has an entry for the member.
func (s *Service) lists(peers []string, m engine.Member) bool {
	return entry(peers, s.asListed(m, peers).Address) > 0
}

// SameAddress reports whether two entries of peer lists denote the same system.
func (s *Service) SameAddress(a, b string) bool {
	return a != "" && b != "" && (strings.EqualFold(a, b) || s.o.Names.Same(a, b))
}

// entry is the 1-based index of an address in a list, 0 when it is not there.
func entry(peers []string, address string) int {
	want, err := netip.ParseAddr(address)
	for i, p := range peers {
		if strings.EqualFold(p, address) {
			return i + 1
		}
		if ip, e := netip.ParseAddr(p); e == nil && err == nil && ip == want {
			return i + 1
		}
	}
	return 0
}
