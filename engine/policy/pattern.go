package policy

import (
	"errors"
	"strings"
)

// Lua patterns with a count of steps: a pattern that backtracks without end is
// an error of the script, not a stuck peer.
//
// Source: Lua 5.1 reference manual section 5.4.1.

const maxCaptures = 32

var (
	errSteps   = errors.New("pattern is too complex for this subject")
	errPattern = errors.New("malformed pattern")
)

const (
	capOpen     = -1
	capPosition = -2
)

type capture struct{ start, length int }

// matcher matches one pattern against one subject.
type matcher struct {
	src, pat string
	steps    int // left
	depth    int
	level    int
	captures [maxCaptures]capture
	err      error
}

// matchAt returns the end of the match that begins at s, or -1.
func (m *matcher) matchAt(s, p int) int {
	m.level, m.depth = 0, 0
	return m.match(s, p)
}

func (m *matcher) fail(err error) int {
	if m.err == nil {
		m.err = err
	}
	return -1
}

func (m *matcher) step() bool {
	if m.steps--; m.steps < 0 {
		m.fail(errSteps)
	}
	return m.err == nil
}

func (m *matcher) match(s, p int) int {
	m.depth++
	defer func() { m.depth-- }()
	if m.depth > 200 {
		return m.fail(errSteps)
	}
	for p < len(m.pat) {
		if !m.step() {
			return -1
		}
		switch {
		case m.pat[p] == '(':
			return m.open(s, p)
		case m.pat[p] == ')':
			return m.close(s, p)
		case m.pat[p] == '$' && p+1 == len(m.pat):
			if s == len(m.src) {
				return s
			}
			return -1
		case m.pat[p] == '%' && p+1 < len(m.pat) && m.pat[p+1] == 'b':
			if s = m.balance(s, p+2); s < 0 {
				return -1
			}
			p += 4
			continue
		case m.pat[p] == '%' && p+1 < len(m.pat) && m.pat[p+1] == 'f':
			end := m.frontier(s, p+2)
			if end < 0 {
				return -1
			}
			p = end
			continue
		case m.pat[p] == '%' && p+1 < len(m.pat) && isDigit(m.pat[p+1]):
			if s = m.back(s, m.pat[p+1]); s < 0 {
				return -1
			}
			p += 2
			continue
		}
		end := m.classEnd(p)
		if end < 0 {
			return -1
		}
		suffix := byte(0)
		if end < len(m.pat) {
			suffix = m.pat[end]
		}
		switch suffix {
		case '?':
			if s < len(m.src) && m.single(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 || m.err != nil {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end, 0)
		case '+':
			return m.most(s, p, end, 1)
		case '-':
			return m.least(s, p, end)
		default:
			if s >= len(m.src) || !m.single(s, p, end) {
				return -1
			}
			s, p = s+1, end
		}
	}
	return s
}

func (m *matcher) most(s, p, end, least int) int {
	n := 0
	for s+n < len(m.src) && m.single(s+n, p, end) {
		n++
		if !m.step() {
			return -1
		}
	}
	for ; n >= least; n-- {
		if r := m.match(s+n, end+1); r >= 0 || m.err != nil {
			return r
		}
	}
	return -1
}

func (m *matcher) least(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r >= 0 || m.err != nil {
			return r
		}
		if s >= len(m.src) || !m.single(s, p, end) || !m.step() {
			return -1
		}
		s++
	}
}

