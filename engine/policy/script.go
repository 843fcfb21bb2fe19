package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Mode is what the answers of a script do.
type Mode string

// The modes. "" is Enforce.
const (
	Enforce Mode = "enforce"
	Warn    Mode = "warn"   // errors become warnings, rejects become accepts
	Shadow  Mode = "shadow" // evaluated and recorded, changes nothing
)

// Script is one policy: its file name without .lua, its source and its tests.
// Tests may be empty.
type Script struct {
	Name    string
	Source  string
	Tests   string
	Mode    Mode
	Builtin bool
}

// script is a compiled Script. It is shared by all states and never changes.
type script struct {
	Script
	hook  *hook
	order int
	proto *lua.FunctionProto
	lines map[int]bool // lines of statements
	meta  meta
}

var scriptName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// settle fixes what gopher-lua keeps in package variables, before any state or
// prototype exists.
var settle = sync.OnceFunc(func() {
	lua.MaxArrayIndex = maxArrayIndex
	lua.CompatVarArg = false
})

// checked is the outcome of checking one file.
type checked struct {
	proto    *lua.FunctionProto
	lines    map[int]bool
	tests    []string // names of the tests of a test file
	problems []Problem
}

// errs joins what refuses the file; nil when nothing does.
func (c checked) errs() error {
	var out []error
	for _, p := range c.problems {
		if !p.Warning {
			out = append(out, p)
		}
	}
	return errors.Join(out...)
}

// check parses, lints, rewrites and compiles one file.
func check(name, source string, test bool) (c checked) {
	settle()
	refuse := func(line int, format string, args ...any) checked {
		c.problems = append(c.problems, Problem{Script: name, Line: line, Message: fmt.Sprintf(format, args...)})
		return c
	}
	defer func() { // the parser and the compiler panic on some malformed input
		if r := recover(); r != nil {
			c = refuse(0, "cannot be compiled: %v", r)
		}
	}()
	if len(source) > maxSource {
		return refuse(1, "source of %d bytes is over the limit of %d", len(source), maxSource)
	}
	if line := nestedAt(name, source); line > 0 {
		return refuse(line, "brackets are nested more than %d deep", maxNesting)
	}
	body, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		return refuse(parseLine(err), "%s", parseText(err))
	}
	l := &linter{
		script: name, test: test, globals: globalNames(test), members: libraryMembers(test),
		defined: map[string]bool{}, lines: map[int]bool{},
	}
	body = l.chunk(body)
	c.problems, c.lines = l.problems, l.lines
	for _, name := range sorted(l.defined) {
		if strings.HasPrefix(name, "test_") {
			c.tests = append(c.tests, name)
		}
	}
	if c.errs() != nil {
		return c
	}
	if c.proto, err = lua.Compile(body, name); err != nil {
		return refuse(0, "%v", err)
	}
	return c
}

func parseLine(err error) int {
	if e := (*parse.Error)(nil); errors.As(err, &e) {
		return e.Pos.Line
	}
	return 0
}

func parseText(err error) string {
	if e := (*parse.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%s near %q", strings.TrimSpace(e.Message), e.Token)
	}
	return err.Error()
}

// nestedAt returns the line where brackets are nested too deeply, 0 when they
// are not; the parser reports whatever else is wrong.
func nestedAt(name, source string) int {
	scanner := parse.NewScanner(strings.NewReader(source), name)
	lexer := &parse.Lexer{}
	depth := 0
	for {
		tok, err := scanner.Scan(lexer)
		if err != nil || tok.Type == parse.EOF {
			return 0
		}
		switch tok.Type {
		case '(', '{', '[':
			if depth++; depth > maxNesting {
				return tok.Pos.Line
			}
		case ')', '}', ']':
			depth--
		}
		lexer.PrevTokenType = tok.Type
	}
}

// load compiles a script and runs its file once, to read what it declares.
func load(s Script) (*script, []Problem, error) {
	if !scriptName.MatchString(s.Name) {
		return nil, nil, fmt.Errorf("%s: a script's name is [a-z][a-z0-9_]{0,39}", s.Name)
	}
	c := check(s.Name, s.Source, false)
	if err := c.errs(); err != nil {
		return nil, c.problems, err
	}
	out := &script{Script: s, proto: c.proto, lines: c.lines}
	if out.Mode == "" {
		out.Mode = Enforce
	}
	st := newState(nil)
	defer st.L.Close()
	m, fail := st.declare(out)
	if fail != nil {
		return nil, c.problems, fmt.Errorf("%s:%d: %s", s.Name, fail.Line, fail.Message)
	}
	out.meta, out.hook, out.order = m, hookNamed(m.Hook), m.Order
	return out, c.problems, nil
}
