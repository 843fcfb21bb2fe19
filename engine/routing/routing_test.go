package routing_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hexad/engine"
	"hexad/engine/routing"
)

func plan(t testing.TB, transforms []engine.Transform, rules []engine.SearchRule) *routing.Plan {
	t.Helper()
	p, err := routing.Compile(transforms, rules)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTransform(t *testing.T) {
	t.Parallel()
	p := plan(t, []engine.Transform{
		{Name: "late", Priority: 9, Type: engine.PatternRegex, Pattern: ".*", Behavior: engine.AddSuffix, Text: "@example.com"},
		{Name: "nine", Priority: 1, Type: engine.PatternPrefix, Pattern: "9", Behavior: engine.Strip},
		{Name: "swap", Priority: 2, Type: engine.PatternRegex, Pattern: `(\d+)\*(\d+)`, Behavior: engine.Replace, Text: `\2@x$\1`},
		{Name: "old", Priority: 3, Type: engine.PatternSuffix, Pattern: "@OLD.example.com", Behavior: engine.Replace, Text: "@example.com"},
		{Name: "help", Priority: 4, Type: engine.PatternExact, Pattern: "Help", Behavior: engine.Replace, Text: "desk@example.com"},
		{Name: "plus", Priority: 5, Type: engine.PatternPrefix, Pattern: "0", Behavior: engine.AddPrefix, Text: "+"},
		{Name: "off", Priority: 0, Type: engine.PatternPrefix, Pattern: "9", Behavior: engine.AddPrefix, Text: "x", Disabled: true},
	}, nil)
	for _, c := range []struct{ alias, want, by string }{
		{"901632", "01632", "nine"},
		{"12*34", "34@x$12", "swap"},
		{"Ann@Old.Example.com", "ann@example.com", "old"},
		{"help", "desk@example.com", "help"},
		{"helper", "helper@example.com", "late"},
		{"01632", "+01632", "plus"},
	} {
		if got, by := p.Transform(c.alias); got != c.want || by != c.by {
			t.Errorf("%s: got %s by %s, want %s by %s", c.alias, got, by, c.want, c.by)
		}
	}
	if got, by := plan(t, nil, nil).Transform("Ann"); got != "ann" || by != "" {
		t.Errorf("without transforms: %s by %q", got, by)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	match := func(name string, priority int, kind engine.PatternType, pattern string) engine.SearchRule {
		return engine.SearchRule{
			Name: name, Priority: priority, Mode: engine.MatchPattern, Type: kind, Pattern: pattern, Behavior: engine.Leave, Target: "z-" + name,
		}
	}
	stop := func(r engine.SearchRule) engine.SearchRule { r.Stop = true; return r }
	with := func(r engine.SearchRule, change func(*engine.SearchRule)) engine.SearchRule { change(&r); return r }
	p := plan(t, nil, []engine.SearchRule{
		{Name: "rest", Priority: 90, Mode: engine.AnyAlias, Target: "z-rest"},
		{Name: "ip", Priority: 20, Mode: engine.AnyIPAddress, Target: "z-ip"},
		stop(match("pstn", 30, engine.PatternPrefix, "9")),
		with(match("strip", 30, engine.PatternPrefix, "90"), func(r *engine.SearchRule) { r.Behavior = engine.Strip }),
		match("number", 40, engine.PatternRegex, `\d+`),
		with(match("sip", 10, engine.PatternSuffix, "@example.com"), func(r *engine.SearchRule) { r.Protocol = engine.SIP }),
		with(match("safe", 10, engine.PatternExact, "vault"), func(r *engine.SearchRule) { r.Authenticated = true }),
		with(match("inside", 10, engine.PatternPrefix, "in"), func(r *engine.SearchRule) { r.Source = engine.FromLocalZone }),
		with(match("zones", 11, engine.PatternPrefix, "in"), func(r *engine.SearchRule) { r.Source = engine.FromAllZones }),
		with(match("named", 12, engine.PatternPrefix, "in"), func(r *engine.SearchRule) { r.Source, r.SourceName = engine.FromNamed, "Branch" }),
		with(match("off", 1, engine.PatternPrefix, "in"), func(r *engine.SearchRule) { r.Disabled = true }),
	})
	for _, c := range []struct {
		name string
		q    routing.Request
		want string
	}{
		{"a stop ends with its priority", routing.Request{Alias: "90123"}, "pstn=90123 strip=123"},
		{"no stop goes on", routing.Request{Alias: "123"}, "number=123 rest=123"},
		{"an address is no alias", routing.Request{Alias: "192.0.2.1"}, "ip=192.0.2.1"},
		{"the protocol fits", routing.Request{Alias: "Ann@Example.com", Protocol: engine.SIP}, "sip=ann@example.com rest=ann@example.com"},
		{"the protocol does not fit", routing.Request{Alias: "ann@example.com", Protocol: engine.H323}, "rest=ann@example.com"},
		{"who is known", routing.Request{Alias: "vault", Authenticated: true}, "safe=vault rest=vault"},
		{"who is not known", routing.Request{Alias: "vault"}, "rest=vault"},
		{"from the local zone", routing.Request{Alias: "in", SourceType: engine.ZoneLocal, Source: "DefaultSubZone"}, "inside=in zones=in rest=in"},
		{"from a neighbour", routing.Request{Alias: "in", SourceType: engine.ZoneNeighbor, Source: "branch"}, "zones=in named=in rest=in"},
		{"from anywhere", routing.Request{Alias: "in", SourceType: engine.ZoneDefault}, "rest=in"},
	} {
		var got []string
		for _, m := range p.Search(c.q) {
			got = append(got, m.Rule+"="+m.Alias)
			if m.Zone != "z-"+m.Rule {
				t.Errorf("%s: rule %s leads to %s", c.name, m.Rule, m.Zone)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule engine.SearchRule
		want string
	}{
		{engine.SearchRule{Mode: engine.MatchPattern, Type: engine.PatternRegex, Pattern: "(?!x)y"}, "regular expression"},
		{engine.SearchRule{Mode: engine.MatchPattern, Type: engine.PatternRegex, Pattern: strings.Repeat("x", 2000)}, "longer than"},
		{engine.SearchRule{Mode: engine.MatchPattern, Type: engine.PatternPrefix}, "empty"},
		{engine.SearchRule{Mode: engine.MatchPattern, Type: "Glob", Pattern: "x"}, "pattern type"},
		{engine.SearchRule{Mode: engine.MatchPattern, Type: engine.PatternExact, Pattern: "x", Behavior: engine.Strip}, "needs a prefix"},
		{engine.SearchRule{Mode: engine.MatchPattern, Type: engine.PatternExact, Pattern: "x", Behavior: "Explode"}, "behavior"},
		{engine.SearchRule{Mode: "Sometimes"}, "mode"},
	} {
		c.rule.Name = "r1"
		_, err := routing.Compile(nil, []engine.SearchRule{c.rule})
		if engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "r1") {
			t.Errorf("%+v: got %v, want %q", c.rule, err, c.want)
		}
	}
	if _, err := routing.Compile(make([]engine.Transform, routing.MaxTransforms+1), nil); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("too many transforms: %v", err)
	}
}

// linear is the oracle: every rule is held against the alias, in order.
func linear(rules []engine.SearchRule, q routing.Request) []routing.Match {
	rules = slices.SortedStableFunc(slices.Values(rules), func(a, b engine.SearchRule) int { return a.Priority - b.Priority })
	alias := strings.ToLower(q.Alias)
	_, err := netip.ParseAddr(alias)
	var out []routing.Match
	stop := 1 << 30
	for _, r := range rules {
		text := strings.ToLower(r.Pattern)
		to := alias
		ok := false
		switch {
		case r.Mode == engine.AnyAlias:
			ok = err != nil
		case r.Mode == engine.AnyIPAddress:
			ok = err == nil
		case r.Type == engine.PatternExact:
			if ok = alias == text; ok && r.Behavior == engine.Replace {
				to = r.Text
			}
		case r.Type == engine.PatternPrefix:
			if ok = strings.HasPrefix(alias, text); ok && r.Behavior != engine.Leave {
				to = strings.TrimPrefix(alias, text)
				if r.Behavior == engine.Replace {
					to = r.Text + to
				}
			}
		case r.Type == engine.PatternSuffix:
			if ok = strings.HasSuffix(alias, text); ok && r.Behavior != engine.Leave {
				to = strings.TrimSuffix(alias, text)
				if r.Behavior == engine.Replace {
					to += r.Text
				}
			}
		default:
			re := regexp.MustCompile(`(?is)\A(?:` + r.Pattern + `)\z`)
			if ok = re.MatchString(alias); ok && r.Behavior == engine.Replace {
				to = re.ReplaceAllString(alias, strings.ReplaceAll(r.Text, `\1`, "${1}"))
			}
		}
		if !ok || r.Priority > stop {
			continue
		}
		out = append(out, routing.Match{Rule: r.Name, Zone: r.Target, Alias: to, Priority: r.Priority, Stop: r.Stop})
		if r.Stop {
			stop = r.Priority
		}
	}
	return out
}

// The index changes nothing but the time that it takes.
func TestTheIndexAgreesWithALinearSearch(t *testing.T) {
	t.Parallel()
	letters := rapid.StringMatching(`[0-9aAbBkKsS@.]{1,4}`)
	rapid.Check(t, func(t *rapid.T) {
		var rules []engine.SearchRule
		for i := range rapid.IntRange(0, 12).Draw(t, "rules") {
			r := engine.SearchRule{
				Name: fmt.Sprint("r", i), Priority: rapid.IntRange(1, 4).Draw(t, "priority"), Target: "z",
				Mode:     rapid.SampledFrom([]engine.RuleMode{engine.AnyAlias, engine.AnyIPAddress, engine.MatchPattern, engine.MatchPattern, engine.MatchPattern}).Draw(t, "mode"),
				Type:     rapid.SampledFrom([]engine.PatternType{engine.PatternExact, engine.PatternPrefix, engine.PatternSuffix, engine.PatternRegex}).Draw(t, "type"),
				Behavior: rapid.SampledFrom([]engine.Behavior{engine.Leave, engine.Strip, engine.Replace}).Draw(t, "behavior"),
				Text:     rapid.SampledFrom([]string{"", "x", `<\1>`}).Draw(t, "text"), Stop: rapid.Bool().Draw(t, "stop"),
			}
			r.Pattern = letters.Draw(t, "pattern")
			if r.Type == engine.PatternRegex {
				r.Pattern = rapid.SampledFrom([]string{"%s.*", ".*%s", "%s", "(%s)(.*)", "(.*)(%s)", "%s|b", "(?:%s)?a", "[0-9]*%s"}).Draw(t, "shape")
				r.Pattern = strings.ReplaceAll(r.Pattern, "%s", regexp.QuoteMeta(letters.Draw(t, "literal")))
			}
			if r.Type != engine.PatternRegex && r.Behavior == engine.Replace {
				r.Text = "x"
			}
			if r.Behavior == engine.Strip && r.Type != engine.PatternPrefix && r.Type != engine.PatternSuffix {
				r.Behavior = engine.Leave
			}
			rules = append(rules, r)
		}
		p, err := routing.Compile(nil, rules)
		if err != nil {
			t.Fatal(err)
		}
		q := routing.Request{Alias: rapid.OneOf(rapid.StringMatching(`[0-9aAbBkKsS@.]{0,6}`), rapid.Just("192.0.2.1"), rapid.Just("\u212aa")).Draw(t, "alias")}
		if got, want := p.Search(q), linear(rules, q); !reflect.DeepEqual(got, want) {
			t.Fatalf("alias %q\nrules %+v\n got %+v\nwant %+v", q.Alias, rules, got, want)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := plan(b, nil, branches(n))
			aliases := make([]string, 64)
			for i := range aliases {
				aliases[i] = fmt.Sprintf("%03d1234@example.com", i*(n-1)/64/3*3) // of a prefix rule
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if got := p.Search(routing.Request{Alias: aliases[i%64]}); len(got) != 2 {
					b.Fatal(aliases[i%64], got)
				}
				i++
			}
		})
	}
}

// branches is a rule for each branch by its number, one by its domain, and a
// last one for the rest.
func branches(n int) []engine.SearchRule {
	var out []engine.SearchRule
	for i := range n - 1 {
		r := engine.SearchRule{Name: fmt.Sprint("branch", i), Priority: i + 1, Mode: engine.MatchPattern, Target: fmt.Sprint("Branch", i), Behavior: engine.Leave}
		switch i % 3 {
		case 0:
			r.Type, r.Pattern = engine.PatternPrefix, fmt.Sprintf("%03d", i)
		case 1:
			r.Type, r.Pattern = engine.PatternRegex, fmt.Sprintf(`%03d(\d+)@.*`, i)
		default:
			r.Type, r.Pattern = engine.PatternSuffix, fmt.Sprintf("@branch%d.example.com", i)
		}
		out = append(out, r)
	}
	return append(out, engine.SearchRule{Name: "rest", Priority: 5000, Mode: engine.AnyAlias, Target: "Rest"})
}

// A guard against regressions. Source: reference/policy-api.md section 11, 7.
func TestSpeedGuard(t *testing.T) {
	p := plan(t, nil, branches(1000))
	best := time.Hour
	for range 40 {
		began := time.Now()
		for range 100 {
			p.Search(routing.Request{Alias: "0061234@example.com"})
		}
		best = min(best, time.Since(began)/100)
	}
	if best > 100*time.Microsecond {
		t.Errorf("a search of 1,000 rules took %s", best)
	}
}
