package policy

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// TestOptions selects the tests to run; a nil Run runs all.
type TestOptions struct {
	Run   *regexp.Regexp // on "script/test_name"
	Cover bool
}

// TestReport is the outcome of the tests of some scripts.
type TestReport struct {
	Scripts []ScriptReport `json:"scripts"`
	Passed  int            `json:"passed"`
	Failed  int            `json:"failed"`
}

// ScriptReport is the outcome of one script: what the check found, its tests,
// and with Cover its lines that no test ran.
type ScriptReport struct {
	Script    string       `json:"script"`
	Problems  []Problem    `json:"problems,omitempty"`
	Tests     []TestResult `json:"tests,omitempty"`
	Lines     int          `json:"lines,omitempty"`
	Uncovered []int        `json:"uncovered,omitempty"`
}

// TestResult is one test; Failure is "" when it passed.
type TestResult struct {
	Name         string        `json:"name"`
	Line         int           `json:"line,omitempty"` // of the failure
	Failure      string        `json:"failure,omitempty"`
	Instructions int           `json:"instructions"`
	Took         time.Duration `json:"took"`
}

// Write prints the report for people; it closes with "N passed, N failed".
func (r TestReport) Write(w io.Writer) error {
	var out strings.Builder
	for _, s := range r.Scripts {
		for _, p := range s.Problems {
			fmt.Fprintf(&out, "%s\n", p.Error())
		}
		for _, t := range s.Tests {
			if t.Failure == "" {
				fmt.Fprintf(&out, "ok    %s/%s (%d instructions)\n", s.Script, t.Name, t.Instructions)
				continue
			}
			fmt.Fprintf(&out, "FAIL  %s/%s\n      %s_test:%d: %s\n", s.Script, t.Name, s.Script, t.Line, t.Failure)
		}
		if s.Lines > 0 {
			fmt.Fprintf(&out, "cover %s: %d of %d lines", s.Script, s.Lines-len(s.Uncovered), s.Lines)
			if len(s.Uncovered) > 0 {
				fmt.Fprintf(&out, ", not run: %s", strings.Trim(fmt.Sprint(s.Uncovered), "[]"))
			}
			out.WriteByte('\n')
		}
	}
	fmt.Fprintf(&out, "%d passed, %d failed\n", r.Passed, r.Failed)
	_, err := io.WriteString(w, out.String())
	return err
}

// Check lints, compiles and loads a script and evaluates it on each fixture of
// its hook. A warning does not refuse it.
func Check(s Script, data map[string]map[string]string) []Problem {
	compiled, problems, err := load(s)
	if err != nil {
		if !slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning }) {
			line, message := split(err.Error())
			problems = append(problems, Problem{Script: s.Name, Line: line, Message: message})
		}
		return problems
	}
	refuse := func(line int, format string, args ...any) {
		problems = append(problems, Problem{Script: s.Name, Line: line, Message: fmt.Sprintf(format, args...)})
	}
	if err := declared(compiled, data); err != nil {
		refuse(1, "%s", strings.TrimPrefix(err.Error(), s.Name+":1: "))
		return problems
	}
	// one revision for all fixtures: an answer is held against the engine's
	// checks as in service
	s.Mode, s.LastGood = Enforce, nil
	p, err := New(Options{Scripts: []Script{s}, Data: data})
	if err != nil {
		line, message := split(err.Error())
		refuse(line, "%s", message)
		return problems
	}
	fixtures := compiled.hook.fixtures()
	for _, name := range sorted(fixtures) {
		for _, f := range p.attempt(compiled.hook, fixtures[name]) {
			refuse(f.Line, "fixture %q: %s: %s", name, f.Class, f.Message)
		}
	}
	return problems
}

// attempt asks without leaving a trace and returns what failed.
func (p *Policies) attempt(h *hook, in any) []Failure {
	q := p.begin(context.Background(), h.name)
	q.trial = true
	pointer := reflect.New(reflect.TypeOf(in))
	pointer.Elem().Set(reflect.ValueOf(in))
	q.answerTo(pointer.Interface())
	return q.out.failures
}

// Test checks the scripts and runs their tests, in name order and each in a
// fresh state.
func Test(scripts []Script, o TestOptions) TestReport {
	var out TestReport
	for _, s := range scripts {
		r := testScript(s, o)
		for _, t := range r.Tests {
			if t.Failure == "" {
				out.Passed++
			} else {
				out.Failed++
			}
		}
		if slices.ContainsFunc(r.Problems, func(p Problem) bool { return !p.Warning }) {
			out.Failed++
		}
		out.Scripts = append(out.Scripts, r)
	}
	return out
}

