package policy

import (
	"math"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// function is a library function; it reads its arguments from the stack.
type function func(st *state, L *lua.LState) int

// libraries are the tables of functions that scripts have. They are data: the
// check knows the same names.
var libraries = map[string]map[string]function{
	"string": stringLibrary,
	"table":  tableLibrary,
	"math":   mathLibrary,
	"re":     {"match": reMatch, "replace": reReplace},
	"alias": {
		"user": aliasUser, "domain": aliasDomain, "e164": aliasE164, "is_uri": aliasIsURI, "normalize": aliasNormalize,
	},
	"ip":      {"in_cidr": ipInCIDR, "is_private": ipIsPrivate, "family": ipFamily},
	"fqdn":    {"match": fqdnMatch, "is_fqdn": fqdnIs},
	"version": {"less": versionLess, "equal": versionEqual, "major": versionMajor},
	"list":    {"contains": listContains, "index": listIndex, "same": listSame, "same_set": listSameSet},
}

// actions are the functions that tag an answer.
var actions = []string{"accept", "reject", "route", "skip"}

// testFunctions are those that only test files have, besides library expect.
var testFunctions = []string{"evaluate", "with_data", "fixture"}

func baseFunctions() map[string]function {
	return map[string]function{
		"assert": baseAssert, "error": baseError, "ipairs": baseIpairs, "next": baseNext, "pairs": basePairs,
		"pcall": basePcall, "select": baseSelect, "tonumber": baseTonumber, "tostring": baseTostring,
		"type": baseType, "unpack": baseUnpack,
		"why": traceWhy, "log": traceLog, "policy": declarePolicy, "data": dataTable,
		"accept": tagged("accept"), "reject": tagged("reject"), "route": tagged("route"), "skip": tagged("skip"),
	}
}

func globalNames(test bool) map[string]bool {
	out := map[string]bool{}
	for name := range baseFunctions() {
		out[name] = true
	}
	for name := range libraries {
		out[name] = true
	}
	if test {
		delete(out, "policy")
		out["expect"] = true
		for _, name := range testFunctions {
			out[name] = true
		}
	}
	return out
}

func libraryMembers(test bool) map[string]map[string]bool {
	out := map[string]map[string]bool{"math": {"pi": true, "huge": true}}
	for lib, members := range libraries {
		if out[lib] == nil {
			out[lib] = map[string]bool{}
		}
		for name := range members {
			out[lib][name] = true
		}
	}
	if test {
		out["expect"] = map[string]bool{}
		for name := range expectations {
			out["expect"][name] = true
		}
	}
	return out
}

// globals builds the environment of policies, or of one test file.
func (st *state) globals(test bool) *lua.LTable {
	env := st.L.CreateTable(0, 64)
	for name, f := range baseFunctions() {
		env.RawSetString(name, st.wrap(f))
	}
	for name, f := range guards {
		env.RawSetString(name, st.wrap(f))
	}
	for name, members := range libraries {
		env.RawSetString(name, st.library(members))
	}
	mathTable := env.RawGetString("math").(*lua.LTable)
	mathTable.RawSetString("pi", lua.LNumber(math.Pi))
	mathTable.RawSetString("huge", lua.LNumber(math.Inf(1)))
	for name := range libraries {
		st.freeze(env.RawGetString(name).(*lua.LTable))
	}
	if !test {
		st.freeze(env)
		st.L.SetMetatable(lua.LString(""), st.stringMethods(env))
	}
	return env
}

// stringMethods lets s:upper() find string.upper.
func (st *state) stringMethods(env *lua.LTable) *lua.LTable {
	mt := st.L.NewTable()
	mt.RawSetString("__index", env.RawGetString("string"))
	mt.RawSetString("__metatable", lua.LFalse)
	return mt
}

func (st *state) library(members map[string]function) *lua.LTable {
	t := st.L.CreateTable(0, len(members))
	for _, name := range sorted(members) {
		t.RawSetString(name, st.wrap(members[name]))
	}
	return t
}

// wrap counts each call of a library function.
func (st *state) wrap(f function) *lua.LFunction {
	return st.L.NewFunction(func(L *lua.LState) int {
		st.b.work(L, 0)
		return f(st, L)
	})
}

func baseAssert(_ *state, L *lua.LState) int {
	if L.GetTop() == 0 {
		L.RaiseError("bad argument #1 to assert: value expected")
	}
	if !lua.LVAsBool(L.Get(1)) {
		L.RaiseError("%s", clip(L.OptString(2, "assertion failed!"), 1024))
	}
	return L.GetTop()
}

func baseError(_ *state, L *lua.LState) int {
	L.Error(L.Get(1), L.OptInt(2, 1))
	return 0
}

func baseIpairs(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	L.Push(st.ipairsStep())
	L.Push(t)
	L.Push(lua.LNumber(0))
	return 3
}

// ipairsStep is made once: an iterator is not a closure of the script.
func (st *state) ipairsStep() *lua.LFunction {
	if st.ipairs == nil {
		st.ipairs = st.wrap(func(_ *state, L *lua.LState) int {
			i := L.CheckInt(2) + 1
			v := L.CheckTable(1).RawGetInt(i)
			if v == lua.LNil {
				return 0
			}
			L.Push(lua.LNumber(i))
			L.Push(v)
			return 2
		})
	}
	return st.ipairs
}

func baseNext(_ *state, L *lua.LState) int {
	t := L.CheckTable(1)
	k, v := t.Next(L.Get(2))
	if k == lua.LNil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(k)
	L.Push(v)
	return 2
}

func basePairs(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	L.Push(st.env.RawGetString("next"))
	L.Push(t)
	L.Push(lua.LNil)
	return 3
}

// basePcall lets no breach of a limit and no Go panic be caught.
func basePcall(st *state, L *lua.LState) int {
	L.CheckAny(1)
	st.b.work(L, 64)
	err := L.PCall(L.GetTop()-1, lua.MultRet, nil)
	if err == nil {
		L.Insert(lua.LTrue, 1)
		return L.GetTop()
	}
	st.b.check(L)
	e := err.(*lua.ApiError)
	if e.Type == lua.ApiErrorPanic {
		panic(e)
	}
	value := e.Object
	if _, ok := value.(lua.LString); ok || value == nil {
		s := st.errorText(e)
		st.b.text(L, len(s))
		value = lua.LString(s)
	}
	L.SetTop(0)
	L.Push(lua.LFalse)
	L.Push(value)
	return 2
}

func baseSelect(_ *state, L *lua.LState) int {
	n := L.GetTop()
	if s, ok := L.Get(1).(lua.LString); ok && s == "#" {
		L.Push(lua.LNumber(n - 1))
		return 1
	}
	i := L.CheckInt(1)
	switch {
	case i < 0 && n-1+i >= 0:
		return -i
	case i <= 0:
		L.RaiseError("bad argument #1 to select: index out of range")
	case i > n-1:
		return 0
	}
	return n - i
}

func baseTonumber(_ *state, L *lua.LState) int {
	base := L.OptInt(2, 10)
	v := L.CheckAny(1)
	if n, ok := v.(lua.LNumber); ok && base == 10 {
		L.Push(n)
		return 1
	}
	s, ok := v.(lua.LString)
	if !ok || base < 2 || base > 36 || len(s) > 400 {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(parseNumber(strings.TrimSpace(string(s)), base))
	return 1
}

func parseNumber(s string, base int) lua.LValue {
	if base != 10 {
		n, err := strconv.ParseInt(strings.ToLower(s), base, 64)
		if err != nil {
			return lua.LNil
		}
		return lua.LNumber(n)
	}
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		return parseNumber(rest, 16)
	}
	if strings.ContainsAny(s, "_nNiIpP") { // inf, nan and Go's own forms
		return lua.LNil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !strings.Contains(err.Error(), "out of range") {
		return lua.LNil
	}
	return lua.LNumber(n)
}

// toString is tostring: tables and functions have no address.
func toString(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber, lua.LBool, *lua.LNilType:
		return v.String()
	}
	return v.Type().String()
}

func baseTostring(st *state, L *lua.LState) int {
	v := L.CheckAny(1)
	if _, ok := v.(lua.LString); ok {
		L.Push(v)
		return 1
	}
	return st.pushText(L, toString(v))
}

// pushText charges and returns one string.
func (st *state) pushText(L *lua.LState, s string) int {
	st.b.text(L, len(s))
	L.Push(lua.LString(s))
	return 1
}

func baseType(_ *state, L *lua.LState) int {
	L.Push(lua.LString(L.CheckAny(1).Type().String()))
	return 1
}

func baseUnpack(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	from, to := L.OptInt(2, 1), L.OptInt(3, t.Len())
	if to < from {
		return 0
	}
	n := to - from + 1
	if n > maxUnpacked || n <= 0 {
		L.RaiseError("too many results to unpack")
	}
	st.b.work(L, 16*n)
	for i := from; i <= to; i++ {
		L.Push(t.RawGet(lua.LNumber(i)))
	}
	return n
}

// tagged returns its table marked with an action.
func tagged(action string) function {
	return func(st *state, L *lua.LState) int {
		t, ok := L.Get(1).(*lua.LTable)
		if !ok {
			if L.GetTop() > 0 && L.Get(1) != lua.LNil {
				L.RaiseError("bad argument #1 to %s: table expected", action)
			}
			t = L.CreateTable(0, 1)
			st.b.charge(L, 256)
		}
		st.store(L, t, lua.LString("action"), lua.LString(action))
		L.Push(t)
		return 1
	}
}

func traceWhy(st *state, L *lua.LState) int {
	code := L.CheckString(1)
	if len(st.why) >= maxWhy {
		st.b.end(errWhy)
		st.b.check(L)
	}
	w := Why{Code: clip(code, 64)}
	if t, ok := L.Get(2).(*lua.LTable); ok {
		w.Params = map[string]string{}
		each(t, func(k, v lua.LValue) {
			if len(w.Params) < 16 {
				w.Params[clip(toString(k), 64)] = clip(toString(v), 256)
			}
		})
		st.b.charge(L, 160*len(w.Params))
	}
	st.b.charge(L, 128+len(w.Code))
	st.why = append(st.why, w)
	return 0
}

func traceLog(st *state, L *lua.LState) int {
	text := clip(L.CheckString(1), 1024)
	st.b.work(L, len(text))
	if st.logTo != nil {
		st.logTo.log(st.script.name, text)
	}
	return 0
}

// dataTable is data(name): an operators' table, read-only.
func dataTable(st *state, L *lua.LState) int {
	name := L.CheckString(1)
	if st.script != nil && !slices.Contains(st.script.meta.Data, name) {
		L.RaiseError("data table %s is not declared in uses", clip(name, 64))
	}
	t := st.tables[name]
	if t == nil {
		t = L.CreateTable(0, len(st.data[name]))
		for _, k := range sorted(st.data[name]) {
			t.RawSetString(k, lua.LString(st.data[name][k]))
		}
		st.freeze(t)
		st.tables[name] = t
	}
	L.Push(t)
	return 1
}
