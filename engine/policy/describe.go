package policy

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"hexad/engine"
)

// Description describes one hook for editors, guides and pages.
//
// Everything in it is read from the hook's own row, its input type and its
// answer's shape, so it cannot differ from what scripts meet.
type Description struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"` // findings, decision, pipeline
	When     engine.Text `json:"when"`
	Answers  engine.Text `json:"answers"`
	FailSafe engine.Text `json:"fail_safe"`
	Optional bool        `json:"optional"` // nil is an answer: "not mine"
	Limits   Limits      `json:"limits"`
	Input    Field       `json:"input"`
	Answer   Field       `json:"answer"`
	Fixtures []string    `json:"fixtures"`
}

// Field is one field of an input or an answer.
//
// Type is text, number, integer, flag, record, list or map. A record has a
// Class, the name that its annotation carries, and Fields; a list and a map
// have an Elem.
type Field struct {
	Name     string      `json:"name,omitempty"`
	Type     string      `json:"type"`
	Class    string      `json:"class,omitempty"`
	Optional bool        `json:"optional,omitempty"` // may be nil
	Enum     []string    `json:"enum,omitempty"`
	Note     engine.Text `json:"note"`
	Fields   []Field     `json:"fields,omitempty"`
	Elem     *Field      `json:"elem,omitempty"`
}

// Describe describes a hook; false when there is none of that name.
func Describe(name string) (Description, bool) {
	h := hookNamed(name)
	if h == nil {
		return Description{}, false
	}
	fixtures := h.fixtures()
	names := sorted(fixtures)
	info := Description{
		Name: name, Kind: h.kindName(), Optional: h.optional, Limits: h.limits, Fixtures: names,
		When: abouts[name].when, Answers: abouts[name].answers, FailSafe: abouts[name].failSafe,
		Answer: answerField(h.answer, "answer"),
	}
	info.Input = inputOf(reflect.TypeOf(fixtures[names[0]]))
	info.Input.Class = "input." + underscored(name)
	info.Answer.rename("answer." + underscored(name))
	return info, true
}

// Descriptions describes every hook.
func Descriptions() []Description {
	var out []Description
	for _, name := range Hooks() {
		d, _ := Describe(name)
		out = append(out, d)
	}
	return out
}

// Fixtures are valid inputs of a hook as JSON, by name; nil when there is no
// such hook.
func Fixtures(hook string) map[string][]byte {
	h := hookNamed(hook)
	if h == nil {
		return nil
	}
	out := map[string][]byte{}
	for name, input := range h.fixtures() {
		b, err := json.Marshal(input)
		if err != nil {
			panic("policy: fixture " + name + " of " + hook + ": " + err.Error()) // plain data always marshals
		}
		out[name] = b
	}
	return out
}

func underscored(hook string) string { return strings.ReplaceAll(hook, ".", "_") }

// inputOf describes a Go type as scripts see its values.
func inputOf(t reflect.Type) Field {
	switch t.Kind() {
	case reflect.Pointer:
		f := inputOf(t.Elem())
		f.Optional = true
		return f
	case reflect.Bool:
		return Field{Type: "flag"}
	case reflect.String:
		return Field{Type: "text", Enum: enums[t.Name()]}
	case reflect.Float32, reflect.Float64:
		return Field{Type: "number"}
	case reflect.Slice, reflect.Array:
		elem := inputOf(t.Elem())
		return Field{Type: "list", Elem: &elem}
	case reflect.Map:
		elem := inputOf(t.Elem())
		return Field{Type: "map", Elem: &elem}
	case reflect.Struct:
		return recordOf(t)
	}
	return Field{Type: "integer"}
}

// recordOf describes a struct, its fields in the order in which they are
// declared, those of embedded structs among them.
func recordOf(t reflect.Type) Field {
	out := Field{Type: "record", Class: className(t)}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			continue
		}
		one := inputOf(f.Type)
		one.Name = name
		one.Optional = one.Optional || options == "omitempty"
		n := noteOf(declaring(t, f).Name(), name)
		one.Note = n.text
		if n.enum != nil {
			one.Enum = n.enum
		}
		out.Fields = append(out.Fields, one)
	}
	return out
}

// declaring is the struct that declares a field which t may only embed.
func declaring(t reflect.Type, f reflect.StructField) reflect.Type {
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
	}
	return t
}

// className is how annotations call a record: PeerRecord is "peer".
func className(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "Record")
	var b strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && (!upperAt(name, i-1) || i+1 < len(name) && !upperAt(name, i+1)) {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func upperAt(s string, i int) bool { return s[i] >= 'A' && s[i] <= 'Z' }

// answerField describes a shape.
func answerField(s shape, path string) Field {
	switch s.kind {
	case numberKind:
		return Field{Type: "number"}
	case flagKind:
		return Field{Type: "flag"}
	case paramsKind:
		return Field{Type: "map", Elem: &Field{Type: "text"}}
	case listKind:
		elem := answerField(*s.elem, path)
		return Field{Type: "list", Elem: &elem}
	case recordKind:
		out := Field{Type: "record", Class: path}
		for _, name := range answerOrder(s) {
			one := answerField(s.fields[name], path+"."+name)
			one.Name, one.Optional = name, !slices.Contains(s.needs, name)
			n := noteOf("answer", name)
			one.Note = n.text
			out.Fields = append(out.Fields, one)
		}
		return out
	}
	return Field{Type: "text", Enum: s.enum}
}

// answerOrder is what must be there first, as it is declared, then the rest by
// name.
func answerOrder(s shape) []string {
	out := slices.Clone(s.needs)
	for _, name := range sorted(s.fields) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// rename gives the records of an answer the names of their hook: findings are
// the same record everywhere.
func (f *Field) rename(to string) {
	switch {
	case f.Type == "list":
		f.Elem.rename(to)
	case f.Type == "record":
		if slices.ContainsFunc(f.Fields, func(g Field) bool { return g.Name == "severity" && len(g.Enum) > 0 }) {
			to = "finding"
		}
		f.Class = to
		for i := range f.Fields {
			f.Fields[i].rename(to + "_" + f.Fields[i].Name)
		}
	}
}

func (h *hook) kindName() string {
	switch h.kind {
	case findings:
		return "findings"
	case decision:
		return "decision"
	}
	return "pipeline"
}

// Completion is one field that can be written after "c." in a script.
type Completion struct {
	Path     string      `json:"path"` // "c.peers[].address"
	Type     string      `json:"type"` // as annotations write it
	Optional bool        `json:"optional,omitempty"`
	Enum     []string    `json:"enum,omitempty"`
	Note     engine.Text `json:"note"`
}

// Complete lists every field of a hook's input, those of a record after it.
// Elements of a list are written [], those of a map [""].
func Complete(hook string) []Completion {
	info, ok := Describe(hook)
	if !ok {
		return nil
	}
	var out []Completion
	walk("c", info.Input, &out)
	return out
}

func walk(path string, f Field, out *[]Completion) {
	for _, one := range f.Fields {
		at := path + "." + one.Name
		*out = append(*out, Completion{Path: at, Type: annotated(one), Optional: one.Optional, Enum: one.Enum, Note: one.Note})
		inner := one
		for inner.Elem != nil {
			if inner.Type == "map" {
				at += `[""]`
			} else {
				at += "[]"
			}
			inner = *inner.Elem
		}
		walk(at, inner, out)
	}
}
