package routing

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hexad/engine"
)

// Limits of a dial plan. Source: reference 11.
const (
	MaxTransforms = 100
	MaxRules      = 2000
)

// Plan is the compiled transforms and search rules of one configuration
// revision.
type Plan struct {
	transforms []transform
	rules      []rule
	matching   index // of the rules with a pattern
	anyAlias   []int
	anyIP      []int
}

type transform struct {
	engine.Transform
	pattern
	action
}

type rule struct {
	engine.SearchRule
	pattern
	action
}

// Request is one search. Source names the zone or subzone that it comes from.
type Request struct {
	Alias         string
	Source        string
	SourceType    string // zone type, one of engine.ZoneLocal …
	Protocol      engine.Protocol
	Authenticated bool
}

// Match is one rule that matched, with the alias to ask its zone for.
type Match struct {
	Rule     string
	Zone     string
	Alias    string
	Priority int
	Stop     bool
}

// Compile checks and compiles a dial plan; what is disabled is left out.
// Errors: Invalid, one for each rule that is wrong, joined.
func Compile(transforms []engine.Transform, rules []engine.SearchRule) (*Plan, error) {
	p := &Plan{}
	var errs []error
	if len(transforms) > MaxTransforms || len(rules) > MaxRules {
		return nil, engine.Errorf(engine.Invalid, "a dial plan has at most %d transforms and %d search rules", MaxTransforms, MaxRules)
	}
	for _, t := range transforms {
		if err := p.addTransform(t); err != nil {
			errs = append(errs, fmt.Errorf("transform %s: %w", t.Name, err))
		}
	}
	for _, r := range sortedRules(rules) {
		if err := p.addRule(r); err != nil {
			errs = append(errs, fmt.Errorf("search rule %s: %w", r.Name, err))
		}
	}
	if len(errs) > 0 {
		return nil, &engine.Error{Code: engine.Invalid, Message: errors.Join(errs...).Error()}
	}
	slices.SortStableFunc(p.transforms, func(a, b transform) int { return cmp.Compare(a.Priority, b.Priority) })
	return p, nil
}

// sortedRules are the rules by priority; those of one priority keep their order.
func sortedRules(rules []engine.SearchRule) []engine.SearchRule {
	return slices.SortedStableFunc(slices.Values(rules), func(a, b engine.SearchRule) int { return cmp.Compare(a.Priority, b.Priority) })
}

func (p *Plan) addTransform(t engine.Transform) error {
	if t.Disabled {
		return nil
	}
	compiled, err := compilePattern(t.Type, t.Pattern)
	if err != nil {
		return err
	}
	a, err := compileAction(t.Behavior, t.Type, t.Text)
	if err == nil {
		p.transforms = append(p.transforms, transform{t, compiled, a})
	}
	return err
}

func (p *Plan) addRule(r engine.SearchRule) error {
	if r.Disabled {
		return nil
	}
	one, i := rule{SearchRule: r}, len(p.rules)
	switch r.Mode {
	case engine.AnyAlias:
		p.anyAlias = append(p.anyAlias, i)
	case engine.AnyIPAddress:
		p.anyIP = append(p.anyIP, i)
	case engine.MatchPattern:
		var err error
		if one.pattern, err = compilePattern(r.Type, r.Pattern); err != nil {
			return err
		}
		if one.action, err = compileAction(r.Behavior, r.Type, r.Text); err != nil {
			return err
		}
		p.matching.add(one.pattern, i)
	default:
		return engine.Errorf(engine.Invalid, "unknown mode %q", r.Mode)
	}
	p.rules = append(p.rules, one)
	return nil
}

// Transform is alias after the first transform that matches, and that
// transform's name; "" when none does.
func (p *Plan) Transform(alias string) (string, string) {
	alias = strings.ToLower(alias)
	for _, t := range p.transforms {
		if from, to, ok := t.pattern.span(alias); ok {
			return t.action.apply(t.pattern, alias, from, to), t.Name
		}
	}
	return alias, ""
}

// Search gives the rules that match, by priority: those after the priority in
// which a matching rule says Stop are left out.
func (p *Plan) Search(q Request) []Match {
	q.Alias = strings.ToLower(q.Alias)
	var few [32]int
	found := p.candidates(q.Alias, few[:0])
	slices.Sort(found) // rules are in order of priority
	var out []Match
	stop := 0
	for _, i := range found {
		r := &p.rules[i]
		if stop > 0 && r.Priority > stop {
			break
		}
		alias, ok := r.match(q)
		if !ok {
			continue
		}
		out = append(out, Match{Rule: r.Name, Zone: r.Target, Alias: alias, Priority: r.Priority, Stop: r.SearchRule.Stop})
		if r.SearchRule.Stop {
			stop = r.Priority
		}
	}
	return out
}

// candidates are the rules that may match.
func (p *Plan) candidates(alias string, out []int) []int {
	out = p.matching.find(alias, out)
	if _, err := netip.ParseAddr(alias); err == nil {
		return append(out, p.anyIP...)
	}
	return append(out, p.anyAlias...)
}

// match is the alias to ask the rule's zone for; false when it does not match.
func (r *rule) match(q Request) (string, bool) {
	if r.SearchRule.Authenticated && !q.Authenticated || r.Protocol != "" && r.Protocol != q.Protocol || !r.from(q) {
		return "", false
	}
	if r.Mode != engine.MatchPattern {
		return q.Alias, true
	}
	from, to, ok := r.pattern.span(q.Alias)
	if !ok {
		return "", false
	}
	return r.action.apply(r.pattern, q.Alias, from, to), true
}

// from tells whether the request comes from where the rule wants it.
func (r *rule) from(q Request) bool {
	switch r.Source {
	case engine.FromAllZones:
		return q.SourceType == engine.ZoneLocal || q.SourceType == engine.ZoneNeighbor || q.SourceType == engine.ZoneTraversal
	case engine.FromLocalZone:
		return q.SourceType == engine.ZoneLocal
	case engine.FromNamed:
		return strings.EqualFold(r.SourceName, q.Source)
	}
	return true
}
