package config_test

import (
	"fmt"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/config"
)

// full is a system with every search rule and subzone that the limits allow.
func full(b *testing.B) (*config.Service, *stores) {
	svc, s := open(b, true)
	var text strings.Builder
	for i := 1; i <= 2000; i++ {
		fmt.Fprintf(&text, "Zones Policy SearchRules Rule %d Name: \"rule %d\"\n", i, i)
	}
	for i := 1; i <= 1000; i++ {
		fmt.Fprintf(&text, "Zones LocalZone SubZones SubZone %d Name: \"lab %d\"\n", i, i)
	}
	if _, err := svc.Import(b.Context(), admin, strings.NewReader(text.String()), config.ImportOptions{}); err != nil {
		b.Fatal(err)
	}
	return svc, s
}

func BenchmarkReloadFull(b *testing.B) {
	svc, s := full(b)
	b.ReportMetric(float64(len(s.config.Items)), "items")
	for b.Loop() {
		s.config.Revision++
		if _, err := svc.Reload(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetFull(b *testing.B) {
	svc, _ := full(b)
	for n := 0; b.Loop(); n++ {
		if _, err := svc.Set(b.Context(), admin, 0, []engine.Change{set("Zones Policy SearchRules Rule 7 Priority", fmt.Sprint(n%1000+1))}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	svc, _ := full(b)
	for b.Loop() {
		if _, _, err := svc.Current().Get("Zones LocalZone DefaultSubZone Registrations"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnknownLines(b *testing.B) {
	svc, _ := open(b, true)
	text := strings.Repeat("Zones Zone 1 Neighbor 2 SIP 3 H324 Portt 5 6: 1\n", 49_000)
	for b.Loop() {
		if _, err := svc.Import(b.Context(), admin, strings.NewReader(text), config.ImportOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
