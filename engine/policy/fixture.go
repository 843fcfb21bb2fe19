package policy

import "hexad/engine"

// Fixtures are valid inputs of each hook: the check evaluates every script on
// them, and tests get copies by name.

// healthy is a peer with nothing to object to.
func healthy(index int, address string, peers []string) engine.PeerRecord {
	host := "peer" + string(rune('0'+index))
	return engine.PeerRecord{
		Index: index, Address: address, ThisSystem: index == 1, State: "active", Reachable: true, RTTMS: 2,
		RTTs: map[string]float64{}, Version: "1.0.0", Product: "expressway", Role: engine.Core,
		Hardware: engine.HardwareRecord{Class: "vm", Size: "medium"}, H323Mode: true, NICs: 1, ClusterNIC: "single",
		IPVersion: "IPv4", Addresses: []string{address}, SystemName: host, HostName: host, Domain: "example.com",
		DNSOK: true, DNSServers: []string{"192.0.2.53"},
		NTP:         engine.NTPRecord{Servers: []string{"192.0.2.123"}, Synced: true, State: "Synchronized"},
		Upgraded:    true,
		Keys:        []engine.KeyRecord{{Family: "find_me"}},
		Certificate: engine.CertificateRecord{Valid: true, ChainOK: true, CN: "cluster.example.com", SANs: []string{host + ".example.com"}},
		Config: engine.PeerConfigRecord{
			Name: "cluster.example.com", PrimaryIndex: 1, IPVersion: "IPv4", PeerAddresses: peers, TLSMode: engine.Permissive,
		},
	}
}

var fixtureAddresses = []string{
	"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6",
}

func fixturePeers(n int) []engine.PeerRecord {
	var out []engine.PeerRecord
	for i := range n {
		out = append(out, healthy(i+1, fixtureAddresses[i], fixtureAddresses[:n]))
	}
	return out
}

func fixtureContext(n int) engine.PolicyContext {
	c := engine.PolicyContext{Now: 1_800_000_000, Revision: 1, Self: healthy(1, fixtureAddresses[0], fixtureAddresses[:n])}
	c.Cluster = engine.ClusterRecord{
		Name: "cluster.example.com", IPVersion: "IPv4", TLSMode: engine.Permissive, PrimaryIndex: 1, Size: n,
	}
	return c
}

func fixtureConfig(n int) engine.ConfigRecord {
	if n == 0 {
		return engine.ConfigRecord{IPVersion: "IPv4", TLSMode: engine.Permissive}
	}
	return engine.ConfigRecord{
		Name: "cluster.example.com", PrimaryIndex: 1, IPVersion: "IPv4", TLSMode: engine.Permissive,
		PeerAddresses: fixtureAddresses[:n], Fields: fixtureAddresses[:n],
	}
}

func clusterOf(n int, was int, on engine.Occasion) engine.ClusterInput {
	in := engine.ClusterInput{
		PolicyContext: fixtureContext(was), Occasion: on, Current: fixtureConfig(was), Proposed: fixtureConfig(n),
		Running: fixtureConfig(was), Peers: fixturePeers(max(n, 1)),
	}
	for _, a := range fixtureAddresses[:n] {
		in.Resolved = append(in.Resolved, engine.Resolution{Address: a, IPs: []string{a}})
	}
	return in
}

func clusterFixtures() map[string]any {
	return map[string]any{
		"standalone": clusterOf(0, 0, engine.OnPeriodic),
		"create":     clusterOf(1, 0, engine.OnSave),
		"one":        clusterOf(1, 1, engine.OnPeriodic),
		"add":        clusterOf(2, 1, engine.OnSave),
		"pair":       clusterOf(2, 2, engine.OnPeriodic),
		"six":        clusterOf(6, 6, engine.OnPeriodic),
	}
}

func keysFixtures() map[string]any {
	in := func(n int, on engine.Occasion) any {
		return engine.KeysInput{PolicyContext: fixtureContext(n), Occasion: on, Product: "expressway", Peers: fixturePeers(n)}
	}
	return map[string]any{"pair": in(2, engine.OnPeriodic), "join": in(2, engine.OnJoin), "six": in(6, engine.OnPeriodic)}
}

func prerequisiteFixtures() map[string]any {
	in := func(n int, candidate bool) any {
		out := engine.PrerequisitesInput{
			PolicyContext: fixtureContext(n), Occasion: engine.OnPeriodic, Peers: fixturePeers(n),
			Limits: engine.PrerequisiteLimits{RTTMS: 80, Peers: engine.MaxPeers},
		}
		if candidate {
			c := healthy(n+1, fixtureAddresses[n], fixtureAddresses[:n+1])
			out.Occasion, out.Candidate = engine.OnJoin, &c
		}
		return out
	}
	return map[string]any{"pair": in(2, false), "six": in(6, false), "join": in(2, true)}
}

func peersChangedFixtures() map[string]any {
	in := func(was, now int) engine.PeersChangedInput {
		return engine.PeersChangedInput{
			PolicyContext: fixtureContext(was), Previous: fixtureConfig(was), Proposed: fixtureConfig(now), ResetImage: "present",
		}
	}
	restored := in(0, 2)
	restored.Reset = engine.ArmedReset{Armed: true, From: fixtureAddresses[:2]}
	return map[string]any{"cleared": in(2, 0), "added": in(1, 2), "restored": restored}
}

func identityFixtures() map[string]any {
	in := engine.IdentityInput{
		PolicyContext: fixtureContext(2), ConfiguredAddress: "peer2.example.com", SourceIP: "192.0.2.2",
		SANs: []string{"peer2.example.com", "cluster.example.com"}, CN: "cluster.example.com",
		Names:   []string{"peer2.example.com", "cluster.example.com", "cluster.example.com"},
		TLSMode: engine.Enforcing, ChainOK: true,
	}
	mapped := in
	mapped.ConfiguredAddress = "192.0.2.2"
	mapped.Mapping = []engine.Mapping{{FQDN: "peer2.example.com", IP: "192.0.2.2"}}
	permissive := in
	permissive.TLSMode = engine.Permissive
	return map[string]any{"name": in, "mapped": mapped, "permissive": permissive}
}
