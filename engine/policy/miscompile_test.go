package policy_test

import "testing"

// Programs that the compiler behind us has got wrong, each with the answer of
// the language's manual. Where it still does, the check rewrites or refuses.
func TestKnownMiscompilations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"a comparison inside and", `local function between(v, a, b) local r = true; r = r and (v > a and v < b); return r end; out = tostring(between(2, 3, 5)) .. tostring(between(4, 3, 5))`, "falsetrue"},
		{"a comparison inside or", `local function f(v) local r = false; r = r or (v > 1 and v < 3); return r end; out = tostring(f(2)) .. tostring(f(9))`, "truefalse"},
		{"a comparison inside not", `local function f(v) return not (v > 1 and v < 3) end; out = tostring(f(2)) .. tostring(f(9))`, "falsetrue"},
		{"a value of and and or", `local function f(a, b) local r = a and (b or "x") or "y"; return r end; out = f(true, nil) .. f(nil, 1) .. f(1, "z")`, "xyz"},
		{"a returned comparison of three", `local function f(a, b, c) return a < b and b < c end; out = tostring(f(1, 2, 3)) .. tostring(f(1, 3, 2))`, "truefalse"},
		{"a comparison as an argument", `local function id(x) return x end; local a, b = 1, 2; out = tostring(id(a and (a < b and b > a))) .. tostring(id(a and (a > b and b > a)))`, "truefalse"},
		{"if false in a generic for", `local n = 0; for _, v in ipairs({ 1, 2, 3 }) do if false then local x = v; n = n + x end; n = n + 1 end; out = n`, "3"},
		{"if nil in a generic for", `local n = 0; for _, v in ipairs({ 1, 2 }) do if nil then local x = v; n = x end; n = n + 10 end; out = n`, "20"},
		{"if false in a while", `local n = 0; while n < 3 do if false then local x = 1; n = x end; n = n + 1 end; out = n`, "3"},
		{"while false in a for", `local n = 0; for _ in ipairs({ 1, 2 }) do while false do local x = 1; n = x end; n = n + 1 end; out = n`, "2"},
		{"false and something in a for", `local n = 0; for _ in ipairs({ 1, 2 }) do if false and n > 0 then local x = 1; n = x end; n = n + 1 end; out = n`, "2"},
		{"nil or false in a for", `local n = 0; for _ in ipairs({ 1, 2 }) do while nil or false do local x = 1; n = x end; n = n + 1 end; out = n`, "2"},
		{"something and false in a for", `local n = 0; for _ in ipairs({ 1, 2 }) do if n >= 0 and false then local x = 1; n = x else n = n + 1 end end; out = n`, "2"},
		{"a value of false and something", `local n = 0; for _ in ipairs({ 1, 2 }) do local x = false and n; local y = nil or 3; n = n + y; if x then n = 0 end end; out = n`, "6"},
		{"repeat until false and break", `local n = 0; for _ in ipairs({ 1, 2 }) do repeat local x = 1; n = n + x; if n > 2 then break end until false end; out = n`, "4"},
		{"the return after it", `local function f() for _ in ipairs({ 1 }) do if false then local x = 1 end end return 7 end; out = tostring(f())`, "7"},
		{"if not true in a for", `local n = 0; for _ in ipairs({ 1, 2 }) do if not true then local x = 1; n = x end; n = n + 1 end; out = n`, "2"},
		{"a field of a number", `local ok = pcall(function() (123).k = nil end); out = tostring(ok)`, "false"},
		{"many nils", `local a, b, c; local d = nil; local e; d = 1; out = tostring(a) .. tostring(b) .. tostring(c) .. tostring(d) .. tostring(e)`, "nilnilnil1nil"},
		{"nil after a call", `local function f() return 1 end; local a = f(); local b, c = nil; local d; out = tostring(a) .. tostring(b) .. tostring(c) .. tostring(d)`, "1nilnilnil"},
		{"nil in a loop", `local s = ""; for i = 1, 3 do local a; local b = nil; if i == 2 then a = i end; s = s .. tostring(a) .. tostring(b) end; out = s`, "nilnil2nilnilnil"},
		{"nil before a closure", `local a = nil; local b; local function f() return a, b end; local x, y = f(); out = tostring(x) .. tostring(y)`, "nilnil"},
		{"an empty if", `local n = 1; if n == 1 then end; if n == 2 then else n = 5 end; out = n`, "5"},
		{"a closure in a loop", `local f = {}; for i = 1, 3 do f[i] = function() return i end end; out = f[1]() .. f[2]() .. f[3]()`, "123"},
		{"a closure after a break", `local f; for i = 1, 9 do local j = i; f = function() return j end; if i == 4 then break end end; out = f()`, "4"},
		{"a closure in a repeat", `local f, n = {}, 0; repeat n = n + 1; local m = n; f[n] = function() return m end until m == 3; out = f[1]() .. f[3]()`, "13"},
		{"goto continue", `local s = ""; for i = 1, 4 do if i == 2 then goto continue end; s = s .. i; ::continue:: end; out = s`, "134"},
		{"precedence", `out = 2 ^ 3 ^ 2 - -2 ^ 2 .. tostring(not 1 == 2)`, "516false"},
		{"modulo", `out = -5 % 3 .. 5 % -3 .. 5.5 % 2`, "1-11.5"},
		{"multiple results in the middle", `local function f() return 1, 2, 3 end; local t = { f(), f() }; out = #t .. select("#", f(), f())`, "44"},
		{"parentheses cut", `local function f() return 1, 2, 3 end; out = select("#", (f())) .. #{ (f()) }`, "11"},
		{"a shadowed local", `local x = 1; local x = x + 1; do local x = x + 1; out = x end; out = out .. x`, "32"},
		{"a numeric for leaves its limit", `local n = 3; local s = 0; for i = 1, n do n = 10; s = s + 1 end; out = s .. n`, "310"},
		{"and with nil results", `local t = { a = { b = false } }; out = tostring(t.a and t.a.b) .. tostring(t.x and t.x.b) .. tostring(t.a.b or "d")`, "falsenild"},
		{"an accept that is kept", `local a = accept { x = 1 }; a.y = 2; out = a.action .. a.x .. a.y`, "accept12"},
		{"an accept of many values", `local function f() return "p", "q" end; local a = accept { f() }; out = a.action .. a[1] .. a[2]`, "acceptpq"},
		{"a skip", `out = skip().action .. skip {}.action .. reject { action = "no" }.action`, "skipskipreject"},
	} {
		if got := said(t, c.body); got != c.want {
			t.Errorf("%s: %s\n got %q\nwant %q", c.name, c.body, got, c.want)
		}
	}
}
