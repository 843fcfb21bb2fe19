package policy

import (
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var tableLibrary = map[string]function{
	"concat": tableConcat, "insert": tableInsert, "remove": tableRemove, "sort": tableSort, "maxn": tableMaxn,
}

// changeable is argument 1, a table that the script may change.
func (st *state) changeable(L *lua.LState) *lua.LTable {
	t := L.CheckTable(1)
	if st.readOnly(t) {
		L.RaiseError("attempt to change a read-only table")
	}
	return t
}

func tableConcat(st *state, L *lua.LState) int {
	t, sep := L.CheckTable(1), L.OptString(2, "")
	from, to := L.OptInt(3, 1), L.OptInt(4, t.Len())
	size := 0
	var parts []string
	for i := from; i <= to; i++ {
		v := t.RawGetInt(i)
		switch v.(type) {
		case lua.LString, lua.LNumber:
		default:
			L.RaiseError("invalid value (%s) at index %d in table for concat", v.Type(), i)
		}
		s := toString(v)
		parts = append(parts, s)
		if size += len(s) + len(sep); size > st.b.limits.String+len(sep) {
			L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
		}
		st.b.work(L, len(s))
	}
	return st.pushText(L, strings.Join(parts, sep))
}

func tableInsert(st *state, L *lua.LState) int {
	t := st.changeable(L)
	n := t.Len()
	switch L.GetTop() {
	case 2:
		st.store(L, t, lua.LNumber(n+1), L.Get(2))
	case 3:
		at := L.CheckInt(2)
		if at < 1 || at > n+1 {
			L.RaiseError("bad argument #2 to insert: position out of bounds")
		}
		st.b.work(L, 16*(n-at+1))
		st.b.charge(L, growth(t, lua.LNumber(n+1)))
		for i := n; i >= at; i-- {
			t.RawSetInt(i+1, t.RawGetInt(i))
		}
		t.RawSetInt(at, L.Get(3))
	default:
		L.RaiseError("wrong number of arguments to insert")
	}
	return 0
}

func tableRemove(st *state, L *lua.LState) int {
	t := st.changeable(L)
	n := t.Len()
	at := L.OptInt(2, n)
	if n == 0 {
		return 0
	}
	if at < 1 || at > n {
		L.RaiseError("bad argument #2 to remove: position out of bounds")
	}
	st.b.work(L, 16*(n-at))
	L.Push(t.RawGetInt(at))
	for i := at; i < n; i++ {
		t.RawSetInt(i, t.RawGetInt(i+1))
	}
	t.RawSetInt(n, lua.LNil)
	return 1
}

// tableSort sorts a copy, so that a comparison that raises leaves t as it was.
func tableSort(st *state, L *lua.LState) int {
	t := st.changeable(L)
	n := t.Len()
	st.b.work(L, 64*n)
	st.b.charge(L, 16*n)
	values := make([]lua.LValue, n)
	for i := range values {
		if values[i] = t.RawGetInt(i + 1); values[i] == lua.LNil {
			L.RaiseError("attempt to sort a table with holes")
		}
	}
	less := st.natural
	if fn, ok := L.Get(2).(*lua.LFunction); ok {
		less = func(L *lua.LState, a, b lua.LValue) bool {
			L.Push(fn)
			L.Push(a)
			L.Push(b)
			L.Call(2, 1)
			v := lua.LVAsBool(L.Get(-1))
			L.Pop(1)
			return v
		}
	}
	slices.SortStableFunc(values, func(a, b lua.LValue) int {
		st.b.work(L, 16)
		if less(L, a, b) {
			return -1
		}
		return 1
	})
	for i, v := range values {
		t.RawSetInt(i+1, v)
	}
	return 0
}

func (st *state) natural(L *lua.LState, a, b lua.LValue) bool {
	switch a := a.(type) {
	case lua.LNumber:
		if b, ok := b.(lua.LNumber); ok {
			return a < b
		}
	case lua.LString:
		if b, ok := b.(lua.LString); ok {
			st.b.work(L, min(len(a), len(b)))
			return a < b
		}
	}
	L.RaiseError("attempt to compare %s with %s", a.Type(), b.Type())
	return false
}

func tableMaxn(st *state, L *lua.LState) int {
	t := L.CheckTable(1)
	top := lua.LNumber(t.MaxN())
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		st.b.work(L, 0)
		if n, ok := k.(lua.LNumber); ok && n > top {
			top = n
		}
	}
	L.Push(top)
	return 1
}

var mathLibrary = func() map[string]function {
	out := map[string]function{
		"atan2": binary(math.Atan2), "pow": binary(math.Pow), "fmod": binary(math.Mod), "ldexp": mathLdexp,
		"frexp": mathFrexp, "modf": mathModf, "max": mathMax, "min": mathMin,
		"deg": unary(func(x float64) float64 { return x * 180 / math.Pi }),
		"rad": unary(func(x float64) float64 { return x * math.Pi / 180 }),
	}
	for name, f := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos,
		"cosh": math.Cosh, "exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": math.Log10, "sin": math.Sin,
		"sinh": math.Sinh, "sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
	} {
		out[name] = unary(f)
	}
	return out
}()

func unary(f func(float64) float64) function {
	return func(_ *state, L *lua.LState) int {
		L.Push(lua.LNumber(f(float64(L.CheckNumber(1)))))
		return 1
	}
}

func binary(f func(a, b float64) float64) function {
	return func(_ *state, L *lua.LState) int {
		L.Push(lua.LNumber(f(float64(L.CheckNumber(1)), float64(L.CheckNumber(2)))))
		return 1
	}
}

func mathLdexp(_ *state, L *lua.LState) int {
	L.Push(lua.LNumber(math.Ldexp(float64(L.CheckNumber(1)), L.CheckInt(2))))
	return 1
}

func mathFrexp(_ *state, L *lua.LState) int {
	f, e := math.Frexp(float64(L.CheckNumber(1)))
	L.Push(lua.LNumber(f))
	L.Push(lua.LNumber(e))
	return 2
}

func mathModf(_ *state, L *lua.LState) int {
	whole, part := math.Modf(float64(L.CheckNumber(1)))
	L.Push(lua.LNumber(whole))
	L.Push(lua.LNumber(part))
	return 2
}

func mathMax(_ *state, L *lua.LState) int { return extreme(L, math.Max) }
func mathMin(_ *state, L *lua.LState) int { return extreme(L, math.Min) }

func extreme(L *lua.LState, of func(a, b float64) float64) int {
	out := float64(L.CheckNumber(1))
	for i := 2; i <= L.GetTop(); i++ {
		out = of(out, float64(L.CheckNumber(i)))
	}
	L.Push(lua.LNumber(out))
	return 1
}
