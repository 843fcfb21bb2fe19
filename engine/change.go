package engine

import "time"

// Change is one configuration item set or removed. Path is canonical, without
// the word xConfiguration: "Zones Zone 1 Name".
type Change struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Delete bool   `json:"delete,omitempty"`
}

// Save is one replicated configuration change: all of it or nothing.
//
// Base is the revision that it was decided on. Operation is a random id chosen
// by the writer; sending the same Save again after an unknown outcome finds
// itself done.
type Save struct {
	Operation string
	Base      int64
	Changes   []Change
	Actor     Actor
	Time      time.Time
	Comment   string
}

// Replication tells how far a save has gone when it is answered.
type Replication string

// How far a save has gone. Source: design 3.
const (
	ReplicatedNone Replication = "saved"                     // cluster of one: there is nobody else
	Replicated     Replication = "saved and replicated"      // on disk at a majority of voters, or at a follower of a sole voter
	NotReplicated  Replication = "saved, not yet replicated" // the sole voter's disk only
)

// Saved is the answer to a Save.
type Saved struct {
	Revision    int64       `json:"revision"`
	Index       uint64      `json:"index"` // Raft index
	Replication Replication `json:"replication"`
}

// Configuration is one revision of the replicated configuration: the items
// that were set. Defaults are the registry's. It is never changed once made.
type Configuration struct {
	Generation string // id of the generation that the revision belongs to
	Revision   int64
	Items      map[string]string
}

// ConfigurationStep is how one revision of the replicated configuration became
// a later one: the items that were set or changed in between, with the values
// that they have at the end, and those that are gone.
type ConfigurationStep struct {
	Revision int64 // where it leads to
	Set      map[string]string
	Unset    []string
}

// HistoryEntry is one item changed by one revision.
type HistoryEntry struct {
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	Actor    Actor     `json:"actor"`
	Peer     string    `json:"peer"` // node id where it was saved
	Path     string    `json:"path"`
	Old      string    `json:"old"` // masked for secrets
	New      string    `json:"new"`
	Comment  string    `json:"comment,omitempty"`
}

// Agreed is what the cluster agreed on about itself: rows of cluster.db.
type Agreed struct {
	Cluster    string     `json:"cluster"` // random id of the cluster
	Generation Generation `json:"generation"`
	Primary    string     `json:"primary"` // node id
	Members    []Member   `json:"members"`
	Revision   int64      `json:"revision"`
}
