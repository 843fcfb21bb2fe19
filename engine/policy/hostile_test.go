package policy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
)

// attack is the body of an evaluate function, and how it must end: "check"
// (refused before it runs) or a class of failure. "any" is either limit.
type attack struct{ name, body, want string }

var attacks = []attack{
	// memory
	{"string.rep", `return string.rep("x", 1e9)`, "runtime"},
	{"string.rep of a long string", `local s = string.rep("x", 2e5); return string.rep(s, 1e5)`, "runtime"},
	{"string.rep with a huge count", `return string.rep("x", 1e308)`, "runtime"},
	{"string.rep kept", `local t = {}; for i = 1, 1e6 do t[i] = string.rep("x", 2e5) end`, "limit.memory"},
	{"concat doubling", `local s = "x"; while true do s = s .. s end`, "runtime"},
	{"concat doubling under pcall", `local t, s = {}, "x"; while true do pcall(function() s = s .. s; t[#t + 1] = s .. "y" end) end`, "any"},
	{"concat kept", `local t = {}; for i = 1, 1e7 do t[i] = "xxxxxxxxxxxxxxxxxxxxxxx" .. i end`, "limit.memory"},
	{"table.concat", `local t = {}; for i = 1, 3000 do t[i] = string.rep("x", 1000) end; return table.concat(t)`, "runtime"},
	{"table.concat repeated", `local t = { string.rep("x", 2e5) }; local k = {}; while true do k[#k + 1] = table.concat(t, "") end`, "limit.memory"},
	{"table.concat of a long range", `return table.concat({}, "", 1, 1e15)`, "runtime"},
	{"far array index", `local t = {}; for i = 1, 1e6 do t[i] = {}; t[i][65535] = 1 end`, "limit.memory"},
	{"far array index beyond the limit", `local t = {}; for i = 1, 1e6 do t[i] = { [1e6 + i] = i } end`, "limit.memory"},
	{"table flood", `local t = {}; for i = 1, 1e7 do t[i] = {} end`, "limit.memory"},
	{"table flood of fields", `local t = {}; for i = 1, 1e7 do t["k" .. i] = { a = 1, b = 2 } end`, "limit.memory"},
	{"nested tables", `local t = {}; while true do t = { t } end`, "limit.memory"},
	{"one-field tables", `local t = {}; for i = 1, 1e7 do local u = {}; u.x = 1; t[i] = u end`, "limit.memory"},
	{"hash churn", `local t = {}; for i = 1, 1e7 do t[i + 0.5] = 1; t[i + 0.5] = nil end`, "limit.memory"},
	{"closure flood", `local t = {}; for i = 1, 1e7 do t[i] = function() return i end end`, "limit.memory"},
	{"closure chain", `local f = function() end; while true do local g = f; f = function() return g end end`, "limit.memory"},
	{"local function flood", `local f; while true do local function g() return f end; f = g end`, "limit.memory"},
	{"unpacked constructors", `local t, k = {}, {}; for i = 1, 7000 do t[i] = i end; while true do k[#k + 1] = { unpack(t) } end`, "limit.memory"},
	{"vararg constructors", `local t, k = {}, {}; for i = 1, 7000 do t[i] = i end; local function f(...) k[#k + 1] = { ... } end; while true do f(unpack(t)) end`, "limit.memory"},
	{"table.insert", `local t = {}; while true do table.insert(t, {}) end`, "limit.memory"},
	{"table.insert in front", `local t = {}; while true do table.insert(t, 1, 1) end`, "any"},
	{"error messages kept", `local s, t = string.rep("x", 2e5), {}; while true do local _, e = pcall(function() local n; return n[s] end); t[#t + 1] = e end`, "any"},
	{"errors kept", `local s, t = string.rep("x", 2e5), {}; while true do local _, e = pcall(error, s .. #t, 0); t[#t + 1] = e end`, "limit.memory"},
	{"gsub growth", `return (string.gsub(string.rep("x", 2e5), "x", string.rep("y", 1000)))`, "runtime"},
	{"gsub whole match growth", `return (string.gsub(string.rep("x", 1000), ".*", string.rep("%0", 5000)))`, "runtime"},
	{"gsub kept", `local t, s = {}, string.rep("x", 1e4); while true do t[#t + 1] = string.gsub(s, "x", "yy") end`, "any"},
	{"re.replace growth", `return re.replace("x+", string.rep("x", 1e5), string.rep("$0", 1e4))`, "runtime"},
	{"re.replace many matches", `return re.replace("", string.rep("x", 2e5), "yyyyyyyyyyyyyyyy")`, "runtime"},
	{"format growth", `local s = string.rep("x", 2e5); return string.format(string.rep("%s", 1000), unpack({ s, s, s, s, s }))`, "runtime"},
	{"format width", `return string.format("%999999999d", 1)`, "runtime"},
	{"sub kept", `local s, t = string.rep("x", 2e5), {}; for i = 1, 1e7 do t[i] = string.sub(s, 1, 1e5 - i % 9) end`, "limit.memory"},
	{"upper kept", `local s, t = string.rep("x", 2e5), {}; while true do t[#t + 1] = string.upper(s) end`, "limit.memory"},
	{"gmatch flood", `local t = {}; while true do t[#t + 1] = string.gmatch("x", "x") end`, "limit.memory"},
	{"why flood", `while true do why("x", { a = string.rep("x", 1000) }) end`, "bad_output"},
	{"huge answer", `local t = {}; for i = 1, 150 do t[i] = { id = string.rep("x", 1000), severity = "info" } end; return t`, "bad_output"},
	{"answer in itself", `local t = { id = "x", severity = "info" }; t.fix = t; return { t }`, "bad_output"},

	// patterns
	{"lazy chains", `return string.find(string.rep("a", 5000), string.rep(".-", 20) .. "b$")`, "runtime"},
	{"greedy chains", `return string.find(string.rep("a", 5000), string.rep("a*", 20) .. "b")`, "runtime"},
	{"captures", `return string.match(string.rep("a", 5000), string.rep("(a*)", 20) .. "b")`, "runtime"},
	{"long subject", `local s = string.rep("a", 2e5); return string.find(s, ".-.-.-.-b$")`, "runtime"},
	{"pattern under pcall", `local s = string.rep("a", 2e5); while true do pcall(string.find, s, ".-.-.-b$") end`, "any"},
	{"gsub with patterns", `return string.gsub(string.rep("a", 2e4), "a-a-a-b", "")`, "runtime"},
	{"balanced", `return string.find(string.rep("(", 2e5), "%b()")`, "runtime"},
	{"deep pattern", `return string.find(string.rep("a", 1000), string.rep("a?", 1000) .. "b")`, "runtime"},
	{"nested repeats of re", `return re.match("(a*)*b", string.rep("a", 2e5)) or re.match("((a{0,30}){0,30})b", string.rep("a", 2e5))`, "runtime"},
	{"growing re", `for i = 1, 1e6 do re.match("a{1," .. (i % 900 + 1) .. "}" .. i, "b") end`, "any"},
	{"malformed re", `return re.match("(" .. "", "x")`, "runtime"},
	{"malformed pattern", `return string.find("x", "[a")`, "runtime"},
	{"open capture", `return string.find("x", "(x")`, "runtime"},

	// stack
	{"recursion", `local function f() return 1 + f() end; return f()`, "runtime"},
	{"recursion through pcall", `local function f() return pcall(f) end; while true do f() end`, "any"},
	{"recursion through sort", `local function f() table.sort({ 1, 2, 3 }, f) end; f()`, "runtime"},
	{"recursion through gsub", `local function f() return string.gsub("xx", "x", f) end; f()`, "runtime"},
	{"tail calls", `local function f() return f() end; return f()`, "limit.instructions"},
	{"unpack", `return unpack({}, 1, 1e8)`, "runtime"},
	{"unpack of the whole range", `return unpack({}, -2^62, 2^62)`, "runtime"},
	{"string.byte", `return string.byte(string.rep("x", 2e5), 1, -1)`, "runtime"},
	{"registers", `local function f(...) return f(1, 2, 3, ...) end; return f()`, "runtime"},
	{"unpack into calls", `local t = {}; for i = 1, 7900 do t[i] = i end; local function f(...) return select("#", ..., unpack(t)) + f(...) end; return f(unpack(t))`, "runtime"},

	// loops
	{"while", `while true do end`, "limit.instructions"},
	{"repeat", `repeat until false`, "limit.instructions"},
	{"numeric for", `for i = 1, 1e300 do end`, "limit.instructions"},
	{"for that stands still", `for i = 1, 2, 0 do end; for i = 2^53, 2^60 do end`, "limit.instructions"},
	{"generic for", `local function f() return 1 end; for _ in f do end`, "limit.instructions"},
	{"goto", `::top:: goto top`, "limit.instructions"},
	{"pcall around a loop", `pcall(function() while true do end end); return {}`, "limit.instructions"},
	{"pcall in a loop", `while true do pcall(error) end`, "any"},
	{"nested pcall", `while true do pcall(pcall, pcall, function() while true do end end) end`, "limit.instructions"},
	{"sort that never agrees", `local t = {}; for i = 1, 3000 do t[i] = i end; while true do table.sort(t, function() return true end) end`, "any"},
	{"length of a hollow table", `local t = {}; t[65535] = 1; t[65535] = nil; while true do local _ = #t end`, "any"},
	{"next over removed keys", `local t = {}; for i = 1, 4e4 do t["k" .. i] = 1 end; for i = 1, 4e4 do t["k" .. i] = nil end; while true do next(t) end`, "any"},
	{"long comparisons", `local a, b = string.rep("x", 2e5) .. "a", string.rep("x", 2e5) .. "b"; while true do local _ = a < b end`, "any"},
	{"long keys", `local t, s = {}, string.rep("x", 2e5); while true do local _ = t[s] end`, "any"},

	{"jumps between blocks", `local n = 0; ::a:: do n = n + 1; if n > 0 then goto b end end; ::b:: goto a`, "limit.instructions"},
	{"iterator that never ends", `for k in pairs({ 1 }) do while next({ 1 }, nil) do end end`, "any"},
	{"ipairs over what grows", `local t = { 1 }; for i in ipairs(t) do t[i + 1] = 1 end`, "bad_output"},
	{"pairs over what grows", `local t = { 1 }; for k in pairs(t) do t["k" .. #t .. tostring(k)] = 1; t[#t + 1] = 1 end`, "any"},
	{"concat of a grown list", `local t = {}; for i = 1, 60000 do t[i] = "xxxx" end; while true do table.concat(t) end`, "any"},
	{"remove from the front", `local t = {}; for i = 1, 60000 do t[i] = i end; while true do table.insert(t, (table.remove(t, 1))) end`, "any"},
	{"sort by an error", `local t = {}; for i = 1, 1000 do t[i] = i end; while true do pcall(table.sort, t, function() error("x") end) end`, "any"},
	{"gmatch over and over", `local s = string.rep("x ", 9000); while true do for w in string.gmatch(s, "%S+") do end end`, "any"},
	{"find from the end", `local s = string.rep("a", 2e5); while true do string.find(s, "b", -1) string.find(s, "^a*$") end`, "runtime"},
	{"re over and over", `local s = string.rep("a", 1000); while true do re.match("(a|b|c)*d", s) end`, "any"},
	{"tonumber of long texts", `local s = string.rep("9", 399); while true do tonumber(s) tonumber(s, 36) end`, "any"},
	{"numbers as texts", `local s = 0; while true do s = ("1" .. s) + 1e300 end`, "runtime"},
	{"prefixes without end", `while true do ip.in_cidr("2001:db8::1", "2001:db8::/32") end`, "any"},
	{"names without end", `local s = string.rep("a.", 100) .. "b"; while true do fqdn.match("*." .. s, "x." .. s) fqdn.is_fqdn(s) end`, "any"},
	{"lists without end", `local t = {}; for i = 1, 5000 do t[i] = i end; while true do list.contains(t, 0) list.same_set(t, t) end`, "any"},
	{"log without end", `while true do log(string.rep("x", 1000)) end`, "any"},
	{"select without end", `local t = {}; for i = 1, 7000 do t[i] = i end; while true do select("#", unpack(t)) end`, "any"},
	{"string.char of many", `local t = {}; for i = 1, 7000 do t[i] = 65 end; local k = {}; while true do k[#k + 1] = string.char(unpack(t)) end`, "any"},
	{"math.max of many", `local t = {}; for i = 1, 7000 do t[i] = 65 end; while true do math.max(unpack(t)) end`, "any"},
	{"a pcall for each frame", `local function f(n) local ok, e = pcall(f, n + 1); return e end; while true do f(0) end`, "any"},
	{"an error in an error", `local function f() return pcall(error, f) end; while true do f() end`, "any"},
	{"accept without end", `local t = {}; while true do t[#t + 1] = accept { a = 1, b = 2 } end`, "limit.memory"},
	{"an answer over and over", `while true do local _ = reject { code = 403, reason = "x" } end`, "any"},
	{"compare tables by error", `while true do pcall(function() return {} < {} end) end`, "any"},
	{"arithmetic on texts", `return ("x"):rep(10) * 2`, "runtime"},
	{"call of a number", `local n = 5; return n()`, "runtime"},
	{"call of nothing in a library", `return re.nothing("x")`, "check"},
	{"length of nothing", `local n; return #n`, "runtime"},
	{"negative index", `local t = {}; t[-2^53] = 1; t[2^53] = 2; t[1e308] = 3; return unpack(t, -2^53, -2^53 + 9000)`, "runtime"},
	{"a loop over infinity", `for i = 1 / 0, 1 / 0 do end; for i = -1 / 0, 1 / 0 do end`, "any"},
	{"a loop over nothing that is a number", `for i = 0 / 0, 1 do end; for i = 1, 3, "x" do end`, "runtime"},
	{"shift by fractions", `for i = 0, 1, 1e-300 do end`, "any"},
	{"%s of a function", `error(string.format("%s %s", why, c) == "function table" and "hidden" or {})`, "runtime"},
	{"format of infinity", `return string.format("%d %x %.9f", 1 / 0, -1 / 0, 0 / 0) + {}`, "runtime"},
	{"unpack of huge bounds", `return unpack({ 1 }, 2^31, 2^31 + 5), unpack({ 1 }, 2^53, 2^53 + 1), unpack({}, 1e308, 1e308)`, "bad_output"},
	{"sub of huge bounds", `return string.sub("x", -2^63, 2^63) .. string.byte("x", 2^62, 2^63) .. {}`, "runtime"},

	// escapes
	{"file-level state", `P.seen = (P.seen or 0) + 1`, "runtime"},
	{"the table of the policy", `table.insert(P, 1)`, "runtime"},
	{"evaluate in itself", `return P.evaluate(c)`, "any"},
	{"evaluate through the table", `for _, f in pairs(P) do if type(f) == "function" then f(c) end end`, "runtime"},
	{"a string method of one's own", `local s = "x"; s.foo = 1`, "runtime"},
	{"the index of a string", `return ("x").rep.y`, "runtime"},
	{"rawlen and others of newer Lua", `return rawlen({})`, "check"},
	{"_ENV", `_ENV = {}`, "check"},
	{"arg", `return arg[1]`, "check"},
	{"string.pack", `return string.pack("i", 1)`, "check"},
	{"utf8", `return utf8.char(1)`, "check"},
	{"bit32", `return bit32.bor(1, 2)`, "check"},
	{"table.unpack", `return table.unpack({})`, "check"},
	{"table.foreach", `table.foreach({}, why)`, "check"},
	{"math.randomseed", `math.randomseed(1)`, "check"},
	{"string.gfind", `return string.gfind("x", "x")`, "check"},
	{"a metatable by a field", `local t = { __index = function() return 1 end, __metatable = false }; return t.x + 1`, "runtime"},
	{"policy twice", `policy { name = "x" }; return {}`, "nothing"},
	{"os by concatenation", `return c["o" .. "s"].exit()`, "runtime"},
	{"the registry", `return unpack(c, -10002, -10000)`, "bad_output"},
	{"require", `return require("os")`, "check"},
	{"load", `return load("return 1")()`, "check"},
	{"loadstring", `return loadstring("return 1")()`, "check"},
	{"dofile", `return dofile("/etc/passwd")`, "check"},
	{"loadfile", `return loadfile("/etc/passwd")`, "check"},
	{"module", `module("x")`, "check"},
	{"getfenv", `return getfenv(0)`, "check"},
	{"setfenv", `setfenv(1, {})`, "check"},
	{"getmetatable", `return getmetatable("").__index`, "check"},
	{"setmetatable", `return setmetatable({}, {})`, "check"},
	{"rawset", `rawset(string, "rep", nil)`, "check"},
	{"rawget", `return rawget(string, "dump")`, "check"},
	{"rawequal", `return rawequal(1, 1)`, "check"},
	{"newproxy", `return newproxy(true)`, "check"},
	{"collectgarbage", `collectgarbage()`, "check"},
	{"print", `print("x")`, "check"},
	{"xpcall", `xpcall(evaluate, evaluate)`, "check"},
	{"_G", `_G.string = nil`, "check"},
	{"io", `return io.open("/etc/passwd")`, "check"},
	{"os", `return os.getenv("HOME")`, "check"},
	{"debug", `return debug.getregistry()`, "check"},
	{"package", `return package.loaded`, "check"},
	{"coroutine", `return coroutine.create(function() end)`, "check"},
	{"channel", `return channel.make()`, "check"},
	{"string.dump", `return string.dump(P.evaluate)`, "check"},
	{"math.random", `return math.random()`, "check"},
	{"global", `leak = 1`, "check"},
	{"global function", `function leak() end`, "check"},
	{"hidden functions", `return (set)`, "check"},
	{"poisoned string", `string.rep = nil`, "runtime"},
	{"poisoned library by a loop", `for k in pairs(string) do string[k] = nil end`, "runtime"},
	{"poisoned library by insert", `table.insert(string, 1)`, "runtime"},
	{"poisoned library by sort", `table.sort(string)`, "runtime"},
	{"poisoned library by an alias", `local s = string; s.rep = function() return {} end`, "runtime"},
	{"poisoned library by accept", `accept(string)`, "runtime"},
	{"new method of strings", `local s = ""; s.dump = 1`, "runtime"},
	{"dump by a string", `return (""):dump()`, "runtime"},
	{"rep by a string", `return (""):rep(1) .. ("x"):rep(1e9)`, "runtime"},
	{"input written", `c.occasion = "x"`, "runtime"},
	{"input written deeply", `c.peers[1].reachable = false`, "runtime"},
	{"input grown", `c.peers[#c.peers + 1] = {}`, "runtime"},
	{"input removed", `table.remove(c.peers)`, "runtime"},
	{"input by many targets", `local a; a, c.peers = 1, a`, "runtime"},
	{"undeclared data", `return data("secrets")`, "runtime"},
	{"address of a table", `error(tostring({}) == "table" and tostring(why) == "function" and string.format("%s", {}) == "table" and "hidden" or {})`, "runtime"},
	{"NaN as index", `local t = {}; t[0 / 0] = 1`, "runtime"},
	{"nil as index", `local t = {}; t[nil] = 1`, "runtime"},
	{"not a list", `return { a = 1 }`, "bad_output"},
	{"unknown field", `return { { id = "cluster.role.mixed", severity = "error", extra = 1 } }`, "bad_output"},
	{"unknown finding", `return { { id = "nothing.known", severity = "error" } }`, "bad_output"},
	{"no answer", `return nil`, "bad_output"},
	{"a function as answer", `return function() end`, "bad_output"},

	// parser
	{"deep brackets", `return ` + strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000), "check"},
	{"deep tables", `return ` + strings.Repeat("{", 20000) + strings.Repeat("}", 20000), "check"},
	{"deep blocks", strings.Repeat("do ", 8000) + strings.Repeat(" end", 8000), "check"},
	{"deep functions", strings.Repeat("return function() ", 2000) + strings.Repeat(" end", 2000), "check"},
	{"unary chain", `return ` + strings.Repeat("-", 1) + strings.Repeat(" -", 20000) + "1", "check"},
	{"not chain", `return ` + strings.Repeat("not ", 12000) + "1", "check"},
	{"sum chain", `return 1` + strings.Repeat("+1", 20000), "check"},
	{"power chain", `return 1` + strings.Repeat("^1", 20000), "check"},
	{"concat chain", `return "a"` + strings.Repeat(`.."a"`, 10000), "check"},
	{"call chain", `return why` + strings.Repeat("()", 20000), "check"},
	{"index chain", `return c` + strings.Repeat(".a", 20000), "check"},
	{"elseif chain", `if c.a then ` + strings.Repeat("elseif c.a then ", 3500) + "end", "check"},
	{"many locals", strings.Repeat("local a\n", 5000), "check"},
	{"many arguments", `return why(` + strings.Repeat("1,", 20000) + "1)", "check"},
	{"many names", "local " + strings.Repeat("a,", 20000) + "a = 1", "check"},
	{"long source", "--" + strings.Repeat("x", 70000), "check"},
	{"unfinished string", `return "`, "check"},
	{"unfinished comment", `--[[`, "check"},
	{"bytes", "\x00\xff\x1b", "check"},
	{"nested functions that hold on", `local a = 1; ` + strings.Repeat("local function f() a = a end; ", 2000), "check"},
	{"long concat of calls", `return ` + strings.Repeat("why('x') .. ", 4000) + "''", "runtime"},
	{"many upvalues", manyUpvalues(300), "check"},
	{"many constants", `local t = { ` + manyConstants(6000) + ` }; return t`, "bad_output"},
	{"long string escapes", `return "` + strings.Repeat(`\\65`, 9000) + `" .. {}`, "runtime"},
	{"comment never closed by level", `--[==[ ]] ]=]`, "check"},
	{"number without end", `return ` + strings.Repeat("9", 60000), "bad_output"},
	{"exponents", `return 1e999999999, 0xffffffffffffffffffff`, "bad_output"},
	{"goto into a block", `goto inside; do ::inside:: end`, "check"},
	{"the same label twice", `::a:: ::a:: return {}`, "check"},
	{"goto nowhere", `goto nowhere`, "check"},
	{"break outside of a loop", `break`, "check"},
}

