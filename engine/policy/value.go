package policy

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// field is one field of an input type, by its JSON name.
type inputField struct {
	name      string
	index     []int
	omitEmpty bool
	shared    bool // points to what never changes
}

var inputFields sync.Map // reflect.Type -> []inputField

// fieldsOf lists the fields of a struct type in the order of their names,
// those of embedded structs among them.
func fieldsOf(t reflect.Type) []inputField {
	if f, ok := inputFields.Load(t); ok {
		return f.([]inputField)
	}
	var out []inputField
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		shared := len(f.Index) == 2 && t.Field(f.Index[0]).Type == callContext
		out = append(out, inputField{name: name, index: f.Index, omitEmpty: options == "omitempty", shared: shared})
	}
	slices.SortFunc(out, func(a, b inputField) int { return cmp.Compare(a.name, b.name) })
	inputFields.Store(t, out)
	return out
}

// encoder makes new Lua values of Go values.
type encoder struct{}

// toLua builds the Lua form of a Go value: structs by their JSON names, maps
// in key order, nil for nil pointers and for empty fields marked omitempty.
// A nil slice or map is an empty table.
func (e encoder) toLua(v reflect.Value) lua.LValue {
	switch v.Kind() {
	case reflect.Bool:
		return lua.LBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return lua.LNumber(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return lua.LNumber(v.Uint())
	case reflect.Float32, reflect.Float64:
		return lua.LNumber(v.Float())
	case reflect.String:
		return lua.LString(v.String())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return lua.LNil
		}
		return e.toLua(v.Elem())
	case reflect.Slice, reflect.Array:
		t := newTable(v.Len(), 0)
		for i := range v.Len() {
			t.RawSetInt(i+1, e.toLua(v.Index(i)))
		}
		return t
	case reflect.Map:
		return e.mapping(v)
	case reflect.Struct:
		return e.fields(v)
	}
	return lua.LNil
}

func (e encoder) mapping(v reflect.Value) lua.LValue {
	t := newTable(0, v.Len())
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, k := range keys {
		t.RawSetString(k.String(), e.toLua(v.MapIndex(k)))
	}
	return t
}

func (e encoder) fields(v reflect.Value) *lua.LTable {
	fields := fieldsOf(v.Type())
	t := newTable(0, len(fields))
	for _, f := range fields {
		value := v.FieldByIndex(f.index)
		if f.omitEmpty && value.IsZero() {
			continue
		}
		t.RawSetString(f.name, e.toLua(value))
	}
	return t
}

// shape says what an answer may look like.
type shape struct {
	kind   kind
	elem   *shape           // of a list
	fields map[string]shape // of a record
	needs  []string         // fields of a record that must be there
	enum   []string         // of a text
	max    int              // elements of a list
}

type kind int

const (
	textKind kind = iota
	numberKind
	flagKind
	listKind
	recordKind
	paramsKind // a map of names to scalars, which become texts
)

// decoder turns an answer into Go values of its shape: string, float64, bool,
// see record.
type decoder struct {
	bytes int
	path  []place
}

// place is one level of where the decoder is: a name, or an index from 1.
type place struct {
	name  string
	index int
}

// bad is a bad_output that names where the decoder is.
func (d *decoder) bad(format string, args ...any) error {
	var b strings.Builder
	for i, p := range d.path {
		switch {
		case p.index > 0:
			fmt.Fprintf(&b, "[%d]", p.index)
		case i > 0:
			b.WriteString("." + p.name)
		default:
			b.WriteString(p.name)
		}
	}
	return badOutput("%s %s", b.String(), fmt.Sprintf(format, args...))
}

func (d *decoder) decode(v lua.LValue, s shape, name string) (any, error) {
	d.path = append(d.path, place{name: name})
	return d.value(v, &s)
}

// value decodes; path is restored when it succeeds.
func (d *decoder) value(v lua.LValue, s *shape) (any, error) {
	switch s.kind {
	case textKind:
		return d.text(v, s)
	case numberKind:
		if _, ok := v.(lua.LNumber); ok {
			return v, nil
		}
	case flagKind:
		if _, ok := v.(lua.LBool); ok {
			return v, nil
		}
	case listKind:
		return d.list(v, s)
	case recordKind:
		return d.record(v, s)
	case paramsKind:
		return d.params(v)
	}
	return nil, d.bad("has the wrong type %s", v.Type())
}

