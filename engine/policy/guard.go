package policy

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// guards are the functions that the rewrite calls.
var guards = map[string]function{
	fnSet: guardSet, fnConcat: guardConcat, fnTable: guardTable, fnClosure: guardClosure, fnAnswer: guardAnswer, fnFalse: guardFalse,
}

func guardSet(st *state, L *lua.LState) int {
	t, ok := L.Get(1).(*lua.LTable)
	if !ok {
		L.RaiseError("attempt to index a %s value with key '%s'", L.Get(1).Type(), clip(toString(L.Get(2)), 64))
	}
	st.store(L, t, L.Get(2), L.Get(3))
	return 0
}

// store is every assignment to a field: it refuses read-only tables and
// charges what the table grows by.
func (st *state) store(L *lua.LState, t *lua.LTable, k, v lua.LValue) {
	if st.readOnly(t) {
		L.RaiseError("attempt to change a read-only table (key '%s')", clip(toString(k), 64))
	}
	if n, ok := k.(lua.LNumber); ok && math.IsNaN(float64(n)) || k == lua.LNil {
		L.RaiseError("table index is %s", toString(k))
	}
	if t.RawGet(k) == lua.LNil {
		st.b.charge(L, growth(t, k))
	}
	t.RawSet(k, v)
}

// growth is what a new key adds: a list is filled with nils up to its index.
func growth(t *lua.LTable, k lua.LValue) int {
	n, ok := k.(lua.LNumber)
	i := int(n)
	if !ok || lua.LNumber(i) != n || i < 1 || i > maxArrayIndex {
		return 160
	}
	length := t.Len()
	if length == 0 {
		return 512 + 40*i
	}
	return 40 * max(1, i-length)
}

func guardConcat(st *state, L *lua.LState) int {
	n, size := L.GetTop(), 0
	parts := make([]string, n)
	for i := 1; i <= n; i++ {
		v := L.Get(i)
		switch v.(type) {
		case lua.LString, lua.LNumber:
			parts[i-1] = toString(v)
		default:
			L.RaiseError("attempt to concatenate a %s value", v.Type())
		}
		size += len(parts[i-1])
	}
	st.b.text(L, size)
	L.Push(lua.LString(strings.Join(parts, "")))
	return 1
}

// guardTable charges a table that was just built.
func guardTable(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	elements, hash := L.CheckInt(2), L.CheckInt(3)
	if L.CheckInt(4) == 1 {
		elements = max(elements, t.Len())
	}
	cost := 128 + 40*elements + 160*hash
	if hash == 0 {
		cost += 896 // its first named field makes room for 32
	}
	st.b.charge(L, cost)
	L.SetTop(1)
	return 1
}

func guardClosure(st *state, L *lua.LState) int {
	st.b.charge(L, 256)
	return L.GetTop()
}

func guardFalse(_ *state, L *lua.LState) int {
	L.Push(lua.LFalse)
	return 1
}
