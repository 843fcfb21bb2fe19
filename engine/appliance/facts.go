package appliance

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"hexad/engine"
	"hexad/engine/cluster"
	"hexad/engine/h323"
	"hexad/engine/host"
	"hexad/engine/link"
)

// openHost makes what looks at this machine: names and time.
func (a *appliance) openHost() {
	a.resolver = host.NewResolver(a.log.With("module", "resolver"), a.journal.Emit)
	a.clock = host.NewNTP(a.resolver.Lookup, func(f engine.NTPFacts) {
		a.log.Info("time server state changed", "module", "management", "state", f.State, "cause", f.Cause)
		a.changes.happened()
	})
}

// hostConfigured brings the items that concern this machine into effect.
func (a *appliance) hostConfigured() {
	get := clusterConfig{a}.Get
	mapped, mappings := a.mappings()
	a.resolver.Set(host.Names{
		Servers: a.listed("DNS Server"), IPVersion: a.cluster.Running().IPVersion, Domain: get("IP DNS Domain Name"),
		Mapping: mapped, Mappings: mappings,
	})
	a.clock.Set(a.listed("NTP Server"))
	a.keepMapping(context.Background())
}

// listed are the addresses of a list of servers, in their order.
func (a *appliance) listed(list string) []string {
	view := a.config.Current()
	var out []string
	for _, i := range view.Entries(list) {
		if v, _, err := view.Get(list + " " + strconv.Itoa(i) + " Address"); err == nil && v != "" {
			out = append(out, v)
		}
	}
	return out
}

// hostFacts is what this machine says of itself; the clustering completes it.
func (a *appliance) hostFacts() engine.Facts {
	get := clusterConfig{a}.Get
	f := engine.Facts{
		Address: a.o.Address, Addresses: []string{a.o.Address}, Product: a.o.Series, Role: a.o.Role, Size: a.o.Size, Hardware: "virtual",
		NICs: 1, ClusterNIC: "single", SystemName: get("SystemUnit Name"), HostName: get("IP DNS Hostname"), Domain: get("IP DNS Domain Name"),
		Started: a.started.UTC(), NTP: a.clock.Facts(), Keys: a.optionKeys(), Upgraded: haveResetImage(a.o.DataDir),
		Maintenance: a.maintenance.Admit() != nil,
	}
	if v6 := get("Ethernet 1 IP V6 Address"); v6 != "" {
		f.Addresses = append(f.Addresses, v6)
	}
	if get("Ethernet 1 IP V4 StaticNAT Mode") == "On" {
		f.StaticNAT = get("Ethernet 1 IP V4 StaticNAT Address")
	}
	if get("Ethernet 2 IP V4 Address") != "" {
		f.NICs, f.ClusterNIC = 2, "internal"
	}
	f.Certificate = a.certificateFacts(f)
	if a.lifecycle != nil {
		f.Policy = a.lifecycle.Facts()
	}
	f.DNS = a.dnsFacts()
	f.SystemKey = a.local.PublicKey()
	return f
}

// optionKeys are the option keys of this peer, without their secret text.
func (a *appliance) optionKeys() []engine.Key {
	view := a.config.Current()
	var out []engine.Key
	for _, i := range view.Entries("Option") {
		text, _, err := view.Get("Option " + strconv.Itoa(i) + " Key")
		if err != nil {
			continue
		}
		if k, err := engine.ParseKey(text); err == nil {
			out = append(out, engine.Key{Family: k.Family, Count: k.Count})
		}
	}
	return out
}

// certificateFacts judges this peer's own certificate as the others would in
// Enforcing mode: chain, names, dates.
func (a *appliance) certificateFacts(f engine.Facts) engine.CertFacts {
	address := f.Address
	if page := a.runningPage(); page != "" {
		address = page
	}
	return a.certificateFor(address)
}

// certificateFor is how this peer's certificate is judged for an entry of a list.
func (a *appliance) certificateFor(address string) engine.CertFacts {
	c := a.link.Credentials()
	facts := link.Describe(c.Certificate(), a.trust(), nil, time.Now())
	if facts.Valid && !link.Covers(c.Certificate(), address) {
		facts.Valid, facts.Reason = false, "the certificate does not name "+address
	}
	return facts
}

