package event

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hexad/engine"
)

// Forms of time in a line. Source: reference 8.2.
const (
	stampForm   = "2006-01-02T15:04:05.000-07:00" // local time of the machine
	utcForm     = "2006-01-02 15:04:05,000"
	utcWebForm  = "2006-01-02 15:04:05" // the web server's lines
	webProcess  = "web"
	networkFrom = "network." // modules whose Level is followed by a colon
)

// Line is ev as one line of text without its end: host is this peer's host
// name, zone where it stands, pid this process.
//
// Whatever the values hold, the line is one line and none of its parts can be
// mistaken for another: quotes, backslashes and everything that is not printed
// are escaped as in Go and JSON.
func Line(ev engine.Event, host string, zone *time.Location, pid int) string {
	var b strings.Builder
	b.Grow(256)
	b.WriteString(ev.Time.In(zone).Format(stampForm))
	b.WriteByte(' ')
	b.WriteString(word(host))
	b.WriteByte(' ')
	if ev.Process == webProcess {
		fmt.Fprintf(&b, "httpd[%d]: ", pid)
	}
	if ev.Process != "" {
		b.WriteString(word(ev.Process))
		b.WriteString(": ")
	}
	for i, f := range layout(ev) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word(f.Name))
		b.WriteString(`="`)
		escape(&b, f.Value)
		b.WriteByte('"')
		if f.Name == "Level" && strings.HasPrefix(ev.Module, networkFrom) {
			b.WriteByte(':') // as the product writes it
		}
	}
	return b.String()
}

// layout puts the parts of ev in the order of its family.
func layout(ev engine.Event) []engine.Field {
	utc := engine.Field{Name: "UTCTime", Value: ev.Time.UTC().Format(utcForm)}
	named, level := optional("Event", ev.Name), optional("Level", ev.Level)
	detail := optional("Detail", ev.Detail)
	module := slices.Concat([]engine.Field{utc}, optional("Module", ev.Module), level, optional("CodeLocation", ev.Code))
	switch {
	case ev.Process == webProcess:
		utc.Value = ev.Time.UTC().Format(utcWebForm)
		return slices.Concat(named, detail, ev.Fields, level, []engine.Field{utc})
	case ev.Name == "" && strings.HasPrefix(ev.Module, networkFrom):
		return slices.Concat(module, ev.Fields, detail)
	case ev.Name == "" && ev.Process == "":
		before, after := lead(ev.Fields, "Node")
		return slices.Concat(module, before, detail, after)
	case ev.Name == "":
		return slices.Concat(module, detail, ev.Fields)
	case ev.Process == "":
		before, after := lead(ev.Fields, "Node")
		return slices.Concat([]engine.Field{utc}, named, before, detail, after)
	case strings.HasPrefix(ev.Name, "Alarm "):
		before, after := lead(ev.Fields, "Id", "UUID", "Severity")
		return slices.Concat(level, named, before, detail, after, []engine.Field{utc})
	default:
		before, after := lead(ev.Fields, "Reason", "Service")
		return slices.Concat(named, before, detail, after, level, []engine.Field{utc})
	}
}

func optional(name, value string) []engine.Field {
	if value == "" {
		return nil
	}
	return []engine.Field{{Name: name, Value: value}}
}

// lead cuts fields after those at its beginning that bear names, each once.
func lead(fields []engine.Field, names ...string) (before, after []engine.Field) {
	n := 0
	for n < len(fields) {
		at := slices.Index(names, fields[n].Name)
		if at < 0 {
			break
		}
		names = slices.Delete(slices.Clone(names), at, at+1)
		n++
	}
	return fields[:n], fields[n:]
}

// word makes s safe outside of quotes: a host, a process, a field's name.
func word(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r)) {
			return r
		}
		return '-'
	}, s)
}

// escape writes s for between quotes.
func escape(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(b, `\x%02x`, s[i])
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case !unicode.IsPrint(r) && r <= 0xffff: // controls, line separators, changes of direction
			fmt.Fprintf(b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
}
