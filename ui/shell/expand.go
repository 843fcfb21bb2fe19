package shell

import "strings"

// Expand is what Tab does to the word before byte pos of line: what all
// candidates have in common takes its place. When that is nothing new, offer
// is what to list. With no candidates the line stays as it is.
func Expand(line string, pos int, candidates []string) (expanded string, at int, offer []string) {
	if len(candidates) == 0 || pos < 0 || pos > len(line) {
		return line, pos, nil
	}
	start := strings.LastIndexAny(line[:pos], " \t") + 1
	word, common := line[start:pos], commonPrefix(candidates)
	if len(common) <= len(word) && len(candidates) > 1 {
		return line, pos, candidates
	}
	return line[:start] + common + line[pos:], start + len(common), nil
}

func commonPrefix(words []string) string {
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(strings.ToLower(w), strings.ToLower(prefix)) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}
