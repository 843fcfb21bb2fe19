package engine

import (
	"slices"
	"strings"
)

// What the rules are asked. The JSON names are the names that a script sees;
// a field that is left out in JSON is nil there. Times are unix seconds.
//
// Source: reference/policy-api.md section 6.

// Occasion is why findings are asked for; it decides what an objection does.
type Occasion string

// The occasions. In a save or a join an error blocks; the periodic run and a
// change of option keys only raise alarms.
const (
	OnSave     Occasion = "save"
	OnJoin     Occasion = "join"
	OnKeys     Occasion = "keys"
	OnPeriodic Occasion = "periodic"
)

// PolicyContext is what every hook's input has. Now and Revision are filled in
// where they are 0.
type PolicyContext struct {
	Now      int64         `json:"now"`
	Revision int64         `json:"revision"`
	Self     PeerRecord    `json:"self"`
	Cluster  ClusterRecord `json:"cluster"`
}

// ClusterRecord is the cluster as it runs on the peer that asks.
type ClusterRecord struct {
	Name           string  `json:"name"`
	IPVersion      string  `json:"ip_version"`
	TLSMode        TLSMode `json:"tls_mode"`
	PrimaryIndex   int     `json:"primary_index"`
	Size           int     `json:"size"` // addresses in the running list
	MappingEnabled bool    `json:"mapping_enabled"`
}

// ConfigRecord is one state of the clustering page. Fields holds the six
// address fields as typed, "" for a blank one; nil means that they are the
// filled ones without gaps.
type ConfigRecord struct {
	Name           string    `json:"name"`
	PrimaryIndex   int       `json:"primary_index"`
	IPVersion      string    `json:"ip_version"`
	TLSMode        TLSMode   `json:"tls_mode"`
	PeerAddresses  []string  `json:"peer_addresses"`
	Fields         []string  `json:"fields"`
	MappingEnabled bool      `json:"mapping_enabled"`
	Mapping        []Mapping `json:"mapping"`
}

// NewConfigRecord is c with the fields it was read from and the address
// mapping; fields may be nil.
func NewConfigRecord(c Clustering, fields []string, mapped bool, mapping []Mapping) ConfigRecord {
	if fields == nil {
		fields = c.Peers
	}
	return ConfigRecord{
		Name: c.Name, PrimaryIndex: c.Primary, IPVersion: c.IPVersion, TLSMode: c.TLSMode,
		PeerAddresses: c.Peers, Fields: fields, MappingEnabled: mapped, Mapping: mapping,
	}
}

// PeerRecord is one peer as the rules see it. What is only known of a peer
// that answers is as last heard when it does not.
type PeerRecord struct {
	Index         int                `json:"index"` // 1-based entry, 0 when not listed
	Address       string             `json:"address"`
	ThisSystem    bool               `json:"this_system"`
	State         string             `json:"state"` // active, failed, unknown, joining
	Reachable     bool               `json:"reachable"`
	RTTMS         float64            `json:"rtt_ms,omitempty"` // from this system; nil when not measured
	RTTs          map[string]float64 `json:"rtts"`             // from that peer to each other address, ms
	Version       string             `json:"version"`
	Product       string             `json:"product"`
	Role          Role               `json:"role"`
	Hardware      HardwareRecord     `json:"hardware"`
	H323Mode      bool               `json:"h323_mode"`
	NICs          int                `json:"nics"`
	ClusterNIC    string             `json:"cluster_nic"`
	StaticNAT     string             `json:"static_nat,omitempty"` // the public address; nil without static NAT
	SeenAddress   string             `json:"seen_address,omitempty"`
	NATSeen       bool               `json:"nat_seen"` // its packets come from an address that it does not have
	IPVersion     string             `json:"ip_version"`
	Addresses     []string           `json:"addresses"`
	SystemName    string             `json:"system_name"`
	HostName      string             `json:"host_name"`
	Domain        string             `json:"domain"`
	DNSOK         bool               `json:"dns_ok"`
	DNSServers    []string           `json:"dns_servers"`
	DNSFailures   map[string]string  `json:"dns_failures"`
	NTP           NTPRecord          `json:"ntp"`
	Upgraded      bool               `json:"upgraded_since_install"`
	Keys          []KeyRecord        `json:"keys"`
	Certificate   CertificateRecord  `json:"certificate"`
	Config        PeerConfigRecord   `json:"config"`
	RestartNeeded bool               `json:"restart_pending"`
}

