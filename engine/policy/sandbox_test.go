package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

func open(t *testing.T, o policy.Options) *policy.Policies {
	t.Helper()
	p, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// said evaluates a body that puts what it wants to tell into a finding's
// parameter text.
func said(t *testing.T, body string) string {
	t.Helper()
	s := scriptOf("cluster.validate", "local out\n"+body+
		"\nreturn { { id = 'cluster.name.bare', severity = 'info', params = { text = tostring(out) } } }")
	p := open(t, policy.Options{Scripts: []policy.Script{s}})
	j := p.ValidateCluster(context.Background(), engine.ClusterInput{})
	if j.Degraded != nil {
		return "error: " + j.Degraded.Error()
	}
	return j.Findings[0].Params["text"]
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`out = "a" .. 1 .. "b" .. 2.5`, "a1b2.5"},
		{`local s = ""; for i = 1, 3 do s = s .. i end; out = s`, "123"},
		{`local a, b = {}, 1; a.x, b, a.y = b, 2, 3; out = a.x .. b .. a.y`, "123"},
		{`local t = { 1, 2 }; local i = 1; i, t[i] = i + 1, 20; out = i .. t[1]`, "220"},
		{`local t = {}; function t.f(x) return x end; function t:g(x) return self.f(x) .. "!" end; out = t:g("y")`, "y!"},
		{`local function f(...) return select("#", ...) .. select(2, ...) end; out = f("a", "b")`, "2b"},
		{`out = select(-1, "a", "b")`, "b"},
		{`local function f(n) if n == 0 then return 0 end; return 1 + f(n - 1) end; out = f(20)`, "20"},
		{`local t = {}; for k, v in pairs({ b = 1, a = 2, 7 }) do t[#t + 1] = tostring(k) .. v end; out = table.concat(t, " ")`, "17 b1 a2"},
		{`local t = { 3, 1, 2 }; table.sort(t); out = table.concat(t)`, "123"},
		{`local t = { 3, 1, 2 }; table.sort(t, function(a, b) return a > b end); out = table.concat(t)`, "321"},
		{`local t = { "a", "c" }; table.insert(t, 2, "b"); table.insert(t, "d"); out = table.remove(t, 1) .. table.concat(t)`, "abcd"},
		{`out = table.maxn({ 1, 2, [90000] = 1 })`, "90000"},
		{`out = tostring({}) .. tostring(why) .. tostring(nil) .. tostring(true) .. type(2)`, "tablefunctionniltruenumber"},
		{`out = tostring(tonumber("0x10")) .. tostring(tonumber("z", 36)) .. tostring(tonumber("x")) .. tostring(tonumber(" 5 "))`, "1635nil5"},
		{`local ok, e = pcall(error, { code = 7 }); out = tostring(ok) .. e.code`, "false7"},
		{`local ok, e = pcall(function() local n; return n.x end); out = e`, "hostile:6: attempt to index a non-table object(nil) with key 'x'"},
		{`local ok, e = pcall(function() local n = {}; return n[{}].x end); out = e`, "hostile:6: attempt to index a non-table object(nil) with key 'x'"},
		{`local ok, e = pcall(function() local n; n.x = 1 end); out = e`, "hostile:6: attempt to index a nil value with key 'x'"},
		{`local ok, e = pcall(function() return "a" .. {} end); out = e`, "hostile:6: attempt to concatenate a table value"},
		{`out = string.format("%s %d %x %q %% %.2f", "a", 7, 255, 'q"', 1.005)`, `a 7 ff "q\"" % 1.00`},
		{`out = ("abc"):upper():sub(2):reverse() .. #"xyz" .. ("x"):rep(3) .. string.len("ab") .. string.lower("ÄB")`, "CB3xxx2Äb"},
		{`out = string.byte("A") .. string.char(66, 67)`, "65BC"},
		{`out = tostring(re.match("^(\\d+)@(.*)$", "12@x")) .. tostring(re.match("a", "b"))`, "12@xnil"},
		{`out = re.replace("(\\d)", "a1b2", "<$1>")`, "a<1>b<2>"},
		{`out = alias.user("a@b") .. alias.domain("a@b") .. tostring(alias.e164("tel:+4711")) .. tostring(alias.e164("ann@b"))`, "ab4711nil"},
		{`out = alias.normalize(" SIP:Ann@Example.COM;transport=tls") .. tostring(alias.is_uri("a@b")) .. tostring(alias.is_uri("a"))`, "ann@example.comtruefalse"},
		{`out = tostring(ip.in_cidr("192.0.2.7", "192.0.2.0/24")) .. tostring(ip.is_private("10.0.0.1")) .. tostring(ip.family("::1")) .. tostring(ip.family("x"))`, "truetrueIPv6nil"},
		{`out = tostring(fqdn.match("*.example.com", "a.Example.com")) .. tostring(fqdn.match("*.example.com", "a.b.example.com")) .. tostring(fqdn.match("*.com", "a.com"))`, "truefalsefalse"},
		{`out = tostring(fqdn.is_fqdn("a.example.com")) .. tostring(fqdn.is_fqdn("a")) .. tostring(fqdn.is_fqdn("a.1")) .. tostring(fqdn.is_fqdn("-a.b"))`, "truefalsefalsefalse"},
		{`out = tostring(version.less("12.5.9", "12.6")) .. tostring(version.less("X14.2", "X9")) .. tostring(version.equal("1.0", "1")) .. version.major("X14.2")`, "truefalsetrue14"},
		{`out = tostring(list.contains({ 1, 2 }, 2)) .. tostring(list.index({ 1, 2 }, 3)) .. tostring(list.same({ 1, 2 }, { 2, 1 })) .. tostring(list.same_set({ 1, 2 }, { 2, 1 }))`, "truenilfalsetrue"},
		{`out = math.floor(2.7) .. math.max(1, 5, 3) .. math.min(4, 2) .. math.fmod(7, 3)`, "2521"},
		{`local n = 0; repeat local done = n == 2; n = n + 1 until done; out = n`, "3"},
		{`for i = 1, 5 do if i == 3 then goto out end; out = i; ::out:: end`, "5"},
		{`local t = {}; for w in string.gmatch("a=1, b=2", "(%w+)=") do t[#t + 1] = w end; out = table.concat(t)`, "ab"},
		{`out = c.now > 0 and c.revision == 0 and c.self.version == "" and c.proposed.name`, ""},
	} {
		if got := said(t, c.body); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.body, got, c.want)
		}
	}
}

