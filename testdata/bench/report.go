package main

import (
	"fmt"
	"io"
	"slices"
)

// report prints the medians with the least and the most, and what hexad needs
// of rqlited's.
func (b *run) report(w io.Writer) {
	fmt.Fprintf(w, "idle before the runs: %s; %d runs each, median (least – most)\n", b.machine.seen(), b.o.runs)
	fmt.Fprintf(w, "| %-42s | %-26s | %-26s | %-13s |\n|%s|%s|%s|%s|\n", "", "hexad", "rqlited", "hexad/rqlited",
		dashes(44), dashes(28), dashes(28), dashes(15))
	defer func() {
		for _, text := range b.repeated {
			fmt.Fprintln(w, "repeated:", text)
		}
	}()
	for _, r := range b.rows {
		h, q := median(r.values["hexad"]), median(r.values["rqlited"])
		fmt.Fprintf(w, "| %-42s | %-26s | %-26s | %-13s |\n", r.question, spread(r.values["hexad"], r.unit), spread(r.values["rqlited"], r.unit), fmt.Sprintf("%.2f", h/q))
	}
}

func (m *machine) seen() string {
	if len(m.idles) == 0 {
		return "not looked at"
	}
	slices.Sort(m.idles)
	text := fmt.Sprintf("median %.0f %%, least %.0f %%", 100*m.idles[len(m.idles)/2], 100*m.idles[0])
	if m.left <= 0 {
		text += " (gave up waiting for a quiet machine)"
	}
	return text
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func spread(list []float64, unit string) string {
	if len(list) == 0 {
		return "-"
	}
	digits := 2
	if unit == "/s" {
		digits = 0
	}
	return fmt.Sprintf("%.*f %s (%.*f – %.*f)", digits, median(list), unit, digits, slices.Min(list), digits, slices.Max(list))
}

func dashes(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '-'
	}
	return string(out)
}
