package host_test

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/engine/host"
)

func TestMachine(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("127.0.1.1")
	if got := host.Addresses(own); len(got) == 0 || got[0] != "127.0.1.1" || slices.Contains(got, "127.0.0.1") {
		t.Errorf("addresses %v", got)
	}
	if a := host.DefaultAddress(); !a.IsValid() {
		t.Errorf("default address %v", a)
	}
	if host.HostName() == "" {
		t.Error("no host name")
	}
	if d, err := host.DiskFree(t.TempDir()); err != nil || d.Total == 0 || d.Free > d.Total {
		t.Errorf("disk %+v, %v", d, err)
	}
	if _, err := host.DiskFree(filepath.Join(t.TempDir(), "no")); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("no directory: %v", err)
	}
	for _, c := range [][3]string{{"p1", "example", "p1.example"}, {"p1", "", "p1"}, {"", "example", ""}} {
		if got := host.FQDN(c[0], c[1]); got != c[2] {
			t.Errorf("FQDN(%q, %q) = %q", c[0], c[1], got)
		}
	}
}

func TestNAT(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("10.0.0.1")
	for _, test := range []struct {
		name   string
		static string
		peers  []string
		seen   map[string]string
		want   string
	}{
		{"none", "", []string{"10.0.0.1"}, map[string]string{"b": "10.0.0.1", "c": "::ffff:10.0.0.1", "d": ""}, ""},
		{"listed", "192.0.2.1", []string{"192.0.2.1"}, nil, "the static NAT address 192.0.2.1 is in the peer list"},
		{"used between peers", "192.0.2.1", nil, map[string]string{"b": "192.0.2.1"}, "peers see this system at its static NAT address 192.0.2.1"},
		{"unknown translation", "", nil, map[string]string{"b": "192.0.2.7"}, "peers see this system at 192.0.2.7"},
	} {
		if got := host.NATFault(test.static, test.peers, host.Translated(own, test.seen)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
