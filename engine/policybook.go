package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"
)

// PolicyVersion is one text of a script with its tests; it never changes.
//
// Replaces is the SHA-256 of the built-in of the same name that it was made to
// replace, "" for a script of the site's own. Report is the check's outcome as
// JSON. In a PolicyBook Source and Tests are left out.
type PolicyVersion struct {
	SHA256   string    `json:"sha256"`
	Name     string    `json:"name"`
	Hook     string    `json:"hook"`
	API      int       `json:"api"`
	Source   string    `json:"source,omitempty"`
	Tests    string    `json:"tests,omitempty"`
	Replaces string    `json:"replaces,omitempty"`
	Author   string    `json:"author"`
	Comment  string    `json:"comment,omitempty"`
	Created  time.Time `json:"created"`
	Report   string    `json:"check_report,omitempty"`
}

// PolicyDigest is the address of a version: lower-case hex SHA-256 over its
// name, source and tests.
func PolicyDigest(name, source, tests string) string {
	h := sha256.New()
	for _, part := range []string{name, source, tests} {
		io.WriteString(h, part) // a hash never fails
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// PolicyRemoved as a script's draft: the next revision goes without it.
const PolicyRemoved = "removed"

// PolicyScript is one script by name. Draft is the SHA-256 of the version that
// the next revision takes, PolicyRemoved, or "".
type PolicyScript struct {
	Name      string    `json:"name"`
	Hook      string    `json:"hook"`
	Builtin   bool      `json:"builtin"` // has the name of a built-in
	Draft     string    `json:"draft,omitempty"`
	DraftBy   string    `json:"draft_by,omitempty"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// PolicyState is where a revision stands.
type PolicyState string

// The states of a revision. Source: reference/policy-api.md section 7.
const (
	PolicyStaging PolicyState = "staging" // the peers are being asked
	PolicyRefused PolicyState = "refused" // a peer could not load it, or its tests failed there
	PolicyStaged  PolicyState = "staged"
	PolicyActive  PolicyState = "active" // one at most
	PolicyRetired PolicyState = "retired"
)

// PolicyItem is one script of a revision. SHA256 "" is the built-in of that
// name as it comes; Mode "" is enforce, OnFailure "" the hook's fail-safe,
// Order 0 the script's own.
type PolicyItem struct {
	Name      string `json:"name"`
	SHA256    string `json:"sha256,omitempty"`
	Mode      string `json:"mode,omitempty"`
	OnFailure string `json:"on_failure,omitempty"`
	Order     int    `json:"order,omitempty"`
}

// PolicyRevision is one state of the policies of the whole cluster: the site's
// scripts and settings beside the built-ins, and the operators' tables. BasedOn
// is the revision that was active when it was made, 0 for the built-ins alone.
// Author names everybody who wrote something new in it, separated by ", ".
type PolicyRevision struct {
	Number    int64        `json:"revision"`
	State     PolicyState  `json:"state"`
	BasedOn   int64        `json:"based_on"`
	Author    string       `json:"author"`
	StagedBy  string       `json:"staged_by"`
	Approver  string       `json:"approver,omitempty"`
	Comment   string       `json:"comment,omitempty"`
	Created   time.Time    `json:"created"`
	Activated time.Time    `json:"activated,omitzero"`
	Reason    string       `json:"reason,omitempty"`
	Items     []PolicyItem `json:"items"`
}

// PolicyAck is a peer's word on a staged revision.
type PolicyAck struct {
	Revision int64     `json:"revision"`
	Peer     string    `json:"peer"` // address
	OK       bool      `json:"ok"`
	Detail   string    `json:"detail,omitempty"`
	At       time.Time `json:"at"`
}

// PolicyWaiver keeps a finding from blocking and from raising its alarm until
// it ends. Peer "" is every peer.
type PolicyWaiver struct {
	ID      string    `json:"id"`
	Finding string    `json:"finding"`
	Peer    string    `json:"peer,omitempty"`
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
}

// PolicyDatum is a change of an operators' table that the next revision takes.
type PolicyDatum struct {
	Table   string    `json:"table"`
	Key     string    `json:"key"`
	Value   string    `json:"value,omitempty"`
	Removed bool      `json:"removed,omitempty"`
	Author  string    `json:"author"`
	At      time.Time `json:"at"`
}

// PolicyBook is everything that the cluster has about its policies but the
// texts: scripts and versions by name, versions and revisions newest first.
type PolicyBook struct {
	Scripts   []PolicyScript
	Versions  []PolicyVersion
	Revisions []PolicyRevision
	Acks      []PolicyAck
	Waivers   []PolicyWaiver
	Drafts    []PolicyDatum
}

// Active is the active revision; its number is 0 while only the built-ins are.
func (b PolicyBook) Active() PolicyRevision {
	for _, r := range b.Revisions {
		if r.State == PolicyActive {
			return r
		}
	}
	return PolicyRevision{State: PolicyActive}
}

// Revision finds a revision by its number; 0 is the built-ins alone.
func (b PolicyBook) Revision(n int64) (PolicyRevision, bool) {
	for _, r := range b.Revisions {
		if r.Number == n {
			return r, true
		}
	}
	return PolicyRevision{State: PolicyRetired}, n == 0
}

// Newest is the highest number of a revision, 0 without any.
func (b PolicyBook) Newest() int64 {
	if len(b.Revisions) == 0 {
		return 0
	}
	return b.Revisions[0].Number
}

// PolicyFacts is what a peer says of the policies that it runs.
type PolicyFacts struct {
	Revision   int64       `json:"revision"`
	Unloadable int64       `json:"unloadable,omitempty"` // the active revision, when it cannot be loaded there
	API        int         `json:"api"`                  // newest API version that its release knows
	Pins       []PolicyPin `json:"pins,omitempty"`
	Failures   int64       `json:"failures"` // since its start
	Decisions  int64       `json:"decisions"`
	P99US      int64       `json:"p99_us"`
	Changed    int         `json:"changed"` // decisions of the last hour that the revision before would have made otherwise
}

// PolicyPin is a script that a peer does not run in its active version.
// Version is the SHA-256 that is left out, Runs the one that answers instead, ""
// when the hook's fail-safe does.
type PolicyPin struct {
	Script  string    `json:"script"`
	Version string    `json:"version"`
	Runs    string    `json:"runs,omitempty"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"` // "system" for the breaker
	At      time.Time `json:"at"`
}
