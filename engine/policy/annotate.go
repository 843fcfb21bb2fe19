package policy

import (
	"fmt"
	"strings"

	"hexad/engine"
)

// Annotations is the text of policies/meta/hexad.lua: what lua-language-server
// has to know to complete and check policies and their tests.
func Annotations() string {
	var b strings.Builder
	b.WriteString("---@meta hexad\n-- Written from the hooks by the tests of engine/policy (make golden). Do not edit.\n")
	seen := map[string]bool{}
	for _, info := range Descriptions() {
		fmt.Fprintf(&b, "\n-- %s: %s\n-- %s\n", info.Name, info.When.EN, info.Answers.EN)
		annotate(&b, info.Input, seen)
		annotate(&b, info.Answer, seen)
		fmt.Fprintf(&b, "\n---@alias hexad.answer.%s %s\n", underscored(info.Name)+"_type", annotated(info.Answer)+nilable(info.Optional))
	}
	b.WriteString(annotatedPolicy)
	for _, s := range signatures {
		s.write(&b)
	}
	return b.String()
}

func nilable(optional bool) string {
	if optional {
		return "|nil"
	}
	return ""
}

// annotate writes the class of each record in f, the inner ones first.
func annotate(b *strings.Builder, f Field, seen map[string]bool) {
	if f.Elem != nil {
		annotate(b, *f.Elem, seen)
		return
	}
	if f.Type != "record" || seen[f.Class] {
		return
	}
	seen[f.Class] = true
	for _, one := range f.Fields {
		annotate(b, one, seen)
	}
	fmt.Fprintf(b, "\n---@class hexad.%s\n", f.Class)
	for _, one := range f.Fields {
		mark := ""
		if one.Optional {
			mark = "?"
		}
		fmt.Fprintf(b, "---@field %s%s %s %s\n", one.Name, mark, annotated(one), one.Note.EN)
	}
}

// annotated is the type of a field in the words of annotations.
func annotated(f Field) string {
	switch f.Type {
	case "record":
		return "hexad." + f.Class
	case "list":
		inner := annotated(*f.Elem)
		if strings.Contains(inner, "|") {
			inner = "(" + inner + ")"
		}
		return inner + "[]"
	case "map":
		return "table<string, " + annotated(*f.Elem) + ">"
	case "text":
		if f.Enum != nil {
			return `"` + strings.Join(f.Enum, `"|"`) + `"`
		}
		return "string"
	case "flag":
		return "boolean"
	}
	return f.Type
}

const annotatedPolicy = `
-- A policy: what policy{…} returns, with its evaluate.
---@class hexad.text
---@field en string
---@field ja? string

---@class hexad.policy
---@field name string equals the file's name
---@field api integer 1
---@field hook string where it is asked
---@field order integer earlier first; site scripts take 200 to 899
---@field title hexad.text
---@field text? table<string, hexad.text> texts of its own findings, by id policy.NAME.WORD
---@field uses? { data: string[] } data tables that it reads
---@field evaluate? fun(c: table): any
`

// signature is a function that scripts have beside the language's own.
type signature struct {
	name    string   // "re.match"
	params  []string // "pattern string"; a "?" ends an optional name
	returns string
	note    engine.Text
	test    bool // in test files only
}

// Function is one library function, for completion and guides.
type Function struct {
	Call    string      `json:"call"` // "re.match(pattern, s)"
	Returns string      `json:"returns"`
	Note    engine.Text `json:"note"`
	Test    bool        `json:"test,omitempty"`
}

// Functions lists what scripts and tests can call beside the language's own.
func Functions() []Function {
	var out []Function
	for _, s := range signatures {
		out = append(out, Function{Call: s.name + "(" + strings.Join(s.names(), ", ") + ")", Returns: s.returns, Note: s.note, Test: s.test})
	}
	return out
}

func (s signature) names() []string {
	var out []string
	for _, p := range s.params {
		name, _, _ := strings.Cut(p, " ")
		out = append(out, strings.TrimSuffix(name, "?"))
	}
	return out
}

func (s signature) write(b *strings.Builder) {
	if library, _, found := strings.Cut(s.name, "."); found && !strings.Contains(b.String(), "\n"+library+" = {}\n") {
		fmt.Fprintf(b, "\n%s = {}\n", library)
	}
	fmt.Fprintf(b, "\n--- %s\n", s.note.EN)
	for _, p := range s.params {
		fmt.Fprintf(b, "---@param %s\n", p)
	}
	if s.returns != "" {
		fmt.Fprintf(b, "---@return %s\n", s.returns)
	}
	fmt.Fprintf(b, "function %s(%s) end\n", s.name, strings.Join(s.names(), ", "))
}
