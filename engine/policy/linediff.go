package policy

import (
	"fmt"
	"strings"
)

// context lines around a difference.
const diffContext = 3

// DiffLines compares two texts line by line: the headers and hunks of a
// unified diff, nothing when they are equal.
func DiffLines(from, to, a, b string) []string {
	if a == b {
		return nil
	}
	edits := edited(textLines(a), textLines(b))
	out := []string{"--- " + from, "+++ " + to}
	for at := 0; at < len(edits); {
		for at < len(edits) && edits[at].kind == ' ' {
			at++
		}
		if at == len(edits) {
			break
		}
		start, end := max(0, at-diffContext), at
		for quiet := 0; end < len(edits) && quiet <= 2*diffContext; end++ {
			quiet++
			if edits[end].kind != ' ' {
				quiet = 0
			}
		}
		for end > at && edits[end-1].kind == ' ' {
			end--
		}
		end = min(len(edits), end+diffContext)
		out = append(out, hunk(edits, start, end)...)
		at = end
	}
	return out
}

func textLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

type edit struct {
	kind byte // ' ', '-', '+'
	text string
}

func hunk(edits []edit, start, end int) []string {
	oldLine, newLine := 1, 1
	for _, e := range edits[:start] {
		if e.kind != '+' {
			oldLine++
		}
		if e.kind != '-' {
			newLine++
		}
	}
	olds, news := 0, 0
	lines := []string{""}
	for _, e := range edits[start:end] {
		if e.kind != '+' {
			olds++
		}
		if e.kind != '-' {
			news++
		}
		lines = append(lines, string(e.kind)+e.text)
	}
	lines[0] = fmt.Sprintf("@@ -%d,%d +%d,%d @@", oldLine, olds, newLine, news)
	return lines
}

// edited is the way from a to b by the longest common subsequence. Scripts have
// a few thousand lines at most; past that everything between the equal ends counts
// as replaced.
func edited(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, edit{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	out := append(head, middle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

const maxCells = 4 << 20

func middle(a, b []string) []edit {
	var out []edit
	width := len(b) + 1
	var common []int32
	if (len(a)+1)*width <= maxCells {
		common = make([]int32, (len(a)+1)*width)
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					common[i*width+j] = common[(i+1)*width+j+1] + 1
				} else {
					common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
				}
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case common != nil && i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, edit{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common == nil || common[(i+1)*width+j] >= common[i*width+j+1]):
			out = append(out, edit{'-', a[i]})
			i++
		default:
			out = append(out, edit{'+', b[j]})
			j++
		}
	}
	return out
}
