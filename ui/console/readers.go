package console

import (
	"context"
	"time"

	"hexad/engine"
	"hexad/ui/signin"
)

// Cluster tells what the clustering page shows. It answers from memory and
// always, with the database down too.
type Cluster interface {
	View(ctx context.Context) engine.ClusterView
}

// Alarms lists what holds now on every peer: the union of cluster.db and this
// peer's own alarms. It always answers; without the cluster's copy it lists
// this peer's own.
type Alarms interface {
	List(ctx context.Context) ([]engine.RaisedAlarm, error)
}

// Configuration browses the items of the registry with their present values.
type Configuration interface {
	// Items returns the items that q asks for, in registry order, and how many
	// there are in all. Values of secrets are never among them.
	Items(ctx context.Context, q ItemQuery) (Items, error)
	// Areas returns the first words of all paths with their number of items.
	Areas(ctx context.Context) ([]Area, error)
}

// ItemQuery selects configuration items.
//
// Paths, when it is not empty, names single items and everything else is
// ignored. Otherwise Area is the first word of the path ("" for any), Search
// words that all occur in path, value or help, without regard to case, and
// Offset and Limit cut a page out of what is left.
type ItemQuery struct {
	Area   string
	Search string
	Paths  []string
	Offset int
	Limit  int
}

// Items is one page of configuration items, all read at Revision.
type Items struct {
	Revision int64
	Total    int
	Items    []Item
}

// Area is one branch of the configuration tree.
type Area struct {
	Name  string
	Count int
}

// Item is one configuration item: its registry entry and its present value.
//
// Path is canonical ("Zones Zone 1 Name"). Choices is the closed list of
// values, empty for free text. Value is the value in effect, the default when
// none was set, and always "" for a secret.
type Item struct {
	Path       string
	Space      string // value space as the shell prints it: <On/Off>, <S: 0,128>
	Choices    []string
	Default    string
	Value      string
	Set        bool // a value was set; otherwise Value is the default
	Secret     bool
	Page       string      // path of the page where it is edited, "" for this form
	Replicated bool        // equal on every peer and edited on the primary; otherwise this peer's own
	Restart    bool        // takes effect at the next restart
	Later      engine.Text // why the value has no function in this release; empty: it is in effect
	Help       engine.Text
}

// Events reads this peer's journal.
type Events interface {
	// Events returns at most limit events, the newest, newest last.
	Events(ctx context.Context, limit int) ([]engine.Event, error)
}

// History reads the configuration history, on every peer.
type History interface {
	// History returns at most limit entries of revisions above after and below
	// before (0: no upper bound), newest first.
	History(ctx context.Context, after, before int64, limit int) ([]engine.HistoryEntry, error)
}

// Diagnostics names what SQL can be asked for.
type Diagnostics interface {
	// Views returns the names of the diag_ views of "cluster" or "local".
	Views(ctx context.Context, database string) ([]string, error)
}

// Account is one administrator's account of this peer.
type Account = signin.Account

// Session is one sign-in to the console. ID is the lower-case hexadecimal
// SHA-256 of the cookie's token, and Password that of the account's PHC
// string, so that a new password ends every older session. Times are UTC.
type Session struct {
	ID       string
	User     string
	Password string
	Source   string // IP address that it was started from
	Started  time.Time
	Seen     time.Time
}

// Accounts keeps accounts and sessions in this peer's own database; it works
// with every other peer gone.
type Accounts interface {
	// Account returns the named account. Errors: NotFound.
	Account(ctx context.Context, name string) (Account, error)
	// PutSession stores s, or replaces the session of the same ID. It forgets
	// the sessions that started more than 12 hours before s.Seen.
	PutSession(ctx context.Context, s Session) error
	// Session returns the session of that ID. Errors: NotFound.
	Session(ctx context.Context, id string) (Session, error)
	// DeleteSession forgets the session of that ID; none is no error.
	DeleteSession(ctx context.Context, id string) error
}

// SessionEvent is what a session's callback is told of.
type SessionEvent = signin.Event

// What happens to sessions.
const (
	SessionStart        = signin.SessionStart
	SessionFinish       = signin.SessionFinish
	SessionLoginFailure = signin.SessionLoginFailure
)
