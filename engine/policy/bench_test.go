package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

// twenty reads twenty fields of a registration before it answers.
const twenty = `local s = c.self
if c.protocol ~= "sip" or c.refresh or c.restriction ~= "none" or c.listed then return reject { code = 403, reason = "a" } end
if not c.authenticated or c.subzone == "Guests" or c.conflict ~= "reject" or c.elsewhere then return reject { code = 403, reason = "b" } end
if c.licence.type ~= "desktop" or c.licence.free < 1 then return reject { code = 403, reason = "c" } end
if not s.h323_mode or s.nics > 2 or s.role ~= "core" or s.product ~= "expressway" or not s.dns_ok then return reject { code = 403, reason = "d" } end
if c.cluster.size > 6 or c.cluster.name == "" or c.cluster.tls_mode == "" then return reject { code = 403, reason = "e" } end
if c.now < 1 or #c.aliases < 1 or c.source_ip == "" then return reject { code = 403, reason = "f" } end
return accept { ttl = 600 }`

func situation() engine.Situation {
	return engine.Situation{
		Self:    engine.PeerRecord{Address: "192.0.2.1", H323Mode: true, NICs: 1, Role: engine.Core, Product: "expressway", DNSOK: true},
		Cluster: engine.ClusterRecord{Name: "cluster.example.com", Size: 2, TLSMode: engine.Permissive},
	}
}

// registrations are requests that all differ.
func registrations() []engine.RegistrationRequest {
	var out []engine.RegistrationRequest
	for i := range 64 {
		out = append(out, engine.RegistrationRequest{
			Aliases: []string{fmt.Sprintf("user%d@example.com", i)}, Protocol: engine.SIP, SourceIP: fmt.Sprintf("192.0.2.%d", i),
			Authenticated: true, Subzone: fmt.Sprintf("Site%d", i%5), Restriction: "none", Conflict: "reject",
			Licence: engine.LicenceRecord{Type: "desktop", Free: i + 1},
		})
	}
	return out
}

// BenchmarkDecision is one decision of a script that reads twenty fields.
func BenchmarkDecision(b *testing.B) {
	p, err := policy.New(policy.Options{Scripts: []policy.Script{scriptOf("registration.admit", twenty)}, Situation: situation()})
	if err != nil {
		b.Fatal(err)
	}
	requests := registrations()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if d := p.AdmitRegistration(context.Background(), requests[i%len(requests)]); !d.Allow || d.TTL != 600 {
			b.Fatal(d)
		}
		i++
	}
}

// BenchmarkBuiltinCall is call.admit with the built-in script.
func BenchmarkBuiltinCall(b *testing.B) {
	p, err := policy.New(policy.Options{Scripts: builtin(), Situation: situation()})
	if err != nil {
		b.Fatal(err)
	}
	in := engine.CallRequest{Alias: "bob@example.com", Source: engine.SourceRecord{ZoneType: engine.ZoneDefault, IP: "203.0.113.9"}, Protocol: engine.SIP, Hops: 15}
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Admit(context.Background(), in); !d.Allow {
			b.Fatal(d)
		}
	}
}

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

// BenchmarkValidate is the periodic run of all cluster.validate scripts.
func BenchmarkValidate(b *testing.B) {
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

// BenchmarkActivate is the activation of 200 scripts that were never seen.
func BenchmarkActivate(b *testing.B) {
	p, err := policy.New(policy.Options{})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if err := p.Activate(int64(n), many(200, n), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// many are scripts whose texts differ from those of another generation.
func many(scripts, generation int) []policy.Script {
	var out []policy.Script
	for i := range scripts {
		s := scriptOf("registration.admit", fmt.Sprintf("-- %d\n", generation)+twenty)
		s.Name = fmt.Sprintf("rule_%d", i)
		s.Source = strings.Replace(s.Source, `"hostile"`, `"`+s.Name+`"`, 1)
		out = append(out, s)
	}
	return out
}
