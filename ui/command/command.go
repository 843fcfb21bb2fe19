// Package command is the one table of administrator commands. Shell, console
// and API all run entries of it, so none can do what another cannot.
package command

import (
	"context"

	"hexad/engine"
)

// Call is one command as a face hands it over: already parsed and authenticated.
type Call struct {
	Name  string            // canonical, joined: "ZoneAdd"; see Table.Lookup
	Args  map[string]string // by canonical argument name
	Actor engine.Actor
	Role  Role
	// Base is the revision that the caller looked at, 0 for the present one.
	Base int64
}

// Role is what an account may do.
type Role string

// The roles of an account.
const (
	Administrator Role = "administrator"
	Auditor       Role = "auditor" // reads only
)

// Result is what a command answers.
//
// Data is the typed answer, encoded as JSON for machines; Lines is the same
// for people, in the shell's form and without the closing OK.
type Result struct {
	Data     any                     `json:"data,omitempty"`
	Lines    []string                `json:"-"`
	Saved    *engine.Saved           `json:"saved,omitempty"`
	Findings []engine.Finding        `json:"findings,omitempty"`
	Cluster  *engine.ClusteringSaved `json:"clustering,omitempty"`
}

// Runner runs a command: the Table, as the faces see it.
//
// Errors: those of the command, as *engine.Error.
type Runner interface {
	Run(ctx context.Context, call Call) (Result, error)
}
