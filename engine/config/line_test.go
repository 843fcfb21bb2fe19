package config_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hexad/engine"
	"hexad/engine/config"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, path, value string
	}{
		{"dump", `*c xConfiguration Zones Zone 1 Name: "x"`, "Zones Zone 1 Name", "x"},
		{"typed", `xConfiguration SIP Mode: On`, "SIP Mode", "On"},
		{"bare path", `SIP  Mode : on  `, "SIP Mode", "on"},
		{"carriage return", "*c xConfiguration SIP Mode: On\r", "SIP Mode", "On"},
		{"byte order mark", "\ufeff*c xConfiguration SIP Mode: On", "SIP Mode", "On"},
		{"unquoted text", `XCONFIGURATION SystemUnit Name: room 1`, "SystemUnit Name", "room 1"},
		{"spaces inside quotes", `SystemUnit Name: " room 1 " `, "SystemUnit Name", " room 1 "},
		{"quotes inside quotes", `A B: "<reject status='504' reason="x"/>"`, "A B", `<reject status='504' reason="x"/>`},
		{"colon in value", `A B: "sip:x@y"`, "A B", "sip:x@y"},
		{"empty", `A B: ""`, "A B", ""},
		{"nothing after colon", `A B:`, "A B", ""},
		{"end", "*c/end", "", ""},
		{"ok", "OK", "", ""},
		{"comment", "# Zones", "", ""},
		{"blank", " \t ", "", ""},
	} {
		got, err := config.ParseLine(c.text)
		if err != nil || got.Path != c.path || got.Value != c.value {
			t.Errorf("%s: ParseLine(%q) = %+v, %v, want %q %q", c.name, c.text, got, err, c.path, c.value)
		}
	}
}

func TestParseLineRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"hello", ": x", `A B: "x`, `A B: "`, `"A": x`, "*s SystemUnit:x<:" + strings.Repeat("y", 9000),
	} {
		if got, err := config.ParseLine(text); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("ParseLine(%.40q) = %+v, %v, want invalid", text, got, err)
		}
	}
}

// TestValueReadsBack: any value that an item accepts survives printing and parsing.
func TestValueReadsBack(t *testing.T) {
	t.Parallel()
	reg := load(t)
	rapid.Check(t, func(rt *rapid.T) {
		m, value := anyItem(rt, reg, func(i *config.Item) bool { return !i.Secret })
		line, err := config.ParseLine(config.FormatLine(m.Item, m.Path, value))
		if err != nil || line.Path != m.Path || line.Value != value {
			rt.Fatalf("%s = %q reads back as %+v, %v", m.Path, value, line, err)
		}
		back, err := reg.Check(line.Path, line.Value)
		if err != nil || back.Value != value {
			rt.Fatalf("%s = %q checks as %q, %v", m.Path, value, back.Value, err)
		}
	})
}

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	reg := load(t)
	m, err := reg.Lookup("Authentication Password")
	if err != nil {
		t.Fatal(err)
	}
	if got := config.FormatLine(m.Item, m.Path, "swordfish"); strings.Contains(got, "swordfish") || !strings.Contains(got, `"{cipher}`) {
		t.Errorf("FormatLine of a secret = %s", got)
	}
}

// anyItem draws an item, indices for it and a valid canonical value.
func anyItem(rt *rapid.T, reg *config.Registry, wanted func(*config.Item) bool) (config.Match, string) {
	var items []*config.Item
	for _, i := range reg.Items() {
		if wanted(i) {
			items = append(items, i)
		}
	}
	i := rapid.SampledFrom(items).Draw(rt, "item")
	var index []int
	for _, l := range i.Lists {
		index = append(index, rapid.IntRange(1, l.Limit).Draw(rt, "index"))
	}
	return config.Match{Item: i, Path: i.At(index...), Index: index}, anyValue(rt, i)
}

func anyValue(rt *rapid.T, i *config.Item) string {
	s := i.Space
	switch s.Kind {
	case config.Integer:
		return strconv.Itoa(rapid.IntRange(s.Low, s.High).Draw(rt, "integer"))
	case config.Enum:
		return rapid.SampledFrom(s.Values).Draw(rt, "enum")
	case config.IP:
		return rapid.SampledFrom([]string{"", "192.0.2.1", "198.51.100.77"}).Draw(rt, "ip")
	case config.Host:
		return rapid.SampledFrom([]string{"", "192.0.2.1", "2001:db8::1", "peer1.example.net"}).Draw(rt, "host")
	}
	return rapid.StringN(s.Low, min(s.High, 20), -1).Filter(func(v string) bool {
		_, err := s.Canonical(v)
		return err == nil
	}).Draw(rt, "text")
}

func FuzzParseLine(f *testing.F) {
	reg := load(f)
	for _, seed := range []string{
		`*c xConfiguration Zones Zone 1 Name: "x"`, `xConfiguration SIP Mode: On`, "*c/end", "OK", "\ufeffA: \"", `a 1 2 3 4 5 6 7: "`,
		`*c xConfiguration Policy AdministratorPolicy Service DefaultCPL: "<reject status='504' reason='x'/>"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := config.ParseLine(text)
		if err != nil || line.Path == "" {
			return
		}
		checked, err := reg.Check(line.Path, line.Value)
		if err != nil || checked.Item.Secret {
			return
		}
		again, err := config.ParseLine(config.FormatLine(checked.Item, checked.Path, checked.Value))
		if err != nil || again.Path != checked.Path || again.Value != checked.Value {
			t.Fatalf("%q reads as %+v, prints and reads back as %+v, %v", text, checked, again, err)
		}
	})
}
