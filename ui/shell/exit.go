package shell

import (
	"encoding/json"

	"hexad/engine"
	"hexad/ui/command"
)

// Exit statuses of a line, equal in hexad exec and over SSH. Source: design 7.
const (
	ExitOK          = 0
	ExitRefused     = 1
	ExitUsage       = 2
	ExitUnreachable = 3
	ExitDiffers     = 4 // a command that compares found a difference
)

// Exits gives each code of a failure its exit status.
var Exits = map[engine.Code]int{
	engine.Invalid: ExitRefused, engine.Denied: ExitRefused, engine.NotFound: ExitRefused, engine.Conflict: ExitRefused,
	engine.Exhausted: ExitRefused, engine.Internal: ExitRefused, engine.Unavailable: ExitUnreachable,
}

// Exit is the exit status of an answer.
func (a Answer) Exit() int { return exit(failureOf(a.Err), a.Result.Differs) }

// Exit is the exit status of an answer that came over the socket.
func (r Reply) Exit() int {
	var result command.Result
	_ = json.Unmarshal(r.Result, &result) // an answer without a result differs from nothing
	return exit(r.Error, result.Differs)
}

func exit(failed *Failure, differs bool) int {
	switch {
	case failed != nil && failed.Usage:
		return ExitUsage
	case failed != nil:
		return Exits[failed.Code]
	case differs:
		return ExitDiffers
	}
	return ExitOK
}
