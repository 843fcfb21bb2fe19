package engine

import "time"

// Facts is what one peer says of itself to the others over the peer link, and
// what the rules judge. Facts travel on the link only; they are never stored in
// cluster.db.
type Facts struct {
	Node        string     `json:"node"`
	Cluster     string     `json:"cluster"`
	Generation  Generation `json:"generation"`
	Address     string     `json:"address"`   // own entry of the peer list, or the LAN1 address
	Addresses   []string   `json:"addresses"` // IP literals of this machine's interfaces
	Release     string     `json:"release"`
	Product     string     `json:"product"` // expressway or vcs: which key families are pooled
	Role        Role       `json:"role"`
	Size        string     `json:"size"`     // small, medium, large, appliance
	Hardware    string     `json:"hardware"` // hardware class
	H323        bool       `json:"h323"`
	NICs        int        `json:"nics"`
	ClusterNIC  string     `json:"cluster_nic"` // single, internal or external
	StaticNAT   string     `json:"static_nat,omitempty"`
	SystemName  string     `json:"system_name"`
	HostName    string     `json:"host_name"`
	Domain      string     `json:"domain"`
	DNS         DNSFacts   `json:"dns"`
	NTP         NTPFacts   `json:"ntp"`
	Keys        []Key      `json:"keys"`
	Certificate CertFacts  `json:"certificate"`
	Entered     Clustering `json:"entered"`
	Running     Clustering `json:"running"`
	SavedAt     time.Time  `json:"saved_at"` // when the clustering page was last saved there
	Upgraded    bool       `json:"upgraded_since_install"`
	Restart     []string   `json:"restart"` // why a restart is pending; empty: none
	ResetArmed  bool       `json:"reset_armed"`
	Maintenance bool       `json:"maintenance"`
	Store       StoreFacts `json:"store"`
	// Started is when this run of the peer began.
	Started time.Time `json:"started"`
	// Procedure is what an administrator began there last, nil for nothing.
	Procedure *ProcedureRecord `json:"procedure,omitempty"`
	// Policy is which rules run there.
	Policy PolicyFacts `json:"policy"`
	// SystemKey is the public part of the peer's system key, in hexadecimal: what
	// the data keys of the cluster are wrapped for. "" when it has none.
	SystemKey string `json:"system_key,omitempty"`
	// Lost says when the peers that do not answer there were last seen: unix
	// seconds by node id.
	Lost map[string]int64 `json:"lost,omitempty"`
	// RTTs holds this peer's round trip to each other node id, in milliseconds.
	RTTs map[string]float64 `json:"rtts,omitempty"`
}

// StoreFacts is the state of a peer's copy of cluster.db.
type StoreFacts struct {
	State    string `json:"state"`   // Active, Synchronizing, Inactive, Failed
	Applied  uint64 `json:"applied"` // Raft index
	Revision int64  `json:"revision"`
	Leader   string `json:"leader"` // node id of the Raft leader as this peer knows it
	Voter    bool   `json:"voter"`
	// Synchronised is when this copy was last known equal to the primary's.
	Synchronised time.Time `json:"synchronised"`
}

// DNSFacts tells how names resolve for this peer.
type DNSFacts struct {
	Servers  []string          `json:"servers"`
	OK       bool              `json:"ok"`                 // every listed peer resolves forward (and reverse where it is a name)
	Failures map[string]string `json:"failures,omitempty"` // address -> what failed
}

// NTPFacts tells whether this peer's time is right.
type NTPFacts struct {
	Servers  []string `json:"servers"`
	State    string   `json:"state"` // Synchronized, Unsynchronized, Failed, Unconfigured
	OffsetMS float64  `json:"offset_ms"`
	Cause    string   `json:"cause,omitempty"`
}

// CertFacts describes a certificate: names, expiry, and how it was judged.
type CertFacts struct {
	Fingerprint string    `json:"fingerprint"`
	CN          string    `json:"cn"`
	SANs        []string  `json:"sans"`
	NotAfter    time.Time `json:"not_after"`
	Chain       bool      `json:"chain_ok"`
	Valid       bool      `json:"valid"`  // would pass Enforcing for the address it was judged for
	Reason      string    `json:"reason"` // why not
}
