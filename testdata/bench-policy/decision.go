package main

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/rego"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"hexad/engine"
	"hexad/engine/policy"
)

// requests all differ; every one is accepted with 600 seconds.
func requests() []engine.RegistrationRequest {
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

func situation() engine.Situation {
	return engine.Situation{
		Self:    engine.PeerRecord{Address: "192.0.2.1", H323Mode: true, NICs: 1, Role: engine.Core, Product: "expressway", DNSOK: true},
		Cluster: engine.ClusterRecord{Name: "cluster.example.com", Size: 2, TLSMode: engine.Permissive},
	}
}

func luaPolicy(name, hook, body string) policy.Script {
	return policy.Script{Name: name, Source: fmt.Sprintf(`local P = policy {
  name = %q, api = 1, hook = %q, order = 500, title = { en = "benchmark" },
}
function P.evaluate(c)
%s
end
return P
`, name, hook, body)}
}

const twentyLua = `  local s = c.self
  if c.protocol ~= "sip" or c.refresh or c.restriction ~= "none" or c.listed then return reject { code = 403, reason = "a" } end
  if not c.authenticated or c.subzone == "Guests" or c.conflict ~= "reject" or c.elsewhere then return reject { code = 403, reason = "b" } end
  if c.licence.type ~= "desktop" or c.licence.free < 1 then return reject { code = 403, reason = "c" } end
  if not s.h323_mode or s.nics > 2 or s.role ~= "core" or s.product ~= "expressway" or not s.dns_ok then return reject { code = 403, reason = "d" } end
  if c.cluster.size > 6 or c.cluster.name == "" or c.cluster.tls_mode == "" then return reject { code = 403, reason = "e" } end
  if c.now < 1 or #c.aliases < 1 or c.source_ip == "" then return reject { code = 403, reason = "f" } end
  return accept { ttl = 600 }`

const twentyRego = `package bench

default answer := {"action": "reject", "code": 403}

answer := {"action": "accept", "ttl": 600} if {
	input.protocol == "sip"
	not input.refresh
	input.restriction == "none"
	not input.listed
	input.authenticated
	input.subzone != "Guests"
	input.conflict == "reject"
	not input.elsewhere
	input.licence.type == "desktop"
	input.licence.free >= 1
	input.self.h323_mode
	input.self.nics <= 2
	input.self.role == "core"
	input.self.product == "expressway"
	input.self.dns_ok
	input.cluster.size <= 6
	input.cluster.name != ""
	input.cluster.tls_mode != ""
	input.now >= 1
	count(input.aliases) >= 1
	input.source_ip != ""
}
`

const twentyStarlark = `
def evaluate(c):
    s = c.self
    if c.protocol != "sip" or c.refresh or c.restriction != "none" or c.listed:
        return {"action": "reject", "code": 403}
    if not c.authenticated or c.subzone == "Guests" or c.conflict != "reject" or c.elsewhere:
        return {"action": "reject", "code": 403}
    if c.licence.type != "desktop" or c.licence.free < 1:
        return {"action": "reject", "code": 403}
    if not s.h323_mode or s.nics > 2 or s.role != "core" or s.product != "expressway" or not s.dns_ok:
        return {"action": "reject", "code": 403}
    if c.cluster.size > 6 or c.cluster.name == "" or c.cluster.tls_mode == "":
        return {"action": "reject", "code": 403}
    if c.now < 1 or len(c.aliases) < 1 or c.source_ip == "":
        return {"action": "reject", "code": 403}
    return {"action": "accept", "ttl": 600}
`

func decision() (task, error) {
	hexad, err := hexadDecision()
	if err != nil {
		return task{}, err
	}
	opa, err := opaDecision()
	if err != nil {
		return task{}, err
	}
	star, err := starlarkDecision()
	return task{"one decision on 20 fields", 500, []contestant{{"hexad", hexad}, {"OPA", opa}, {"Starlark", star}}}, err
}

func hexadDecision() (func(n int) error, error) {
	p, err := policy.New(policy.Options{Scripts: []policy.Script{luaPolicy("twenty", "registration.admit", twentyLua)}, Situation: situation()})
	if err != nil {
		return nil, err
	}
	all := requests()
	return func(n int) error {
		for i := range n {
			if d := p.AdmitRegistration(context.Background(), all[i%len(all)]); d.TTL != 600 {
				return fmt.Errorf("answered %+v", d)
			}
		}
		return nil
	}, nil
}

// opaDecision builds the input anew each time, as a front end has to: the
// parts that stay are shared.
func opaDecision() (func(n int) error, error) {
	query, err := rego.New(rego.Query("data.bench.answer"), rego.Module("bench.rego", twentyRego)).PrepareForEval(context.Background())
	if err != nil {
		return nil, err
	}
	all := requests()
	self := map[string]any{"h323_mode": true, "nics": 1, "role": "core", "product": "expressway", "dns_ok": true}
	cluster := map[string]any{"size": 2, "name": "cluster.example.com", "tls_mode": "Permissive"}
	return func(n int) error {
		for i := range n {
			r := all[i%len(all)]
			input := map[string]any{
				"now": 1_800_000_000, "self": self, "cluster": cluster, "aliases": []any{r.Aliases[0]}, "protocol": string(r.Protocol),
				"source_ip": r.SourceIP, "authenticated": r.Authenticated, "subzone": r.Subzone, "restriction": r.Restriction,
				"refresh": r.Refresh, "conflict": r.Conflict, "licence": map[string]any{"type": r.Licence.Type, "free": r.Licence.Free},
			}
			rs, err := query.Eval(context.Background(), rego.EvalInput(input))
			if err != nil {
				return err
			}
			if answer := rs[0].Expressions[0].Value.(map[string]any); answer["action"] != "accept" {
				return fmt.Errorf("answered %v", answer)
			}
		}
		return nil
	}, nil
}

const starlarkSteps = 50_000 // as many as a call hook has instructions

func starlarkFunction(source string) (*starlark.Function, error) {
	globals, err := starlark.ExecFile(&starlark.Thread{Name: "load"}, "bench.star", source, nil)
	if err != nil {
		return nil, err
	}
	globals.Freeze()
	return globals["evaluate"].(*starlark.Function), nil
}

func starlarkDecision() (func(n int) error, error) {
	evaluate, err := starlarkFunction(twentyStarlark)
	if err != nil {
		return nil, err
	}
	all := requests()
	record := func(d starlark.StringDict) *starlarkstruct.Struct {
		return starlarkstruct.FromStringDict(starlarkstruct.Default, d)
	}
	self := record(starlark.StringDict{
		"h323_mode": starlark.True, "nics": starlark.MakeInt(1), "role": starlark.String("core"),
		"product": starlark.String("expressway"), "dns_ok": starlark.True,
	})
	cluster := record(starlark.StringDict{
		"size": starlark.MakeInt(2), "name": starlark.String("cluster.example.com"), "tls_mode": starlark.String("Permissive"),
	})
	return func(n int) error {
		for i := range n {
			r := all[i%len(all)]
			input := record(starlark.StringDict{
				"now": starlark.MakeInt(1_800_000_000), "self": self, "cluster": cluster,
				"aliases": starlark.NewList([]starlark.Value{starlark.String(r.Aliases[0])}), "protocol": starlark.String(r.Protocol),
				"source_ip": starlark.String(r.SourceIP), "authenticated": starlark.Bool(r.Authenticated),
				"subzone": starlark.String(r.Subzone), "restriction": starlark.String(r.Restriction), "listed": starlark.None,
				"elsewhere": starlark.None, "refresh": starlark.Bool(r.Refresh), "conflict": starlark.String(r.Conflict),
				"licence": record(starlark.StringDict{"type": starlark.String(r.Licence.Type), "free": starlark.MakeInt(r.Licence.Free)}),
			})
			thread := &starlark.Thread{Name: "bench"}
			thread.SetMaxExecutionSteps(starlarkSteps)
			v, err := starlark.Call(thread, evaluate, starlark.Tuple{input}, nil)
			if err != nil {
				return err
			}
			if action, _, _ := v.(*starlark.Dict).Get(starlark.String("action")); action != starlark.String("accept") {
				return fmt.Errorf("answered %v", v)
			}
		}
		return nil
	}, nil
}
