package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hexad/engine"
)

// Kind is the kind of a value space.
type Kind string

// The kinds of value spaces.
const (
	Integer  Kind = "integer"  // Low to High
	String   Kind = "string"   // Low to High characters
	Enum     Kind = "enum"     // one of Values
	Password Kind = "password" // at most High characters
	IP       Kind = "ip"       // an IP address, or empty
	Host     Kind = "host"     // an IP address or a DNS name, or empty
)

// Space is what values an item can have. Low and High bound an integer, or the
// number of characters of a text; both ends belong to it.
type Space struct {
	Kind      Kind
	Low, High int
	Values    []string          // of an Enum, as they are printed
	spellings map[string]string // folded spelling -> printed form
}

var (
	integerForm = regexp.MustCompile(`^<(\d+)\.\.(\d+)>$`)
	stringForm  = regexp.MustCompile(`^<S: (\d+),(\d+)>( ip| host)?$`)
	secretForm  = regexp.MustCompile(`^<Password: (\d+)>$`)
	enumForm    = regexp.MustCompile(`^<([A-Za-z0-9_.:|/-]+)>$`)
)

// ParseSpace reads a value space as the item tables write it: <0..63>,
// <S: 0,39>, <S: 0,39> ip, <S: 0,128> host, <Password: 215>, <On/Off>. An enum
// value may have further accepted spellings: <Permissive/Enforcing|Enforce>.
func ParseSpace(text string) (Space, error) {
	if m := integerForm.FindStringSubmatch(text); m != nil {
		return bounded(Integer, m[1], m[2])
	}
	if m := stringForm.FindStringSubmatch(text); m != nil {
		kind := String
		if m[3] != "" {
			kind = Kind(strings.TrimSpace(m[3]))
		}
		return bounded(kind, m[1], m[2])
	}
	if m := secretForm.FindStringSubmatch(text); m != nil {
		return bounded(Password, "0", m[1])
	}
	m := enumForm.FindStringSubmatch(text)
	if m == nil {
		return Space{}, fmt.Errorf("value space %q is of no known form", text)
	}
	s := Space{Kind: Enum, spellings: map[string]string{}}
	for choice := range strings.SplitSeq(m[1], "/") {
		names := strings.Split(choice, "|")
		s.Values = append(s.Values, names[0])
		for _, name := range names {
			s.spellings[foldEnum(name)] = names[0]
		}
	}
	return s, nil
}

func bounded(kind Kind, low, high string) (Space, error) {
	l, err := strconv.Atoi(low)
	if err != nil {
		return Space{}, err
	}
	h, err := strconv.Atoi(high)
	if err != nil {
		return Space{}, err
	}
	if l > h {
		return Space{}, fmt.Errorf("value space %d..%d is empty", l, h)
	}
	return Space{Kind: kind, Low: l, High: h}, nil
}

// foldEnum makes spellings comparable: pasted dumps carry spaces where their
// lines were wrapped.
func foldEnum(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, " ", ""))
}

// String is the space in the form of the help: <0..63>, <S: 7,15>, <On/Off>,
// <Password>. Source: reference 5.1.
func (s Space) String() string {
	switch s.Kind {
	case Integer:
		return fmt.Sprintf("<%d..%d>", s.Low, s.High)
	case Enum:
		return "<" + strings.Join(s.Values, "/") + ">"
	case Password:
		return "<Password>"
	}
	return fmt.Sprintf("<S: %d,%d>", s.Low, s.High)
}

// Bare reports whether values are printed without quotes.
func (s Space) Bare() bool { return s.Kind == Integer || s.Kind == Enum }

// Canonical checks value and returns it as it is stored: integers without
// leading zeros, enums in their printed spelling, addresses without spaces
// around them, other texts as they are.
//
// Errors: Invalid.
func (s Space) Canonical(value string) (string, error) {
	switch s.Kind {
	case Integer:
		return s.integer(value)
	case Enum:
		if v, ok := s.spellings[foldEnum(value)]; ok {
			return v, nil
		}
		return "", engine.Errorf(engine.Invalid, "%q is not one of %s", value, strings.Join(s.Values, ", "))
	case IP, Host:
		return s.address(strings.TrimSpace(value))
	}
	return value, s.text(value)
}

func (s Space) integer(value string) (string, error) {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < s.Low || n > s.High {
		return "", engine.Errorf(engine.Invalid, "%q is not a whole number from %d to %d", value, s.Low, s.High)
	}
	return strconv.Itoa(n), nil
}

// text checks length and characters. The reference advises against quotes and
// angle brackets in texts, but its own dumps hold them (call policy, patterns),
// so only what would break a line is refused. Source: reference 5.1.
func (s Space) text(value string) error {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unprintable) {
		return engine.Errorf(engine.Invalid, "the text holds a control character or is not UTF-8")
	}
	if n := utf8.RuneCountInString(value); n < s.Low || n > s.High {
		return engine.Errorf(engine.Invalid, "the text has %d characters, allowed are %d to %d", n, s.Low, s.High)
	}
	return nil
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// hostName is a DNS name or a single label; underscores occur in real names.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

func (s Space) address(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if err := s.text(value); err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(value); err == nil {
		return value, nil
	}
	if s.Kind == IP {
		return "", engine.Errorf(engine.Invalid, "%q is not an IP address", value)
	}
	if !hostName.MatchString(value) || slices.ContainsFunc(strings.Split(value, "."), func(l string) bool { return len(l) > 63 }) {
		return "", engine.Errorf(engine.Invalid, "%q is neither an IP address nor a DNS name", value)
	}
	return value, nil
}
