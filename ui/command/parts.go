package command

import (
	"context"
	"time"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/engine/policy"
)

// Cluster is the clustering page and what it starts.
type Cluster interface {
	View(ctx context.Context) engine.ClusterView
	// Pending is the part of the view that precedes every answer (Reset,
	// Restart, Database); it is cheap.
	Pending() engine.ClusterView
	// Save stores page as this peer's entered page.
	// Errors: Invalid, Denied (with the findings), Conflict, Unavailable.
	Save(ctx context.Context, actor engine.Actor, page engine.Clustering) (engine.ClusteringSaved, error)
	// Restart starts hexad again on this peer with the saved values. It returns
	// at once; the connection that asked for it ends a moment later.
	Restart(ctx context.Context, actor engine.Actor) error
}

// Contents compares the copies of the cluster database.
type Contents interface {
	// DigestList is what this system's copy holds and, with all, how those of
	// the other members compare with it.
	// Errors: Unavailable.
	DigestList(ctx context.Context, all bool) ([]engine.DigestComparison, error)
}

// Trust is how peers come to know each other.
type Trust interface {
	// AcceptKey pins the key that the peer at address shows now, if it is the
	// one with that fingerprint; "" takes any. Errors: NotFound, Conflict.
	AcceptKey(ctx context.Context, actor engine.Actor, address, fingerprint string) error
	// JoinToken makes a token that authenticates a joining peer's first contact.
	JoinToken(ctx context.Context, actor engine.Actor) (token string, until time.Time, err error)
	// UseToken enters, on the joining peer, the token that the primary showed.
	UseToken(ctx context.Context, actor engine.Actor, token string) error
	// OpenWindow lets listed peers be pinned on first sight once more.
	OpenWindow(ctx context.Context, actor engine.Actor) (until time.Time, err error)
}

// Alarms is the union of what is raised on all peers.
type Alarms interface {
	List(ctx context.Context) ([]engine.RaisedAlarm, error)
	// Acknowledge marks an alarm of this peer as seen.
	// Errors: NotFound, Denied (it holds on another peer).
	Acknowledge(ctx context.Context, node string, id int, key, by, comment string) error
}

// Diagnostics answers one reading statement on one of the databases.
type Diagnostics interface {
	// Query returns at most limit rows. Cells are nil, int64, float64, string
	// or []byte.
	// Errors: Invalid (the statement), Denied (it would write), Exhausted (time).
	Query(ctx context.Context, database, statement string, limit int) (Rows, error)
}

// Rows is the answer to a statement.
type Rows struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated"` // there were more than the limit
}

// Host is what this machine says of itself.
type Host interface {
	Facts(ctx context.Context) engine.Facts
	// Started is when this run of hexad began to serve.
	Started() time.Time
	// Serial is the number that names this system for good.
	Serial() string
	// Lookup asks the configured servers. Type is a record type, "all" for any.
	// Each answer is one record in the zone-file form.
	Lookup(ctx context.Context, name, recordType string) ([]string, error)
}

// Accounts changes passwords.
type Accounts interface {
	SetPassword(ctx context.Context, actor engine.Actor, account, password string) error
}

// Journal is this peer's event log.
type Journal interface {
	// Events returns the newest events, newest last.
	Events(ctx context.Context, limit int) ([]engine.Event, error)
}

// Gate asks the rules whether a procedure may begin on this system, and returns
// what is to be shown beside it.
// Errors: Denied, Unavailable (later), with the findings.
type Gate func(ctx context.Context, procedure, step string) ([]engine.Finding, error)

// Audited is one command as the audit keeps it; secrets are masked.
type Audited struct {
	Actor   engine.Actor
	Command string
	Args    map[string]string
	Result  string // "OK" or the error's code and message
}

// Parts is what the commands act on. A command whose part is nil is not in the
// table.
type Parts struct {
	Cluster       Cluster
	Forcing       Forcing
	Procedures    Procedures
	Copies        Copies
	Contents      Contents
	Trust         Trust
	Certificates  Certificates
	Registry      *config.Registry
	Configuration Configuration
	History       History
	Alarms        Alarms
	Catalogue     func(id int) engine.Alarm // the kind of an alarm
	Diagnostics   Diagnostics
	Host          Host
	Accounts      Accounts
	Backups       Backups
	Resets        Resets
	Purges        Purges
	Journal       Journal
	Policies      *policy.Lifecycle
	Roster        Roster
	SSH           SSH
	Keys          Keys
	Gate          Gate // nil: nothing is held up
	Audit         func(context.Context, Audited)
}