// The table is checked against the reference implementation's documented
// behaviour. Source: Lua 5.1 reference manual sections 5.4 and 5.4.1.
func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{`string.find("hello", "l")`, "3 3"},
		{`string.find("hello", "xyz")`, "nil"},
		{`string.find("hello", "")`, "1 0"},
		{`string.find("hello", "", 6)`, "6 5"},
		{`string.find("hello", "", 7)`, "nil"},
		{`string.find("hello", "l", -2)`, "4 4"},
		{`string.find("a.b", ".", 1, true)`, "2 2"},
		{`string.find("abc", "(b)(c)")`, "2 3 b c"},
		{`string.find("abc", "()b()")`, "2 2 2 3"},
		{`string.match("key = value", "^(%w+)%s*=%s*(%w+)$")`, "key value"},
		{`string.match("2024-05-06", "(%d+)-(%d+)-(%d+)")`, "2024 05 06"},
		{`string.match("  trim  ", "^%s*(.-)%s*$")`, "trim"},
		{`string.match("abc", "^b")`, "nil"},
		{`string.match("f(a(b)c)d", "%b()")`, "(a(b)c)"},
		{`string.match("THE (quick) fox", "%f[%a]%a+%f[%A]", 5)`, "quick"},
		{`string.match("aXb", "%u")`, "X"},
		{`string.match("a-b", "[a%-]+")`, "a-"},
		{`string.match("a]b", "[]]")`, "]"},
		{`string.match("x^y", "[x^]+")`, "x^"},
		{`string.match("abc123", "[^%d]+")`, "abc"},
		{`string.match("aaa", "a-")`, ""},
		{`string.match("aaab", "a-b")`, "aaab"},
		{`string.match("ab", "a?b?c?")`, "ab"},
		{`string.match("say 'hi' \"x\"", "(['\"])(.-)%1")`, "' hi"},
		{`string.match("0xfF", "%x+", 3)`, "fF"},
		{`string.match("a.b", "%.")`, "."},
		{`string.gsub("hello world", "o", "0")`, "hell0 w0rld 2"},
		{`string.gsub("hello", "", "-")`, "-h-e-l-l-o- 6"},
		{`string.gsub("hello world", "(%w+)", "<%1>")`, "<hello> <world> 2"},
		{`string.gsub("hello", "l", { l = "L" })`, "heLLo 2"},
		{`string.gsub("abc", "%w", function(x) if x == "b" then return "B" end end)`, "aBc 3"},
		{`string.gsub("abc", "%w", "%0%0", 2)`, "aabbc 2"},
		{`string.gsub("abc", "^a", "x")`, "xbc 1"},
		{`string.gsub("a b", "%s", "%%")`, "a%b 1"},
	} {
		got := said(t, `local t = { `+c.expr+` }; local n = select("#", `+c.expr+`); for i = 1, n do t[i] = tostring(t[i]) end; out = table.concat(t, " ")`)
		if got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.expr, got, c.want)
		}
	}
}

