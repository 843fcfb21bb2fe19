package policy

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// start returns the 0-based place where a search begins, -1 past the end.
func start(s string, init int) int {
	if init < 0 {
		init = max(len(s)+init+1, 1)
	}
	if init = max(init, 1); init > len(s)+1 {
		return -1
	}
	return init - 1
}

// search finds the first match at or after from.
func (st *state) search(L *lua.LState, m *matcher, from int) (int, int, bool) {
	before := m.steps
	defer func() { st.b.work(L, 8*(before-m.steps)) }()
	p := 0
	anchored := strings.HasPrefix(m.pat, "^")
	if anchored {
		p = 1
	}
	for s := from; s <= len(m.src); s++ {
		end := m.matchAt(s, p)
		if m.err != nil {
			L.RaiseError("%s", m.err.Error())
		}
		if end >= 0 {
			return s, end, true
		}
		if anchored || !m.step() {
			break
		}
	}
	if m.err != nil {
		L.RaiseError("%s", m.err.Error())
	}
	return 0, 0, false
}

func (st *state) matcher(src, pat string) *matcher {
	return &matcher{src: src, pat: pat, steps: st.b.limits.Pattern}
}

// pushCapture pushes capture i of m, the whole match when there are none.
func (st *state) pushCapture(L *lua.LState, m *matcher, i, s, end int) {
	if i >= m.level {
		st.pushText(L, strings.Clone(m.src[s:end]))
		return
	}
	c := m.captures[i]
	switch c.length {
	case capPosition:
		L.Push(lua.LNumber(c.start + 1))
	case capOpen:
		L.RaiseError("unfinished capture")
	default:
		st.pushText(L, strings.Clone(m.src[c.start:c.start+c.length]))
	}
}

func (st *state) pushCaptures(L *lua.LState, m *matcher, s, end int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		st.pushCapture(L, m, i, s, end)
	}
	return n
}

func stringFind(st *state, L *lua.LState) int {
	s, pat := L.CheckString(1), L.CheckString(2)
	from := start(s, L.OptInt(3, 1))
	if from < 0 {
		L.Push(lua.LNil)
		return 1
	}
	if lua.LVAsBool(L.Get(4)) || !strings.ContainsAny(pat, "^$*+?.([%-") {
		st.b.work(L, len(s))
		i := strings.Index(s[from:], pat)
		if i < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(from + i + 1))
		L.Push(lua.LNumber(from + i + len(pat)))
		return 2
	}
	m := st.matcher(s, pat)
	b, e, ok := st.search(L, m, from)
	if !ok {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(b + 1))
	L.Push(lua.LNumber(e))
	return 2 + st.pushCaptures(L, m, b, e, false)
}

func stringMatch(st *state, L *lua.LState) int {
	s, pat := L.CheckString(1), L.CheckString(2)
	from := start(s, L.OptInt(3, 1))
	if from >= 0 {
		m := st.matcher(s, pat)
		if b, e, ok := st.search(L, m, from); ok {
			return st.pushCaptures(L, m, b, e, true)
		}
	}
	L.Push(lua.LNil)
	return 1
}

func stringGmatch(st *state, L *lua.LState) int {
	m := st.matcher(L.CheckString(1), L.CheckString(2))
	at := 0
	st.b.charge(L, 1024)
	L.Push(st.wrap(func(st *state, L *lua.LState) int {
		if at > len(m.src) {
			return 0
		}
		b, e, ok := st.search(L, m, at)
		if !ok {
			at = len(m.src) + 1
			return 0
		}
		if at = e; e == b {
			at++
		}
		return st.pushCaptures(L, m, b, e, true)
	}))
	return 1
}

func stringGsub(st *state, L *lua.LState) int {
	s, pat := L.CheckString(1), L.CheckString(2)
	by := L.Get(3)
	switch by.Type() {
	case lua.LTString, lua.LTNumber, lua.LTTable, lua.LTFunction:
	default:
		L.RaiseError("bad argument #3 to gsub: string, function or table expected")
	}
	limit := L.OptInt(4, len(s)+1)
	m := st.matcher(s, pat)
	anchored := strings.HasPrefix(pat, "^")
	var out strings.Builder
	count, at := 0, 0
	for count < limit {
		b, e, ok := st.search(L, m, at)
		if !ok {
			break
		}
		count++
		out.WriteString(s[at:b])
		st.replacement(L, m, by, b, e, &out)
		at = e
		if e == b {
			if e < len(s) {
				out.WriteByte(s[e])
			}
			at++
		}
		if out.Len() > st.b.limits.String {
			L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
		}
		if at > len(s) || anchored {
			break
		}
	}
	if at < len(s) {
		out.WriteString(s[at:])
	}
	st.pushText(L, out.String())
	L.Push(lua.LNumber(count))
	return 2
}

// replacement writes what stands for the match from b to e.
func (st *state) replacement(L *lua.LState, m *matcher, by lua.LValue, b, e int, out *strings.Builder) {
	var v lua.LValue
	top := L.GetTop()
	switch by := by.(type) {
	case lua.LString, lua.LNumber:
		st.template(L, m, toString(by), b, e, out)
		return
	case *lua.LTable:
		st.pushCapture(L, m, 0, b, e)
		v = by.RawGet(L.Get(-1))
	case *lua.LFunction:
		saved := *m
		L.Push(by)
		L.Call(st.pushCaptures(L, m, b, e, true), 1)
		*m = matcher{src: saved.src, pat: saved.pat, steps: saved.steps, level: saved.level, captures: saved.captures}
		v = L.Get(-1)
	}
	L.SetTop(top)
	switch v.(type) {
	case lua.LString, lua.LNumber:
		s := toString(v)
		st.b.work(L, len(s))
		out.WriteString(s)
	default:
		if lua.LVAsBool(v) {
			L.RaiseError("invalid replacement value (a %s)", v.Type())
		}
		out.WriteString(m.src[b:e])
	}
}

func (st *state) template(L *lua.LState, m *matcher, t string, b, e int, out *strings.Builder) {
	st.b.work(L, len(t))
	for i := 0; i < len(t); i++ {
		if t[i] != '%' || i+1 == len(t) {
			out.WriteByte(t[i])
			continue
		}
		i++
		switch {
		case t[i] == '0':
			out.WriteString(m.src[b:e])
		case isDigit(t[i]):
			n := int(t[i] - '1')
			if n >= m.level && n > 0 {
				L.RaiseError("invalid capture index")
			}
			top := L.GetTop()
			st.pushCapture(L, m, n, b, e)
			out.WriteString(toString(L.Get(-1)))
			L.SetTop(top)
		default:
			out.WriteByte(t[i])
		}
		if out.Len() > st.b.limits.String {
			L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
		}
	}
}