func testScript(s Script, o TestOptions) ScriptReport {
	out := ScriptReport{Script: s.Name}
	compiled, problems, err := load(s)
	out.Problems = problems
	if err != nil {
		if len(problems) == 0 {
			line, message := split(err.Error())
			out.Problems = []Problem{{Script: s.Name, Line: line, Message: message}}
		}
		return out
	}
	if s.Tests == "" {
		return out
	}
	file := check(s.Name+"_test", s.Tests, true)
	out.Problems = append(out.Problems, file.problems...)
	if file.errs() != nil {
		return out
	}
	ran := map[int]bool{}
	for _, name := range file.tests {
		if o.Run != nil && !o.Run.MatchString(s.Name+"/"+name) {
			continue
		}
		out.Tests = append(out.Tests, runTest(compiled.compiled, file.proto, name, o.Cover, ran))
	}
	if o.Cover {
		out.Lines = len(compiled.lines)
		for line := range compiled.lines {
			if !ran[line] {
				out.Uncovered = append(out.Uncovered, line)
			}
		}
		slices.Sort(out.Uncovered)
	}
	return out
}

// trial is one running test.
type trial struct {
	script *compiled
	policy *lua.LTable // the policy, loaded once for the test
	spent  int         // instructions of the last evaluate
	why    []Why       // of the last evaluate
}

func runTest(s *compiled, file *lua.FunctionProto, name string, cover bool, ran map[int]bool) TestResult {
	began := time.Now()
	st := newState(dataTables{})
	defer st.L.Close()
	if cover {
		st.b.trace = st.coverage(s.name, ran)
	}
	st.trial = &trial{script: s}
	env := st.testGlobals()
	st.b.reset(context.Background(), TestLimits, time.Now(), time.Time{})
	fail := st.protect(s, func() error {
		fn := st.L.NewFunctionFromProto(file)
		fn.Env = env
		if err := st.call(fn, 0); err != nil {
			return err
		}
		test, ok := env.RawGetString(name).(*lua.LFunction)
		if !ok {
			return fmt.Errorf("%s is not a function", name)
		}
		return st.call(test, 0)
	})
	out := TestResult{Name: name, Instructions: st.b.used(), Took: time.Since(began)}
	if fail != nil {
		out.Line, out.Failure = fail.Line, fail.Message
		if fail.Class != "runtime" {
			out.Failure = fail.Class + ": " + fail.Message
		}
	}
	return out
}

// coverage notes the lines of a script as the VM runs them.
func (st *state) coverage(name string, ran map[int]bool) func() {
	return func() {
		dbg, ok := st.L.GetStack(0)
		if !ok {
			return
		}
		if _, err := st.L.GetInfo("Sl", dbg, lua.LNil); err == nil && dbg.Source == name {
			ran[dbg.CurrentLine] = true
		}
	}
}

func (st *state) testGlobals() *lua.LTable {
	env := st.globals(true)
	env.RawSetString("policy", lua.LNil)
	env.RawSetString("evaluate", st.wrap(testEvaluate))
	env.RawSetString("fixture", st.wrap(testFixture))
	env.RawSetString("with_data", st.wrap(testWithData))
	expect := st.library(expectations)
	st.freeze(expect)
	env.RawSetString("expect", expect)
	return env
}

// testEvaluate is evaluate(c): the policy on a read-only copy of c. The answer
// is held against the hook's schema, as in service.
func testEvaluate(st *state, L *lua.LState) int {
	t := st.trial
	input := copyTable(L.CheckTable(1), 0)
	st.freeze(input)
	before := st.b.left
	st.why = nil
	if t.policy == nil {
		t.policy = st.rerun(L)
	}
	L.Push(t.policy.RawGetString("evaluate"))
	L.Push(input)
	L.Call(1, 1)
	answer := L.Get(-1)
	t.spent, t.why = before-st.b.left, st.why
	if _, err := t.script.hook.decode(answer); err != nil {
		L.RaiseError("%s", err.Error())
	}
	switch out := answer.(type) {
	case *lua.LTable:
		answer = copyTable(out, 0)
	case *lua.LUserData:
		answer = copyTable(st.direct.table(), 0)
	}
	L.Push(answer)
	return 1
}

// rerun loads the policy's file in the running test.
func (st *state) rerun(L *lua.LState) *lua.LTable {
	fn := L.NewFunctionFromProto(st.trial.script.proto)
	fn.Env = st.env
	L.Push(fn)
	L.Call(0, 1)
	p := L.CheckTable(-1)
	L.Pop(1)
	if err := st.seal(st.trial.script, p, map[lua.LValue]bool{}); err != nil {
		L.RaiseError("%s", err.Error())
	}
	return p
}

// copyTable is a deep, changeable copy; tables repeat when they are shared.
func copyTable(t *lua.LTable, depth int) *lua.LTable {
	out := newTable(t.Len(), 8)
	if depth > 20 {
		return out
	}
	each(t, func(k, v lua.LValue) {
		if inner, ok := v.(*lua.LTable); ok {
			v = copyTable(inner, depth+1)
		}
		out.RawSet(k, v)
	})
	return out
}
