package engine

import (
	"maps"
	"slices"
)

// ContentDigest says what a peer's copy of cluster.db holds at one entry of the
// log: two copies of one generation with everything up to the same Index are
// equal, or one of them is wrong.
//
// Digest is over all Tables; each is a SHA-256 in hexadecimal.
type ContentDigest struct {
	Node       string            `json:"node"`
	Generation Generation        `json:"generation"`
	Index      uint64            `json:"index"` // Raft index of the last change
	Revision   int64             `json:"revision"`
	Digest     string            `json:"digest"`
	Tables     map[string]string `json:"tables"`
}

// DigestComparison is how a member's copy compares with this peer's.
type DigestComparison struct {
	Peer     string        `json:"peer"` // address
	Own      bool          `json:"own"`  // this system
	Content  ContentDigest `json:"content"`
	Verdict  DigestVerdict `json:"verdict"`
	Tables   []string      `json:"tables,omitempty"` // that differ
	Obstacle string        `json:"obstacle,omitempty"`
}

// DigestVerdict is the outcome of a comparison.
type DigestVerdict string

// The outcomes.
const (
	DigestEqual    DigestVerdict = "equal"
	DigestUnequal  DigestVerdict = "unequal"
	DigestUnjudged DigestVerdict = "not compared" // another generation or another entry of the log; or no answer
)

// Compare judges another copy by this one, and names the tables that differ.
func (c ContentDigest) Compare(other ContentDigest) (DigestVerdict, []string) {
	if c.Generation.ID != other.Generation.ID || c.Index != other.Index || c.Index == 0 {
		return DigestUnjudged, nil
	}
	if c.Digest == other.Digest {
		return DigestEqual, nil
	}
	all := maps.Clone(c.Tables)
	maps.Copy(all, other.Tables)
	var differ []string
	for _, table := range slices.Sorted(maps.Keys(all)) {
		if c.Tables[table] != other.Tables[table] {
			differ = append(differ, table)
		}
	}
	return DigestUnequal, differ
}
