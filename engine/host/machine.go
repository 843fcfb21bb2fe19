package host

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"hexad/engine"
)

// Interface is one network interface that is up, with its addresses.
type Interface struct {
	Name     string
	Loopback bool
	Addrs    []netip.Addr // without link-local ones
}

// Interfaces lists the interfaces that are up and have an address.
//
// Errors: Internal.
func Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "cannot list the network interfaces", Err: err}
	}
	var out []Interface
	for _, i := range list {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		found := Interface{Name: i.Name, Loopback: i.Flags&net.FlagLoopback != 0}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
				found.Addrs = append(found.Addrs, p.Addr().Unmap())
			}
		}
		if len(found.Addrs) > 0 {
			out = append(out, found)
		}
	}
	return out, nil
}

// Addresses lists this machine's addresses, without loopback ones, as IP
// literals. own, when valid, comes first, whatever it is: a lab runs on
// loopback addresses that no interface lists.
func Addresses(own netip.Addr) []string {
	var out []string
	if own.IsValid() {
		out = append(out, own.String())
	}
	list, err := Interfaces()
	if err != nil {
		return out
	}
	for _, i := range list {
		for _, a := range i.Addrs {
			if !i.Loopback && !slices.Contains(out, a.String()) {
				out = append(out, a.String())
			}
		}
	}
	return out
}

// DefaultAddress is the address that a peer has when none was given: the first
// that is no loopback, IPv4 before IPv6; 127.0.0.1 on a machine without network.
func DefaultAddress() netip.Addr {
	var second netip.Addr
	for _, s := range Addresses(netip.Addr{}) {
		a := netip.MustParseAddr(s)
		if a.Is4() {
			return a
		}
		if !second.IsValid() {
			second = a
		}
	}
	if second.IsValid() {
		return second
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// HostName is this machine's name without its domain, "hexad" if it has none.
func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "hexad"
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

// FQDN joins a host name and a domain; either may be "".
func FQDN(hostName, domain string) string {
	if hostName == "" || domain == "" {
		return hostName
	}
	return hostName + "." + domain
}

// Translated lists the peers that see this one come from an address that is
// not its own: address translation stands between them. seen holds, by node id,
// what each peer sees.
func Translated(own netip.Addr, seen map[string]string) map[string]string {
	out := map[string]string{}
	for node, s := range seen {
		if a, err := netip.ParseAddr(s); err == nil && a.Unmap() != own.Unmap() {
			out[node] = a.Unmap().String()
		}
	}
	return out
}

// NATFault says what is wrong with the static NAT address of a cluster peer
// ("" for nothing): peers must reach each other without translation, and a
// peer list never holds a translated address.
//
// Source: reference 1.10, 3.1 (V11, V12).
func NATFault(static string, peers []string, translated map[string]string) string {
	if static != "" && slices.Contains(peers, static) {
		return "the static NAT address " + static + " is in the peer list"
	}
	for _, s := range translated {
		if s == static {
			return "peers see this system at its static NAT address " + s
		}
	}
	for _, s := range translated {
		return "peers see this system at " + s
	}
	return ""
}

// Disk is the space of the file system that holds a directory, in bytes.
type Disk struct {
	Free  uint64 // for this process, without what is kept for root
	Total uint64
}

// DiskFree measures the file system that dir is on.
//
// Errors: NotFound, Internal.
func DiskFree(dir string) (Disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		if os.IsNotExist(err) {
			return Disk{}, &engine.Error{Code: engine.NotFound, Message: "directory " + dir + " does not exist", Err: err}
		}
		return Disk{}, &engine.Error{Code: engine.Internal, Message: "cannot measure the disk under " + dir, Err: err}
	}
	return Disk{Free: s.Bavail * uint64(s.Bsize), Total: s.Blocks * uint64(s.Bsize)}, nil
}
