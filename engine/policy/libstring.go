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
