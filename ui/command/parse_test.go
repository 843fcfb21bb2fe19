package command_test

import (
	"reflect"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

func TestParse(t *testing.T) {
	t.Parallel()
	seg := func(value string, words ...string) command.Segment {
		return command.Segment{Words: words, Value: value}
	}
	for _, c := range []struct {
		name, text string
		want       command.Line
	}{
		{"empty", "  ", command.Line{}},
		{"comment", "// nothing", command.Line{}},
		{"command", `xCommand ZoneAdd ZoneName: "branch office" Type: Neighbor`, command.Line{Group: command.XCommand,
			Segments: []command.Segment{seg("branch office", "ZoneAdd", "ZoneName"), seg("Neighbor", "Type")}}},
		{"spaced, folded, abbreviated", `XCOM zone add zonename:"x"`, command.Line{Group: command.XCommand,
			Segments: []command.Segment{seg("x", "zone", "add", "zonename")}}},
		{"no arguments", "xCommand Force Config Update", command.Line{Group: command.XCommand, Tail: []string{"Force", "Config", "Update"}}},
		{"quote and backslash in a value", `xCommand CheckPattern Pattern: "(\d+)\"x\".*" Type: Regex`, command.Line{Group: command.XCommand,
			Segments: []command.Segment{seg(`(\d+)"x".*`, "CheckPattern", "Pattern"), seg("Regex", "Type")}}},
		{"address in a bare value", `xCommand DNSServerAdd Address: 2001:db8::1`, command.Line{Group: command.XCommand,
			Segments: []command.Segment{seg("2001:db8::1", "DNSServerAdd", "Address")}}},
		{"value without a name", `xCommand OptionKeyAdd "116341W10-1-00000000"`, command.Line{Group: command.XCommand,
			Segments: []command.Segment{{Words: []string{"OptionKeyAdd"}, Value: "116341W10-1-00000000", Bare: true}}}},
		{"dump", `*c xConfiguration Zones Zone 1 Name: "a "b" c"`, command.Line{Group: command.XConfiguration, Dump: true,
			Segments: []command.Segment{seg(`a "b" c`, "Zones", "Zone", "1", "Name")}}},
		{"set", `xconfiguration SystemUnit Name: "x"`, command.Line{Group: command.XConfiguration, Segments: []command.Segment{seg("x", "SystemUnit", "Name")}}},
		{"show", "xConfiguration SystemUnit", command.Line{Group: command.XConfiguration, Tail: []string{"SystemUnit"}}},
		{"help", "xConfiguration Zones ?", command.Line{Group: command.XConfiguration, Tail: []string{"Zones"}, Help: 1}},
		{"help without a space", "xConfiguration Zones??", command.Line{Group: command.XConfiguration, Tail: []string{"Zones"}, Help: 2}},
		{"help for a value", "xConfiguration H323 Mode: ?", command.Line{Group: command.XConfiguration, Tail: []string{"H323", "Mode"}, Help: 1}},
		{"a question mark as value", `xConfiguration SystemUnit Name: "?"`, command.Line{Group: command.XConfiguration, Segments: []command.Segment{seg("?", "SystemUnit", "Name")}}},
		{"help alone", "??", command.Line{Help: 2}},
		{"status", "xStatus Cluster Peer 1", command.Line{Group: command.XStatus, Tail: []string{"Cluster", "Peer", "1"}}},
	} {
		got, err := command.Parse(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Parse(%q) = %+v, %v, want %+v", c.name, c.text, got, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, message string }{
		{"unknown group", "zStatus", `there is no command "zStatus"`},
		{"open quote", `xCommand ZoneAdd ZoneName: "branch`, "is not closed"},
		{"missing value", "xCommand ZoneAdd ZoneName:", "value is missing"},
		{"control character", "xStatus \x1b[2J", "control character"},
		{"too long", "xStatus " + strings.Repeat("a", command.MaxLine), "the most"},
		{"not text", "xStatus \xff", "UTF-8"},
	} {
		_, err := command.Parse(c.text)
		if engine.CodeOf(err) != engine.Invalid || !command.IsUsage(err) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: Parse(%.40q) = %v, want a usage error with %q", c.name, c.text, err, c.message)
		}
	}
}

// FuzzParseCommand: any input is read or refused, never more than it holds, and
// what was read can be written and read again.
func FuzzParseCommand(f *testing.F) {
	for _, seed := range []string{
		`xCommand ZoneAdd ZoneName: "branch" Type: Neighbor`, `*c xConfiguration Alternates Peer 1 Address: "127.0.1.1"`,
		"xStatus ??", `xcommand x: "\""`, `xCommand "`, "*c", `xCommand a:b:c: ::`, "xConfiguration : x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := command.Parse(text)
		if err != nil {
			if engine.CodeOf(err) != engine.Invalid {
				t.Fatalf("Parse(%q) = %v, which is not invalid", text, err)
			}
			return
		}
		if line.Group != command.XCommand || line.Help > 0 {
			return
		}
		if strings.Contains(line.String(), `\" `) {
			return // see String
		}
		again, err := command.Parse(line.String())
		if err != nil || len(again.Segments) != len(line.Segments) {
			t.Fatalf("Parse(%q) = %+v, written %q and read again %+v, %v", text, line, line.String(), again, err)
		}
		for i, s := range line.Segments {
			if again.Segments[i].Value != s.Value {
				t.Fatalf("%q: value %q reads again as %q", text, s.Value, again.Segments[i].Value)
			}
		}
	})
}
