package policy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
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
	inputs   []*inputSlot           // by the index of the hook: built once, filled anew
	decoder  decoder
	loaded   map[*compiled]*lua.LFunction
	regexp   map[string]*program
	programs int // their steps
	ipairs   *lua.LFunction
	carrier  *lua.LUserData // of a direct answer

	// of the evaluation at hand
	script *compiled
	meta   *meta // being declared
	why    []Why
	direct direct
	logTo  *running
	trial  *trial // the running test; nil in service

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
	st := &state{
		b: &budget{}, data: data, tables: map[string]*lua.LTable{}, inputs: make([]*inputSlot, len(hooks)),
		loaded: map[*compiled]*lua.LFunction{}, regexp: map[string]*program{},
	}
	st.L = lua.NewState(lua.Options{
		CallStackSize: maxCallDepth, RegistrySize: 1024, RegistryMaxSize: maxRegistry, RegistryGrowStep: 1024,
		SkipOpenLibs: true,
	})
	st.b.reset(context.Background(), ControlLimits, time.Now(), time.Time{})
	st.L.SetContext(st.b)
	st.frozen = st.L.NewTable()
	st.frozen.RawSetString("__metatable", lua.LFalse)
	st.frozen.RawSetString("__newindex", st.L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("attempt to change a read-only table")
		return 0
	}))
	st.env = st.globals(false)
	st.carrier = &lua.LUserData{Value: &st.direct, Env: st.env, Metatable: lua.LNil}
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
func (st *state) protect(s *compiled, f func() error) (out *fault) {
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

// instantiate runs the file of s and returns its policy table, sealed.
func (st *state) instantiate(s *compiled, env *lua.LTable) (*lua.LTable, error) {
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
	return p, st.seal(s, p, map[lua.LValue]bool{})
}

// seal makes everything read-only that one evaluation could leave to the next:
// the tables that can be reached from v, through fields and through what
// functions hold on to. With the check's rule that no function assigns to a
// local of the file, the same functions can then serve every evaluation. A
// function that was made by another while the file ran has locals of its own;
// it may read them only.
func (st *state) seal(s *compiled, v lua.LValue, seen map[lua.LValue]bool) error {
	if seen[v] {
		return nil
	}
	switch v := v.(type) {
	case *lua.LTable:
		seen[v] = true
		if v == st.env {
			return nil
		}
		v.Metatable = st.frozen
		for k, e := v.Next(lua.LNil); k != lua.LNil; k, e = v.Next(k) {
			if err := st.seal(s, k, seen); err != nil {
				return err
			}
			if err := st.seal(s, e, seen); err != nil {
				return err
			}
		}
	case *lua.LFunction:
		seen[v] = true
		if v.IsG {
			return nil
		}
		if !slices.Contains(s.proto.FunctionPrototypes, v.Proto) && assigns(v.Proto) {
			return &fault{
				Class: "runtime", Line: v.Proto.LineDefined,
				Message: "a function that was made while the file ran keeps a value between evaluations",
			}
		}
		for _, up := range v.Upvalues {
			if err := st.seal(s, up.Value(), seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// assigns tells whether a function, or one in it, assigns to what it holds on to.
func assigns(p *lua.FunctionProto) bool {
	for _, instruction := range p.Code {
		if int(instruction>>26) == lua.OP_SETUPVAL {
			return true
		}
	}
	return slices.ContainsFunc(p.FunctionPrototypes, assigns)
}

func (st *state) call(fn *lua.LFunction, results int) error {
	st.L.Push(fn)
	return st.L.PCall(0, results, nil)
}

// declare runs the file of s to learn what policy{…} says.
func (st *state) declare(s *compiled) (meta, *fault) {
	var m meta
	st.meta = &m
	defer func() { st.meta = nil }()
	// Each file has its own time: a revision of many scripts takes longer than one may.
	st.b.reset(context.Background(), ControlLimits, time.Now(), time.Time{})
	fail := st.protect(s, func() error {
		p, err := st.instantiate(s, st.env)
		if err != nil {
			return err
		}
		if _, ok := p.RawGetString("evaluate").(*lua.LFunction); !ok {
			return &fault{Class: "runtime", Message: "the policy has no function evaluate"}
		}
		return m.check(s.name)
	})
	return m, fail
}

// load runs the file of s in this state, once, and returns its evaluate.
func (st *state) load(s *compiled) (*lua.LFunction, *fault) {
	if fn := st.loaded[s]; fn != nil {
		return fn, nil
	}
	var fn *lua.LFunction
	st.b.reset(context.Background(), ControlLimits, time.Now(), time.Time{})
	fail := st.protect(s, func() error {
		p, err := st.instantiate(s, st.env)
		if err != nil {
			return err
		}
		var ok bool
		if fn, ok = p.RawGetString("evaluate").(*lua.LFunction); !ok {
			return &fault{Class: "runtime", Message: "the policy has no function evaluate"}
		}
		return nil
	})
	if fail == nil {
		st.loaded[s] = fn
	}
	return fn, fail
}

// evaluate asks s for its answer to input, which is read-only. The answer is
// checked against the hook's shape; nil is no answer. The script's time begins
// at began.
func (st *state) evaluate(ctx context.Context, s *compiled, input *lua.LTable, began, chainEnd time.Time) (answer any, fail *fault) {
	fn, fail := st.load(s)
	if fail != nil {
		return nil, fail
	}
	st.b.reset(ctx, s.hook.limits, began, chainEnd)
	fail = st.protect(s, func() error {
		st.L.Push(fn)
		st.L.Push(input)
		err := st.L.PCall(1, 1, nil)
		if err == nil {
			v := st.L.Get(-1)
			st.L.Pop(1)
			answer, err = s.hook.decodeBy(&st.decoder, v)
		}
		return err
	})
	if fail != nil {
		return nil, fail
	}
	return answer, nil
}
