package command

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"hexad/engine"
	"hexad/engine/config"
)

// Group is the first word of a line.
type Group string

// The groups. Source: reference 5.1.
const (
	XConfiguration Group = "xConfiguration"
	XCommand       Group = "xCommand"
	XStatus        Group = "xStatus"
	XHistory       Group = "xHistory"
)

var groups = []Group{XCommand, XConfiguration, XHistory, XStatus}

// MaxLine is the longest line that Parse reads, in bytes.
const MaxLine = 64 << 10

// Line is one line of the shell, taken apart but not yet looked up.
//
// "xCommand Zone Add ZoneName: "x" Type: DNS" has the segments
// {Zone Add ZoneName → x} and {Type → DNS}; the words that no value follows are
// the Tail.
type Line struct {
	Group    Group
	Segments []Segment
	Tail     []string
	Help     int  // 1 for ?, 2 for ??
	Dump     bool // began with *c, as a dump's lines do
}

// Segment is some words and the value after them.
type Segment struct {
	Words []string
	Value string
	Bare  bool // a quoted value that no colon announced
}

// Empty reports whether there was nothing on the line, or a comment only.
func (l Line) Empty() bool {
	return l.Group == "" && l.Help == 0
}

// Parse takes one line apart: words, "Name: value" pairs and quoted values.
//
// Inside the quotes of a command's value \" is a quote; any other backslash
// stands for itself, because patterns are full of them. In an xConfiguration
// line only the outer pair of quotes counts, as in a dump. A comment starts with
// # or //, an empty line is an empty Line.
//
// Errors: Invalid. Source: reference 5.1.
func Parse(text string) (Line, error) {
	var line Line
	text, err := clean(text)
	if err != nil || text == "" {
		return line, err
	}
	if rest, found := strings.CutPrefix(text, "*c"); found {
		line.Dump, text = true, strings.TrimLeftFunc(rest, unicode.IsSpace)
	}
	if help := helpLevel(text); help > 0 {
		line.Help = help
		return line, nil
	}
	first, rest := cutWord(text)
	if line.Group, err = group(first); err != nil {
		return Line{}, err
	}
	if line.Group == XConfiguration && strings.Contains(rest, ":") {
		return line, line.readSetting(rest)
	}
	return line, line.read(rest)
}

// readSetting reads "<path>: <value>" the way that imports do, so that any
// line of a dump means the same wherever it is given.
func (l *Line) readSetting(text string) error {
	setting, err := config.ParseLine(text)
	if err != nil {
		return usage("%s", message(err))
	}
	words := strings.Fields(setting.Path)
	if help := helpLevel(setting.Value); help > 0 && !strings.HasSuffix(strings.TrimSpace(text), `"`) {
		l.Help, l.Tail = help, words
		return nil
	}
	l.Segments = []Segment{{Words: words, Value: setting.Value}}
	return nil
}

// clean trims a line and refuses what no line can be.
func clean(text string) (string, error) {
	switch {
	case len(text) > MaxLine:
		return "", usage("the line has %d bytes; %d is the most", len(text), MaxLine)
	case !utf8.ValidString(text):
		return "", usage("the line is not UTF-8 text")
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "#") || strings.HasPrefix(text, "//") {
		return "", nil
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
		return "", usage("the line has a control character at column %d", i+1)
	}
	return text, nil
}

// read fills in everything after the group.
func (l *Line) read(text string) error {
	var words []string
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			l.Tail = words
			return nil
		}
		if text[0] == '"' {
			value, rest, err := cutValue(text)
			if err != nil {
				return err
			}
			l.Segments = append(l.Segments, Segment{Words: words, Value: value, Bare: true})
			words, text = nil, rest
			continue
		}
		if help := helpLevel(text); help > 0 {
			l.Help, l.Tail = help, words
			return nil
		}
		name, rest, colon := cutName(text)
		words, text = append(words, name), rest
		if !colon {
			continue
		}
		value, rest, err := cutValue(strings.TrimLeftFunc(text, unicode.IsSpace))
		if err != nil {
			return usage("%s: %s", strings.Join(words, " "), message(err))
		}
		if help := helpLevel(value); help > 0 && strings.TrimSpace(rest) == "" {
			l.Help, l.Tail = help, words
			return nil
		}
		l.Segments = append(l.Segments, Segment{Words: words, Value: value})
		words, text = nil, rest
	}
}

// cutName cuts a word; a colon ends it too, so that Name:"x" needs no space.
func cutName(text string) (name, rest string, colon bool) {
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	if i := strings.IndexByte(text[:end], ':'); i > 0 {
		return text[:i], text[i+1:], true
	}
	if end == len(text) && end > 1 { // "Zones?" asks as "Zones ?" does
		if bare := strings.TrimRight(text, "?"); bare != "" && bare != text {
			return bare, text[len(bare):], false
		}
	}
	return text[:end], text[end:], false
}

func cutWord(text string) (word, rest string) {
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// cutValue cuts one value, quoted or not, off the front of text.
func cutValue(text string) (value, rest string, err error) {
	if text == "" {
		return "", "", usage("a value is missing after the colon")
	}
	if text[0] != '"' {
		value, rest = cutWord(text)
		return value, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"' && strings.Contains(text[i+2:], `"`):
			b.WriteByte('"')
			i++
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", usage("the quote at %s is not closed", shorten(text))
}

func helpLevel(word string) int {
	switch strings.TrimSpace(word) {
	case "?":
		return 1
	case "??":
		return 2
	}
	return 0
}

// group finds the group that word names; four letters are enough.
func group(word string) (Group, error) {
	if len(word) >= 4 {
		for _, g := range groups {
			if strings.HasPrefix(strings.ToLower(string(g)), strings.ToLower(word)) {
				return g, nil
			}
		}
	}
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = string(g)
	}
	return "", unknown("command", shorten(word), names, "type ? for the list")
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// usageItem marks an error as one of the line itself, not of what it asked for.
const usageItem = "command line"

func usage(format string, args ...any) *engine.Error {
	return engine.Errorf(engine.Invalid, format, args...).With(usageItem, "")
}

// IsUsage reports whether err says that the line itself was wrong: nothing was
// looked at or changed.
func IsUsage(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Item == usageItem
}

// message is what is wrong, without the remedy.
func message(err error) string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// String writes a command line so that Parse reads it again, unless a value has
// a backslash where its closing quote comes.
func (l Line) String() string {
	parts := []string{string(l.Group)}
	for _, s := range l.Segments {
		parts = append(parts, s.Words...)
		if !s.Bare {
			parts[len(parts)-1] += ":"
		}
		parts = append(parts, `"`+strings.ReplaceAll(s.Value, `"`, `\"`)+`"`)
	}
	return strings.Join(append(parts, l.Tail...), " ")
}
