package policy

import (
	"encoding/json"

	"hexad/engine"
)

// Declaration is what a script says of itself in policy{…}.
type Declaration struct {
	Name  string                 `json:"name"`
	Hook  string                 `json:"hook"`
	API   int                    `json:"api"`
	Order int                    `json:"order"`
	Title engine.Text            `json:"title"`
	Texts map[string]engine.Text `json:"texts,omitempty"`
	Data  []string               `json:"data,omitempty"` // tables that it reads
	Lines []int                  `json:"lines"`          // that hold statements: what coverage counts
}

// Declares reads a script's declaration. Errors: those of the check.
func Declares(s Script) (Declaration, error) {
	one, _, err := load(s)
	if err != nil {
		return Declaration{}, err
	}
	m := one.meta
	d := Declaration{Name: m.Name, Hook: m.Hook, API: m.API, Order: m.Order, Data: m.Data, Title: both(m.Title), Texts: map[string]engine.Text{}}
	for id, text := range m.Text {
		d.Texts[id] = both(text)
	}
	for line := range one.lines {
		d.Lines = append(d.Lines, line)
	}
	return d, nil
}

func both(text map[string]any) engine.Text {
	return engine.Text{EN: str(text["en"]), JA: str(text["ja"])}
}

// AnswerKind says in a few words what kind of answer a decision has, for lists:
// "no findings", the findings' ids, or the fields that matter.
func AnswerKind(answer json.RawMessage) string { return kindOf(answer) }
