package policy_test

import (
	"strings"
	"testing"
	"time"

	"hexad/engine/policy"
)

// FuzzCheck holds any text against the check: it never panics, takes no longer
// than a file's limit, and what passes can be activated.
func FuzzCheck(f *testing.F) {
	for _, s := range builtin() {
		f.Add(s.Source)
	}
	for _, a := range attacks {
		if len(a.body) < 2000 {
			f.Add(scriptOf("call.admit", a.body).Source)
		}
	}
	f.Add("local P = policy { name = 'hostile', api = 1, hook = 'call.admit', order = 500, title = { en = 'x' } } function P.evaluate(c) return accept { ttl = c } end return P")
	f.Fuzz(func(t *testing.T, source string) {
		name := "hostile"
		if _, rest, ok := strings.Cut(source, `name = "`); ok {
			if n, _, ok := strings.Cut(rest, `"`); ok {
				name = n
			}
		}
		s := policy.Script{Name: name, Source: source}
		began := time.Now()
		problems := policy.Check(s, nil)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("took %s", took)
		}
		refused := false
		for _, p := range problems {
			refused = refused || !p.Warning
		}
		if _, err := policy.Compile(1, []policy.Script{s}, nil); err != nil && !refused {
			t.Errorf("passes the check and cannot be activated: %v", err)
		}
	})
}
