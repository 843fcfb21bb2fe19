package policy

import (
	"reflect"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// A slot keeps one Lua value up to date with one Go variable: tables are made
// once and changed in place, and what did not change is not touched. Keys are
// inserted in the order of their names before anything else, so pairs gives the
// same order whatever was seen before.
//
// Each input has a variable of its own that the slots are bound to; an input is
// copied there and read by typed pointers, which costs less than asking reflect
// for each field. The tables are read-only for scripts, and no script can keep
// one: see seal.
type slot interface {
	read() lua.LValue
}

// inputSlot is the input of one hook in one state.
type inputSlot struct {
	variable reflect.Value
	record   *recordSlot
}

// input is the read-only table of an input of a hook; it is the same table
// each time.
func (st *state) input(h *hook, in any) *lua.LTable {
	v := reflect.ValueOf(in)
	s := st.inputs[h.index]
	if s == nil {
		s = &inputSlot{variable: reflect.New(v.Type()).Elem()}
		s.record = st.newRecord(s.variable)
		st.inputs[h.index] = s
	}
	s.variable.Set(v)
	return s.record.read().(*lua.LTable)
}

// pointerTo is the address of v as a pointer to the type that underlies it.
func pointerTo[T any](v reflect.Value) *T {
	return v.Addr().Convert(reflect.TypeFor[*T]()).Interface().(*T)
}

// newSlot binds a slot to v, which can be addressed.
func (st *state) newSlot(v reflect.Value) slot {
	switch v.Kind() {
	case reflect.String:
		return &textSlot{at: pointerTo[string](v)}
	case reflect.Int:
		return &numberSlot[int]{at: pointerTo[int](v)}
	case reflect.Int64:
		return &numberSlot[int64]{at: pointerTo[int64](v)}
	case reflect.Float64:
		return &numberSlot[float64]{at: pointerTo[float64](v)}
	case reflect.Bool:
		return flagSlot{pointerTo[bool](v)}
	case reflect.Slice:
		return &listSlot{st: st, at: v, t: st.fixed(4, 0)}
	case reflect.Struct:
		return st.newRecord(v)
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem()).Elem()
		return &pointerSlot{at: v, to: to, slot: st.newSlot(to)}
	case reflect.Map:
		return &mapSlot{st: st, at: v, t: st.fixed(0, 1)}
	}
	return plainSlot{v}
}

// fixed makes a table that scripts cannot change.
func (st *state) fixed(array, hash int) *lua.LTable {
	t := newTable(array, hash)
	t.Metatable = st.frozen
	return t
}

// plainSlot is anything else.
type plainSlot struct{ at reflect.Value }

func (s plainSlot) read() lua.LValue { return encoder{}.toLua(s.at) }

type flagSlot struct{ at *bool }

func (s flagSlot) read() lua.LValue { return lua.LBool(*s.at) }

type textSlot struct {
	at    *string
	last  string
	value lua.LValue
}

func (s *textSlot) read() lua.LValue {
	if s.value == nil || *s.at != s.last {
		s.last = *s.at
		s.value = lua.LString(s.last)
	}
	return s.value
}

type numberSlot[T int | int64 | float64] struct {
	at    *T
	last  T
	value lua.LValue
}

func (s *numberSlot[T]) read() lua.LValue {
	if s.value == nil || *s.at != s.last {
		s.last = *s.at
		s.value = lua.LNumber(s.last)
	}
	return s.value
}

// recordSlot is a struct.
type recordSlot struct {
	t      *lua.LTable
	fields []fieldSlot
}

type fieldSlot struct {
	slot
	name  string
	at    reflect.Value
	maybe bool // nil when it is empty
	last  lua.LValue
}

func (st *state) newRecord(v reflect.Value) *recordSlot {
	fields := fieldsOf(v.Type())
	r := &recordSlot{t: st.fixed(0, len(fields))}
	for _, f := range fields {
		at := v.FieldByIndex(f.index)
		one := fieldSlot{name: f.name, at: at, maybe: f.omitEmpty, last: lua.LFalse}
		if f.shared && at.Kind() == reflect.Pointer {
			to := reflect.New(at.Type().Elem()).Elem()
			one.slot = &sharedSlot{pointerSlot: pointerSlot{at: at, to: to, slot: st.newSlot(to)}}
		} else {
			one.slot = st.newSlot(at)
		}
		r.fields = append(r.fields, one)
		r.t.RawSetString(f.name, lua.LFalse) // takes its place in the order
	}
	return r
}

func (r *recordSlot) read() lua.LValue {
	for i := range r.fields {
		f := &r.fields[i]
		value := lua.LNil
		if !f.maybe || !f.at.IsZero() {
			value = f.slot.read()
		}
		if value != f.last {
			f.last = value
			r.t.RawSetString(f.name, value)
		}
	}
	return r.t
}

// listSlot is a list: its elements keep their variables when it shrinks.
type listSlot struct {
	st    *state
	at    reflect.Value
	t     *lua.LTable
	elems []elemSlot
	last  []lua.LValue
}

type elemSlot struct {
	slot
	variable reflect.Value
}

func (l *listSlot) read() lua.LValue {
	n := l.at.Len()
	for i := range n {
		if i == len(l.elems) {
			v := reflect.New(l.at.Type().Elem()).Elem()
			l.elems = append(l.elems, elemSlot{l.st.newSlot(v), v})
		}
		l.elems[i].variable.Set(l.at.Index(i))
		value := l.elems[i].read()
		switch {
		case i == len(l.last):
			l.last = append(l.last, value)
		case l.last[i] == value:
			continue
		default:
			l.last[i] = value
		}
		l.t.RawSetInt(i+1, value)
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
	at reflect.Value
	t  *lua.LTable // the empty one
}

func (m *mapSlot) read() lua.LValue {
	if m.at.Len() == 0 {
		return m.t
	}
	t := encoder{}.toLua(m.at).(*lua.LTable)
	m.st.freeze(t)
	return t
}

// pointerSlot is a value that may be missing; it has a variable of its own.
type pointerSlot struct {
	slot
	at, to reflect.Value
}

func (p *pointerSlot) read() lua.LValue {
	if p.at.IsNil() {
		return lua.LNil
	}
	p.to.Set(p.at.Elem())
	return p.slot.read()
}

// sharedSlot is a pointer to what never changes: it is read once. It holds the
// pointer, so that no other value gets its address.
type sharedSlot struct {
	pointerSlot
	held  any
	was   uintptr
	value lua.LValue
}

func (s *sharedSlot) read() lua.LValue {
	if s.at.IsNil() {
		return lua.LNil
	}
	if p := s.at.Pointer(); s.held == nil || p != s.was {
		s.held, s.was, s.value = s.at.Interface(), p, s.pointerSlot.read()
	}
	return s.value
}

var callContext = reflect.TypeFor[engine.CallContext]()