func badOutput(format string, args ...any) error {
	return &fault{Class: "bad_output", Message: fmt.Sprintf(format, args...)}
}

func (d *decoder) take(n int) error {
	if d.bytes += n; d.bytes > maxAnswerBytes {
		return d.bad("makes the answer longer than %d bytes", maxAnswerBytes)
	}
	return nil
}

func (d *decoder) text(v lua.LValue, s *shape) (any, error) {
	str, ok := v.(lua.LString)
	if !ok {
		return nil, d.bad("has the wrong type %s", v.Type())
	}
	if s.enum != nil && !slices.Contains(s.enum, string(str)) {
		return nil, d.bad("is %q, not one of %s", clip(string(str), 40), strings.Join(s.enum, ", "))
	}
	return v, d.take(len(str))
}

func (d *decoder) list(v lua.LValue, s *shape) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, d.bad("has the wrong type %s", v.Type())
	}
	n := t.Len()
	if s.max > 0 && n > s.max {
		return nil, d.bad("has %d elements, at most %d are allowed", n, s.max)
	}
	last := lua.LValue(lua.LNil)
	if n > 0 {
		last = lua.LNumber(n)
	}
	if more, _ := t.Next(last); more != lua.LNil { // something beside 1 to n
		return nil, d.bad("is not a list")
	}
	out := make([]any, 0, n)
	for i := 1; i <= n; i++ {
		if err := d.take(16); err != nil {
			return nil, err
		}
		d.path = append(d.path, place{index: i})
		e, err := d.value(t.RawGetInt(i), s.elem)
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		out = append(out, e)
	}
	return out, nil
}

func (d *decoder) record(v lua.LValue, s *shape) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, d.bad("has the wrong type %s", v.Type())
	}
	out := make(record, 0, min(len(s.fields), 8))
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, isText := k.(lua.LString)
		if !isText {
			return nil, d.bad("has the unknown field %s", clip(toString(k), 40))
		}
		var err error
		if out, err = d.field(out, string(name), v, s); err != nil {
			return nil, err
		}
	}
	return d.complete(out, s)
}

// direct decodes an answer that has no table around it.
func (d *decoder) direct(a *direct, s *shape) (any, error) {
	if s.kind != recordKind {
		return nil, d.bad("has the wrong type %s", lua.LTTable)
	}
	out := make(record, 0, len(a.fields))
	for _, f := range a.fields {
		if f.value == lua.LNil {
			continue
		}
		var err error
		if out, err = d.field(out, f.name, f.value, s); err != nil {
			return nil, err
		}
	}
	return d.complete(out, s)
}

// field adds one field of a record.
func (d *decoder) field(out record, name string, v lua.LValue, s *shape) (record, error) {
	inner, known := s.fields[name]
	if !known {
		return nil, d.bad("has the unknown field %s", clip(name, 40))
	}
	if err := d.take(16); err != nil {
		return nil, err
	}
	d.path = append(d.path, place{name: name})
	var one any
	var err error
	if inner.kind == textKind {
		one, err = d.text(v, &inner) // what most fields are: inner then stays on the stack
	} else {
		nested := inner
		one, err = d.value(v, &nested)
	}
	if err != nil {
		return nil, err
	}
	d.path = d.path[:len(d.path)-1]
	return append(out, entry{name, one}), nil
}

func (d *decoder) complete(out record, s *shape) (any, error) {
	for _, name := range s.needs {
		if !out.has(name) {
			return nil, d.bad("lacks the field %s", name)
		}
	}
	return out, nil
}

func (d *decoder) params(v lua.LValue) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, d.bad("has the wrong type %s", v.Type())
	}
	out := map[string]string{}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, isText := k.(lua.LString)
		switch v.(type) {
		case lua.LString, lua.LNumber, lua.LBool:
		default:
			isText = false
		}
		if !isText {
			return nil, d.bad("has something else than texts, numbers and booleans by name")
		}
		s := toString(v)
		out[string(name)] = s
		if err := d.take(len(name) + len(s) + 16); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// each visits the pairs of t in the order of their insertion, the list part
// first; unlike ForEach it is the same every time.
func each(t *lua.LTable, f func(k, v lua.LValue)) {
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		f(k, v)
	}
}

// sorted returns the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
