package policy_test

import (
	"strings"
	"testing"

	"hexad/engine/policy"
	"hexad/policies"
)

func builtin() []policy.Script {
	var out []policy.Script
	for _, s := range policies.Builtin() {
		out = append(out, policy.Script{Name: s.Name, Source: s.Source, Tests: s.Tests, Builtin: true})
	}
	return out
}

func TestBuiltinScriptsPassTheirTests(t *testing.T) {
	t.Parallel()
	report := policy.Test(builtin(), policy.TestOptions{Cover: true})
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || report.Passed == 0 {
		t.Errorf("tests of the built-in scripts:\n%s", text.String())
	}
	for _, s := range report.Scripts {
		if len(s.Tests) == 0 {
			t.Errorf("%s has no tests", s.Script)
		}
		if len(s.Uncovered) > 0 {
			t.Errorf("%s: no test runs lines %v", s.Script, s.Uncovered)
		}
		for _, p := range s.Problems {
			t.Errorf("%v", p)
		}
	}
}

func TestBuiltinScriptsPassTheCheck(t *testing.T) {
	t.Parallel()
	for _, s := range builtin() {
		for _, p := range policy.Check(s, nil) {
			t.Errorf("%v", p)
		}
	}
}
