package engine

import (
	"slices"
	"strings"
)

// MaxPeers is the most peers that a cluster has. Source: the seed; reference 1.1.
const MaxPeers = 6

// TLSMode is how strictly peers judge each other's certificates. Identity is
// verified in both (a pinned key and the cluster secret).
type TLSMode string

// The modes, as stored and logged; people read "Enforce" for Enforcing.
const (
	Permissive TLSMode = "Permissive"
	Enforcing  TLSMode = "Enforcing"
)

// Role is what a peer is deployed as; a cluster holds one role.
type Role string

// The roles: the reference's Expressway-C and Expressway-E.
const (
	Core Role = "core"
	Edge Role = "edge"
)

// Clustering is the clustering page of one peer.
//
// Peers holds the filled address fields in order, IP or FQDN, without gaps; an
// own address is among them, or it is empty on a stand-alone system. Primary
// is the 1-based index into Peers of the configuration primary.
//
// Source: the seed, "Creating a new cluster"; reference 1.2.
type Clustering struct {
	Name      string   `json:"name"`
	Primary   int      `json:"primary"`
	IPVersion string   `json:"ip_version"` // IPv4 or IPv6
	TLSMode   TLSMode  `json:"tls_mode"`
	Peers     []string `json:"peers"`
}

// Equal reports whether both pages hold the same values.
func (c Clustering) Equal(o Clustering) bool {
	return c.Name == o.Name && c.Primary == o.Primary && c.IPVersion == o.IPVersion &&
		c.TLSMode == o.TLSMode && SamePeers(c.Peers, o.Peers)
}

// SamePeers reports whether both lists hold the same addresses in the same order.
func SamePeers(a, b []string) bool {
	return slices.EqualFunc(a, b, strings.EqualFold)
}

// PrimaryAddress is the address that the primary index points at, "" when there is none.
func (c Clustering) PrimaryAddress() string {
	if c.Primary < 1 || c.Primary > len(c.Peers) {
		return ""
	}
	return c.Peers[c.Primary-1]
}

// Mapping is one pair of the cluster address mapping, consulted before DNS.
type Mapping struct {
	FQDN string `json:"fqdn"`
	IP   string `json:"ip"`
}

// Generation identifies one history of cluster.db. Peers of unequal
// generations never exchange a byte of Raft: see package engine/link.
type Generation struct {
	Number int64  `json:"number"`           // +1 at each forced change of primary
	ID     string `json:"id"`               // random
	Parent string `json:"parent,omitempty"` // ID of the generation it was founded on
}

// Member is one peer as agreed by the cluster: a row of cluster.db, and a copy
// in local.db so that peers find each other before the database is open.
type Member struct {
	Node        string `json:"node"`        // node id, which is its Raft id and Raft address too
	Address     string `json:"address"`     // its Peer N address when it joined
	Fingerprint string `json:"fingerprint"` // SHA-256 of its public key (SubjectPublicKeyInfo), lower-case hex
	Release     string `json:"release"`
}

// PeerState is how one peer sees another.
type PeerState string

// The states, in the words of the clustering page. Source: reference 1.3.
const (
	ThisSystem  PeerState = "This system"
	PeerUnknown PeerState = "Unknown"
	PeerFailed  PeerState = "Failed"
	PeerActive  PeerState = "Active"
)
