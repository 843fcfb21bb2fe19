package h323_test

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/h323"
)

var golden = flag.Bool("golden", false, "rewrite testdata")

var (
	v4 = netip.MustParseAddrPort("192.0.2.11:1719")
	v6 = netip.MustParseAddrPort("[2001:db8::11]:1719")
	ss = netip.MustParseAddrPort("192.0.2.50:1720")
)

// samples are one message of each form; their encodings in testdata/h323 were
// each read without complaint by another dissector of H.225.0.
var samples = []struct {
	name    string
	message h323.Message
}{
	{"lrq-probe", h323.Message{Type: h323.LRQ, Seq: 52320, Aliases: []h323.Alias{{Kind: h323.H323ID, Value: "gatekeeper-monitoring-check"}}, ReplyTo: v4, HopCount: 1}},
	{"lrq-ipv6", h323.Message{Type: h323.LRQ, Seq: 1, Aliases: []h323.Alias{{Kind: h323.H323ID, Value: "会議室@example.com"}}, ReplyTo: v6}},
	{"lrq-aliases", h323.Message{Type: h323.LRQ, Seq: 65535, ReplyTo: v4, HopCount: 255, Aliases: []h323.Alias{
		{Kind: h323.DialledDigits, Value: "0123456789#*,"}, {Kind: h323.URLID, Value: "h323:alice@example.com"}, {Kind: h323.EmailID, Value: "alice@example.com"}}}},
	{"lcf", h323.Message{Type: h323.LCF, Seq: 7, Signal: ss, RAS: v4}},
	{"lcf-ipv6", h323.Message{Type: h323.LCF, Seq: 8, Signal: v6, RAS: v6}},
	{"lrj-not-registered", h323.Message{Type: h323.LRJ, Seq: 52320, Reason: h323.NotRegistered}},
	{"lrj-denied", h323.Message{Type: h323.LRJ, Seq: 9, Reason: h323.RequestDenied}},
	{"sci", h323.Message{Type: h323.SCI, Seq: 52319}},
	{"scr", h323.Message{Type: h323.SCR, Seq: 52319}},
}

const vectors = "../../testdata/h323/"

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		got, err := s.message.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		text := hex.EncodeToString(got) + "\n"
		if *golden {
			if err := os.WriteFile(vectors+s.name+".hex", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(vectors + s.name + ".hex")
		if err != nil || text != string(want) {
			t.Errorf("%s: got %s want %s (%v)", s.name, text, want, err)
		}
		if back, err := h323.Parse(got); err != nil || !reflect.DeepEqual(back, s.message) {
			t.Errorf("%s: read back as %+v, %v; want %+v", s.name, back, err, s.message)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	id := []h323.Alias{{Kind: h323.H323ID, Value: "x"}}
	for _, c := range []struct {
		name    string
		message h323.Message
	}{
		{"no number", h323.Message{Type: h323.SCI}},
		{"no type", h323.Message{Seq: 1}},
		{"no alias", h323.Message{Type: h323.LRQ, Seq: 1, ReplyTo: v4}},
		{"many aliases", h323.Message{Type: h323.LRQ, Seq: 1, ReplyTo: v4, Aliases: make([]h323.Alias, 33)}},
		{"empty alias", h323.Message{Type: h323.LRQ, Seq: 1, ReplyTo: v4, Aliases: []h323.Alias{{Kind: h323.H323ID}}}},
		{"long alias", h323.Message{Type: h323.LRQ, Seq: 1, ReplyTo: v4, Aliases: []h323.Alias{{Kind: h323.H323ID, Value: strings.Repeat("x", 257)}}}},
		{"letters as digits", h323.Message{Type: h323.LRQ, Seq: 1, ReplyTo: v4, Aliases: []h323.Alias{{Kind: h323.DialledDigits, Value: "12a"}}}},
		{"no address", h323.Message{Type: h323.LRQ, Seq: 1, Aliases: id}},
		{"unknown reason", h323.Message{Type: h323.LRJ, Seq: 1, Reason: 9}},
	} {
		if _, err := c.message.Marshal(); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("%s: got %v, want invalid", c.name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, packet string }{
		{"empty", ""},
		{"cut short", "4a80"},
		{"another type", "0e400000"},
		{"number 65536", "52ffff00"},
		{"unknown addition", "ff80"},
		{"large addition number", "c0ffffff"},
		{"endless list", "4880cc5fbfff"},
		{"fragment", "83c1ffff"},
	} {
		packet, err := hex.DecodeString(c.packet)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := h323.Parse(packet); engine.CodeOf(err) != engine.Invalid {
			t.Errorf("%s: got %+v, %v; want invalid", c.name, m, err)
		}
	}
	if _, err := h323.Parse(make([]byte, 4000)); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a large packet: got %v", err)
	}
}

// TestEveryPrefixIsRefused: no message reads beyond its end.
func TestEveryPrefixIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		packet, err := s.message.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		for n := range packet {
			if m, err := h323.Parse(packet[:n]); err == nil {
				t.Errorf("%s: %d of %d octets read as %+v", s.name, n, len(packet), m)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		packet, err := s.message.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := h323.Parse(packet)
		if err != nil {
			if engine.CodeOf(err) != engine.Invalid {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		again, err := m.Marshal()
		if err != nil {
			return // forms that are read and never sent
		}
		back, err := h323.Parse(again)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%+v was written as %x and read as %+v, %v", m, again, back, err)
		}
	})
}
