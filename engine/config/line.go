package config

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"hexad/engine"
)

// Bounds of what is read as configuration lines.
const (
	maxLine  = 8 << 10 // bytes
	maxInput = 4 << 20 // bytes
	maxLines = 50_000
)

// Line is one configuration line: `*c xConfiguration <path>: <value>`. Path is
// as it was written; Value is without its quotes. Both are empty in a line
// that says nothing (blank, comment, OK, *c/end).
type Line struct {
	Path, Value string
}

// secretMark begins a secret that was sealed by the machine that printed it.
const secretMark = "{cipher}"

// masked stands for a secret that is set.
const masked = secretMark + "********"

// ParseLine reads one line in any of the product's forms: with or without
// "*c" and the word xConfiguration, the value quoted or not.
//
// Quotes inside a quoted value stand for themselves: only the outer pair is
// taken off, since dumps hold values with quotes in them.
//
// Errors: Invalid. Source: reference 5.1.
func ParseLine(text string) (Line, error) {
	if len(text) > maxLine {
		return Line{}, engine.Errorf(engine.Invalid, "the line is longer than %d bytes", maxLine)
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if says := strings.ToLower(text); says == "" || says == "ok" || says == "*c/end" || says[0] == '#' || strings.HasPrefix(says, "//") {
		return Line{}, nil
	}
	if rest, ok := cutWord(text, "*c"); ok {
		text = rest
	}
	if rest, ok := cutWord(text, "xconfiguration"); ok {
		text = rest
	}
	path, value, ok := strings.Cut(text, ":")
	path = strings.Join(strings.Fields(path), " ")
	if !ok || path == "" || strings.ContainsAny(path, `"'<>`) {
		return Line{}, engine.Errorf(engine.Invalid, "the line is not of the form xConfiguration <path>: <value>")
	}
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, `"`) {
		if len(value) < 2 || !strings.HasSuffix(value, `"`) {
			return Line{}, engine.Errorf(engine.Invalid, "%s: the quote is not closed", shorten(path))
		}
		value = value[1 : len(value)-1]
	}
	return Line{Path: path, Value: value}, nil
}

// cutWord takes a leading word off, whatever its case.
func cutWord(text, word string) (string, bool) {
	if len(text) <= len(word) || !strings.EqualFold(text[:len(word)], word) || text[len(word)] != ' ' && text[len(word)] != '\t' {
		return text, false
	}
	return strings.TrimLeft(text[len(word):], " \t"), true
}

// FormatLine prints an item as the product does: texts quoted, integers and
// enums bare, a secret that is set as "{cipher}********".
func FormatLine(i *Item, path, value string) string {
	return "*c xConfiguration " + path + ": " + i.Show(value)
}

// Show is a value as it is printed: see FormatLine.
func (i *Item) Show(value string) string {
	if i.Space.Bare() {
		return value
	}
	return `"` + i.mask(value) + `"`
}

// mask hides a secret; what is not set is seen not to be set.
func (i *Item) mask(value string) string {
	if i.Secret && value != "" {
		return masked
	}
	return value
}

// sealed reports a secret in the form of another machine, whose key is not here.
func sealed(value string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), secretMark)
}

// readLines calls yield with each line of r and its number, from 1.
//
// Errors: Invalid for an input beyond the bounds; those of r.
func readLines(r io.Reader, yield func(number int, text string)) error {
	limited := &io.LimitedReader{R: r, N: maxInput + 1}
	scan := bufio.NewScanner(limited)
	scan.Buffer(make([]byte, 0, maxLine), maxInput+2)
	for number := 1; scan.Scan(); number++ {
		if number > maxLines {
			return engine.Errorf(engine.Invalid, "the input has more than %d lines", maxLines)
		}
		yield(number, scan.Text())
	}
	if limited.N <= 0 || errors.Is(scan.Err(), bufio.ErrTooLong) {
		return engine.Errorf(engine.Invalid, "the input is longer than %d bytes", maxInput)
	}
	return scan.Err()
}