func manyUpvalues(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "local a%d = %d\n", i, i)
	}
	b.WriteString("return function() return ")
	for i := range n {
		fmt.Fprintf(&b, "a%d + ", i)
	}
	return b.String() + "0 end"
}

func manyConstants(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "'k%d',", i)
	}
	return b.String()
}

const memoryLimit = 64 << 20

// TestHostileScripts runs the corpus in a child process with a limit on its
// address space, so that a regression fails a test and not the machine.
func TestHostileScripts(t *testing.T) {
	if os.Getenv("HEXAD_HOSTILE") != "" {
		t.Skip("this is the child")
	}
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestHostile(Calls|Child)$", "-test.v")
	child.Env = append(os.Environ(), "HEXAD_HOSTILE=1")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, failures(string(out)))
	}
	if n := strings.Count(string(out), "--- PASS: TestHostileChild/"); n != len(attacks) {
		t.Fatalf("%d of %d attacks ran\n%s", n, len(attacks), tail(string(out), 40))
	}
}

// failures are the lines that say what failed, or the end when none does.
func failures(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "--- FAIL") || strings.Contains(line, "_test.go:") && !strings.Contains(line, ": limit.") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return tail(out, 60)
	}
	return strings.Join(lines, "")
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func TestHostileChild(t *testing.T) {
	if os.Getenv("HEXAD_HOSTILE") == "" {
		t.Skip("runs as a child of TestHostileScripts")
	}
	const space = 4 << 30
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: space, Max: space}); err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { endure(t, a) })
	}
}

