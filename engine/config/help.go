package config

import (
	"fmt"
	"strings"

	"hexad/engine"
)

// helper makes help texts from paths: the context of the longest known prefix,
// then the words of the rest.
type helper struct {
	contexts map[string]engine.Text
	words    map[string]engine.Text
}

func newHelper() (helper, error) {
	contexts, _, err := readTexts("tables/contexts.tsv")
	if err != nil {
		return helper{}, err
	}
	words, _, err := readTexts("tables/words.tsv")
	return helper{contexts: contexts, words: words}, err
}

// help returns the generated text of a path: "Neighbor zone: SIP port."
func (h helper) help(path string) (engine.Text, error) {
	context, rest := h.context(strings.Fields(path))
	var en, ja []string
	for _, word := range rest {
		if strings.HasPrefix(word, "[") {
			continue
		}
		text, ok := h.words[word]
		if !ok {
			return engine.Text{}, fmt.Errorf("no word %q in tables/words.tsv", word)
		}
		en, ja = append(en, text.EN), append(ja, text.JA)
	}
	if context.EN == "" {
		return engine.Text{EN: capital(strings.Join(en, " ")) + ".", JA: strings.Join(ja, "の") + "。"}, nil
	}
	return engine.Text{
		EN: context.EN + ": " + strings.Join(en, " ") + ".",
		JA: context.JA + ": " + strings.Join(ja, " ") + "。",
	}, nil
}

// context returns the text of the longest prefix that has one and the words
// after it. At least one word remains.
func (h helper) context(words []string) (engine.Text, []string) {
	for n := len(words) - 1; n > 0; n-- {
		if text, ok := h.contexts[strings.Join(words[:n], " ")]; ok && !onlySlots(words[n:]) {
			return text, words[n:]
		}
	}
	return engine.Text{}, words
}

func onlySlots(words []string) bool {
	for _, w := range words {
		if !strings.HasPrefix(w, "[") {
			return false
		}
	}
	return true
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
