package policy

import (
	"fmt"
	"reflect"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// expectations is library expect of test files.
// Source: reference/policy-api.md section 8.
var expectations = map[string]function{
	"equal": expectEqual, "truthy": expectTruthy, "falsy": expectFalsy, "has_finding": expectFinding,
	"no_finding": expectNoFinding, "rejected": expectRejected, "routed": expectRouted, "traced": expectTraced,
	"raises": expectRaises, "under": expectUnder,
}

func expectEqual(st *state, L *lua.LState) int {
	got, want := L.Get(1), L.Get(2)
	st.b.work(L, 4096)
	if !deepEqual(got, want, 0) {
		L.RaiseError("got %s, want %s", show(got, 0), show(want, 0))
	}
	return 0
}

func deepEqual(a, b lua.LValue, depth int) bool {
	x, ok := a.(*lua.LTable)
	y, ok2 := b.(*lua.LTable)
	if !ok || !ok2 || depth > 20 {
		return a == b
	}
	same := true
	each(x, func(k, v lua.LValue) { same = same && deepEqual(v, y.RawGet(k), depth+1) })
	each(y, func(k, _ lua.LValue) { same = same && x.RawGet(k) != lua.LNil })
	return same
}

// show writes a value as Lua would read it, clipped.
func show(v lua.LValue, depth int) string {
	switch v := v.(type) {
	case lua.LString:
		return quoted(clip(string(v), 200))
	case *lua.LTable:
		if depth > 4 {
			return "{…}"
		}
		var parts []string
		n := v.Len()
		each(v, func(k, e lua.LValue) {
			if i, ok := k.(lua.LNumber); ok && int(i) <= n {
				parts = append(parts, show(e, depth+1))
			} else {
				parts = append(parts, toString(k)+" = "+show(e, depth+1))
			}
		})
		return clip("{ "+strings.Join(parts, ", ")+" }", 1000)
	}
	return toString(v)
}

func expectTruthy(_ *state, L *lua.LState) int {
	if !lua.LVAsBool(L.Get(1)) {
		L.RaiseError("got %s, want something true", show(L.Get(1), 0))
	}
	return 0
}

func expectFalsy(_ *state, L *lua.LState) int {
	if lua.LVAsBool(L.Get(1)) {
		L.RaiseError("got %s, want nil or false", show(L.Get(1), 0))
	}
	return 0
}

// findingIn returns the first finding of a list with the id and the fields.
func findingIn(list *lua.LTable, id string, fields lua.LValue) bool {
	found := false
	each(list, func(_, v lua.LValue) {
		f, ok := v.(*lua.LTable)
		if !ok || f.RawGetString("id") != lua.LString(id) {
			return
		}
		match := true
		if want, ok := fields.(*lua.LTable); ok {
			each(want, func(k, w lua.LValue) { match = match && deepEqual(f.RawGet(k), w, 0) })
		}
		found = found || match
	})
	return found
}

func expectFinding(_ *state, L *lua.LState) int {
	list, id := L.CheckTable(1), L.CheckString(2)
	if !findingIn(list, id, L.Get(3)) {
		L.RaiseError("no finding %s %s in %s", id, show(L.Get(3), 0), show(list, 0))
	}
	return 0
}

func expectNoFinding(_ *state, L *lua.LState) int {
	list, id := L.CheckTable(1), L.CheckString(2)
	if findingIn(list, id, lua.LNil) {
		L.RaiseError("finding %s in %s", id, show(list, 0))
	}
	return 0
}

func expectRejected(_ *state, L *lua.LState) int {
	answer := L.CheckTable(1)
	if answer.RawGetString("action") != lua.LString("reject") {
		L.RaiseError("got %s, want a reject", show(answer, 0))
	}
	if want := L.Get(2); want != lua.LNil && answer.RawGetString("reason") != want {
		L.RaiseError("rejected because of %s, want %s", show(answer.RawGetString("reason"), 0), show(want, 0))
	}
	return 0
}

// expectRouted compares the zones of a route, in order.
func expectRouted(_ *state, L *lua.LState) int {
	answer := L.CheckTable(1)
	targets, ok := answer.RawGetString("targets").(*lua.LTable)
	if answer.RawGetString("action") != lua.LString("route") || !ok {
		L.RaiseError("got %s, want a route", show(answer, 0))
	}
	var got, want []string
	each(targets, func(_, v lua.LValue) {
		if t, ok := v.(*lua.LTable); ok {
			got = append(got, toString(t.RawGetString("zone")))
		}
	})
	for i := 2; i <= L.GetTop(); i++ {
		want = append(want, toString(L.Get(i)))
	}
	if !reflect.DeepEqual(got, want) {
		L.RaiseError("routed to %v, want %v", got, want)
	}
	return 0
}

func expectTraced(st *state, L *lua.LState) int {
	code := L.CheckString(1)
	var codes []string
	for _, w := range st.trial.why {
		if w.Code == code {
			return 0
		}
		codes = append(codes, w.Code)
	}
	L.RaiseError("no why(%q), there are %v", code, codes)
	return 0
}

func expectRaises(st *state, L *lua.LState) int {
	L.CheckFunction(1)
	pattern := L.OptString(2, "")
	L.Push(L.Get(1))
	err := L.PCall(0, 0, nil)
	st.b.check(L)
	if err == nil {
		L.RaiseError("no error, want one like %q", pattern)
	}
	message := fmt.Sprint(err)
	if e, ok := err.(*lua.ApiError); ok {
		message = st.errorText(e)
	}
	if _, _, ok := st.search(L, st.matcher(message, pattern), 0); !ok {
		L.RaiseError("raised %q, want one like %q", message, pattern)
	}
	return 0
}

func expectUnder(st *state, L *lua.LState) int {
	if limit := L.CheckInt(1); st.trial.spent >= limit {
		L.RaiseError("%d instructions, want fewer than %d", st.trial.spent, limit)
	}
	return 0
}

// testFixture is fixture(name): a valid input of the hook, freshly built.
func testFixture(st *state, L *lua.LState) int {
	name := L.CheckString(1)
	all := st.trial.script.hook.fixtures()
	input, ok := all[name]
	if !ok {
		L.RaiseError("no fixture %q (there are %s)", clip(name, 64), strings.Join(sorted(all), ", "))
	}
	L.Push(encoder{}.toLua(reflect.ValueOf(input)))
	return 1
}

// testWithData is with_data(table, {key = value}).
func testWithData(st *state, L *lua.LState) int {
	name := L.CheckString(1)
	t := copyTable(L.CheckTable(2), 0)
	st.freeze(t)
	st.tables[name] = t
	return 0
}
