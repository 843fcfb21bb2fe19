package policy

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// recycleAfter is how many evaluations a state serves.
const recycleAfter = 100_000

// state is one Lua machine with its budget. It is used by one goroutine at a
// time.
type state struct {
	L        *lua.LState
	b        *budget
	frozen   *lua.LTable // metatable that marks what nothing may change
	env      *lua.LTable // the globals of every policy
	data     dataTables
	tables   map[string]*lua.LTable // data tables, built once
	peers    map[string]*lua.LTable // records of peers, by their contents
	regexp   map[string]*program
	programs int // their steps
	ipairs   *lua.LFunction

	// of the evaluation at hand
	script  *script
	meta    *meta // being declared
	why     []Why
	logLine func(text string)
	trial   *trial // the running test; nil in service

	served int
	broken bool
}

// dataTables are the operators' key and value tables of one revision.
type dataTables map[string]map[string]string

// Why is one line that a script added to the explanation of its decision.
type Why struct {
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

func newState(data dataTables) *state {
	settle()
	st := &state{b: &budget{}, data: data, tables: map[string]*lua.LTable{}, peers: map[string]*lua.LTable{}, regexp: map[string]*program{}}
	st.L = lua.NewState(lua.Options{
		CallStackSize: maxCallDepth, RegistrySize: 1024, RegistryMaxSize: maxRegistry, RegistryGrowStep: 1024,
		SkipOpenLibs: true,
	})
	st.b.reset(context.Background(), ControlLimits, time.Time{})
	st.L.SetContext(st.b)
	st.frozen = st.L.NewTable()
	st.frozen.RawSetString("__metatable", lua.LFalse)
	st.frozen.RawSetString("__newindex", st.L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("attempt to change a read-only table")
		return 0
	}))
	st.env = st.globals(false)
	return st
}

// freeze marks t and all tables in it as read-only.
func (st *state) freeze(t *lua.LTable) {
	if t.Metatable == st.frozen {
		return
	}
	t.Metatable = st.frozen
	t.ForEach(func(_, v lua.LValue) {
		if inner, ok := v.(*lua.LTable); ok {
			st.freeze(inner)
		}
	})
}

func (st *state) readOnly(t *lua.LTable) bool { return t.Metatable == st.frozen }

// fault is why one evaluation failed.
type fault struct {
	Class   string // runtime, limit.instructions, limit.time, limit.memory, bad_output, panic
	Line    int
	Message string
}

func (f *fault) Error() string { return f.Class + ": " + f.Message }

// protect runs f as one evaluation of s and returns its values' error as a
// fault. A state that breached a limit or panicked is marked broken.
func (st *state) protect(s *script, f func() error) (out *fault) {
	st.script, st.why = s, nil
	st.served++
	defer func() {
		if r := recover(); r != nil {
			st.broken = true
			if out = (&fault{Class: "panic", Message: fmt.Sprint(r)}); out.Message == registersFull {
				out = &fault{Class: "runtime", Message: "registry overflow"}
			}
		}
		if st.b.breach != nil {
			st.broken = true
			line := 0
			if out != nil {
				line = out.Line
			}
			out = &fault{Class: st.b.breach.Error(), Line: line, Message: "over the limit"}
		}
		st.L.SetTop(0)
	}()
	if err := f(); err != nil {
		return st.faultOf(err)
	}
	return nil
}

func (st *state) faultOf(err error) *fault {
	if f, ok := err.(*fault); ok {
		return f
	}
	f := &fault{Class: "runtime", Message: err.Error()}
	if e, ok := err.(*lua.ApiError); ok {
		f.Message = st.errorText(e)
		if e.Type == lua.ApiErrorPanic {
			f.Class, st.broken = "panic", true
		}
	}
	f.Line, f.Message = split(f.Message)
	return f
}

// errorText is what people read of a Lua error: never an address.
func (st *state) errorText(e *lua.ApiError) string {
	if s, ok := e.Object.(lua.LString); ok {
		s := strings.Replace(clip(string(s), 1024), "__len undefined", "attempt to get the length of what is neither a table nor a string", 1)
		return hideAddresses(s)
	}
	if e.Object == nil || e.Object == lua.LNil {
		if e.Cause != nil {
			return hideAddresses(clip(e.Cause.Error(), 1024))
		}
		return "error"
	}
	return toString(e.Object)
}

// registersFull is how the VM says that the registers ran out while it entered
// a function: the line of the instruction before the first is asked for, which
// panics through PCall too.
const registersFull = "runtime error: index out of range [-1]"

var (
	address  = regexp.MustCompile(`0x[0-9a-f]+`)
	position = regexp.MustCompile(`^[a-z0-9_]+:(\d+): ?`)
)

func hideAddresses(s string) string {
	if !strings.Contains(s, "0x") {
		return s
	}
	return address.ReplaceAllString(s, "?")
}

// clip shortens s to n bytes; the rest of a longer one is let go.
func clip(s string, n int) string {
	if len(s) > n {
		return strings.Clone(s[:n])
	}
	return s
}

// split takes the line out of "script:12: message".
func split(message string) (int, string) {
	m := position.FindStringSubmatch(message)
	if m == nil {
		return 0, message
	}
	line, _ := strconv.Atoi(m[1])
	return line, message[len(m[0]):]
}

// instantiate runs the file of s and returns its policy table.
func (st *state) instantiate(s *script, env *lua.LTable) (*lua.LTable, error) {
	fn := st.L.NewFunctionFromProto(s.proto)
	fn.Env = env
	if err := st.call(fn, 1); err != nil {
		return nil, err
	}
	p, ok := st.L.Get(-1).(*lua.LTable)
	st.L.Pop(1)
	if !ok {
		return nil, &fault{Class: "runtime", Message: "the file does not return its policy"}
	}
	return p, nil
}

func (st *state) call(fn *lua.LFunction, results int, args ...lua.LValue) error {
	st.L.Push(fn)
	for _, a := range args {
		st.L.Push(a)
	}
	return st.L.PCall(len(args), results, nil)
}

// declare runs the file of s to learn what policy{…} says.
func (st *state) declare(s *script) (meta, *fault) {
	var m meta
	st.meta = &m
	defer func() { st.meta = nil }()
	fail := st.protect(s, func() error {
		p, err := st.instantiate(s, st.env)
		if err != nil {
			return err
		}
		if _, ok := p.RawGetString("evaluate").(*lua.LFunction); !ok {
			return &fault{Class: "runtime", Message: "the policy has no function evaluate"}
		}
		return m.check(s.Name)
	})
	return m, fail
}

// evaluate asks s for its answer to input, which is read-only. The answer is
// checked against the hook's shape; nil is no answer.
func (st *state) evaluate(ctx context.Context, s *script, input *lua.LTable, chainEnd time.Time) (answer any, fail *fault) {
	st.b.reset(ctx, s.hook.limits, chainEnd)
	fail = st.protect(s, func() error {
		p, err := st.instantiate(s, st.env)
		if err != nil {
			return err
		}
		answer, err = st.ask(p, s.hook, input)
		return err
	})
	if fail != nil {
		return nil, fail
	}
	return answer, nil
}

func (st *state) ask(p *lua.LTable, h *hook, input *lua.LTable) (any, error) {
	fn, ok := p.RawGetString("evaluate").(*lua.LFunction)
	if !ok {
		return nil, &fault{Class: "runtime", Message: "the policy has no function evaluate"}
	}
	if err := st.call(fn, 1, input); err != nil {
		return nil, err
	}
	v := st.L.Get(-1)
	st.L.Pop(1)
	return h.decode(v)
}