// HardwareRecord is what a peer runs on.
type HardwareRecord struct {
	Class string `json:"class"`
	Size  string `json:"size"` // small, medium, large, appliance
}

// NTPRecord tells whether a peer's time is right.
type NTPRecord struct {
	Servers  []string `json:"servers"`
	Synced   bool     `json:"synced"`
	OffsetMS float64  `json:"offset_ms"`
	State    string   `json:"state"`
}

// KeyRecord is an option key without its secret text; Count is nil for a
// feature.
type KeyRecord struct {
	Family string `json:"family"`
	Count  int    `json:"count,omitempty"`
}

// CertificateRecord is a peer's server certificate; NotAfter is unix seconds.
type CertificateRecord struct {
	Valid    bool     `json:"valid"`
	Reason   string   `json:"reason"`
	NotAfter int64    `json:"not_after"`
	CN       string   `json:"cn"`
	SANs     []string `json:"sans"`
	ChainOK  bool     `json:"chain_ok"`
}

// PeerConfigRecord is what a peer's own clustering page says.
type PeerConfigRecord struct {
	Name          string   `json:"name"`
	PrimaryIndex  int      `json:"primary_index"`
	IPVersion     string   `json:"ip_version"`
	PeerAddresses []string `json:"peer_addresses"`
	TLSMode       TLSMode  `json:"tls_mode"`
	Revision      int64    `json:"revision"`
}

// PeerSight is how the peer that asks sees another; the rest of a record comes
// from that peer's facts. Seen is the IP that its packets come from, "" when
// unknown. RTTs is by address.
type PeerSight struct {
	Index      int
	Address    string
	ThisSystem bool
	State      PeerState
	Joining    bool
	Reachable  bool
	RTTMS      float64
	RTTs       map[string]float64
	Seen       string
}

// NewPeerRecord joins what is seen of a peer with what it says of itself.
func NewPeerRecord(s PeerSight, f Facts) PeerRecord {
	r := PeerRecord{
		Index: s.Index, Address: s.Address, ThisSystem: s.ThisSystem, State: s.state(),
		Reachable: s.Reachable || s.ThisSystem, RTTMS: s.RTTMS, RTTs: s.RTTs,
		Version: f.Release, Product: f.Product, Role: f.Role, H323Mode: f.H323,
		Hardware: HardwareRecord{Class: f.Hardware, Size: f.Size},
		NICs:     f.NICs, ClusterNIC: f.ClusterNIC, StaticNAT: f.StaticNAT,
		SeenAddress: s.Seen, NATSeen: s.Seen != "" && len(f.Addresses) > 0 && !slices.Contains(f.Addresses, s.Seen),
		IPVersion: f.Entered.IPVersion, Addresses: f.Addresses,
		SystemName: f.SystemName, HostName: f.HostName, Domain: f.Domain,
		DNSOK: f.DNS.OK, DNSServers: f.DNS.Servers, DNSFailures: f.DNS.Failures,
		NTP: NTPRecord{
			Servers: f.NTP.Servers, State: f.NTP.State, OffsetMS: f.NTP.OffsetMS,
			Synced: strings.EqualFold(f.NTP.State, "Synchronized"),
		},
		Upgraded: f.Upgraded, RestartNeeded: len(f.Restart) > 0,
		Certificate: CertificateRecord{
			Valid: f.Certificate.Valid, Reason: f.Certificate.Reason, CN: f.Certificate.CN,
			SANs: f.Certificate.SANs, ChainOK: f.Certificate.Chain,
		},
		Config: PeerConfigRecord{
			Name: f.Entered.Name, PrimaryIndex: f.Entered.Primary, IPVersion: f.Entered.IPVersion,
			PeerAddresses: f.Entered.Peers, TLSMode: f.Entered.TLSMode, Revision: f.Store.Revision,
		},
	}
	if !f.Certificate.NotAfter.IsZero() {
		r.Certificate.NotAfter = f.Certificate.NotAfter.Unix()
	}
	for _, k := range f.Keys {
		r.Keys = append(r.Keys, KeyRecord{Family: k.Family, Count: k.Count})
	}
	return r
}

func (s PeerSight) state() string {
	switch {
	case s.Joining:
		return "joining"
	case s.ThisSystem || s.State == PeerActive:
		return "active"
	case s.State == PeerFailed:
		return "failed"
	}
	return "unknown"
}

// Resolution is what the resolver knows of one listed address. Failure is ""
// when it resolves; IPs may be empty while the answer is awaited.
type Resolution struct {
	Address string   `json:"address"`
	IPs     []string `json:"ips"`
	Failure string   `json:"failure,omitempty"`
}

