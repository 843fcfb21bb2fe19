package command

import (
	"errors"
	"fmt"
	"strings"

	"hexad/engine"
	"hexad/engine/config"
)

// chars is a text of low to high characters.
func chars(low, high int) config.Space { return space(fmt.Sprintf("<S: %d,%d>", low, high)) }

// from is a whole number from low to high.
func from(low, high int) config.Space { return space(fmt.Sprintf("<%d..%d>", low, high)) }

// oneOf is one of some words; "a|b" is a, also spelled b.
func oneOf(values ...string) config.Space { return space("<" + strings.Join(values, "/") + ">") }

// space reads a value space of the table below; a mistake in it is a mistake
// in this package.
func space(text string) config.Space {
	s, err := config.ParseSpace(text)
	if err != nil {
		panic("command: " + err.Error())
	}
	return s
}

// canonical is value as the argument's space spells it.
//
// Errors: Invalid, naming the argument.
func (a Argument) canonical(value string) (string, error) {
	if value == "" && !a.Required && !a.Space.Bare() {
		return "", nil
	}
	v, err := a.Space.Canonical(value)
	var e *engine.Error
	if errors.As(err, &e) {
		return "", engine.Errorf(engine.Invalid, "%s: %s", a.Name, e.Message).With(a.Name, e.Remedy)
	}
	return v, err
}