func (m *matcher) open(s, p int) int {
	if m.level >= maxCaptures {
		return m.fail(errors.New("too many captures"))
	}
	length, next := capOpen, p+1
	if next < len(m.pat) && m.pat[next] == ')' {
		length, next = capPosition, next+1
	}
	m.captures[m.level] = capture{s, length}
	m.level++
	r := m.match(s, next)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) close(s, p int) int {
	for i := m.level - 1; i >= 0; i-- {
		if m.captures[i].length == capOpen {
			m.captures[i].length = s - m.captures[i].start
			r := m.match(s, p+1)
			if r < 0 {
				m.captures[i].length = capOpen
			}
			return r
		}
	}
	return m.fail(errPattern)
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		return m.fail(errPattern)
	}
	open, shut := m.pat[p], m.pat[p+1]
	if s >= len(m.src) || m.src[s] != open {
		return -1
	}
	depth := 1
	for i := s + 1; i < len(m.src); i++ {
		if !m.step() {
			return -1
		}
		switch m.src[i] {
		case shut:
			if depth--; depth == 0 {
				return i + 1
			}
		case open:
			depth++
		}
	}
	return -1
}

// frontier checks %f[set] at s and returns where the pattern goes on, or -1.
func (m *matcher) frontier(s, p int) int {
	if p >= len(m.pat) || m.pat[p] != '[' {
		return m.fail(errPattern)
	}
	end := m.classEnd(p)
	if end < 0 {
		return -1
	}
	before, here := byte(0), byte(0)
	if s > 0 {
		before = m.src[s-1]
	}
	if s < len(m.src) {
		here = m.src[s]
	}
	if !m.inSet(before, p, end-1) && m.inSet(here, p, end-1) {
		return end
	}
	return -1
}

func (m *matcher) back(s int, digit byte) int {
	i := int(digit - '1')
	if i < 0 || i >= m.level || m.captures[i].length < 0 {
		return m.fail(errPattern)
	}
	c := m.captures[i]
	m.steps -= c.length / 16
	if strings.HasPrefix(m.src[s:], m.src[c.start:c.start+c.length]) {
		return s + c.length
	}
	return -1
}

// classEnd returns where the single-character class at p ends, -1 for a
// malformed one.
func (m *matcher) classEnd(p int) int {
	switch m.pat[p] {
	case '%':
		if p+1 >= len(m.pat) {
			return m.fail(errPattern)
		}
		return p + 2
	case '[':
		i := p + 1
		if i < len(m.pat) && m.pat[i] == '^' {
			i++
		}
		for first := true; ; first = false {
			if i >= len(m.pat) {
				return m.fail(errPattern)
			}
			if m.pat[i] == ']' && !first {
				return i + 1
			}
			if m.pat[i] == '%' {
				i++
			}
			i++
		}
	}
	return p + 1
}

func (m *matcher) single(s, p, end int) bool {
	c := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// inSet tells whether c is in the set from '[' at p to ']' at last.
func (m *matcher) inSet(c byte, p, last int) bool {
	if !m.step() {
		return false
	}
	m.steps -= (last - p) / 16
	want := true
	i := p + 1
	if m.pat[i] == '^' {
		want = false
		i++
	}
	for i < last {
		switch {
		case m.pat[i] == '%' && i+1 < last:
			if inClass(c, m.pat[i+1]) {
				return want
			}
			i += 2
		case i+2 < last && m.pat[i+1] == '-':
			if m.pat[i] <= c && c <= m.pat[i+2] {
				return want
			}
			i += 3
		default:
			if m.pat[i] == c {
				return want
			}
			i++
		}
	}
	return !want
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isPrint(c byte) bool { return 32 < c && c < 127 }

// inClass tells whether c is in the class of a letter; the upper-case letter
// is the complement, any other character stands for itself.
func inClass(c, class byte) bool {
	in := false
	switch class | 0x20 {
	case 'a':
		in = isLower(c) || isUpper(c)
	case 'c':
		in = c < 32 || c == 127
	case 'd':
		in = isDigit(c)
	case 'l':
		in = isLower(c)
	case 'p':
		in = isPrint(c) && !isLower(c) && !isUpper(c) && !isDigit(c)
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = isUpper(c)
	case 'w':
		in = isLower(c) || isUpper(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if !isLower(class) && !isUpper(class) {
		return class == c
	}
	return in != isUpper(class)
}
