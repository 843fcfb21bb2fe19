package policy

import (
	"context"
	"encoding/json"
	"strings"

	"hexad/engine"
)

// declaration is what the file of a script says of itself.
type declaration struct {
	Hook  string
	API   int
	Order int
}

func declarationOf(s Script) (declaration, error) {
	compiled, _, err := load(s)
	if err != nil {
		return declaration{}, err
	}
	return declaration{Hook: compiled.hook.name, API: compiled.meta.API, Order: compiled.meta.Order}, nil
}

// applyItem gives a script the settings that a revision has for it.
func applyItem(s *Script, item engine.PolicyItem) {
	s.Mode, s.OnFailure, s.Order, s.Version = Mode(item.Mode), OnFailure(item.OnFailure), item.Order, digestOf(*s)
}

// compiles reports why a revision cannot be loaded.
func compiles(number int64, scripts []Script, data map[string]map[string]string) error {
	_, err := Compile(number, scripts, data)
	return err
}

// evaluator answers one question of a hook without recording it.
type evaluator func(ctx context.Context, hook string, input json.RawMessage, lines bool) (Decision, error)

// evaluatorOf compiles a revision to ask it.
func evaluatorOf(number int64, scripts []Script, data map[string]map[string]string) (evaluator, error) {
	c, err := Compile(number, scripts, data)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, hook string, input json.RawMessage, lines bool) (Decision, error) {
		return c.Evaluate(ctx, hook, input, Trace{Lines: lines})
	}, nil
}

// lastGood gives each script the version that was active before its present
// one, for the case that the present one fails.
func (l *Lifecycle) lastGood(ctx context.Context, book engine.PolicyBook, r engine.PolicyRevision, scripts []Script) {
	for i, s := range scripts {
		if s.Builtin {
			continue
		}
		before, ok := previous(book, s.Name, s.Version)
		b, builtin := l.builtin(s.Name)
		switch {
		case ok:
			texts, err := l.texts(ctx, []engine.PolicyItem{before})
			if v := texts[before.SHA256]; err == nil && v.Name == s.Name {
				good := Script{Name: s.Name, Source: v.Source, Tests: v.Tests}
				applyItem(&good, before)
				scripts[i].LastGood = &good
			}
		case builtin:
			scripts[i].LastGood = &b
		}
	}
}

// isSiteFinding reports whether an id is one that scripts declare themselves.
func isSiteFinding(id string) bool {
	rest, ok := strings.CutPrefix(id, "policy.")
	name, _, dotted := strings.Cut(rest, ".")
	return ok && dotted && scriptName.MatchString(name)
}
