package policy

import (
	"bytes"
	"encoding/json"

	lua "github.com/yuin/gopher-lua"
)

// record is a decoded record: its fields in the order in which the script gave
// them. Values are lua.LString, lua.LNumber, lua.LBool, []any, record and
// map[string]string, as the shape says.
type record []entry

type entry struct {
	name  string
	value any
}

func (r record) get(name string) any {
	for i := range r {
		if r[i].name == name {
			return r[i].value
		}
	}
	return nil
}

// textOf is an element of a list of texts.
func textOf(v any) string {
	s, _ := v.(lua.LString)
	return string(s)
}

func (r record) has(name string) bool { return r.get(name) != nil }

// text is a field's text, "" when it is not there.
func (r record) text(name string) string {
	s, _ := r.get(name).(lua.LString)
	return string(s)
}

// number is a field's whole number, 0 when it is not there.
func (r record) number(name string) int {
	n, _ := r.get(name).(lua.LNumber)
	return int(n)
}

func (r record) flag(name string) bool {
	b, _ := r.get(name).(lua.LBool)
	return bool(b)
}

func (r record) list(name string) []any {
	l, _ := r.get(name).([]any)
	return l
}

// plain is r as encoding/json would read it.
func (r record) plain() map[string]any {
	out := make(map[string]any, len(r))
	for _, e := range r {
		switch v := e.value.(type) {
		case lua.LString:
			out[e.name] = string(v)
		case lua.LNumber:
			out[e.name] = float64(v)
		case lua.LBool:
			out[e.name] = bool(v)
		case record:
			out[e.name] = v.plain()
		default:
			out[e.name] = v
		}
	}
	return out
}

// MarshalJSON writes the fields in their order.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// direct is the answer of `return accept{…}` in evaluate itself: its fields
// without a table around them, which nobody could reach.
type direct struct{ fields []directField }

type directField struct {
	name  string
	value lua.LValue
}

// guardAnswer makes a direct answer of names and values in turn.
func guardAnswer(st *state, L *lua.LState) int {
	n := L.GetTop() / 2
	st.b.charge(L, 64+64*n)
	d := &st.direct
	d.fields = d.fields[:0]
	for i := range n {
		d.fields = append(d.fields, directField{string(L.Get(2*i + 1).(lua.LString)), L.Get(2*i + 2)})
	}
	L.Push(st.carrier)
	return 1
}

// table makes the table that a direct answer stands for.
func (d *direct) table() *lua.LTable {
	t := newTable(0, len(d.fields))
	for _, f := range d.fields {
		t.RawSetString(f.name, f.value)
	}
	return t
}
