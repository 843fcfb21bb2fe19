package sqlstore

import (
	"strings"
	"unicode/utf8"

	"hexad/engine"
)

// oneStatement returns the only statement of text without what stands before and
// after it, and refuses a second one, parameters and what cannot be diagnostics
// at all. What it returns begins with a word: SQLite would prepare the nothing
// before a leading semicolon and call that the first statement.
//
// It reads text as SQLite's tokenizer does: strings and names in '…', "…", `…`
// and […], comments in -- and /*. Parameters ($name, @name, :name, ?, #) are
// refused, among other things because $a(…) would hide a quote from this reading.
//
// Errors: Invalid. Source: SQLite, sqlite3GetToken.
func oneStatement(text string) (string, error) {
	if len(text) > diagnoseSQLLength {
		return "", engine.Errorf(engine.Invalid, "the statement has %d bytes, at most %d are taken", len(text), diagnoseSQLLength)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", engine.Errorf(engine.Invalid, "the statement is not text in UTF-8")
	}
	start, end := 0, -1  // of the statement
	var leading []string // words, at most four: EXPLAIN QUERY PLAN SELECT
	for i := 0; i < len(text); {
		size, kind := token(text[i:])
		switch {
		case kind == blank:
		case kind == parameter:
			return "", engine.Errorf(engine.Invalid, "parameters (%s) are not taken", text[i:i+size]).With("sql", "write the value itself")
		case kind == unended:
			return "", engine.Errorf(engine.Invalid, "a quotation or comment is not ended: %.20s", text[i:]).With("sql", "")
		case kind == semicolon && leading == nil, kind == semicolon && end >= 0:
		case kind == semicolon:
			end = i
		case end >= 0:
			return "", engine.Errorf(engine.Invalid, "one statement at a time, without anything after its ;").With("sql", "")
		case len(leading) < 4:
			if leading == nil {
				start = i
			}
			leading = append(leading, strings.ToUpper(text[i:i+size]))
		}
		i += size
	}
	if err := permitted(leading); err != nil {
		return "", err
	}
	if end < 0 {
		end = len(text)
	}
	return text[start:end], nil
}

// permitted judges a statement by its first words. SQLite does not ask the
// authoriser about VACUUM, so that this is its first barrier; the limit of no
// attached database is the second.
func permitted(leading []string) error {
	if len(leading) > 1 && leading[0] == "EXPLAIN" {
		leading = leading[1:]
		if len(leading) > 2 && leading[0] == "QUERY" && leading[1] == "PLAN" {
			leading = leading[2:]
		}
		if leading[0] == "PRAGMA" || leading[0] == "EXPLAIN" {
			leading = []string{"EXPLAIN " + leading[0]}
		}
	}
	if leading == nil {
		return engine.Errorf(engine.Invalid, "there is no statement").With("sql", "")
	}
	switch leading[0] {
	case "SELECT", "WITH", "VALUES", "PRAGMA":
		return nil
	}
	return engine.Errorf(engine.Invalid, "%.20s is not permitted in diagnostics", leading[0]).
		With("sql", "one SELECT, WITH, VALUES or EXPLAIN over the views diag_… and sqlite_schema")
}

type tokenKind int

const (
	other tokenKind = iota
	blank
	semicolon
	parameter
	unended
)

// token returns the length of the first token of text and what it is. It is
// never 0.
func token(text string) (int, tokenKind) {
	switch c := text[0]; {
	case strings.IndexByte(" \t\r\n\f", c) >= 0:
		return 1, blank
	case c == ';':
		return 1, semicolon
	case strings.HasPrefix(text, "--"):
		if n := strings.IndexByte(text, '\n'); n >= 0 {
			return n + 1, blank
		}
		return len(text), blank
	case strings.HasPrefix(text, "/*"):
		if n := strings.Index(text[2:], "*/"); n >= 0 {
			return n + 4, blank
		}
		return len(text), unended
	case c == '\'' || c == '"' || c == '`':
		return quoted(text, c)
	case c == '[':
		if n := strings.IndexByte(text, ']'); n >= 0 {
			return n + 1, other
		}
		return len(text), unended
	case strings.IndexByte("$@#:?", c) >= 0:
		return 1, parameter
	case wordByte(c):
		n := 1
		for n < len(text) && (wordByte(text[n]) || text[n] == '$') {
			n++
		}
		return n, other
	}
	return 1, other
}

// quoted ends at the first quote that is not doubled.
func quoted(text string, quote byte) (int, tokenKind) {
	for i := 1; i < len(text); i++ {
		if text[i] != quote {
			continue
		}
		if i+1 < len(text) && text[i+1] == quote {
			i++
			continue
		}
		return i + 1, other
	}
	return len(text), unended
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
