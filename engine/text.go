package engine

import "strings"

// Language is a language of the interface.
type Language string

// The languages of the interface.
const (
	English  Language = "en"
	Japanese Language = "ja"
)

// Text is a text for people in both languages. Parameters are written {name}.
type Text struct {
	EN string `json:"en"`
	JA string `json:"ja"`
}

// In returns t in the given language with its parameters filled in; English
// stands in where a translation is missing.
func (t Text) In(l Language, params map[string]string) string {
	s := t.EN
	if l == Japanese && t.JA != "" {
		s = t.JA
	}
	if len(params) == 0 || !strings.Contains(s, "{") {
		return s
	}
	pairs := make([]string, 0, 2*len(params))
	for k, v := range params {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}
