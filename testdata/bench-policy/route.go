package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/rego"
	"go.starlark.net/starlark"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/engine/routing"
)

// The task: an alias is held against n search rules (two thirds prefixes and
// regular expressions on the number, one third domains, and a last one for the
// rest), and a script puts the zones that work before those that do not. hexad
// matches in Go and gives the script the candidates; OPA and Starlark have the
// rules as data and match in the policy, as one would write it there.

type ruleRow struct{ name, kind, pattern, zone string }

func rows(n int) []ruleRow {
	var out []ruleRow
	for i := range n - 1 {
		r := ruleRow{name: fmt.Sprint("branch", i), zone: fmt.Sprint("Branch", i)}
		switch i % 3 {
		case 0:
			r.kind, r.pattern = "prefix", fmt.Sprintf("%03d", i)
		case 1:
			r.kind, r.pattern = "regex", fmt.Sprintf(`%03d\d+@.*`, i)
		default:
			r.kind, r.pattern = "suffix", fmt.Sprintf("@branch%d.example.com", i)
		}
		out = append(out, r)
	}
	return append(out, ruleRow{"rest", "any", "", "Rest"})
}

// callees match one prefix rule and the last one.
func callees(n int) []string {
	var out []string
	for i := range 64 {
		out = append(out, fmt.Sprintf("%03d1234@example.com", i*(n-1)/64/3*3))
	}
	return out
}

func routes(n int) func() (task, error) {
	return func() (task, error) {
		hexad, err := hexadRoute(n)
		if err != nil {
			return task{}, err
		}
		opa, err := opaRoute(n)
		if err != nil {
			return task{}, err
		}
		star, err := starlarkRoute(n)
		return task{fmt.Sprintf("%d search rules and one script", n), max(10, 1000/n), []contestant{{"hexad", hexad}, {"OPA", opa}, {"Starlark", star}}}, err
	}
}

const routeLua = `  local live, dead = {}, {}
  for _, t in ipairs(c.candidates) do
    local list = t.zone_state == "active" and live or dead
    list[#list + 1] = t
  end
  for _, t in ipairs(dead) do live[#live + 1] = t end
  if #live == 0 then return nil end
  return route { targets = live }`

func hexadRoute(n int) (func(times int) error, error) {
	var rules []engine.SearchRule
	kinds := map[string]engine.PatternType{"prefix": engine.PatternPrefix, "suffix": engine.PatternSuffix, "regex": engine.PatternRegex}
	for i, r := range rows(n) {
		rule := engine.SearchRule{Name: r.name, Priority: i + 1, Mode: engine.MatchPattern, Type: kinds[r.kind], Pattern: r.pattern, Behavior: engine.Leave, Target: r.zone}
		if r.kind == "any" {
			rule.Mode = engine.AnyAlias
		}
		rules = append(rules, rule)
	}
	plan, err := routing.Compile(nil, rules)
	if err != nil {
		return nil, err
	}
	p, err := policy.New(policy.Options{Scripts: []policy.Script{luaPolicy("route", "search.route", routeLua)}, Situation: situation()})
	if err != nil {
		return nil, err
	}
	all := callees(n)
	return func(times int) error {
		for i := range times {
			alias := all[i%len(all)]
			in := engine.RouteRequest{Alias: alias, Protocol: engine.SIP, Hops: 15}
			for _, m := range plan.Search(routing.Request{Alias: alias, Protocol: engine.SIP}) {
				c := engine.RouteCandidate{Zone: m.Zone, ZoneType: engine.ZoneNeighbor, ZoneState: "active", Alias: m.Alias, Rule: m.Rule, Priority: m.Priority, Stop: m.Stop}
				if m.Zone != "Rest" {
					c.ZoneState = "failed"
				}
				in.Candidates = append(in.Candidates, c)
			}
			if d := p.Route(context.Background(), in); len(d.Targets) != 2 || d.Targets[0].Zone != "Rest" {
				return fmt.Errorf("%s: answered %+v", alias, d)
			}
		}
		return nil
	}, nil
}