// TestHostileCalls asks a call hook the attacks that only a limit ends: a call
// waits for the answer, so they end sooner and the call is refused.
func TestHostileCalls(t *testing.T) {
	if os.Getenv("HEXAD_HOSTILE") == "" {
		t.Skip("runs as a child of TestHostileScripts")
	}
	for _, a := range attacks {
		if a.want != "any" && !strings.HasPrefix(a.want, "limit.") {
			continue
		}
		p, err := policy.New(policy.Options{Scripts: []policy.Script{scriptOf("call.admit", a.body)}})
		if err != nil {
			t.Fatal(a.name, err)
		}
		began, cpu := time.Now(), cpuTime(t)
		d := p.Admit(context.Background(), engine.CallRequest{Alias: "a"})
		took := min(time.Since(began), cpuTime(t)-cpu)
		if d.Allow || d.Code != 403 || d.Degraded == nil {
			t.Errorf("%s: got %+v, want a reject", a.name, d)
		}
		if limit := 5 * policy.CallLimits.Time; took > limit {
			t.Errorf("%s: took %s, more than %s", a.name, took, limit)
		}
	}
}

// endure runs one attack and checks how it ends, how long it takes and how much
// memory the process has taken from the system for it.
func endure(t *testing.T, a attack) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), cpuTime(t)
	class := assault(t, a)
	took := min(time.Since(began), cpuTime(t)-cpu) // a busy machine is not the script's doing
	runtime.ReadMemStats(&after)

	// on a busy machine the time may run out before anything else does
	late := class == "limit.time" && a.want != "check"
	if ok := class == a.want || late || a.want == "any" && strings.HasPrefix(class, "limit."); !ok {
		t.Errorf("ended as %q, want %q", class, a.want)
	}
	if limit := 2 * policy.ControlLimits.Time; took > limit {
		t.Errorf("took %s, the limit is %s", took, limit)
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > memoryLimit {
		t.Errorf("took %d MiB, the limit is %d", grown>>20, memoryLimit>>20)
	}
}

func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func scriptOf(hook, body string) policy.Script {
	return policy.Script{Name: "hostile", Source: `local P = policy {
  name = "hostile", api = 1, hook = "` + hook + `", order = 500, title = { en = "hostile" },
}
function P.evaluate(c)
` + body + `
end
return P
`}
}

// assault returns the class of failure, "check" when the script is refused.
func assault(t *testing.T, a attack) string {
	p, err := policy.New(policy.Options{Scripts: []policy.Script{scriptOf("cluster.validate", a.body)}})
	if err != nil {
		return "check"
	}
	in := engine.ClusterInput{Occasion: engine.OnPeriodic, Peers: []engine.PeerRecord{{Address: "a"}, {Address: "b"}}}
	j := p.ValidateCluster(context.Background(), in)
	if f := (policy.Failure{}); errors.As(j.Degraded, &f) {
		if strings.Contains(f.Message, "0x") {
			t.Errorf("message %q shows an address", f.Message)
		}
		t.Logf("%s, line %d: %s", f.Class, f.Line, f.Message)
		return f.Class
	}
	return "nothing"
}
