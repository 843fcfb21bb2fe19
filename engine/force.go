package engine

import "time"

// ForcePlan is what naming a system the configuration primary by force will
// do, and what is lost by it. Source: design 3.
type ForcePlan struct {
	Copy      CopyState   `json:"copy"`    // what the new generation is founded on
	Next      int64       `json:"next"`    // number of the new generation
	Primary   string      `json:"primary"` // address of the primary that is replaced
	Here      bool        `json:"here"`    // that is this system: it goes on without the voters that are gone
	Unreached []ForcePeer `json:"unreached"`
	Reached   []ForcePeer `json:"reached"`
}

// ForcePeer is another peer as a forced change of primary finds it.
type ForcePeer struct {
	Address  string    `json:"address"`
	Primary  bool      `json:"primary"`
	Voter    bool      `json:"voter"`
	Since    time.Time `json:"since"`    // when its state was entered
	Revision int64     `json:"revision"` // of its copy as it last told, 0 when unknown
	Ahead    bool      `json:"ahead"`    // its copy is newer than the one the new generation is founded on
}

// Difference is one configuration item that two copies do not have alike.
// Secrets are masked. Own and Other are "" where the item is not set.
type Difference struct {
	Path     string `json:"path"`
	Own      string `json:"own"`
	Other    string `json:"other"`
	OwnSet   bool   `json:"own_set"`
	Secret   bool   `json:"secret,omitempty"`
	OtherSet bool   `json:"other_set"`
}

// UpdatePlan is what ForceConfigUpdate will do on a system: whose copy replaces
// its own, and how they differ.
type UpdatePlan struct {
	Source      string       `json:"source"` // address of the primary
	SourceNode  string       `json:"-"`
	Own         CopyState    `json:"own"`
	Theirs      CopyState    `json:"theirs"`
	Founding    *Founding    `json:"founding,omitempty"` // of their generation, when it is a newer one
	Beyond      int64        `json:"beyond"`             // revisions here that the primary's copy does not have
	Policies    bool         `json:"policies_differ"`
	Differences []Difference `json:"differences"`
}

// SavedCopy is a copy of cluster.db that was saved aside.
type SavedCopy struct {
	Name  string    `json:"name"`
	Taken time.Time `json:"taken"`
	Why   string    `json:"why"` // follow, ForceConfigUpdate
	Size  int64     `json:"size"`
	CopyState
}

// Fenced says that this peer is kept apart from a newer generation, or that
// two peers both take themselves for the primary.
type Fenced struct {
	Peer       string     `json:"peer"` // address
	Own        Generation `json:"own"`
	Other      Generation `json:"other"`
	Superseded bool       `json:"superseded"` // theirs is newer
	Rival      bool       `json:"rival"`      // it takes itself for the primary, and so does this one
	Why        string     `json:"why,omitempty"`
}
