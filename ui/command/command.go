// Package command is the one table of administrator commands. Shell, console
// and API all run entries of it, so none can do what another cannot.
package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// Call is one command as a face hands it over: already parsed and authenticated.
type Call struct {
	Name  string            // canonical, joined: "ZoneAdd", "xStatus"; see Table.Lookup
	Args  map[string]string // by canonical argument name
	Actor engine.Actor
	Role  Role
	// Base is the revision that the caller looked at, 0 for the present one.
	Base int64
	// Changes are the items that xConfiguration sets, all or nothing. Paths
	// need not be canonical.
	Changes []engine.Change
	// Body is the text that a command takes beside its arguments: the lines of
	// Import, the PEM of a certificate.
	Body string
	// Language is what Result.Lines is written in; "" is English.
	Language engine.Language
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
	Restart  []string                `json:"restart,omitempty"` // items that take effect at the next restart
	Findings []engine.Finding        `json:"findings,omitempty"`
	Cluster  *engine.ClusteringSaved `json:"clustering,omitempty"`
	// Backup is what to do before this is carried out, nil where nothing is at risk.
	Backup *BackupAdvice `json:"backup,omitempty"`
	// Following is the file, below the data directory, that says how far what was
	// begun is; "" when it is done. Its lines begin with a time; see Ends.
	Following string `json:"following,omitempty"`
	// Differs says that a command that compares found a difference.
	Differs bool `json:"differs,omitempty"`
}

// Ends reports whether a line of the file that Result.Following names is the last.
func Ends(line string) bool {
	return strings.Contains(line, ": done;") || strings.Contains(line, ": failed:")
}

// Runner runs a command: the Table, as the faces see it.
//
// Errors: those of the command, as *engine.Error.
type Runner interface {
	Run(ctx context.Context, call Call) (Result, error)
}
