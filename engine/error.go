package engine

import (
	"errors"
	"fmt"
)

// Code tells a program what kind of failure an Error is.
type Code string

// The codes. Every face has a table that gives each of them its own form
// (an exit status, an HTTP status, a SIP response), tested against Codes.
const (
	Invalid     Code = "invalid"     // the request is malformed or breaks a rule; the same request fails again
	Denied      Code = "denied"      // not authenticated, not permitted, or not permitted here
	NotFound    Code = "not_found"   // the thing named does not exist
	Conflict    Code = "conflict"    // something changed since the caller looked; look again
	Exhausted   Code = "exhausted"   // a limit or a licence is used up
	Unavailable Code = "unavailable" // cannot be done now; the outcome may be unknown, sending again is safe
	Internal    Code = "internal"    // a fault of hexad
)

// Codes lists every Code.
var Codes = []Code{Invalid, Denied, NotFound, Conflict, Exhausted, Unavailable, Internal}

// Error carries a code for programs, a message safe to show an administrator,
// what to do about it, and the cause, which goes to the log only.
type Error struct {
	Code     Code
	Message  string    // names the item: what was refused and why
	Remedy   string    // what the administrator can do; may be empty
	Item     string    // the configuration item, field or argument concerned; may be empty
	Findings []Finding // what the policies found, when they refused it
	Err      error     // cause; never shown
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return e.Message + " (" + e.Remedy + ")"
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error. A %w in format becomes the cause and is not shown
// beyond what the message itself says.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// With returns e with the item and the remedy set.
func (e *Error) With(item, remedy string) *Error {
	e.Item, e.Remedy = item, remedy
	return e
}

// CodeOf returns the code of the first Error in err's chain, Internal for any
// other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
