package host

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"hexad/engine"
)

// Known is the first address of a name as far as is known, without asking the
// network.
func (r *Resolver) Known(address string) (netip.Addr, bool) {
	addrs := r.knownAddrs(address)
	if len(addrs) == 0 {
		return netip.Addr{}, false
	}
	return addrs[0], true
}

// recordTypes are the types that can be asked for by hand. Source: reference 5.3.
var recordTypes = map[string][]uint16{
	"all": {dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR}, "a": {dns.TypeA}, "aaaa": {dns.TypeAAAA},
	"srv": {dns.TypeSRV}, "naptr": {dns.TypeNAPTR},
}

// Query asks the configured servers for the records of a name and returns them
// in the zone-file form. kind is all, a, aaaa, srv or naptr.
//
// Errors: Invalid (kind), Unavailable (no server is configured, or none answers).
func (r *Resolver) Query(ctx context.Context, name, kind string) ([]string, error) {
	types, ok := recordTypes[strings.ToLower(kind)]
	if !ok {
		return nil, engine.Errorf(engine.Invalid, "there is no record type %q", kind).With("RecordType", "use all, a, aaaa, srv or naptr")
	}
	servers := r.Servers()
	if len(servers) == 0 {
		return nil, engine.Errorf(engine.Unavailable, "no DNS server is configured").With("DNS Server", "add one: xCommand DNSServerAdd Address: 192.0.2.53")
	}
	var out []string
	for _, t := range types {
		records, err := query(ctx, servers, name, t)
		if err != nil && len(types) == 1 {
			return nil, err
		}
		for _, rr := range records {
			out = append(out, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return out, nil
}
