package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// field is one field of an input type, by its JSON name.
type inputField struct {
	name      string
	index     []int
	omitEmpty bool
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
		out = append(out, inputField{name: name, index: f.Index, omitEmpty: options == "omitempty"})
	}
	slices.SortFunc(out, func(a, b inputField) int { return cmp.Compare(a.name, b.name) })
	inputFields.Store(t, out)
	return out
}

// encoder makes Lua values of Go values. With a cache, records of peers that
// were seen before are the same read-only tables again: they are large and
// seldom change.
type encoder struct{ peers map[string]*lua.LTable }

var peerRecord = reflect.TypeFor[engine.PeerRecord]()

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
		if e.peers != nil && v.Type() == peerRecord {
			return e.peer(v)
		}
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

const maxCachedPeers = 32

// peer finds a record by its contents, since what it points to may change.
func (e encoder) peer(v reflect.Value) lua.LValue {
	key, err := json.Marshal(v.Interface())
	if err != nil {
		return e.fields(v)
	}
	t := e.peers[string(key)]
	if t == nil {
		if len(e.peers) >= maxCachedPeers {
			clear(e.peers)
		}
		t = e.fields(v)
		e.peers[string(key)] = t
	}
	return t
}

var tables = &lua.LState{}

func newTable(array, hash int) *lua.LTable { return tables.CreateTable(array, hash) }

// inputTable is the read-only table of an input.
func (st *state) inputTable(input any) *lua.LTable {
	t := encoder{peers: st.peers}.toLua(reflect.ValueOf(input)).(*lua.LTable)
	st.freeze(t)
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
// []any, map[string]any, map[string]string.
type decoder struct{ bytes int }

func (d *decoder) decode(v lua.LValue, s shape, path string) (any, error) {
	switch s.kind {
	case textKind:
		return d.text(v, s, path)
	case numberKind:
		if n, ok := v.(lua.LNumber); ok {
			return float64(n), nil
		}
	case flagKind:
		if b, ok := v.(lua.LBool); ok {
			return bool(b), nil
		}
	case listKind:
		return d.list(v, s, path)
	case recordKind:
		return d.record(v, s, path)
	case paramsKind:
		return d.params(v, path)
	}
	return nil, badOutput("%s has the wrong type %s", path, v.Type())
}

func badOutput(format string, args ...any) error {
	return &fault{Class: "bad_output", Message: fmt.Sprintf(format, args...)}
}

func (d *decoder) take(n int, path string) error {
	if d.bytes += n; d.bytes > maxAnswerBytes {
		return badOutput("%s: the answer is over %d bytes", path, maxAnswerBytes)
	}
	return nil
}

func (d *decoder) text(v lua.LValue, s shape, path string) (any, error) {
	str, ok := v.(lua.LString)
	if !ok {
		return nil, badOutput("%s has the wrong type %s", path, v.Type())
	}
	if s.enum != nil && !slices.Contains(s.enum, string(str)) {
		return nil, badOutput("%s is %q, not one of %s", path, clip(string(str), 40), strings.Join(s.enum, ", "))
	}
	return string(str), d.take(len(str), path)
}

func (d *decoder) list(v lua.LValue, s shape, path string) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, badOutput("%s has the wrong type %s", path, v.Type())
	}
	n := t.Len()
	if s.max > 0 && n > s.max {
		return nil, badOutput("%s has %d elements, at most %d are allowed", path, n, s.max)
	}
	count := 0
	each(t, func(_, _ lua.LValue) { count++ })
	if count != n {
		return nil, badOutput("%s is not a list", path)
	}
	out := make([]any, 0, n)
	for i := 1; i <= n; i++ {
		if err := d.take(16, path); err != nil {
			return nil, err
		}
		e, err := d.decode(t.RawGetInt(i), *s.elem, fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (d *decoder) record(v lua.LValue, s shape, path string) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, badOutput("%s has the wrong type %s", path, v.Type())
	}
	out := map[string]any{}
	var err error
	each(t, func(k, v lua.LValue) {
		name, isText := k.(lua.LString)
		inner, known := s.fields[string(name)]
		switch {
		case err != nil:
		case !isText || !known:
			err = badOutput("%s has the unknown field %s", path, clip(toString(k), 40))
		default:
			if err = d.take(16, path); err == nil {
				out[string(name)], err = d.decode(v, inner, path+"."+string(name))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range s.needs {
		if _, ok := out[name]; !ok {
			return nil, badOutput("%s lacks the field %s", path, name)
		}
	}
	return out, nil
}

func (d *decoder) params(v lua.LValue, path string) (any, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, badOutput("%s has the wrong type %s", path, v.Type())
	}
	out := map[string]string{}
	var err error
	each(t, func(k, v lua.LValue) {
		name, isText := k.(lua.LString)
		switch v.(type) {
		case lua.LString, lua.LNumber, lua.LBool:
		default:
			isText = false
		}
		if err == nil && !isText {
			err = badOutput("%s: parameters are texts, numbers and booleans by name", path)
		}
		if err == nil {
			s := toString(v)
			out[string(name)] = s
			err = d.take(len(name)+len(s)+16, path)
		}
	})
	if err != nil {
		return nil, err
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
