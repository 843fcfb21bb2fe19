package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
)

var update = flag.Bool("update", false, "rewrite what is written from the hooks")

// What is written from the hooks must not go stale: annotations for editors and
// the reference in both languages.
func TestWrittenFromTheHooks(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"../../policies/meta/hexad.lua":     policy.Annotations(),
		"../../docs/policy-reference.md":    policy.Document(engine.English),
		"../../docs/policy-reference.ja.md": policy.Document(engine.Japanese),
	} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is stale (%v): make golden writes it anew", path, err)
		}
	}
}

func TestEveryHookIsDescribed(t *testing.T) {
	t.Parallel()
	for _, d := range policy.Descriptions() {
		for what, text := range map[string]engine.Text{"when": d.When, "answers": d.Answers, "fail-safe": d.FailSafe} {
			if text.EN == "" || text.JA == "" {
				t.Errorf("%s: no text for %s", d.Name, what)
			}
		}
		if len(d.Fixtures) == 0 || len(d.Input.Fields) < 5 {
			t.Errorf("%s: %d fixtures, %d fields", d.Name, len(d.Fixtures), len(d.Input.Fields))
		}
		for _, f := range []policy.Field{d.Input, d.Answer} {
			noted(t, d.Name, f)
		}
		for _, c := range policy.Complete(d.Name) {
			if c.Type == "" || !strings.HasPrefix(c.Path, "c.") {
				t.Errorf("%s: completion %+v", d.Name, c)
			}
		}
	}
	if _, ok := policy.Describe("no.hook"); ok {
		t.Error("a hook that does not exist is described")
	}
}

// noted fails for every field that has no note in both languages.
func noted(t *testing.T, path string, f policy.Field) {
	t.Helper()
	if f.Elem != nil {
		noted(t, path, *f.Elem)
	}
	for _, one := range f.Fields {
		at := path + " " + f.Class + "." + one.Name
		if one.Note.EN == "" || one.Note.JA == "" {
			t.Errorf("%s has no note", at)
		}
		noted(t, at, one)
	}
}

func TestCompletionHoldsInnerFields(t *testing.T) {
	t.Parallel()
	var paths []string
	for _, c := range policy.Complete("cluster.validate") {
		paths = append(paths, c.Path)
	}
	for _, want := range []string{"c.now", "c.self.address", "c.proposed.peer_addresses", "c.peers[].keys[].family", "c.peers[].certificate.not_after"} {
		if !slices.Contains(paths, want) {
			t.Errorf("no completion %s in %v", want, paths)
		}
	}
}

func TestFixturesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, hook := range policy.Hooks() {
		input, answer := policy.Schema(hook)
		var schema, answers map[string]any
		if err := json.Unmarshal(input, &schema); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(answer, &answers); err != nil {
			t.Fatal(err)
		}
		for name, fixture := range policy.Fixtures(hook) {
			var v any
			if err := json.Unmarshal(fixture, &v); err != nil {
				t.Fatal(err)
			}
			for _, problem := range breaks(schema, schema, v, "c") {
				t.Errorf("%s, fixture %s: %s", hook, name, problem)
			}
			v.(map[string]any)["unknown"] = 1
			if len(breaks(schema, schema, v, "c")) == 0 {
				t.Errorf("%s: an unknown field passes", hook)
			}
		}
	}
}

// breaks lists how v breaks a schema of the kind that policy.Schema makes.
func breaks(root, s map[string]any, v any, at string) []string {
	if ref, ok := s["$ref"].(string); ok {
		return breaks(root, root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), v, at)
	}
	types, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	if !slices.Contains(types, any(jsonType(v))) && !(jsonType(v) == "integer" && slices.Contains(types, any("number"))) {
		return []string{fmt.Sprintf("%s is a %s, want %v", at, jsonType(v), types)}
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
		return []string{fmt.Sprintf("%s is %v, want one of %v", at, v, enum)}
	}
	var out []string
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			out = append(out, breaks(root, s["items"].(map[string]any), e, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for name, e := range v {
			inner, ok := properties[name].(map[string]any)
			if !ok {
				if inner, ok = s["additionalProperties"].(map[string]any); !ok {
					out = append(out, at+" has the unknown field "+name)
					continue
				}
			}
			out = append(out, breaks(root, inner, e, at+"."+name)...)
		}
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				out = append(out, fmt.Sprintf("%s lacks %v", at, name))
			}
		}
	}
	return out
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// Every function that scripts have is in the list for editors, and no other:
// the scripts below call each by its name.
func TestFunctionsAreThoseThatScriptsHave(t *testing.T) {
	t.Parallel()
	for _, f := range policy.Functions() {
		name, _, _ := strings.Cut(f.Call, "(")
		if name == "policy" {
			continue
		}
		s := scriptOf("cluster.validate", "return {}")
		use := "local _f = " + name + "\n"
		if f.Test {
			s.Tests = "function test_it() " + use + " end"
		} else {
			s.Source = strings.Replace(s.Source, "return {}", use+"return {}", 1)
		}
		if f.Note.EN == "" || f.Note.JA == "" {
			t.Errorf("%s has no note", name)
		}
		if report := policy.Test([]policy.Script{s}, policy.TestOptions{}); report.Failed > 0 {
			t.Errorf("%s: %+v", name, report.Scripts[0])
		}
	}
	if missing := policy.Unlisted(); len(missing) > 0 {
		t.Errorf("functions that editors do not know: %v", missing)
	}
}

func TestScaffolds(t *testing.T) {
	t.Parallel()
	for _, hook := range policy.Hooks() {
		s, err := policy.Scaffold(hook, "my_rule")
		if err != nil {
			t.Errorf("%s: %v", hook, err)
			continue
		}
		for _, p := range policy.Check(s, nil) {
			t.Errorf("%s: %v", hook, p)
		}
		report := policy.Test([]policy.Script{s}, policy.TestOptions{Cover: true})
		if report.Failed > 0 || report.Passed == 0 || len(report.Scripts[0].Uncovered) > 0 {
			t.Errorf("%s: %+v", hook, report)
		}
	}
	if _, err := policy.Scaffold("no.hook", "my_rule"); engine.CodeOf(err) != engine.NotFound {
		t.Errorf("an unknown hook: %v", err)
	}
	if _, err := policy.Scaffold("cluster.validate", "My rule"); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("a bad name: %v", err)
	}
}
