package policy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

func (l *linter) exprs(list []ast.Expr) {
	for i, e := range list {
		list[i] = l.expr(e)
	}
}

// expr checks e and returns what stands in its place.
func (l *linter) expr(e ast.Expr) ast.Expr {
	defer func() { l.depth-- }()
	if !l.deeper(e) {
		return e
	}
	switch e := e.(type) {
	case *ast.IdentExpr:
		l.read(e)
	case *ast.AttrGetExpr:
		l.member(e)
		e.Object, e.Key = l.expr(e.Object), l.expr(e.Key)
	case *ast.TableExpr:
		return l.table(e)
	case *ast.FuncCallExpr:
		if t := l.tag(e); t != nil {
			return l.table(t)
		}
		l.call(e)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = never(l.expr(e.Lhs)), l.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = l.expr(e.Lhs), l.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = l.expr(e.Lhs), l.expr(e.Rhs)
	case *ast.StringConcatOpExpr:
		return l.concat(e)
	case *ast.UnaryMinusOpExpr:
		e.Expr = l.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = l.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = l.expr(e.Expr)
	case *ast.FunctionExpr:
		l.function(e)
		return call(e, fnClosure, e)
	}
	return e
}

// never puts a call in place of a condition that is false as it stands: for
// those the compiler makes a jump that its own peephole then takes apart, and
// what follows in a loop goes wrong.
func never(e ast.Expr) ast.Expr {
	switch c := e.(type) {
	case *ast.FalseExpr, *ast.NilExpr:
		return call(e, fnFalse)
	case *ast.UnaryNotOpExpr:
		c.Expr = never(c.Expr)
	case *ast.LogicalOpExpr:
		c.Lhs, c.Rhs = never(c.Lhs), never(c.Rhs)
	}
	return e
}

func (l *linter) read(e *ast.IdentExpr) {
	if v := l.find(e.Value); v != nil {
		v.used = true
		return
	}
	if l.globals[e.Value] || l.defined[e.Value] {
		return
	}
	if hint, known := refused[e.Value]; known {
		if hint != "" {
			hint = ": " + hint
		}
		l.problem(e, "%s is not available%s", e.Value, hint)
		return
	}
	l.problem(e, "unknown name %s", e.Value)
}

// library returns the library that e names, "" when it is something else.
func (l *linter) library(e ast.Expr) string {
	id, ok := e.(*ast.IdentExpr)
	if !ok || l.find(id.Value) != nil || l.members[id.Value] == nil {
		return ""
	}
	return id.Value
}

func (l *linter) member(e *ast.AttrGetExpr) {
	lib := l.library(e.Object)
	key, ok := e.Key.(*ast.StringExpr)
	if lib != "" && ok && !l.members[lib][key.Value] {
		l.problem(e, "%s.%s is not available", lib, key.Value)
	}
}

func (l *linter) call(e *ast.FuncCallExpr) {
	l.pattern(e)
	if e.Func != nil {
		e.Func = l.expr(e.Func)
	}
	if e.Receiver != nil {
		e.Receiver = l.expr(e.Receiver)
	}
	l.exprs(e.Args)
}

// pattern compiles a literal pattern of library re.
func (l *linter) pattern(e *ast.FuncCallExpr) {
	f, ok := e.Func.(*ast.AttrGetExpr)
	if !ok || l.library(f.Object) != "re" || len(e.Args) == 0 {
		return
	}
	s, ok := e.Args[0].(*ast.StringExpr)
	if !ok {
		return
	}
	p, err := newProgram(s.Value)
	if err != nil {
		l.problem(e, "pattern: %v", err)
		return
	}
	if len(l.literals) < maxPrograms {
		l.literals[s.Value] = p
	}
}