// NeighbourRecord is a zone that names other systems.
type NeighbourRecord struct {
	Zone      string   `json:"zone"`
	Type      string   `json:"type"`
	Addresses []string `json:"addresses"`
}

// ClusterInput asks hook cluster.validate. Current is the page as saved before,
// Proposed as it shall be (equal to Current in the periodic run), Running as in
// effect. Peers includes this system.
type ClusterInput struct {
	PolicyContext
	Occasion       Occasion          `json:"occasion"`
	Current        ConfigRecord      `json:"current"`
	Proposed       ConfigRecord      `json:"proposed"`
	Running        ConfigRecord      `json:"running"`
	RestartPending bool              `json:"restart_pending"`
	Peers          []PeerRecord      `json:"peers"`
	Changed        []string          `json:"changed"`
	Resolved       []Resolution      `json:"resolved"`
	Neighbours     []NeighbourRecord `json:"neighbours"`
	Procedure      string            `json:"procedure,omitempty"` // kind of the procedure that was begun last, see GateRequest
}

// KeysInput asks hook keys.compare. Peers that do not answer are passed over.
type KeysInput struct {
	PolicyContext
	Occasion Occasion     `json:"occasion"`
	Product  string       `json:"product"`
	Peers    []PeerRecord `json:"peers"`
}

// PrerequisiteLimits are the limits of a cluster; 0 means the default.
type PrerequisiteLimits struct {
	RTTMS float64 `json:"rtt_ms"` // 80
	Peers int     `json:"peers"`  // 6
}

// PrerequisitesInput asks hook peer.prerequisites. Candidate is the peer that
// would join, nil in the periodic run; Peers are those that are in.
type PrerequisitesInput struct {
	PolicyContext
	Occasion  Occasion           `json:"occasion"`
	Candidate *PeerRecord        `json:"candidate,omitempty"`
	Peers     []PeerRecord       `json:"peers"`
	Limits    PrerequisiteLimits `json:"limits"`
	Procedure string             `json:"procedure,omitempty"`
}

// ArmedReset is the part of a Reset that the rules look at.
type ArmedReset struct {
	Armed bool     `json:"armed"`
	From  []string `json:"armed_from"`
}

// PeersChangedInput asks hook cluster.peers_changed on the peer where the list
// was saved. ResetImage is "present" or "missing".
type PeersChangedInput struct {
	PolicyContext
	Previous   ConfigRecord `json:"previous"`
	Proposed   ConfigRecord `json:"proposed"`
	Reset      ArmedReset   `json:"reset"`
	ResetImage string       `json:"reset_image"`
}

// IdentityInput asks hook peer.identity when a TLS session between peers is
// verified. SourceIP is the other side's address; ChainOK is Go's verdict on
// the chain. Mapping is empty while the mapping is off.
type IdentityInput struct {
	PolicyContext
	ConfiguredAddress string    `json:"configured_address"`
	SourceIP          string    `json:"source_ip"`
	Mapping           []Mapping `json:"mapping"`
	SANs              []string  `json:"sans"`
	CN                string    `json:"cn"`
	Names             []string  `json:"names"` // the SANs, then the CN; filled in when nil
	TLSMode           TLSMode   `json:"tls_mode"`
	ChainOK           bool      `json:"chain_ok"`
}

// Judgement is the answer of a findings hook.
//
// When Degraded is not nil at least one rule failed: Failed names its scripts.
// In a save or a join a finding policy.failed then blocks; in the periodic run
// the alarms of those scripts stay as they were.
type Judgement struct {
	Findings []Finding
	Failed   []string
	Degraded error
}

// ResetAction is what happens to the factory reset of this peer.
type ResetAction string

// The actions.
const (
	ResetNone      ResetAction = "none"
	ResetArm       ResetAction = "arm"
	ResetDisarm    ResetAction = "disarm"
	ResetKeepArmed ResetAction = "keep_armed"
)

// ResetDecision is the answer to a change of the peer list. Blocked is why an
// armed reset could not be carried out now, "" when it could.
type ResetDecision struct {
	Action   ResetAction
	Keep     []string
	BannerID string
	Banner   Text
	Blocked  string
	Findings []Finding // what Blocked means, for people
	Degraded error
}

// IdentityDecision tells whether the other side is the configured peer. Name
// is the certificate's name that proved it; Warning is why it was accepted
// without proof (Permissive).
type IdentityDecision struct {
	Accept   bool
	Name     string
	Reason   string
	Warning  string
	Degraded error
}
