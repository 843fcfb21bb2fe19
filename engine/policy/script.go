package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

// OnFailure is what stands in for a script that failed and has no last good
// version.
type OnFailure string

// What may stand in. "" is FailSafe; the others only where the hook permits
// them.
const (
	FailSafe      OnFailure = "default" // the hook's fail-safe
	FailureReject OnFailure = "reject"  // the script is taken to reject
	FailureSkip   OnFailure = "skip"    // the script is taken to have no answer
)

// Script is one policy: its file name without .lua, its source and its tests.
//
// Tests may be empty. Order 0 is the one that the file declares. Version is
// what the caller calls this text; Version(Source) when it is "". LastGood is
// an earlier version that is known to have answered well on this peer; nil when
// none is.
type Script struct {
	Name      string
	Source    string
	Tests     string
	Mode      Mode
	OnFailure OnFailure
	Order     int
	Version   string
	LastGood  *Script
	Builtin   bool
}

// Version is the version of a script that was given none: lower-case hex
// SHA-256 of its source.
func Version(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

// compiled is what the text of a script became. It is shared by all states and
// revisions and never changes.
type compiled struct {
	name     string
	source   string
	hook     *hook
	proto    *lua.FunctionProto
	lines    map[int]bool // lines of statements
	meta     meta
	literals map[string]*program // patterns of library re that are literals
}

// script is one script of a revision.
type script struct {
	Script
	*compiled
	order  int
	good   *script // last good version before this one; nil when there is none
	health *health
	proven atomic.Bool // has answered well
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
	literals map[string]*program
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
		defined: map[string]bool{}, lines: map[int]bool{}, literals: map[string]*program{},
		once: !test && strings.Count(source, "evaluate") == 1,
	}
	body = l.chunk(body)
	c.problems, c.lines, c.literals = l.problems, l.lines, l.literals
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
	c, problems, err := compile(s.Name, s.Source)
	if err != nil {
		return nil, problems, err
	}
	out, err := s.with(c)
	return out, problems, err
}

// with is s with its compiled text. Errors: the settings do not fit the hook.
func (s Script) with(c *compiled) (*script, error) {
	out := &script{Script: s, compiled: c, order: c.meta.Order, health: &health{}}
	if out.Mode == "" {
		out.Mode = Enforce
	}
	if out.OnFailure == "" {
		out.OnFailure = FailSafe
	}
	if out.Version == "" {
		out.Version = Version(s.Source)
	}
	if s.Order != 0 {
		out.order = s.Order
	}
	switch {
	case !slices.Contains([]Mode{Enforce, Warn, Shadow}, out.Mode):
		return nil, fmt.Errorf("%s: unknown mode %q", s.Name, clip(string(out.Mode), 40))
	case !slices.Contains(c.hook.permits(), out.OnFailure):
		return nil, fmt.Errorf("%s: hook %s does not permit on_failure %q", s.Name, c.hook.name, clip(string(out.OnFailure), 40))
	case out.order < 100 || out.order > 999:
		return nil, fmt.Errorf("%s: order %d is outside 100 to 999", s.Name, out.order)
	}
	return out, nil
}
