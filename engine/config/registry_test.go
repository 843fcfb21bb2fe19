package config_test

import (
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

func load(t testing.TB) *config.Registry {
	t.Helper()
	reg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestLookupSpellings(t *testing.T) {
	t.Parallel()
	reg := load(t)
	for _, c := range []struct{ asked, want string }{
		{"Zones Zone 1 Name", "Zones Zone 1 Name"},
		{"zoneszone1name", "Zones Zone 1 Name"},
		{"Zones Zone[1] Name", "Zones Zone 1 Name"},
		{"ZONES ZONE 0007 NAME", "Zones Zone 7 Name"},
		{"zones zone 12 traversalclient h323 protocol", "Zones Zone 12 TraversalClient H323 Protocol"},
		{"ZonesZone12TraversalServerH323H46019DemultiplexingMode", "Zones Zone 12 TraversalServer H323 H46019 Demultiplexing Mode"},
		{"Zones Zone 3 Neighbor Peer 6 Address", "Zones Zone 3 Neighbor Peer 6 Address"},
		{"Ethernet1IPV4Address", "Ethernet 1 IP V4 Address"},
		{"DNS PerDomainServer 2 Domain1", "DNS PerDomainServer 2 Domain1"},
		{"Alternates ConfigurationMaster", "Alternates ConfigurationPrimary"},
		{"Alternates 1 Peer Address", "Alternates Peer 1 Address"},
		{"ClusterConfiguration 6 Address", "Alternates Peer 6 Address"},
		{"SIP Domains Domain 200 Name", "SIP Domain 200 Name"},
		{"clusterConfiguration tls_verify", "ClusterConfiguration TLSVerify"},
		{"policy findme callerid", "Policy FindMe CallerId"},
	} {
		m, err := reg.Lookup(c.asked)
		if err != nil || m.Path != c.want {
			t.Errorf("Lookup(%q) = %q, %v, want %q", c.asked, m.Path, err, c.want)
		}
	}
}

func TestLookupRefuses(t *testing.T) {
	t.Parallel()
	reg := load(t)
	for _, c := range []struct {
		asked  string
		code   engine.Code
		remedy string
	}{
		{"Zones Zone 1 Nmae", engine.NotFound, "Zones Zone 1 Name"},
		{"Zone 1 HopCount", engine.NotFound, "Zones Zone 1 HopCount"},
		{"SIP TLS Moed", engine.NotFound, "SIP TLS Mode"},
		{"DNS PerDomainServer 2 Domain11", engine.NotFound, "DNS PerDomainServer 2 Domain1"},
		{"something else altogether that is far away", engine.NotFound, "xConfiguration ?"},
		{strings.Repeat("9 a ", 300), engine.NotFound, ""},
		{"Zones Zone 1001 Name", engine.Invalid, ""},
		{"Zones Zone 0 Name", engine.Invalid, ""},
		{"Alternates Peer 7 Address", engine.Invalid, ""},
		{"Zones Zone 99999999999999999999 Name", engine.NotFound, ""},
		{"", engine.NotFound, ""},
	} {
		_, err := reg.Lookup(c.asked)
		if engine.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("Lookup(%.60q): %v (code %s), want code %s naming %q", c.asked, err, engine.CodeOf(err), c.code, c.remedy)
		}
	}
}

func TestEveryItemIsWhole(t *testing.T) {
	t.Parallel()
	reg := load(t)
	if n := len(reg.Items()); n < 500 {
		t.Fatalf("%d items, want at least 500", n)
	}
	for _, i := range reg.Items() {
		if i.Help.EN == "" || i.Help.JA == "" || !i.InEffect() && i.Later.JA == "" {
			t.Errorf("%s: a text is missing in a language: %+v %+v", i.Path, i.Help, i.Later)
		}
		index := make([]int, len(i.Lists))
		for n, l := range i.Lists {
			index[n] = l.Limit
		}
		for _, spelling := range []string{i.At(index...), strings.ReplaceAll(i.At(index...), " ", "")} {
			if m, err := reg.Lookup(spelling); err != nil || m.Item != i {
				t.Errorf("Lookup(%q): %v, want %s", spelling, err, i.Path)
			}
		}
		if i.Default == "" && i.Space.Bare() && !strings.Contains(i.Path, "TraversalClient") && i.Path != "Zones Zone [1..1000] Type" {
			t.Errorf("%s %s has no default", i.Path, i.Space)
		}
		if i.Secret && i.Space.String() != "<Password>" {
			t.Errorf("%s is secret and has space %s", i.Path, i.Space)
		}
	}
}

// TestPeerSpecific pins reference 1.8: what is not listed there is replicated.
func TestPeerSpecific(t *testing.T) {
	t.Parallel()
	reg := load(t)
	peer := []string{
		"SystemUnit Name", "SystemUnit Maintenance Mode", "Option [1..64] Key", "TimeZone ", "Ethernet ", "IP Gateway",
		"IP V6 Gateway", "IP Route ", "IP DNS ", "DNS ", "NTP ", "SNMP ", "Log ", "Logger ", "Remote Syslog ",
		"Administration ", "Management Interface ", "Applications ConferenceFactory ", "Authentication ADS MachineName",
	}
	for _, i := range reg.Items() {
		want := config.Replicated
		for _, p := range peer {
			if strings.HasPrefix(i.Path, p) {
				want = config.PeerSpecific
			}
		}
		if strings.HasPrefix(i.Path, "Alternates ") || i.Path == "ClusterConfiguration IPVersion" {
			want = config.Clustering
		}
		if i.Scope != want {
			t.Errorf("%s is %s, want %s", i.Path, i.Scope, want)
		}
	}
}

func TestChildren(t *testing.T) {
	t.Parallel()
	reg := load(t)
	for _, c := range []struct {
		prefix string
		want   string
	}{
		{"Alternates", "Cluster ConfigurationPrimary Peer"},
		{"alternatespeer", "[1..6]"},
		{"Alternates Peer 3", "Address"},
		{"Alternates Peer [1..6]", "Address"},
		{"Zones Zone 4 ENUM", "DNSSuffix"},
		{"SIP Mode", ""},
	} {
		children, err := reg.Children(c.prefix)
		var words []string
		for _, child := range children {
			words = append(words, child.Word)
		}
		if got := strings.Join(words, " "); err != nil || got != c.want {
			t.Errorf("Children(%q) = %q, %v, want %q", c.prefix, got, err, c.want)
		}
	}
	if _, err := reg.Children("Nothing"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("Children(Nothing): %v, want not_found", err)
	}
	all, err := reg.Children("")
	if err != nil || len(all) < 20 || all[0].Word != "Alternates" {
		t.Errorf("Children(\"\") = %d elements, %v", len(all), err)
	}
}
