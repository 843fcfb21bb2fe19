package policy

import (
	"reflect"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// A filler keeps one Lua value up to date with Go values of one type: tables
// are made once and changed in place, and what did not change is not touched.
// Keys are inserted in the order of their names before anything else, so pairs
// gives the same order whatever was seen before.
//
// The tables are read-only for scripts, and no script can keep one: see seal.
type filler interface {
	fill(v reflect.Value) lua.LValue
}

// input is the read-only table of an input of a hook; it is the same table
// each time.
func (st *state) input(h *hook, in any) *lua.LTable {
	v := reflect.ValueOf(in)
	f := st.inputs[h]
	if f == nil {
		f = st.newRecord(v.Type())
		st.inputs[h] = f
	}
	return f.fill(v).(*lua.LTable)
}

func (st *state) newFiller(t reflect.Type) filler {
	switch t.Kind() {
	case reflect.String:
		return &textSlot{}
	case reflect.Slice, reflect.Array:
		return &listSlot{st: st, elem: t.Elem(), t: st.fixed(4, 0)}
	case reflect.Struct:
		return st.newRecord(t)
	case reflect.Pointer:
		return &pointerSlot{to: st.newFiller(t.Elem())}
	case reflect.Map:
		return &mapSlot{st: st, t: st.fixed(0, 1)}
	case reflect.Int, reflect.Int64:
		return &numberSlot{}
	}
	return plainSlot{}
}

// fixed makes a table that scripts cannot change.
func (st *state) fixed(array, hash int) *lua.LTable {
	t := newTable(array, hash)
	t.Metatable = st.frozen
	return t
}

// numberSlot is a whole number.
type numberSlot struct {
	last  int64
	value lua.LValue
}

func (s *numberSlot) fill(v reflect.Value) lua.LValue {
	if n := v.Int(); s.value == nil || n != s.last {
		s.last, s.value = n, lua.LNumber(n)
	}
	return s.value
}

// plainSlot makes booleans and the rarer numbers.
type plainSlot struct{}

func (plainSlot) fill(v reflect.Value) lua.LValue { return encoder{}.toLua(v) }

type textSlot struct {
	last  string
	value lua.LValue
}

func (s *textSlot) fill(v reflect.Value) lua.LValue {
	if text := v.String(); s.value == nil || text != s.last {
		s.last, s.value = text, lua.LString(text)
	}
	return s.value
}

// recordSlot is a struct.
type recordSlot struct {
	t      *lua.LTable
	fields []fieldSlot
}

type fieldSlot struct {
	inputField
	slot filler
	last lua.LValue
}

func (st *state) newRecord(t reflect.Type) *recordSlot {
	fields := fieldsOf(t)
	r := &recordSlot{t: st.fixed(0, len(fields))}
	for _, f := range fields {
		one := fieldSlot{inputField: f, last: lua.LFalse}
		switch ft := t.FieldByIndex(f.index).Type; {
		case ft.Kind() == reflect.Pointer && f.shared:
			one.slot = &sharedSlot{to: st.newFiller(ft.Elem())}
		default:
			one.slot = st.newFiller(ft)
		}
		r.fields = append(r.fields, one)
		r.t.RawSetString(f.name, lua.LFalse) // takes its place in the order
	}
	return r
}

func (r *recordSlot) fill(v reflect.Value) lua.LValue {
	for i := range r.fields {
		f := &r.fields[i]
		field := v
		for _, n := range f.index {
			field = field.Field(n)
		}
		value := lua.LNil
		if !f.omitEmpty || !field.IsZero() {
			value = f.slot.fill(field)
		}
		if value != f.last {
			f.last = value
			r.t.RawSetString(f.name, value)
		}
	}
	return r.t
}

// listSlot is a list: its elements keep their slots when it shrinks.
type listSlot struct {
	st    *state
	elem  reflect.Type
	t     *lua.LTable
	slots []filler
	last  []lua.LValue
}

func (l *listSlot) fill(v reflect.Value) lua.LValue {
	n := v.Len()
	for i := range n {
		if i == len(l.slots) {
			l.slots = append(l.slots, l.st.newFiller(l.elem))
		}
		value := l.slots[i].fill(v.Index(i))
		if i < len(l.last) && l.last[i] == value {
			continue
		}
		l.t.RawSetInt(i+1, value)
		if i < len(l.last) {
			l.last[i] = value
		} else {
			l.last = append(l.last, value)
		}
	}
	for i := len(l.last); i > n; i-- {
		l.t.Remove(i) // the last element: nothing moves
	}
	l.last = l.last[:n]
	return l.t
}

// mapSlot is a map: a new table whenever it has contents.
type mapSlot struct {
	st *state
	t  *lua.LTable // the empty one
}

func (m *mapSlot) fill(v reflect.Value) lua.LValue {
	if v.Len() == 0 {
		return m.t
	}
	t := encoder{}.toLua(v).(*lua.LTable)
	m.st.freeze(t)
	return t
}

// pointerSlot is a value that may be missing.
type pointerSlot struct{ to filler }

func (p *pointerSlot) fill(v reflect.Value) lua.LValue {
	if v.IsNil() {
		return lua.LNil
	}
	return p.to.fill(v.Elem())
}

// sharedSlot is a pointer to what never changes: it is read once. It holds the
// pointer, so that no other value gets its address.
type sharedSlot struct {
	to    filler
	held  any
	at    uintptr
	value lua.LValue
}

func (s *sharedSlot) fill(v reflect.Value) lua.LValue {
	if v.IsNil() {
		return lua.LNil
	}
	if at := v.Pointer(); s.held == nil || at != s.at {
		s.held, s.at, s.value = v.Interface(), at, s.to.fill(v.Elem())
	}
	return s.value
}

var callContext = reflect.TypeFor[engine.CallContext]()
