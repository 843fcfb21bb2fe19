package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hexad/engine"
)

// lookup asks for the addresses of name, in the order of servers until one
// answers. ttl is the shortest of the records'.
func lookup(ctx context.Context, servers []string, name string, v6 bool) ([]netip.Addr, time.Duration, error) {
	if len(servers) == 0 {
		return system(ctx, name, v6)
	}
	kind := dns.TypeA
	if v6 {
		kind = dns.TypeAAAA
	}
	answer, err := query(ctx, servers, name, kind)
	if err != nil {
		return nil, 0, err
	}
	var out []netip.Addr
	ttl := maxTTL
	for _, record := range answer {
		var ip net.IP
		switch rr := record.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		default: // CNAME: the records that it leads to follow
			continue
		}
		if a, ok := netip.AddrFromSlice(ip); ok && record.Header().Rrtype == kind {
			out = append(out, a.Unmap())
			ttl = min(ttl, time.Duration(record.Header().Ttl)*time.Second)
		}
	}
	if len(out) == 0 {
		return nil, 0, engine.Errorf(engine.NotFound, "%s has no %s record", name, dns.TypeToString[kind])
	}
	return out, ttl, nil
}

func reverse(ctx context.Context, servers []string, ip netip.Addr) ([]string, error) {
	if len(servers) == 0 {
		names, err := net.DefaultResolver.LookupAddr(ctx, ip.String())
		for i := range names {
			names[i] = strings.TrimSuffix(names[i], ".")
		}
		return names, systemError(err)
	}
	arpa, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "%s is no IP address", ip)
	}
	answer, err := query(ctx, servers, strings.TrimSuffix(arpa, "."), dns.TypePTR)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, record := range answer {
		if rr, ok := record.(*dns.PTR); ok {
			out = append(out, strings.TrimSuffix(rr.Ptr, "."))
		}
	}
	return out, nil
}

// query asks each server in turn until one answers; that there is no such name
// is an answer.
func query(ctx context.Context, servers []string, name string, kind uint16) ([]dns.RR, error) {
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, engine.Errorf(engine.NotFound, "%q is no domain name", name)
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(1232, false)
	var failures []error
	for _, server := range servers {
		address, err := serverAddress(server, 53)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		answer, err := exchange(ctx, m, address)
		switch {
		case err != nil:
			failures = append(failures, err)
		case answer.Rcode == dns.RcodeSuccess:
			return answer.Answer, nil
		case answer.Rcode == dns.RcodeNameError:
			return nil, engine.Errorf(engine.NotFound, "%s does not exist", name)
		default:
			failures = append(failures, errors.New(server+" answered "+dns.RcodeToString[answer.Rcode]))
		}
		if ctx.Err() != nil {
			break
		}
	}
	err := errors.Join(failures...)
	return nil, &engine.Error{Code: engine.Unavailable, Message: "no DNS server answered for " + name + ": " + oneLine(err), Err: err}
}

// exchange asks one server over UDP, and over TCP when the answer was cut.
func exchange(ctx context.Context, m *dns.Msg, address string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	q := m.Copy()
	q.Id = dns.Id()
	answer, _, err := (&dns.Client{Net: "udp", Timeout: queryTimeout}).ExchangeContext(ctx, q, address)
	if err == nil && answer.Truncated {
		answer, _, err = (&dns.Client{Net: "tcp", Timeout: queryTimeout}).ExchangeContext(ctx, q, address)
	}
	if err != nil {
		return nil, err
	}
	if len(answer.Question) != 1 || !strings.EqualFold(answer.Question[0].Name, q.Question[0].Name) || answer.Question[0].Qtype != q.Question[0].Qtype {
		return nil, errors.New(address + " answered another question")
	}
	return answer, nil
}

// system asks the resolver of the operating system.
func system(ctx context.Context, name string, v6 bool) ([]netip.Addr, time.Duration, error) {
	network := "ip4"
	if v6 {
		network = "ip6"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, maxTTL, systemError(err)
}

func systemError(err error) error {
	if err == nil {
		return nil
	}
	var d *net.DNSError
	var a *net.AddrError // "no suitable address": the name has none of the IP version
	if errors.As(err, &d) && d.IsNotFound || errors.As(err, &a) {
		return &engine.Error{Code: engine.NotFound, Message: err.Error(), Err: err}
	}
	return &engine.Error{Code: engine.Unavailable, Message: err.Error(), Err: err}
}

// serverAddress is "ip:port" for an "ip" or "ip:port".
func serverAddress(s string, port uint16) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, port).String(), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return "", engine.Errorf(engine.Invalid, "%q is no IP address", s)
	}
	return a.String(), nil
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