// tag returns accept{…} and its kin as the table that they make: nil when e is
// anything else, or when its last value may be many.
func (l *linter) tag(e *ast.FuncCallExpr) *ast.TableExpr {
	id, ok := e.Func.(*ast.IdentExpr)
	if !ok || !slices.Contains(actions, id.Value) || l.find(id.Value) != nil || len(e.Args) > 1 {
		return nil
	}
	out := at(&ast.TableExpr{}, e)
	if len(e.Args) == 1 {
		t, ok := e.Args[0].(*ast.TableExpr)
		if !ok {
			return nil
		}
		if n := len(t.Fields); n > 0 && t.Fields[n-1].Key == nil && manyValued(t.Fields[n-1].Value) {
			return nil
		}
		out.Fields = t.Fields
	}
	key, action := at(&ast.StringExpr{Value: "action"}, e), at(&ast.StringExpr{Value: id.Value}, e)
	out.Fields = append(out.Fields, &ast.Field{Key: key, Value: action})
	return out
}

// direct turns `return accept{ name = value }` in evaluate itself into a call
// that hands over names and values: nobody else could reach the table.
func (l *linter) direct(s *ast.ReturnStmt) bool {
	e, ok := s.Exprs[0].(*ast.FuncCallExpr)
	if !ok || l.evaluate == 0 || l.inner != l.evaluate {
		return false
	}
	t := l.tag(e)
	if t == nil || len(t.Fields) > 20 {
		return false
	}
	var args []ast.Expr
	names := map[string]bool{}
	for _, f := range t.Fields {
		key, ok := f.Key.(*ast.StringExpr)
		if !ok || names[key.Value] {
			return false
		}
		names[key.Value] = true
		args = append(args, f.Key, single(f.Value))
	}
	for i := 1; i < len(args); i += 2 {
		args[i] = l.expr(args[i])
	}
	s.Exprs[0] = call(e, fnAnswer, args...)
	return true
}

// single makes a call give one value, as a field takes it.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}

func (l *linter) function(f *ast.FunctionExpr) {
	l.inner++
	defer func() { l.inner-- }()
	l.open()
	defer l.close()
	for _, n := range f.ParList.Names {
		l.declare(f.Line(), n)
		l.find(n).used = true
	}
	f.Stmts = l.block(f.Stmts)
}

// table charges a constructor by its fields; where the last one may give many
// values the function counts them.
func (l *linter) table(e *ast.TableExpr) ast.Expr {
	hash, many := 0, "0"
	for i, f := range e.Fields {
		if f.Key != nil {
			f.Key = l.expr(f.Key)
			hash++
		} else if i == len(e.Fields)-1 && manyValued(f.Value) {
			many = "1"
		}
		f.Value = l.expr(f.Value)
	}
	return call(e, fnTable, e, number(e, strconv.Itoa(len(e.Fields)-hash)), number(e, strconv.Itoa(hash)), number(e, many))
}

func manyValued(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}

// concat makes one guarded call of a chain a .. b .. c, in groups that fit the
// registers of a function.
func (l *linter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	operands := []ast.Expr{l.expr(e.Lhs)}
	rest := e.Rhs
	for {
		next, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, l.expr(next.Lhs))
		rest = next.Rhs
	}
	operands = append(operands, l.expr(rest))
	const group = 50
	for len(operands) > group {
		head := call(e, fnConcat, operands[:group]...)
		operands = append([]ast.Expr{head}, operands[group:]...)
	}
	return call(e, fnConcat, operands...)
}

// assign turns stores into fields into guarded calls.
func (l *linter) assign(s *ast.AssignStmt) ast.Stmt {
	fields := 0
	for i, lhs := range s.Lhs {
		if id, ok := lhs.(*ast.IdentExpr); ok {
			l.write(id)
			continue
		}
		fields++
		a := lhs.(*ast.AttrGetExpr)
		a.Object, a.Key = l.expr(a.Object), l.expr(a.Key)
		s.Lhs[i] = a
	}
	l.exprs(s.Rhs)
	if fields == 0 {
		return s
	}
	if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		a := s.Lhs[0].(*ast.AttrGetExpr)
		return callStmt(s, fnSet, a.Object, a.Key, s.Rhs[0])
	}
	return l.assignMany(s)
}

