package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/event"
)

var (
	clock = time.Date(2026, 1, 15, 20, 16, 50, 321_900_000, time.UTC)
	zone  = time.FixedZone("here", -5*3600)
)

func line(ev engine.Event) string {
	if ev.Time.IsZero() {
		ev.Time = clock
	}
	return event.Line(ev, "peer1", zone, 15060)
}

// parts reads a line back: the host, the process and the name="value" pairs. It
// is strict: what the writer may not write is an error.
func parts(s string) (host, process string, pairs []engine.Field, err error) {
	words := strings.SplitN(s, " ", 3)
	if len(words) < 3 {
		return "", "", nil, fmt.Errorf("only %d words", len(words))
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000-07:00", words[0]); err != nil {
		return "", "", nil, err
	}
	host, s = words[1], words[2]
	for {
		word, rest, ok := strings.Cut(s, ": ")
		if !ok || strings.ContainsAny(word, `="`) {
			break
		}
		process, s = word, rest
	}
	for s != "" {
		name, rest, ok := strings.Cut(s, `="`)
		if !ok || strings.ContainsAny(name, ` "`) {
			return "", "", nil, fmt.Errorf("no name at %q", s)
		}
		value, rest, err := unquote(rest)
		if err != nil {
			return "", "", nil, err
		}
		pairs = append(pairs, engine.Field{Name: name, Value: value})
		s = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
	}
	return host, process, pairs, nil
}

func unquote(s string) (value, rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if i+1 < len(s) && s[i+1] != ' ' && s[i+1] != ':' {
				return "", "", fmt.Errorf("value ends before %q", s[i+1:])
			}
			return s[:i], s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("value does not end: %q", s)
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	field := func(name, value string) engine.Field { return engine.Field{Name: name, Value: value} }
	for _, c := range []struct {
		name string
		ev   engine.Event
		want string
	}{
		{"named", event.Named("management", "System Start", "hexad started", field("Release", "1.0")),
			`management: Event="System Start" Detail="hexad started" Release="1.0" Level="1" UTCTime="2026-01-15 20:16:50,321"`},
		{"reason and service come first", event.ServerLost("Clustering", "peer timed out", "192.0.2.12"),
			`tvcs: Event="External Server Communications Failure" Reason="peer timed out" Service="Clustering" Detail="192.0.2.12" Level="1" UTCTime="2026-01-15 20:16:50,321"`},
		{"web has whole seconds", event.By(engine.Actor{User: "admin", Via: "web", Source: "192.0.2.30:53155"}, "Admin Session Start", ""),
			`httpd[15060]: web: Event="Admin Session Start" Src-ip="192.0.2.30" Src-port="53155" User="admin" Level="1" UTCTime="2026-01-15 20:16:50"`},
		{"ipv6 source", event.By(engine.Actor{User: "root", Via: "ssh", Source: "[2001:db8::30]:53155"}, "Admin Session Login Failure", "wrong password"),
			`ssh: Event="Admin Session Login Failure" Detail="wrong password" Src-ip="2001:db8::30" Src-port="53155" User="root" Level="1" UTCTime="2026-01-15 20:16:50,321"`},
		{"local socket", event.By(engine.Actor{User: "root", Via: "shell"}, "Restart Requested", ""),
			`management: Event="Restart Requested" User="root" Level="1" UTCTime="2026-01-15 20:16:50,321"`},
		{"odd level", engine.Event{Process: "tvcs", Module: "network.sip", Level: "INFO", Detail: "d", Fields: []engine.Field{field("Action", "Sent")}},
			`tvcs: UTCTime="2026-01-15 20:16:50,321" Module="network.sip" Level="INFO": Action="Sent" Detail="d"`},
		{"empty value", engine.Event{Process: "p", Module: "m", Level: "INFO", Fields: []engine.Field{field("Empty", "")}},
			`p: UTCTime="2026-01-15 20:16:50,321" Module="m" Level="INFO" Empty=""`},
	} {
		if got, want := line(c.ev), "2026-01-15T15:16:50.321-05:00 peer1 "+c.want; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, want)
		}
	}
}

func TestTimeZone(t *testing.T) {
	t.Parallel()
	got := event.Line(engine.Event{Time: clock, Process: "p", Module: "m"}, "peer1", time.UTC, 1)
	if !strings.HasPrefix(got, "2026-01-15T20:16:50.321+00:00 peer1 p: ") {
		t.Errorf("got %s", got)
	}
}