// runningPage is this peer's own entry of the running list, "" while there is none.
func (a *appliance) runningPage() string {
	own, err := netip.ParseAddr(a.o.Address)
	if err != nil || a.cluster == nil {
		return ""
	}
	entry, _ := a.resolver.Match(own, a.cluster.Running().Peers)
	return entry
}

// dnsEvery is how often the names of the peers are looked up forwards and
// backwards for the rules.
const dnsEvery = 30 * time.Second

// checkNames keeps the DNS facts fresh until ctx ends.
func (a *appliance) checkNames(ctx context.Context) error {
	tick := time.NewTicker(dnsEvery)
	defer tick.Stop()
	for {
		facts := a.resolver.Facts(ctx, a.cluster.Running().Peers)
		a.dns.Store(&facts)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *appliance) dnsFacts() engine.DNSFacts {
	if f := a.dns.Load(); f != nil {
		return *f
	}
	return engine.DNSFacts{Servers: a.resolver.Servers(), OK: true}
}

// hostName is the name in front of each log line.
func (a *appliance) hostName() string {
	if a.config != nil {
		if name := (clusterConfig{a}).Get("IP DNS Hostname"); name != "" {
			return name
		}
	}
	return host.HostName()
}

func (a *appliance) fqdn() string {
	return host.FQDN(a.hostName(), clusterConfig{a}.Get("IP DNS Domain Name"))
}

// peerName is the host name of the peer at an address, "" when it never told.
func (a *appliance) peerName(address string) string {
	return a.cluster.HostNames()[address]
}

func (a *appliance) ip() netip.Addr {
	ip, _ := netip.ParseAddr(a.o.Address) // Options.Validate looked at it
	return ip
}

// newWatch watches the other peers on H.323 RAS.
func (a *appliance) newWatch() *h323.Watch {
	return h323.New(h323.Options{
		Listen: []netip.AddrPort{netip.AddrPortFrom(a.ip(), uint16(a.o.RASPort))},
		Peers: func() []netip.AddrPort {
			var out []netip.AddrPort
			for _, m := range a.cluster.Targets() {
				if ip, ok := a.knownAddress(m.Address); ok {
					out = append(out, netip.AddrPortFrom(ip, uint16(a.o.RASPort)))
				}
			}
			return out
		},
		Enabled: func() bool { return clusterConfig{a}.Get(cluster.ItemH323) == "On" },
		Emit:    a.journal.Emit, Log: a.log.With("module", "network.h323"),
	})
}

// knownAddress is the first address of an entry, without waiting for DNS.
func (a *appliance) knownAddress(address string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip, true
	}
	return a.resolver.Known(address)
}

// trust is what certificates of peers are judged by.
func (a *appliance) trust() link.Trust {
	if t := a.trusted.Load(); t != nil {
		return *t
	}
	return link.Trust{}
}

// hostPart is what the commands show of this machine.
type hostPart struct{ a *appliance }

func (h hostPart) Facts(context.Context) engine.Facts { return h.a.cluster.Facts() }
func (h hostPart) Started() time.Time                 { return h.a.started }
func (h hostPart) Serial() string                     { return h.a.identity.now().Serial }

func (h hostPart) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	return h.a.resolver.Query(ctx, name, kind)
}

// credentials are this peer's certificate and key, made at the first start.
func (a *appliance) credentials(ctx context.Context) (*link.Credentials, error) {
	stored, err := a.local.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	lost := a.local.LostKey()
	if len(stored.Certificate) == 0 || lost {
		names := []string{host.HostName()}
		cert, key, err := link.NewCredentials(names, []net.IP{a.ip().AsSlice()}, time.Now())
		if err != nil {
			return nil, err
		}
		stored.Certificate, stored.PrivateKey, stored.Changed = cert, key, time.Now().UTC()
		if lost { // its own key stays as it is: whoever puts the system key back has it again
			a.spare.credentials = stored
		} else if err := a.local.PutCredentials(ctx, stored); err != nil {
			return nil, err
		}
	}
	authorities, err := a.local.TrustStore(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.loadTrust(authorities); err != nil {
		return nil, err
	}
	return link.LoadCredentials(stored.Certificate, stored.PrivateKey)
}
