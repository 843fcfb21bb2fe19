package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// By is who types lines, and how.
type By struct {
	Actor    engine.Actor
	Role     Role
	Base     int64 // see Call.Base
	Language engine.Language
}

// Execute runs one line of the shell. An empty line answers nothing.
//
// Errors: those of Parse and Run.
func (t *Table) Execute(ctx context.Context, text string, by By) (Result, error) {
	line, err := Parse(text)
	if err != nil || line.Empty() {
		return Result{}, err
	}
	if line.Help > 0 {
		lines, err := t.Help(line, by.Language)
		return Result{Lines: lines}, err
	}
	call, err := t.resolve(line)
	if err != nil {
		return Result{}, err
	}
	call.Actor, call.Role, call.Base, call.Language = by.Actor, by.Role, by.Base, by.Language
	return t.Run(ctx, call)
}

// Resolve finds what a line asks for, without an actor yet.
//
// Errors: Invalid.
func (t *Table) Resolve(text string) (Call, error) {
	line, err := Parse(text)
	if err != nil {
		return Call{}, err
	}
	if line.Empty() || line.Help > 0 {
		return Call{}, usage("the line names no command")
	}
	return t.resolve(line)
}

func (t *Table) resolve(line Line) (Call, error) {
	switch line.Group {
	case XStatus, XHistory:
		if len(line.Segments) > 0 {
			return Call{}, usage("%s takes no values", line.Group)
		}
		return Call{Name: string(line.Group), Args: map[string]string{"Path": strings.Join(line.Tail, " ")}}, nil
	case XConfiguration:
		return t.resolveConfiguration(line)
	}
	return t.resolveCommand(line)
}

// resolveCommand finds the entry that the first words name, and its arguments.
func (t *Table) resolveCommand(line Line) (Call, error) {
	first, spoken := line.Tail, line.Tail
	if len(line.Segments) > 0 {
		first = line.Segments[0].Words
		spoken = first
		if !line.Segments[0].Bare && len(first) > 1 {
			spoken = first[:len(first)-1] // the last word is an argument's name
		}
	}
	e, rest, err := t.entryOf(first, spoken)
	if err != nil {
		return Call{}, err
	}
	call := Call{Name: e.Name, Args: map[string]string{}}
	for i, s := range line.Segments {
		words := s.Words
		if i == 0 {
			words = rest
		}
		name, err := e.argumentName(words, s.Bare, call.Args)
		if err != nil {
			return Call{}, err
		}
		if _, twice := call.Args[name]; twice {
			return Call{}, usage("%s: the argument %s is given twice", e.Name, name)
		}
		call.Args[name] = s.Value
	}
	left := line.Tail
	if len(line.Segments) == 0 {
		left = rest
	}
	if len(left) > 0 {
		return Call{}, usage("%s: %q is no argument", e.Name, strings.Join(left, " ")).
			With(usageItem, `write arguments as Name: value, and text with spaces in quotes; for example: `+e.Example)
	}
	return call, nil
}

// entryOf finds the command whose name the first words make, the longest
// first, and returns the words after it. spoken is what to call it when there
// is none.
func (t *Table) entryOf(words, spoken []string) (*Entry, []string, error) {
	for used := len(words); used > 0; used-- {
		name := fold(strings.Join(words[:used], ""))
		for _, e := range t.entries {
			if e.Group == XCommand && fold(e.Name) == name {
				return e, words[used:], nil
			}
		}
	}
	if len(words) == 0 {
		return nil, nil, usage("xCommand needs the name of a command").With(usageItem, "type xCommand ? for the list")
	}
	var names []string
	for _, e := range t.entries {
		if e.Group == XCommand {
			names = append(names, e.Name)
		}
	}
	return nil, nil, unknown("command", strings.Join(spoken, " "), names, "type xCommand ? for the list")
}

// argumentName is the name that words make. A quoted value without a name
// belongs to the first argument that has none yet.
func (e *Entry) argumentName(words []string, bare bool, given map[string]string) (string, error) {
	if bare {
		if len(words) > 0 {
			return "", usage("%s: a colon is missing after %q", e.Name, strings.Join(words, " "))
		}
		for _, a := range e.Args {
			if _, ok := given[a.Name]; !ok {
				return a.Name, nil
			}
		}
		return "", usage("%s takes no value without a name", e.Name)
	}
	name := strings.Join(words, "")
	if a, ok := e.Argument(name); ok {
		return a.Name, nil
	}
	if name == "" {
		return "", usage("%s: a value has no name before its colon", e.Name)
	}
	var names []string
	for _, a := range e.Args {
		names = append(names, a.Name)
	}
	return "", unknown("argument of "+e.Name, strings.Join(words, " "), names, "type xCommand "+e.Name+" ? for its arguments")
}