var nasty = []string{
	"a\nb", "a\r\n2026-01-15T20:16:50.321+00:00 peer1 alarm: Event=\"Alarm Raised\"", `x" Event="Alarm Lowered`, `\" Level="1"`, `\`, `\\"`,
	"\x00\x1b[31m", "\xff\xfe", "\u2028\u2029\u0085", "\u202eright to left", "会議室", "tab\there", "\U000e0001",
}

// TestNoForgery: whatever a value holds, the line is one line with the same
// names in the same places.
func TestNoForgery(t *testing.T) {
	t.Parallel()
	for _, bad := range nasty {
		for _, shape := range []engine.Event{
			event.Named("management", "System Start", bad),
			event.By(engine.Actor{User: bad, Via: "web", Source: "192.0.2.30:1"}, "Admin Session Login Failure", bad),
			{Process: "p", Module: bad, Level: "INFO", Detail: bad, Fields: []engine.Field{{Name: bad, Value: bad}}},
			{Process: bad, Module: "m", Level: bad, Detail: bad},
			{Module: "m", Level: "INFO", Detail: bad, Fields: []engine.Field{{Name: "Node", Value: bad}}},
		} {
			checkLine(t, shape, bad)
		}
	}
}

func checkLine(t *testing.T, ev engine.Event, bad string) {
	t.Helper()
	calm := ev
	calm.Module, calm.Level, calm.Detail = steady(ev.Module), steady(ev.Level), steady(ev.Detail)
	got := line(ev)
	if strings.ContainsAny(got, "\n\r\x00\x1b\u2028\u2029\u0085\u202e") {
		t.Errorf("%q is in the line %q", bad, got)
	}
	_, _, pairs, err := parts(got)
	if err != nil {
		t.Fatalf("%q: %v in %q", bad, err, got)
	}
	_, _, want, err := parts(line(calm))
	if err != nil {
		t.Fatal(err)
	}
	if len(pairs) != len(want) {
		t.Errorf("%q gives %d parts, want %d: %q", bad, len(pairs), len(want), got)
	}
	for i := range min(len(pairs), len(want)) {
		if pairs[i].Name != want[i].Name {
			t.Errorf("%q: part %d is %s, want %s", bad, i, pairs[i].Name, want[i].Name)
		}
	}
}

func steady(s string) string {
	if s == "" {
		return ""
	}
	return "x"
}

func FuzzLine(f *testing.F) {
	for _, bad := range nasty {
		f.Add("management", "System Start", bad, bad, bad)
		f.Add("", "", bad, "Node", bad)
	}
	f.Fuzz(func(t *testing.T, process, name, detail, field, value string) {
		ev := engine.Event{Time: clock, Process: process, Name: name, Level: "1", Detail: detail, Fields: []engine.Field{{Name: field, Value: value}}}
		got := event.Line(ev, detail, zone, 1)
		if _, _, _, err := parts(got); err != nil {
			t.Fatalf("%v in %q", err, got)
		}
		if !json.Valid([]byte(event.JSON(ev, detail))) {
			t.Fatalf("not JSON: %s", event.JSON(ev, detail))
		}
	})
}

func TestJSON(t *testing.T) {
	t.Parallel()
	ev := event.Lines{FQDN: func() string { return "peer1.example.com" }}.PeerUp("192.0.2.12")[0]
	ev.Time = clock
	got := event.JSON(ev, "peer1")
	want := `{"time":"2026-01-15T20:16:50.321Z","host":"peer1","kind":"database.peer_found","module":"developer.clusterdb.cdb",` +
		`"level":"INFO","detail":"Peer is up on the database link","fields":{"Node":"clusterdb@peer1.example.com","Node_2":"clusterdb@192.0.2.12"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNames checks every name of the Event Log against the reference's words.
func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range event.Names() {
		ev := event.Named("p", name, "")
		if ev.Level < "1" || ev.Level > "4" || strings.Count(ev.Kind, ".") != 1 {
			t.Errorf("%s: level %q, kind %q", name, ev.Level, ev.Kind)
		}
		if other := seen[ev.Kind]; other != "" {
			t.Errorf("%s and %s have the kind %s", name, other, ev.Kind)
		}
		seen[ev.Kind] = name
	}
	if len(seen) < 80 {
		t.Errorf("only %d names", len(seen))
	}
	if ev := event.Named("p", "Something Else", ""); ev.Level != "1" || ev.Kind != "event.logged" {
		t.Errorf("unknown name: %+v", ev)
	}
}
