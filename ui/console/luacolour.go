package console

import (
	"slices"
	"strings"
)

// SourceLine is one line of a script as a page shows it.
type SourceLine struct {
	Number int
	Mark   string // "", ran, unrun, error, warning: what stands in the gutter
	Note   string // what the mark says
	Tokens []Token
}

// Token is a piece of a line with its colour: "", k (keyword), s (text), n
// (number), c (comment), f (function of hexad).
type Token struct{ Class, Text string }

var luaKeywords = strings.Fields("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")

var hexadWords = strings.Fields("policy why log data accept reject route skip re alias ip fqdn version list expect evaluate fixture with_data")

// colour cuts a script into lines of coloured tokens.
func colour(source string) []SourceLine {
	c := &colourer{rest: source}
	c.open()
	for c.rest != "" {
		class, n := c.token()
		if class == "f" && c.last == '.' {
			class = "" // a field that only has the name: c.alias
		}
		c.put(class, c.rest[:n])
		c.last = c.rest[n-1]
		c.rest = c.rest[n:]
	}
	if last := len(c.lines) - 1; len(c.lines[last].Tokens) == 0 && last > 0 {
		c.lines = c.lines[:last]
	}
	return c.lines
}

type colourer struct {
	rest  string
	last  byte // before rest
	lines []SourceLine
}

func (c *colourer) open() { c.lines = append(c.lines, SourceLine{Number: len(c.lines) + 1}) }

// put adds a token, which may go over several lines.
func (c *colourer) put(class, text string) {
	for i, part := range strings.Split(text, "\n") {
		if i > 0 {
			c.open()
		}
		if part != "" {
			line := &c.lines[len(c.lines)-1]
			line.Tokens = append(line.Tokens, Token{class, part})
		}
	}
}

// token tells the class and the length of what comes next.
func (c *colourer) token() (class string, n int) {
	s := c.rest
	switch {
	case strings.HasPrefix(s, "--"):
		if level, ok := longBracket(s[2:]); ok {
			return "c", 2 + closing(s[2:], level)
		}
		return "c", upTo(s, "\n")
	case s[0] == '"' || s[0] == '\'':
		return "s", quotedEnd(s)
	case s[0] == '[':
		if level, ok := longBracket(s); ok {
			return "s", closing(s, level)
		}
	case isDigitByte(s[0]):
		return "n", span(s, func(b byte) bool { return isWordByte(b) || b == '.' })
	case isWordByte(s[0]):
		n := span(s, isWordByte)
		switch {
		case slices.Contains(luaKeywords, s[:n]):
			return "k", n
		case slices.Contains(hexadWords, s[:n]):
			return "f", n
		}
		return "", n
	}
	return "", 1
}

func isDigitByte(b byte) bool { return b >= '0' && b <= '9' }

func isWordByte(b byte) bool {
	return b == '_' || isDigitByte(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

func span(s string, in func(byte) bool) int {
	n := 1
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func upTo(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i
	}
	return len(s)
}

func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}

// longBracket tells the level of a long bracket that s begins with.
func longBracket(s string) (level int, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return 0, false
	}
	for level = 0; level+1 < len(s) && s[level+1] == '='; level++ {
	}
	return level, level+1 < len(s) && s[level+1] == '['
}

func closing(s string, level int) int {
	end := "]" + strings.Repeat("=", level) + "]"
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}
