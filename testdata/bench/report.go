package main

import (
	"fmt"
	"io"
	"slices"
)

// columns are the systems of the table; what hexad needs of each other's comes
// behind them.
var columns = []string{"hexad", "rqlited", "etcd"}

// report prints the medians with the least and the most.
func (b *run) report(w io.Writer) {
	fmt.Fprintf(w, "idle before the runs: %s; %d runs each, median (least – most)\n", b.machine.seen(), b.o.runs)
	fmt.Fprintf(w, "| %-48s | %-26s | %-26s | %-26s | %-13s | %-10s |\n|%s|%s|%s|%s|%s|%s|\n", "", columns[0], columns[1], columns[2],
		"hexad/rqlited", "hexad/etcd", dashes(50), dashes(28), dashes(28), dashes(28), dashes(15), dashes(12))
	for _, r := range b.rows {
		fmt.Fprintf(w, "| %-48s | %-26s | %-26s | %-26s | %-13s | %-10s |\n", r.question, spread(r.values[columns[0]], r.unit),
			spread(r.values[columns[1]], r.unit), spread(r.values[columns[2]], r.unit), r.ratio(columns[1]), r.ratio(columns[2]))
	}
	for _, text := range b.repeated {
		fmt.Fprintln(w, "repeated:", text)
	}
}

// ratio is hexad's median over the other's.
func (r row) ratio(other string) string {
	h, o := median(r.values[columns[0]]), median(r.values[other])
	if h == 0 || o == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", h/o)
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

// digits is how many there are behind the point, by unit.
var digits = map[string]int{"ms": 2, "s": 2, "MB": 1, "MiB": 1, "trips": 2, "kB": 0}

func spread(list []float64, unit string) string {
	if len(list) == 0 {
		return "–"
	}
	d := digits[unit]
	if len(list) == 1 {
		return fmt.Sprintf("%.*f %s", d, list[0], unit)
	}
	return fmt.Sprintf("%.*f %s (%.*f – %.*f)", d, median(list), unit, d, slices.Min(list), d, slices.Max(list))
}

func dashes(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '-'
	}
	return string(out)
}
