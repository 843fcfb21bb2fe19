package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// program is a compiled pattern with the length of its machine.
type program struct {
	re   *regexp.Regexp
	size int
}

const (
	maxPrograms = 256
	maxMatches  = 4096
	maxProgram  = 5000 // steps of a compiled pattern
)

// newProgram compiles a pattern within the limits.
func newProgram(pattern string) (*program, error) {
	if len(pattern) > 1024 {
		return nil, fmt.Errorf("pattern of %d bytes is over the limit of 1024", len(pattern))
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	machine, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(machine.Inst) > maxProgram {
		return nil, errors.New("pattern is too large")
	}
	return &program{re: re, size: len(machine.Inst)}, nil
}

// compile returns the pattern of argument 1. A literal one was compiled with
// the script. Any other is charged each time, found or not, so that the count
// does not depend on what ran before; it is compiled once in a state.
func (st *state) compile(L *lua.LState) *program {
	pattern := L.CheckString(1)
	if st.script != nil {
		if p := st.script.literals[pattern]; p != nil {
			return p
		}
	}
	st.b.work(L, 64*256)
	p := st.regexp[pattern]
	if p == nil {
		var err error
		if p, err = newProgram(pattern); err != nil {
			L.RaiseError("%s", err.Error())
		}
		if st.programs += p.size; len(st.regexp) >= maxPrograms || st.programs > 10*maxProgram {
			clear(st.regexp)
			st.programs = p.size
		}
		st.regexp[pattern] = p
	}
	st.b.charge(L, 64*p.size)
	return p
}

// afford charges a match of p over n bytes; time is linear in their product.
func (st *state) afford(L *lua.LState, p *program, n int) {
	work := (n + 1) * p.size
	if work > 20*st.b.limits.Pattern {
		L.RaiseError("subject is too long for this pattern")
	}
	st.b.work(L, 2*work)
}

func reMatch(st *state, L *lua.LState) int {
	p, s := st.compile(L), L.CheckString(2)
	st.afford(L, p, len(s))
	m := p.re.FindStringSubmatchIndex(s)
	if m == nil {
		L.Push(lua.LNil)
		return 1
	}
	for i := 0; i < len(m); i += 2 {
		if m[i] < 0 {
			L.Push(lua.LNil)
			continue
		}
		st.pushText(L, strings.Clone(s[m[i]:m[i+1]]))
	}
	return len(m) / 2
}

func reReplace(st *state, L *lua.LState) int {
	p, s, by := st.compile(L), L.CheckString(2), L.CheckString(3)
	st.afford(L, p, len(s))
	matches := p.re.FindAllStringSubmatchIndex(s, maxMatches+1)
	if len(matches) > maxMatches {
		L.RaiseError("more than %d matches to replace", maxMatches)
	}
	st.b.charge(L, len(matches)*(64+16*p.re.NumSubexp()))
	variables := strings.Count(by, "$")
	var out []byte
	at := 0
	for _, m := range matches {
		out = append(out, s[at:m[0]]...)
		if len(out)+len(by)+variables*(m[1]-m[0]) > st.b.limits.String {
			L.RaiseError("string is over the limit of %d bytes", st.b.limits.String)
		}
		st.b.work(L, len(by)+variables*(m[1]-m[0]))
		out = p.re.ExpandString(out, by, s, m)
		at = m[1]
	}
	return st.pushText(L, string(out)+s[at:])
}

// Aliases are "user@domain" or "user", lower case, without scheme.

func normalize(a string) string {
	a = strings.TrimSpace(strings.ToLower(a))
	for _, scheme := range []string{"sip:", "sips:", "h323:", "tel:"} {
		if rest, ok := strings.CutPrefix(a, scheme); ok {
			a = rest
			break
		}
	}
	a, _, _ = strings.Cut(a, ";")
	a, _, _ = strings.Cut(a, "?")
	return a
}

func aliasUser(st *state, L *lua.LState) int {
	user, _, _ := strings.Cut(L.CheckString(1), "@")
	return st.pushText(L, user)
}

func aliasDomain(st *state, L *lua.LState) int {
	_, domain, found := strings.Cut(L.CheckString(1), "@")
	if !found {
		L.Push(lua.LString(""))
		return 1
	}
	return st.pushText(L, domain)
}

// aliasE164 returns the number that an alias is, nil when it is none.
func aliasE164(st *state, L *lua.LState) int {
	user, _, _ := strings.Cut(normalize(L.CheckString(1)), "@")
	digits := strings.TrimPrefix(user, "+")
	if digits == "" || len(digits) > 128 || strings.Trim(digits, "0123456789*#") != "" {
		L.Push(lua.LNil)
		return 1
	}
	return st.pushText(L, digits)
}

func aliasIsURI(_ *state, L *lua.LState) int {
	user, domain, found := strings.Cut(normalize(L.CheckString(1)), "@")
	L.Push(lua.LBool(found && user != "" && domain != "" && !strings.Contains(domain, "@")))
	return 1
}

func aliasNormalize(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	st.b.work(L, len(s))
	return st.pushText(L, normalize(s))
}

func parseIP(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap(), err == nil
}

func ipInCIDR(_ *state, L *lua.LState) int {
	a, ok := parseIP(L.CheckString(1))
	p, err := netip.ParsePrefix(L.CheckString(2))
	if err != nil {
		L.RaiseError("bad argument #2 to in_cidr: not a prefix")
	}
	L.Push(lua.LBool(ok && p.Contains(a)))
	return 1
}

func ipIsPrivate(_ *state, L *lua.LState) int {
	a, ok := parseIP(L.CheckString(1))
	L.Push(lua.LBool(ok && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast())))
	return 1
}