const routeRego = `package bench

matches(r) if r.kind == "any"
matches(r) if { r.kind == "prefix"; startswith(input.alias, r.pattern) }
matches(r) if { r.kind == "suffix"; endswith(input.alias, r.pattern) }
matches(r) if { r.kind == "regex"; regex.match(r.pattern, input.alias) }

state(zone) := "active" if zone == "Rest"
state(zone) := "failed" if zone != "Rest"

found := [r.zone | some r in data.rules; matches(r)]
live := [z | some z in found; state(z) == "active"]
dead := [z | some z in found; state(z) != "active"]
answer := array.concat(live, dead)
`

func opaRoute(n int) (func(times int) error, error) {
	var list []any
	for _, r := range rows(n) {
		pattern := r.pattern
		if r.kind == "regex" {
			pattern = "^(?:" + pattern + ")$"
		}
		list = append(list, map[string]any{"kind": r.kind, "pattern": pattern, "zone": r.zone})
	}
	store := newStore(map[string]any{"rules": list})
	query, err := rego.New(rego.Query("data.bench.answer"), rego.Module("bench.rego", routeRego), rego.Store(store)).PrepareForEval(context.Background())
	if err != nil {
		return nil, err
	}
	all := callees(n)
	return func(times int) error {
		for i := range times {
			rs, err := query.Eval(context.Background(), rego.EvalInput(map[string]any{"alias": all[i%len(all)]}))
			if err != nil {
				return err
			}
			if answer := rs[0].Expressions[0].Value.([]any); len(answer) != 2 || answer[0] != "Rest" {
				return fmt.Errorf("%s: answered %v", all[i%len(all)], answer)
			}
		}
		return nil
	}, nil
}

const routeStarlark = `
def evaluate(alias, rules, match, state):
    live, dead = [], []
    for kind, pattern, zone in rules:
        if kind == "prefix":
            if not alias.startswith(pattern):
                continue
        elif kind == "suffix":
            if not alias.endswith(pattern):
                continue
        elif kind == "regex":
            if not match(pattern, alias):
                continue
        if state[zone] == "active":
            live.append(zone)
        else:
            dead.append(zone)
    return live + dead
`

// starlarkRoute gives Starlark a compiled regular expression by its pattern: it
// has none of its own.
func starlarkRoute(n int) (func(times int) error, error) {
	evaluate, err := starlarkFunction(routeStarlark)
	if err != nil {
		return nil, err
	}
	compiled, states := map[string]*regexp.Regexp{}, starlark.NewDict(n)
	var list starlark.Tuple
	for _, r := range rows(n) {
		if r.kind == "regex" {
			compiled[r.pattern] = regexp.MustCompile("^(?:" + r.pattern + ")$")
		}
		state := starlark.String("failed")
		if r.zone == "Rest" {
			state = "active"
		}
		if err := states.SetKey(starlark.String(r.zone), state); err != nil {
			return nil, err
		}
		list = append(list, starlark.Tuple{starlark.String(r.kind), starlark.String(r.pattern), starlark.String(r.zone)})
	}
	match := starlark.NewBuiltin("match", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		return starlark.Bool(compiled[string(args[0].(starlark.String))].MatchString(string(args[1].(starlark.String)))), nil
	})
	all := callees(n)
	return func(times int) error {
		for i := range times {
			thread := &starlark.Thread{Name: "bench"}
			thread.SetMaxExecutionSteps(starlarkSteps)
			v, err := starlark.Call(thread, evaluate, starlark.Tuple{starlark.String(all[i%len(all)]), list, match, states}, nil)
			if err != nil {
				return err
			}
			if answer := v.(*starlark.List); answer.Len() != 2 || !strings.Contains(answer.Index(0).String(), "Rest") {
				return fmt.Errorf("%s: answered %v", all[i%len(all)], v)
			}
		}
		return nil
	}, nil
}
