package cluster

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"hexad/engine"
)

// resolveEvery is how often the entries are resolved anew, so that a changed
// mapping or DNS record is followed; failed names are the resolver's to retry.
const resolveEvery = 30 * time.Second

// resolveAll resolves the entries at once, each within two seconds.
func (s *Service) resolveAll(ctx context.Context, entries []string) {
	var wg sync.WaitGroup
	for _, address := range entries {
		wg.Go(func() { s.resolve(ctx, address) })
	}
	wg.Wait()
}

func (s *Service) resolve(ctx context.Context, address string) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	ips, err := s.o.Resolve(ctx, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(address)
	if err != nil {
		// The last good answer stays: a name server that is away cuts nobody off.
		n := s.names[key]
		n.err = err.Error()
		s.names[key] = n
		return
	}
	s.names[key] = name{ips: ips}
}

func (s *Service) resolveNames(ctx context.Context) {
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			page := s.Running()
			s.resolveAll(ctx, page.Peers)
			signal(s.wake)
		}
	}
}

// resolved gives the addresses of an entry as last resolved.
func (s *Service) resolved(address string) []net.IP {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resolvedLocked(address)
}

func (s *Service) resolvedLocked(address string) []net.IP {
	if ip := net.ParseIP(address); ip != nil {
		return []net.IP{ip}
	}
	return s.names[strings.ToLower(address)].ips
}

// indexOf is the 1-based entry of this system in peers, 0 when it is not there.
func (s *Service) indexOf(peers []string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.indexLocked(peers)
}

func (s *Service) indexLocked(peers []string) int {
	f := s.o.Host()
	var own []net.IP
	for _, a := range append(slices.Clone(f.Addresses), f.Address) {
		if ip := net.ParseIP(a); ip != nil {
			own = append(own, ip)
		}
	}
	fqdn := f.HostName
	if f.Domain != "" {
		fqdn += "." + f.Domain
	}
	for i, address := range peers {
		if strings.EqualFold(address, fqdn) && fqdn != "" {
			return i + 1
		}
		for _, ip := range s.resolvedLocked(address) {
			if ipsContain(own, ip) {
				return i + 1
			}
		}
	}
	return 0
}

// listedFrom is the entry whose addresses hold ip: whom the link may listen to
// as a candidate. This system's own entry is not one.
func (s *Service) listedFrom(ip net.IP) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	self := s.indexLocked(s.page.Running.Peers)
	for i, address := range s.page.Running.Peers {
		if i+1 != self && ipsContain(s.resolvedLocked(address), ip) {
			return address, true
		}
	}
	return "", false
}

// Listed reports which entry of the running list a connection from ip belongs to.
func (s *Service) Listed(ip net.IP) (string, bool) { return s.listedFrom(ip) }

// Targets are the members to reach, each with the address that this peer's
// own list has for it.
func (s *Service) Targets() []engine.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []engine.Member
	for _, m := range s.agreed.Members {
		if m.Node == s.o.Node {
			continue
		}
		if entry := s.entryOfLocked(m); entry != "" {
			m.Address = entry
		}
		out = append(out, m)
	}
	return out
}

// entryOfLocked is the entry of the running list that denotes the member: the
// same text, or an entry that resolves to the member's address.
func (s *Service) entryOfLocked(m engine.Member) string {
	for _, address := range s.page.Running.Peers {
		if strings.EqualFold(address, m.Address) {
			return address
		}
	}
	want := s.resolvedLocked(m.Address)
	for _, address := range s.page.Running.Peers {
		for _, ip := range s.resolvedLocked(address) {
			if ipsContain(want, ip) {
				return address
			}
		}
	}
	return ""
}