// write checks an assignment to a name. A function cannot assign to a local of
// the file: a policy keeps nothing from one evaluation to the next.
func (l *linter) write(id *ast.IdentExpr) {
	v := l.find(id.Value)
	switch {
	case v == nil:
		l.problem(id, "assignment to global %s", id.Value)
	case v.inner == 0 && l.inner > 0 && !l.test:
		l.problem(id, "%s belongs to the file and cannot be assigned in a function: a policy keeps nothing between evaluations", id.Value)
	}
}

// assignMany evaluates everything first, then stores, as Lua does:
//
//	do local o1, k1 = …; local v1, v2 = …; set(o1, k1, v1); name = v2 end
func (l *linter) assignMany(s *ast.AssignStmt) ast.Stmt {
	places := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: s.Rhs}
	var stores []ast.Stmt
	for i, lhs := range s.Lhs {
		value := fmt.Sprintf("(v%d)", i)
		values.Names = append(values.Names, value)
		a, ok := lhs.(*ast.AttrGetExpr)
		if !ok {
			plain := &ast.AssignStmt{Lhs: []ast.Expr{lhs}, Rhs: []ast.Expr{ident(s, value)}}
			stores = append(stores, at(plain, s))
			continue
		}
		object, key := fmt.Sprintf("(o%d)", i), fmt.Sprintf("(k%d)", i)
		places.Names = append(places.Names, object, key)
		places.Exprs = append(places.Exprs, a.Object, a.Key)
		stores = append(stores, callStmt(s, fnSet, ident(s, object), ident(s, key), ident(s, value)))
	}
	body := append([]ast.Stmt{at(places, s), at(values, s)}, stores...)
	return at(&ast.DoBlockStmt{Stmts: body}, s)
}

// define handles `function name()`, `function a.b()` and `function a:b()`.
func (l *linter) define(s *ast.FuncDefStmt) ast.Stmt {
	var place ast.Expr
	if s.Name.Func != nil {
		place = s.Name.Func
	} else {
		key := &ast.StringExpr{Value: s.Name.Method}
		place = &ast.AttrGetExpr{Object: s.Name.Receiver, Key: at(key, s)}
		s.Func.ParList.Names = append([]string{"self"}, s.Func.ParList.Names...)
	}
	if id, ok := place.(*ast.IdentExpr); ok {
		if !l.defined[id.Value] || l.depthOfScope() > 1 {
			l.write(id)
		}
		value := l.expr(s.Func)
		return at(&ast.AssignStmt{Lhs: []ast.Expr{id}, Rhs: []ast.Expr{value}}, s)
	}
	a := place.(*ast.AttrGetExpr)
	a.Object, a.Key = l.expr(a.Object), l.expr(a.Key)
	if key, ok := a.Key.(*ast.StringExpr); ok && key.Value == "evaluate" && l.inner == 0 && l.once {
		l.evaluate = 1
		defer func() { l.evaluate = 0 }()
	}
	return callStmt(s, fnSet, a.Object, a.Key, l.expr(s.Func))
}

func (l *linter) depthOfScope() int {
	n := 0
	for s := l.scope; s != nil; s = s.up {
		n++
	}
	return n
}

// at gives n the place of the node that it stands for.
func at[N ast.PositionHolder](n N, of ast.PositionHolder) N {
	n.SetLine(of.Line())
	n.SetLastLine(of.LastLine())
	return n
}

func ident(of ast.PositionHolder, name string) ast.Expr {
	return at(&ast.IdentExpr{Value: name}, of)
}

func number(of ast.PositionHolder, value string) ast.Expr {
	return at(&ast.NumberExpr{Value: value}, of)
}

// call is never a tail call: errors keep the line that they are about.
func call(of ast.PositionHolder, name string, args ...ast.Expr) *ast.FuncCallExpr {
	return at(&ast.FuncCallExpr{Func: ident(of, name), Args: args, AdjustRet: true}, of)
}

func callStmt(of ast.PositionHolder, name string, args ...ast.Expr) ast.Stmt {
	c := call(of, name, args...)
	c.AdjustRet = false
	return at(&ast.FuncCallStmt{Expr: c}, of)
}
