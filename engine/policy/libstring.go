package policy

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var stringLibrary = map[string]function{
	"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat, "len": stringLen,
	"lower": stringLower, "match": stringMatch, "gmatch": stringGmatch, "gsub": stringGsub, "rep": stringRep,
	"reverse": stringReverse, "sub": stringSub, "upper": stringUpper,
}

// span turns Lua's 1-based, possibly negative i and j into Go's half-open range.
func span(n, i, j int) (int, int) {
	if i < 0 {
		i = max(n+i+1, 1)
	}
	if j < 0 {
		j = n + j + 1
	}
	i, j = max(i, 1), min(j, n)
	if i > j {
		return 0, 0
	}
	return i - 1, j
}

func stringByte(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	i := L.OptInt(2, 1)
	from, to := span(len(s), i, L.OptInt(3, i))
	if to-from > maxUnpacked {
		L.RaiseError("string slice too long")
	}
	st.b.work(L, 16*(to-from))
	for _, c := range []byte(s[from:to]) {
		L.Push(lua.LNumber(c))
	}
	return to - from
}

func stringChar(st *state, L *lua.LState) int {
	n := L.GetTop()
	out := make([]byte, n)
	for i := range out {
		c := L.CheckInt(i + 1)
		if c < 0 || c > 255 {
			L.RaiseError("bad argument #%d to char: value out of range", i+1)
		}
		out[i] = byte(c)
	}
	return st.pushText(L, string(out))
}

func stringLen(_ *state, L *lua.LState) int {
	L.Push(lua.LNumber(len(L.CheckString(1))))
	return 1
}

func stringLower(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	st.b.text(L, len(s))
	L.Push(lua.LString(ascii(s, 'A', 'Z', 'a'-'A')))
	return 1
}

func stringUpper(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	st.b.text(L, len(s))
	L.Push(lua.LString(ascii(s, 'a', 'z', 'A'-'a'+256)))
	return 1
}

// ascii shifts the bytes from lo to hi: the length never changes.
func ascii(s string, lo, hi byte, shift int) string {
	out := []byte(s)
	for i, c := range out {
		if lo <= c && c <= hi {
			out[i] = byte(int(c) + shift)
		}
	}
	return string(out)
}

func stringRep(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	n := int(min(max(L.CheckNumber(2), 0), 1e9))
	if n <= 0 || s == "" {
		L.Push(lua.LString(""))
		return 1
	}
	if n > st.b.limits.String/len(s)+1 {
		L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
	}
	st.b.text(L, n*len(s))
	L.Push(lua.LString(strings.Repeat(s, n)))
	return 1
}

func stringReverse(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	st.b.text(L, len(s))
	out := make([]byte, len(s))
	for i := range len(s) {
		out[len(s)-1-i] = s[i]
	}
	L.Push(lua.LString(out))
	return 1
}

// stringSub copies what it returns: a short part never keeps a long string.
func stringSub(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	from, to := span(len(s), L.CheckInt(2), L.OptInt(3, -1))
	st.b.text(L, to-from)
	L.Push(lua.LString(strings.Clone(s[from:to])))
	return 1
}

// stringFormat knows %s %d %x %q %% and %.Nf: nothing that shows an address or pads without end.
func stringFormat(st *state, L *lua.LState) int {
	format := L.CheckString(1)
	st.b.work(L, len(format))
	var out strings.Builder
	arg := 1
	next := func() int {
		arg++
		if arg > L.GetTop() {
			L.RaiseError("bad argument #%d to format: no value", arg)
		}
		return arg
	}
	for i := 0; i < len(format); i++ {
		if out.Len() > st.b.limits.String {
			L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
		}
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		i++
		if i >= len(format) {
			L.RaiseError("format ends in %%")
		}
		switch format[i] {
		case '%':
			out.WriteByte('%')
		case 's':
			out.WriteString(toString(L.Get(next())))
		case 'd':
			out.WriteString(strconv.FormatInt(int64(L.CheckNumber(next())), 10))
		case 'x':
			out.WriteString(strconv.FormatUint(uint64(int64(L.CheckNumber(next()))), 16))
		case 'q':
			out.WriteString(quoted(L.CheckString(next())))
		case '.':
			if i+2 >= len(format) || !isDigit(format[i+1]) || format[i+2] != 'f' {
				L.RaiseError("format knows %%s %%d %%x %%q %%%% and %%.Nf")
			}
			out.WriteString(strconv.FormatFloat(float64(L.CheckNumber(next())), 'f', int(format[i+1]-'0'), 64))
			i += 2
		default:
			L.RaiseError("format knows %%s %%d %%x %%q %%%% and %%.Nf")
		}
	}
	return st.pushText(L, out.String())
}

func quoted(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, c := range []byte(s) {
		switch c {
		case '"', '\\', '\n':
			out.WriteByte('\\')
			out.WriteByte(c)
		case '\r':
			out.WriteString(`\r`)
		case 0:
			out.WriteString(`\000`)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}

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
