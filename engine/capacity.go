package engine

import "time"

// CapacityOf is what one peer of a size carries by itself: video calls, and
// registrations; an unknown size counts as small.
//
// Source: reference 3.2.
func CapacityOf(size string) (calls, registrations int) {
	switch size {
	case "large", "appliance":
		return 500, 5000
	case "medium":
		return 150, 2500
	}
	return 20, 2000
}

// PooledLicences are the key families that a cluster shares: any peer may use a
// licence that is installed on any other. Source: reference 3.3.
var PooledLicences = []string{
	"rich_media_sessions", "room_registrations", "desktop_registrations", "traversal_calls", "non_traversal_calls",
}

// LostLicencesKept is how long the licences of a peer that does not answer stay
// in the pool where the rules say nothing of it. Source: reference 3.3.
const LostLicencesKept = 14 * 24 * time.Hour

// LostPeer is a peer that does not answer: when it was last seen (unix
// seconds), and what it added to the cluster.
type LostPeer struct {
	Seen int64  `json:"seen"`
	Size string `json:"size"`
	Keys []Key  `json:"keys"` // pooled ones, without their text
}

// LostLicences are the licences of a lost peer: they stay in the pool until a
// time, which is past when they are not counted any more. Warned says that the
// rules want it said before.
type LostLicences struct {
	Address string    `json:"address"`
	Seen    time.Time `json:"seen"`
	Until   time.Time `json:"until"`
	Counted bool      `json:"counted"`
	Warned  bool      `json:"warned"`
}

// CapacityView is what the cluster carries, as the rules last said: Decision
// explains it. Degraded says that the rules failed and that it is what they
// last said before, or what one peer carries. Licences is the pool by family.
type CapacityView struct {
	Calls         int            `json:"calls"`
	Registrations int            `json:"registrations"`
	CountedPeers  int            `json:"counted_peers"`
	Reason        string         `json:"reason,omitempty"`
	Licences      map[string]int `json:"licences,omitempty"`
	Lost          []LostLicences `json:"lost,omitempty"` // of lost peers
	Decision      string         `json:"decision,omitempty"`
	Script        string         `json:"script,omitempty"`
	Degraded      bool           `json:"degraded,omitempty"`
	At            time.Time      `json:"at"`
}