// ipFamily returns "IPv4", "IPv6" or nil.
func ipFamily(_ *state, L *lua.LState) int {
	a, ok := parseIP(L.CheckString(1))
	switch {
	case !ok:
		L.Push(lua.LNil)
	case a.Is4():
		L.Push(lua.LString("IPv4"))
	default:
		L.Push(lua.LString("IPv6"))
	}
	return 1
}

// label is one level of a name: letters, digits and hyphens, none at an end.
func label(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !isLower(c|0x20) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// isFQDN tells whether s is a name of two levels or more whose last begins
// with a letter. Source: reference 1.2, cluster name.
func isFQDN(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if !label(l) {
			return false
		}
	}
	return isLower(labels[len(labels)-1][0] | 0x20)
}

func fqdnIs(st *state, L *lua.LState) int {
	s := L.CheckString(1)
	st.b.work(L, len(s))
	L.Push(lua.LBool(isFQDN(s)))
	return 1
}

// fqdnMatch compares as certificates do: without case, "*" for one whole
// left-most level. Source: RFC 6125 section 6.4.3.
func fqdnMatch(st *state, L *lua.LState) int {
	pattern, host := L.CheckString(1), L.CheckString(2)
	st.b.work(L, len(pattern)+len(host))
	pattern, host = strings.TrimSuffix(pattern, "."), strings.TrimSuffix(host, ".")
	if rest, wild := strings.CutPrefix(pattern, "*."); wild {
		_, tail, found := strings.Cut(host, ".")
		L.Push(lua.LBool(found && strings.Contains(rest, ".") && strings.EqualFold(rest, tail)))
		return 1
	}
	L.Push(lua.LBool(host != "" && strings.EqualFold(pattern, host)))
	return 1
}

// versionParts reads the numbers of a release: "X14.2.1" is 14, 2, 1.
func versionParts(s string) []int {
	s = strings.TrimLeft(clip(s, 64), "xXvV")
	var out []int
	for part := range strings.SplitSeq(s, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}

func compareVersions(a, b string) int {
	x, y := versionParts(a), versionParts(b)
	for i := range max(len(x), len(y)) {
		m, n := 0, 0
		if i < len(x) {
			m = x[i]
		}
		if i < len(y) {
			n = y[i]
		}
		if m != n {
			return m - n
		}
	}
	return 0
}

func versionLess(_ *state, L *lua.LState) int {
	L.Push(lua.LBool(compareVersions(L.CheckString(1), L.CheckString(2)) < 0))
	return 1
}

func versionEqual(_ *state, L *lua.LState) int {
	L.Push(lua.LBool(compareVersions(L.CheckString(1), L.CheckString(2)) == 0))
	return 1
}

func versionMajor(_ *state, L *lua.LState) int {
	parts := versionParts(L.CheckString(1))
	if len(parts) == 0 {
		L.Push(lua.LNumber(0))
		return 1
	}
	L.Push(lua.LNumber(parts[0]))
	return 1
}

func indexOf(st *state, L *lua.LState, t *lua.LTable, x lua.LValue) int {
	n := t.Len()
	st.b.work(L, 4*n)
	for i := 1; i <= n; i++ {
		if t.RawGetInt(i) == x {
			return i
		}
	}
	return 0
}

func listContains(st *state, L *lua.LState) int {
	L.Push(lua.LBool(indexOf(st, L, L.CheckTable(1), L.Get(2)) > 0))
	return 1
}

func listIndex(st *state, L *lua.LState) int {
	if i := indexOf(st, L, L.CheckTable(1), L.Get(2)); i > 0 {
		L.Push(lua.LNumber(i))
	} else {
		L.Push(lua.LNil)
	}
	return 1
}

func listSame(st *state, L *lua.LState) int {
	a, b := L.CheckTable(1), L.CheckTable(2)
	n := a.Len()
	same := n == b.Len()
	st.b.work(L, 4*n)
	for i := 1; same && i <= n; i++ {
		same = a.RawGetInt(i) == b.RawGetInt(i)
	}
	L.Push(lua.LBool(same))
	return 1
}

func listSameSet(st *state, L *lua.LState) int {
	a, b := L.CheckTable(1), L.CheckTable(2)
	st.b.work(L, 16*(a.Len()+b.Len()))
	L.Push(lua.LBool(within(a, b) && within(b, a)))
	return 1
}

func within(a, b *lua.LTable) bool {
	in := make(map[lua.LValue]bool, b.Len())
	for i := 1; i <= b.Len(); i++ {
		in[b.RawGetInt(i)] = true
	}
	for i := 1; i <= a.Len(); i++ {
		if !in[a.RawGetInt(i)] {
			return false
		}
	}
	return true
}
