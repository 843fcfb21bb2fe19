package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// Problem is what the check found in a script. A warning does not refuse it.
type Problem struct {
	Script  string `json:"script"`
	Line    int    `json:"line"`
	Message string `json:"message"`
	Warning bool   `json:"warning,omitempty"`
}

func (p Problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.Script, p.Line, p.Message) }

// The names of the functions that the rewrite calls. No source can spell them.
const (
	fnSet     = "(set)"
	fnConcat  = "(concat)"
	fnTable   = "(table)"
	fnClosure = "(closure)"
	fnAnswer  = "(answer)"
	fnFalse   = "(false)"
)

// refused gives the names that people expect and do not find a better answer
// than "unknown".
var refused = map[string]string{
	"require": "", "dofile": "", "load": "", "loadfile": "", "loadstring": "", "module": "",
	"getfenv": "", "setfenv": "", "getmetatable": "", "setmetatable": "", "rawget": "", "rawset": "",
	"rawequal": "", "newproxy": "", "collectgarbage": "", "xpcall": "", "_G": "", "io": "", "os": "",
	"debug": "", "package": "", "channel": "", "coroutine": "",
	"print": "use why or log", "arg": "use ... or select",
}

const maxDepth = 180

// linter walks a syntax tree once: it resolves names, reports problems, notes
// the lines of statements, and rewrites what makes or changes something into
// guarded calls. Line numbers stay.
type linter struct {
	script   string
	test     bool // functions may be defined at top level
	globals  map[string]bool
	members  map[string]map[string]bool // library -> its functions
	defined  map[string]bool            // top-level functions of a test file
	scope    *scope
	depth    int
	inner    int  // functions around the node at hand
	once     bool // the name evaluate is there once: nothing but the engine calls it
	evaluate int  // inner while in evaluate itself, 0 outside
	lines    map[int]bool
	literals map[string]*program // patterns of library re that are literals
	before   []ast.Stmt          // to stand in front of the statement at hand
	problems []Problem
}

type scope struct {
	up     *scope
	locals map[string]*local
}

type local struct {
	line  int
	inner int // functions around its declaration
	used  bool
}

func (l *linter) problem(at ast.PositionHolder, format string, args ...any) {
	line := 0
	if at != nil {
		line = at.Line()
	}
	l.problems = append(l.problems, Problem{Script: l.script, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (l *linter) open() { l.scope = &scope{up: l.scope, locals: map[string]*local{}} }

func (l *linter) close() {
	for name, v := range l.scope.locals {
		if !v.used && !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, "(") {
			l.problems = append(l.problems, Problem{
				Script: l.script, Line: v.line, Message: fmt.Sprintf("local %s is not used", name), Warning: true,
			})
		}
	}
	l.scope = l.scope.up
}

func (l *linter) declare(line int, name string) {
	l.scope.locals[name] = &local{line: line, inner: l.inner}
}

func (l *linter) find(name string) *local {
	for s := l.scope; s != nil; s = s.up {
		if v := s.locals[name]; v != nil {
			return v
		}
	}
	return nil
}

// chunk checks and rewrites a whole file.
func (l *linter) chunk(body []ast.Stmt) []ast.Stmt {
	if l.test {
		l.collect(body)
	}
	body = l.block(body)
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return a.Line - b.Line })
	return body
}

// collect notes the functions that a test file defines at top level, so that
// they may call each other in any order.
func (l *linter) collect(body []ast.Stmt) {
	for _, s := range body {
		f, ok := s.(*ast.FuncDefStmt)
		if !ok || f.Name.Func == nil {
			continue
		}
		name, ok := f.Name.Func.(*ast.IdentExpr)
		if !ok {
			continue
		}
		if l.globals[name.Value] || l.defined[name.Value] {
			l.problem(f, "%s is defined already", name.Value)
		}
		l.defined[name.Value] = true
	}
}

// deeper guards the recursion over the tree: the compiler behind it recurses too.
func (l *linter) deeper(at ast.PositionHolder) bool {
	l.depth++
	if l.depth == maxDepth {
		l.problem(at, "nested too deeply")
	}
	return l.depth < maxDepth
}

func (l *linter) block(body []ast.Stmt) []ast.Stmt {
	l.open()
	defer l.close()
	return l.statements(body)
}

func (l *linter) statements(body []ast.Stmt) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(body))
	for _, s := range body {
		done := l.statement(s)
		out = append(append(out, l.before...), done)
		l.before = nil
	}
	return out
}

func (l *linter) statement(s ast.Stmt) ast.Stmt {
	defer func() { l.depth-- }()
	if !l.deeper(s) {
		return s
	}
	switch s.(type) {
	case *ast.DoBlockStmt, *ast.LabelStmt, *ast.RepeatStmt:
	default:
		l.lines[s.Line()] = true
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		return l.assign(s)
	case *ast.LocalAssignStmt:
		return l.localAssign(s)
	case *ast.FuncCallStmt:
		s.Expr = l.expr(s.Expr)
	case *ast.DoBlockStmt:
		s.Stmts = l.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = never(l.expr(s.Condition))
		s.Stmts = l.block(s.Stmts)
	case *ast.RepeatStmt:
		l.open()
		s.Stmts = l.statements(s.Stmts)
		s.Condition = never(l.expr(s.Condition)) // sees the body's locals
		l.close()
	case *ast.IfStmt:
		s.Condition = never(l.expr(s.Condition))
		s.Then = l.block(s.Then)
		s.Else = l.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = l.expr(s.Init), l.expr(s.Limit)
		if s.Step != nil {
			s.Step = l.expr(s.Step)
		}
		s.Stmts = l.loop(s, []string{s.Name}, s.Stmts)
	case *ast.GenericForStmt:
		l.exprs(s.Exprs)
		s.Stmts = l.loop(s, s.Names, s.Stmts)
	case *ast.FuncDefStmt:
		return l.define(s)
	case *ast.ReturnStmt:
		if len(s.Exprs) == 1 && l.direct(s) {
			break
		}
		l.exprs(s.Exprs)
	}
	return s
}

func (l *linter) loop(at ast.Stmt, names []string, body []ast.Stmt) []ast.Stmt {
	l.open()
	defer l.close()
	for _, n := range names {
		l.declare(at.Line(), n)
		l.find(n).used = true
	}
	return l.block(body)
}

// localAssign leaves a single function unwrapped, since only then may it call
// itself; the charge for such a closure stands in front of it.
func (l *linter) localAssign(s *ast.LocalAssignStmt) ast.Stmt {
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		if f, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			l.declare(s.Line(), s.Names[0])
			l.function(f)
			l.before = []ast.Stmt{callStmt(s, fnClosure)}
			return s
		}
	}
	l.exprs(s.Exprs)
	for _, n := range s.Names {
		l.declare(s.Line(), n)
	}
	return s
}
