package cluster

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"hexad/engine"
)

// Page is the clustering page of this peer as it rests in local.db.
type Page struct {
	Entered engine.Clustering
	Running engine.Clustering
	SavedAt time.Time
	Reset   *engine.Reset
	// Leaving are members that were taken off the list and whose membership may
	// not have ended yet: that takes a group that can commit.
	Leaving []engine.Member
}

// Pages keeps this peer's clustering page. It works with every other peer gone.
type Pages interface {
	Page(ctx context.Context) (Page, error)
	// PutPage stores the whole page in one transaction, on disk when it returns.
	PutPage(ctx context.Context, p Page) error
}

// Store is this peer's copy of cluster.db. Reading works always; writing when
// the group can commit, else Unavailable.
type Store interface {
	Agreed(ctx context.Context) (engine.Agreed, error)
	// SetPrimary names another primary if the present one is still from: else Conflict.
	SetPrimary(ctx context.Context, from, to string) error
	PutMember(ctx context.Context, m engine.Member) error
	RenameMember(ctx context.Context, node, address string) error
	RemoveMember(ctx context.Context, node string) error
	// ApplyForwarded runs a batch that another member handed over, on the leader.
	ApplyForwarded(ctx context.Context, batch []byte) ([]byte, error)
}

// Servers is the Raft group as this peer sees it.
type Servers struct {
	Leader     string // node id, "" when unknown
	LeaderHere bool
	Voters     []string
	Nonvoters  []string
	Applied    uint64
	State      string // cluster database status: Active, Synchronizing, Inactive, Failed
	Behind     bool   // the copy may lack what was acknowledged before it was opened, or before it began to lead
	Err        string // why Failed
}

// Group changes the Raft group; all but Servers and FollowerApplied need the leader here.
type Group interface {
	Servers() Servers
	AddNonvoter(ctx context.Context, node string) error
	RemoveServer(ctx context.Context, node string) error
	// Reconcile moves one server one step towards the voters that the members
	// should have, and leadership towards the primary. It reports whether it did something.
	Reconcile(ctx context.Context, members []string, primary string, reachable func(node string) bool) (string, error)
	// FollowerApplied tells the leader how far a follower's copy is.
	FollowerApplied(node string, index uint64)
}

// Peer ports, in the order that alarm 20021 names them. Source: reference 6.1.
const (
	LinkPort     = 4371
	DatabasePort = 4372
)

// Link reaches other peers, authenticated on both sides.
type Link interface {
	// Client speaks HTTP to a member; the host of a request is ignored.
	Client(node string) (*http.Client, error)
	// Probe connects to a listed address that is no member yet, as far as TLS.
	Probe(ctx context.Context, address string) error
	// Join asks the primary at address to admit this peer. Errors of the
	// primary arrive as *engine.Error with their findings.
	Join(ctx context.Context, address string, ask JoinAsk) (Grant, error)
	// DialDatabase opens an idle connection to a member's database port.
	DialDatabase(ctx context.Context, node string) (net.Conn, error)
	// Refresh makes the link read the members anew and drop who is gone.
	Refresh()
}

// Config is the little of the replicated configuration that clustering needs.
type Config interface {
	// Get returns the value of a canonical path in the present revision.
	Get(path string) string
	// Revision is the present one: what readers are shown is of it.
	Revision() int64
	// Neighbours are the zones that name other systems.
	Neighbours() []engine.NeighbourRecord
	// SetReplicated saves replicated items; only on the primary.
	SetReplicated(ctx context.Context, actor engine.Actor, changes []engine.Change) (engine.Saved, error)
}

// Alarms takes the complete set of conditions that hold.
type Alarms interface {
	Reconcile(ctx context.Context, source string, conditions []Condition)
	// Settle lowers those alarms of these numbers that held before the start
	// and that no Reconcile has found since.
	Settle(ctx context.Context, ids []int)
}

// Condition is one alarm that holds now.
type Condition struct {
	ID     int
	Key    string
	Params map[string]string
}

// JoinAsk is what a joiner says of itself to the primary.
type JoinAsk struct {
	Page  engine.Clustering `json:"page"`
	Age   time.Duration     `json:"age"` // since that page was saved
	Facts engine.Facts      `json:"facts"`
	// What the link on the primary's side knows:
	Address  string `json:"-"` // listed address that the connection came from
	RemoteIP string `json:"-"`
	Key      string `json:"-"` // fingerprint that the joiner proved
	Known    bool   `json:"-"` // it is the one that its node is known by, or follows it
}

// Grant makes the joiner a member.
type Grant struct {
	Cluster    string            `json:"cluster"`
	Secret     []byte            `json:"secret"`
	Generation engine.Generation `json:"generation"`
	Members    []engine.Member   `json:"members"`
	Primary    string            `json:"primary"`
}

// Options are what a Service is made of. All are required but the times.
type Options struct {
	Node    string
	Release string
	Pages   Pages
	Store   Store
	Group   Group
	Refill  Refill  // nil: the copy is never lost
	Digests Digests // nil: contents are not compared
	Link    Link
	Rules   Rules
	Lost    Lost // nil: a restart forgets since when peers are lost
	Config  Config
	Alarms  Alarms
	Emit    func(engine.Event)
	Log     *slog.Logger
	// Host returns the facts of this machine: addresses, names, DNS, NTP,
	// keys, certificate. The service completes what is its own.
	Host func() engine.Facts
	// Certificate is how this peer's certificate is judged for an entry of a
	// list; nil: as Host says.
	Certificate func(address string) engine.CertFacts
	Names       Names
	// Adopt makes the grant this peer's identity and opens its copy of cluster.db.
	Adopt func(ctx context.Context, g Grant) error
	// Generations and Recovery serve a forced change of primary and what
	// follows it; without them both are refused. Recovery speaks HTTP to a
	// member of any generation.
	Generations Generations
	Recovery    func(node string) *http.Client
	// Identity is who this peer is now.
	Identity func() Identity
	// Restart ends this process so that it starts again with the saved values.
	Restart func(actor engine.Actor)
	// LastChange is when the configuration was changed last, zero when unknown; may be nil.
	LastChange func(ctx context.Context) time.Time
	// ResetImage reports whether a factory reset could be carried out.
	ResetImage func() bool
	// KeepMembers keeps a copy of the members beside the database, so that peers find each other before it is open;
	// those of another cluster than the present one are left out.
	KeepMembers func(ctx context.Context, cluster string, m []engine.Member) error
	// Departed is told of a member that was removed: it is refused from now on, and told why.
	Departed func(ctx context.Context, m engine.Member)
	// Remedy is what an administrator does about an alarm, "" for 0.
	Remedy func(alarm int) string
	// Lines makes the log lines of the seed.
	Lines Lines
	// Timing of contact; zero values are the defaults.
	Beat, Timeout, Periodic time.Duration
}

// Identity is who this peer is in the cluster.
type Identity struct {
	Cluster    string
	Generation engine.Generation
	Secret     []byte
	Standalone bool // founded by itself and never joined another
	Failed     string
}

// Lines are the log lines of clustering, in the seed's words.
type Lines interface {
	Synchronisation(primary bool, peers []string, primaryIndex, ownIndex int, upToDate bool) []engine.Event
	PageChanged(actor engine.Actor, old, new engine.Clustering) []engine.Event
	TLSChanged(old, new engine.TLSMode, startup bool) []engine.Event
	PeerDown(address, cause string) []engine.Event
	PeerUp(address string) []engine.Event
}
