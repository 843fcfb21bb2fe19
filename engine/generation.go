package engine

import "time"

// Founding is how a generation began: who founded it, and on what.
//
// Index and Term are the last log entry of the parent generation that the
// founder had; 0 when that is not known.
type Founding struct {
	By       string    `json:"by"` // node id
	Revision int64     `json:"revision"`
	Index    uint64    `json:"index"`
	Term     uint64    `json:"term"`
	At       time.Time `json:"at"`
}

// CopyState describes one copy of cluster.db with all that its log holds,
// confirmed by the group or not.
//
// Index and Term are its last log entry. History and Policies are digests: of
// the changes up to Revision, and of the operators' rules and tables.
type CopyState struct {
	Generation  Generation `json:"generation"`
	Primary     string     `json:"primary"` // node id
	Revision    int64      `json:"revision"`
	Saved       time.Time  `json:"saved"` // when Revision was, zero when it is not known
	Index       uint64     `json:"index"`
	Term        uint64     `json:"term"`
	Unconfirmed int        `json:"unconfirmed"` // entries at the end of the log that no leader had confirmed yet
	Items       int        `json:"items"`
	History     string     `json:"history"`
	Policies    string     `json:"policies"`
}
