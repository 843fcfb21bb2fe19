package policy_test

import (
	"context"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

func BenchmarkIdentity(b *testing.B) {
	p, err := policy.New(policy.Options{Scripts: builtin()})
	if err != nil {
		b.Fatal(err)
	}
	in := engine.IdentityInput{
		ConfiguredAddress: "b.example.com", SourceIP: "192.0.2.2", SANs: []string{"b.example.com"}, TLSMode: engine.Enforcing, ChainOK: true,
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Identity(context.Background(), in); !d.Accept {
			b.Fatal(d)
		}
	}
}

func BenchmarkPeersChanged(b *testing.B) {
	p, err := policy.New(policy.Options{Scripts: builtin()})
	if err != nil {
		b.Fatal(err)
	}
	in := engine.PeersChangedInput{Previous: engine.ConfigRecord{PeerAddresses: []string{"a", "b"}}, ResetImage: "present"}
	b.ReportAllocs()
	for b.Loop() {
		if d := p.PeersChanged(context.Background(), in); d.Action != engine.ResetArm {
			b.Fatal(d)
		}
	}
}

// BenchmarkValidateSix is the periodic run of all cluster.validate scripts.
func BenchmarkValidateSix(b *testing.B) {
	p, err := policy.New(policy.Options{Scripts: builtin()})
	if err != nil {
		b.Fatal(err)
	}
	in := randomCluster(3)
	b.ReportAllocs()
	for b.Loop() {
		if j := p.ValidateCluster(context.Background(), in); j.Degraded != nil {
			b.Fatal(j.Degraded)
		}
	}
}
