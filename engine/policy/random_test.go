package policy_test

import (
	"fmt"
	"math/rand/v2"

	"hexad/engine"
)

// randomCluster is an input that may break any rule; the same for the same seed.
func randomCluster(seed int) engine.ClusterInput {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	address := func() string {
		return pick("", "192.0.2.1", "192.0.2.2", "2001:db8::1", "peer1.example.com", "bare", "-bad", "a b")
	}
	config := func() engine.ConfigRecord {
		c := engine.ConfigRecord{
			Name: pick("", "cluster.example.com", "bare", "a..b"), PrimaryIndex: r.IntN(8),
			IPVersion: pick("IPv4", "IPv6"), TLSMode: engine.TLSMode(pick("Permissive", "Enforcing")), MappingEnabled: r.IntN(2) == 0,
		}
		for range r.IntN(7) {
			a := address()
			c.Fields = append(c.Fields, a)
			if a != "" {
				c.PeerAddresses = append(c.PeerAddresses, a)
			}
		}
		for i := range r.IntN(3) {
			c.Mapping = append(c.Mapping, engine.Mapping{FQDN: fmt.Sprintf("peer%d.example.com", i), IP: pick("192.0.2.1", "203.0.113.1", "x")})
		}
		return c
	}
	in := engine.ClusterInput{
		Occasion: engine.Occasion(pick("save", "join", "periodic")), Current: config(), Proposed: config(), Running: config(),
		RestartPending: r.IntN(2) == 0,
	}
	for i := range r.IntN(6) {
		p := engine.NewPeerRecord(engine.PeerSight{
			Index: i + 1, Address: address(), ThisSystem: i == 0, Reachable: r.IntN(3) > 0, RTTMS: r.Float64() * 120, Seen: address(),
		}, engine.Facts{Release: pick("1.0.0", "1.1.0"), H323: r.IntN(2) == 0, Role: engine.Role(pick("core", "edge"))})
		p.Config.PrimaryIndex = r.IntN(4)
		in.Peers = append(in.Peers, p)
	}
	if len(in.Peers) > 0 {
		in.Self = in.Peers[0]
	}
	for range r.IntN(4) {
		in.Resolved = append(in.Resolved, engine.Resolution{Address: address(), IPs: []string{address()}, Failure: pick("", "no such host")})
	}
	return in
}
