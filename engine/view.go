package engine

import "time"

// ClusterView is the whole clustering page as one peer sees it at one moment:
// what every face shows.
type ClusterView struct {
	Node           string     `json:"node"`    // this peer's node id
	Address        string     `json:"address"` // this peer's entry, or its LAN1 address
	Index          int        `json:"index"`   // this peer's 1-based entry, 0 when it is not listed
	Entered        Clustering `json:"entered"` // as saved
	Running        Clustering `json:"running"` // as in effect
	Cluster        string     `json:"cluster"` // random id of the cluster
	Generation     Generation `json:"generation"`
	Revision       int64      `json:"revision"`
	Primary        string     `json:"primary"`         // node id of the agreed primary
	PrimaryAddress string     `json:"primary_address"` // its address
	PrimaryHere    bool       `json:"primary_here"`
	Leader         string     `json:"leader"`   // address of the peer that leads the database now, "" when none does
	Writable       bool       `json:"writable"` // configuration can be saved here now
	ReadOnly       string     `json:"read_only,omitempty"`
	Database       string     `json:"database"` // cluster database status: Active, Synchronizing, Inactive, Failed
	Synchronised   time.Time  `json:"synchronised"`
	MappingMode    bool       `json:"mapping_enabled"`
	Mappings       []Mapping  `json:"mappings"`
	Peers          []PeerView `json:"peers"`
	Restart        []string   `json:"restart,omitempty"` // why a restart is pending
	Reset          *Reset     `json:"reset,omitempty"`
	Findings       []Finding  `json:"findings,omitempty"`
	// Capacity is what the cluster carries; nil before the rules were asked.
	Capacity *CapacityView `json:"capacity,omitempty"`
	Fenced   *Fenced       `json:"fenced,omitempty"`
	Forcible bool          `json:"forcible,omitempty"` // this system can be named primary by force now
}

// PeerView is one entry of the peer list with what this peer knows of it.
type PeerView struct {
	Index        int       `json:"index"` // 1-based; 0 for a member that is not listed here
	Address      string    `json:"address"`
	Node         string    `json:"node,omitempty"`
	State        PeerState `json:"state"`
	Cause        string    `json:"cause"`       // why Failed
	Since        time.Time `json:"since"`       // when State was entered
	Certificate  string    `json:"certificate"` // Valid, Invalid, Unknown
	Reason       string    `json:"certificate_reason,omitempty"`
	Fingerprint  string    `json:"fingerprint,omitempty"`
	Pin          string    `json:"pin"`                           // none, pinned, changed
	Offered      string    `json:"offered_fingerprint,omitempty"` // of the key that it shows instead of the pinned one
	Primary      bool      `json:"primary"`
	Voter        bool      `json:"voter"`
	Applied      uint64    `json:"applied_index"`
	Revision     int64     `json:"revision"`
	LagMS        int64     `json:"lag_ms"` // 0 when it has all that the primary has
	RTTMS        float64   `json:"rtt_ms"`
	Release      string    `json:"release"`
	Database     string    `json:"database"`
	Synchronised time.Time `json:"synchronised"`
	Restart      bool      `json:"restart_pending"`
	ResetArmed   bool      `json:"reset_armed"`
	Maintenance  bool      `json:"maintenance"`
	// RTTs is the round trip that this peer measures to each other entry, ms by address.
	RTTs map[string]float64 `json:"rtts,omitempty"`
}

// Reset is an armed factory reset: it is carried out at the next restart.
type Reset struct {
	Since   time.Time `json:"since"`
	From    []string  `json:"armed_from"` // the peer list that disarms it when it is put back in this order
	Keep    []string  `json:"keep"`
	Banner  Text      `json:"banner"`
	Blocked string    `json:"blocked,omitempty"` // why it cannot be carried out now
}

// ClusteringSaved is the answer to a Save on the clustering page.
type ClusteringSaved struct {
	Entered  Clustering `json:"entered"`
	Saved    *Saved     `json:"saved,omitempty"` // when something replicated changed too
	Restart  []string   `json:"restart,omitempty"`
	Reset    *Reset     `json:"reset,omitempty"`
	Findings []Finding  `json:"findings,omitempty"`
}
