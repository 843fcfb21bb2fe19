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

// situated is the context of a call hook, as the policies fill it in.
func situated() engine.CallContext {
	c := fixtureContext(2)
	return engine.CallContext{Now: c.Now, Revision: c.Revision, Self: &c.Self, Cluster: &c.Cluster}
}

func registered() engine.SourceRecord {
	return engine.SourceRecord{Alias: "ann@example.com", Zone: "DefaultSubZone", ZoneType: engine.ZoneLocal, IP: "192.0.2.40", Authenticated: true}
}

func stranger() engine.SourceRecord {
	return engine.SourceRecord{Alias: "x@example.net", Zone: "DefaultZone", ZoneType: engine.ZoneDefault, IP: "203.0.113.9"}
}

func registrationFixtures() map[string]any {
	in := engine.RegistrationRequest{
		CallContext: situated(), Aliases: []string{"ann@example.com"}, Protocol: engine.SIP, SourceIP: "192.0.2.40",
		Authenticated: true, Subzone: "DefaultSubZone", Restriction: "none", Conflict: "reject",
		Licence: engine.LicenceRecord{Type: "desktop", Free: 10},
	}
	refresh := in
	refresh.Refresh, refresh.Licence.Free = true, 0
	room := in
	room.Aliases, room.Protocol, room.Licence.Type = []string{"room1", "5501"}, engine.H323, "room"
	elsewhere := room
	elsewhere.Elsewhere = "192.0.2.2"
	return map[string]any{"new": in, "refresh": refresh, "room": room, "elsewhere": elsewhere}
}

func callFixtures() map[string]any {
	in := engine.CallRequest{CallContext: situated(), Alias: "bob@example.com", Source: registered(), Protocol: engine.SIP, Hops: 15}
	outside := in
	outside.Source = stranger()
	number := outside
	number.Alias = "900441632960123@example.com"
	return map[string]any{"registered": in, "outside": outside, "number": number}
}

func searchFixtures() map[string]any {
	in := engine.SearchRequest{
		CallContext: situated(), Alias: "bob@example.com", Dialled: "bob@example.com", Source: registered(), Protocol: engine.SIP, Hops: 15,
	}
	number := in
	number.Alias, number.Dialled, number.Protocol = "01632960123", "901632960123", engine.H323
	return map[string]any{"uri": in, "number": number}
}

func routeFixtures() map[string]any {
	in := engine.RouteRequest{
		CallContext: situated(), Alias: "bob@example.com", Source: registered(), Protocol: engine.SIP, Hops: 15, Bandwidth: 1920,
		Candidates: []engine.RouteCandidate{
			{Zone: "LocalZone", ZoneType: engine.ZoneLocal, ZoneState: "active", Alias: "bob@example.com", Rule: "local", Priority: 10},
			{Zone: "Branch", ZoneType: engine.ZoneNeighbor, ZoneState: "failed", Alias: "bob@example.com", Rule: "to-branch", Priority: 40},
			{Zone: "Edge", ZoneType: engine.ZoneTraversal, ZoneState: "active", Alias: "bob@example.com", Rule: "to-edge", Priority: 50, Stop: true},
		},
	}
	none := in
	none.Candidates = nil
	return map[string]any{"three": in, "none": none}
}

func findMeFixtures() map[string]any {
	in := engine.FindMeRequest{
		CallContext: situated(), FindMeID: "ann@example.com", Caller: registered(), RingSeconds: 30,
		LocalTime: engine.LocalTime{Hour: 10, Minute: 30, Weekday: 2},
		Devices: []engine.FindMeDevice{
			{Alias: "ann.desk@example.com", Role: "primary", Registered: true},
			{Alias: "ann.room@example.com", Role: "primary", Registered: true},
			{Alias: "01632960123", Role: "busy"},
			{Alias: "ann.mobile@example.com", Role: "noanswer"},
		},
	}
	empty := in
	empty.Devices = nil
	return map[string]any{"office": in, "empty": empty}
}

func bandwidthFixtures() map[string]any {
	in := engine.BandwidthRequest{
		CallContext: situated(), Requested: 1920, Default: 384, DownspeedPerCall: true, DownspeedTotal: true,
		Path: []engine.PathPipe{{Pipe: "Branch", Total: 10_000, Used: 2_000, PerCallMax: 2_048}},
	}
	full := in
	full.Path = []engine.PathPipe{{Pipe: "Branch", Total: 10_000, Used: 10_000}}
	unlimited := in
	unlimited.Requested, unlimited.Path = 0, nil
	return map[string]any{"free": in, "full": full, "unlimited": unlimited}
}

func gateFixtures() map[string]any {
	in := engine.GateRequest{
		PolicyContext: fixtureContext(3), Procedure: "rolling_restart", Step: "restart", Peer: "192.0.2.1", Peers: fixturePeers(3),
		SinceChangeS: 3600, SinceRestartS: 86_400,
	}
	second := in
	second.Peer, second.Restarted, second.SinceRestartS = "192.0.2.2", []string{"192.0.2.1"}, 600
	return map[string]any{"first": in, "second": second}
}

func capacityFixtures() map[string]any {
	in := func(n int, size string) engine.CapacityRequest {
		out := engine.CapacityRequest{PolicyContext: fixtureContext(n)}
		for _, address := range fixtureAddresses[:n] {
			out.Peers = append(out.Peers, engine.CapacityPeer{
				Address: address, Size: size, CallsCapacity: 150, RegistrationsCapacity: 2500, Reachable: true,
			})
		}
		return out
	}
	licensed := in(4, "medium")
	licensed.Licences = map[string]int{"rich_media_sessions": 500}
	return map[string]any{"one": in(1, "medium"), "four": in(4, "medium"), "six": in(6, "medium"), "small": in(4, "small"), "licensed": licensed}
}

func alarmFixtures() map[string]any {
	in := engine.AlarmRequest{
		PolicyContext: fixtureContext(2), Event: "raised",
		Alarm: engine.AlarmRecord{ID: 20004, Severity: engine.Warning, Peer: "192.0.2.2", Count: 1, First: 1_800_000_000},
	}
	restarting := in
	restarting.Procedure = &engine.ProcedureRecord{
		Kind: "restart", Step: "restart", Peer: "192.0.2.2", Peers: []string{"192.0.2.1", "192.0.2.2"}, Started: 1_799_999_900,
	}
	return map[string]any{"raised": in, "restarting": restarting}
}