func TestScriptsAreRefusedWithALine(t *testing.T) {
	t.Parallel()
	head := `local P = policy { name = "hostile", api = 1, hook = "cluster.validate", order = 500, title = { en = "x" } }` + "\n"
	tail := "\nfunction P.evaluate(c) return {} end\nreturn P\n"
	for _, c := range []struct{ name, source, want string }{
		{"unknown global", head + "local x = peers" + tail, "hostile:2: unknown name peers"},
		{"syntax", head + "if then" + tail, `hostile:2: syntax error near "then"`},
		{"unknown hook", strings.Replace(head, "cluster.validate", "cluster.nothing", 1) + tail, "unknown hook"},
		{"another name", strings.Replace(head, "hostile", "other", 1) + tail, "differs from the file name"},
		{"newer API", strings.Replace(head, "api = 1", "api = 2", 1) + tail, "API version 2"},
		{"order", strings.Replace(head, "500", "50", 1) + tail, "order 50"},
		{"unknown field", strings.Replace(head, "order", "mode = 'x', order", 1) + tail, "unknown field mode"},
		{"foreign text", strings.Replace(head, "order", "text = { ['cluster.x'] = { en = 'x' } }, order", 1) + tail, "does not begin with policy.hostile."},
		{"no policy", "return {}", "no function evaluate"},
		{"nothing returned", head, "does not return its policy"},
		{"two policies", head + head + tail, "declares 2 policies"},
		{"error while loading", head + `error("at once")` + tail, "hostile:2: at once"},
		{"loop while loading", head + `while true do end` + tail, "over the limit"},
		{"bad literal pattern", head + `local x = re.match("(", "a")` + tail, "hostile:2: pattern"},
		{"missing data table", strings.Replace(head, "order", "uses = { data = { 'branches' } }, order", 1) + tail, `data table "branches" does not exist`},
	} {
		_, err := policy.New(policy.Options{Scripts: []policy.Script{{Name: "hostile", Source: c.source}}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestUnusedLocalsAreWarnings(t *testing.T) {
	t.Parallel()
	problems := policy.Check(scriptOf("cluster.validate", "local unused = 1\nreturn {}"), nil)
	if len(problems) != 1 || !problems[0].Warning || problems[0].Line != 5 {
		t.Errorf("got %v, want one warning for line 5", problems)
	}
}

// Nothing passes from one evaluation to the next: what a file made is read-only
// while it is asked, and a function that would keep a value is refused.
func TestEvaluationsAreIsolated(t *testing.T) {
	t.Parallel()
	head := "local P = policy { name = \"hostile\", api = 1, hook = \"cluster.validate\", order = 500, title = { en = \"x\" } }\n"
	for _, c := range []struct{ name, file, body, want string }{
		{"a counter", "local count = 0", "count = count + 1", "hostile:4: count belongs to the file"},
		{"a counter in a function", "local count = 0; local function f() count = count + 1 end", "f()", "hostile:2: count belongs to the file"},
		{"a counter by a function name", "local f", "function f() end", "hostile:4: f belongs to the file"},
		{"a list", "local seen = {}", "seen[#seen + 1] = 1", "read-only"},
		{"a list by insert", "local seen = {}", "table.insert(seen, 1)", "read-only"},
		{"a table in a table", "local t = { a = { b = {} } }", "t.a.b.c = 1", "read-only"},
		{"a table as a key", "local k = {}; local t = { [k] = 1 }", "for key in pairs(t) do key.x = 1 end", "read-only"},
		{"the declaration", "", "P.title.en = 'y'", "read-only"},
		{"the policy", "", "P.evaluate = nil", "read-only"},
		{"a sorted constant", "local t = { 2, 1 }", "table.sort(t)", "read-only"},
		{"a table behind a function", "local function f() local t = {}; return function() t.x = (t.x or 0) + 1 end end; local g = f()", "g()", "read-only"},
		{
			"a value behind a function", "local function f() local n = 0; return function() n = n + 1; return n end end; local g = f()",
			"g()", "hostile:2: a function that was made while the file ran",
		},
		{
			"a value behind two functions", "local function f() local n = 0; return function() return function() n = n + 1 end end end; local g = f()",
			"g()()", "hostile:2: a function that was made while the file ran",
		},
		{"the tag of an answer", "local answer = {}", "accept(answer)", "read-only"},
	} {
		source := head + c.file + "\nfunction P.evaluate(c)\n" + c.body + "\nreturn {}\nend\nreturn P"
		p, err := policy.New(policy.Options{Scripts: []policy.Script{{Name: "hostile", Source: source}}})
		if err == nil {
			err = p.ValidateCluster(context.Background(), engine.ClusterInput{}).Degraded
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// What one evaluation makes is new in the next, in the same state.
func TestLocalsBeginAnew(t *testing.T) {
	t.Parallel()
	body := `local count, seen = 0, {}
local function counter() local n = 0; return function() n = n + 1; return n end end
local next_number = counter()
count = count + next_number()
seen[#seen + 1] = count
return { { id = "cluster.name.bare", severity = "info", params = { text = count .. #seen .. next_number() } } }`
	p := open(t, policy.Options{Scripts: []policy.Script{scriptOf("cluster.validate", body)}})
	for i := range 50 {
		j := p.ValidateCluster(context.Background(), engine.ClusterInput{})
		if j.Degraded != nil || j.Findings[0].Params["text"] != "112" {
			t.Fatalf("evaluation %d saw another: %v %v", i, j.Findings, j.Degraded)
		}
	}
}

// A state that breached a limit is not used again, and the next script of the
// chain gets a new one.
func TestChainGoesOnAfterABreach(t *testing.T) {
	t.Parallel()
	bad := scriptOf("cluster.validate", "while true do end")
	good := policy.Script{Name: "late", Source: strings.ReplaceAll(
		scriptOf("cluster.validate", `return { { id = "cluster.name.bare", severity = "info" } }`).Source, "hostile", "late")}
	var failures []policy.Failure
	p := open(t, policy.Options{Scripts: []policy.Script{bad, good}, Fail: func(f policy.Failure) { failures = append(failures, f) }})
	for range 5 {
		j := p.ValidateCluster(context.Background(), engine.ClusterInput{Occasion: engine.OnPeriodic})
		if len(j.Findings) != 1 || len(j.Failed) != 1 || j.Failed[0] != "hostile" || j.Degraded == nil {
			t.Fatalf("got %+v, want the finding of late and the failure of hostile", j)
		}
	}
	if len(failures) != 3 || failures[0].Line != 5 {
		t.Errorf("got failures %+v, want 3 of line 5, then a pin", failures)
	}
}

func TestDecisionsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	scripts := builtin()
	a, b := open(t, policy.Options{Scripts: scripts}), open(t, policy.Options{Scripts: scripts})
	for i := range 60 {
		in := randomCluster(i)
		x, y := a.ValidateCluster(context.Background(), in), b.ValidateCluster(context.Background(), in)
		if one, two := encode(t, x.Findings), encode(t, y.Findings); one != two {
			t.Fatalf("input %d:\n%s\n%s", i, one, two)
		}
		if x.Degraded != nil {
			t.Fatalf("input %d: %v", i, x.Degraded)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRevisionsAreNotMixed(t *testing.T) {
	t.Parallel()
	revision := func(n int64) []policy.Script {
		var out []policy.Script
		for _, name := range []string{"first", "second"} {
			source := scriptOf("cluster.validate", fmt.Sprintf(
				`return { { id = "cluster.name.bare", severity = "info", params = { n = %d, r = c.revision } } }`, n)).Source
			out = append(out, policy.Script{Name: name, Source: strings.ReplaceAll(source, "hostile", name)})
		}
		return out
	}
	p := open(t, policy.Options{Scripts: revision(1), Revision: 1})
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for range 8 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				f := p.ValidateCluster(context.Background(), engine.ClusterInput{}).Findings
				if len(f) != 2 || f[0].Params["n"] != f[1].Params["n"] || f[0].Params["n"] != f[0].Params["r"] {
					t.Errorf("mixed: %v", f)
					return
				}
			}
		})
	}
	for n := int64(2); n < 30; n++ {
		if err := p.Activate(n, revision(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	done.Wait()
	if p.Revision() != 29 {
		t.Errorf("revision %d is active, want 29", p.Revision())
	}
}

func TestABrokenRevisionLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: builtin(), Revision: 7})
	if err := p.Activate(8, []policy.Script{{Name: "broken", Source: "return"}}, nil); err == nil {
		t.Error("a broken revision was activated")
	}
	if p.Revision() != 7 {
		t.Errorf("revision %d is active, want 7", p.Revision())
	}
}

func TestDataTables(t *testing.T) {
	t.Parallel()
	source := strings.Replace(scriptOf("cluster.validate",
		`return { { id = "cluster.name.bare", severity = "info", params = { text = data("branches")["77"] } } }`).Source,
		"order", "uses = { data = { 'branches' } }, order", 1)
	p := open(t, policy.Options{
		Scripts: []policy.Script{{Name: "hostile", Source: source}},
		Data:    map[string]map[string]string{"branches": {"77": "Berlin"}},
	})
	j := p.ValidateCluster(context.Background(), engine.ClusterInput{})
	if j.Degraded != nil || j.Findings[0].Params["text"] != "Berlin" {
		t.Errorf("got %+v", j)
	}
}

func TestAnEndedContextDegrades(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := open(t, policy.Options{Scripts: []policy.Script{scriptOf("cluster.validate", "while true do end")}})
	began := time.Now()
	j := p.ValidateCluster(ctx, engine.ClusterInput{})
	var f policy.Failure
	if !errors.As(j.Degraded, &f) || f.Class != "limit.time" {
		t.Errorf("got %v after %s, want limit.time", j.Degraded, time.Since(began))
	}
}
