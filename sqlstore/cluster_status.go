package sqlstore

import (
	"time"

	"github.com/hashicorp/raft"

	"hexad/engine"
)

// The states of a peer's copy of cluster.db, as the clustering page shows them.
// Source: reference 1.4.
const (
	DatabaseActive        = "Active"        // it follows the group
	DatabaseSynchronizing = "Synchronizing" // it is catching up
	DatabaseInactive      = "Inactive"      // no leader is in sight: it can be read, not written
	DatabaseFailed        = "Failed"        // it could not be opened
)

// synchronizingLag is how many entries a copy may be behind and still be Active:
// every change makes it lag for a moment.
const synchronizingLag = 64

// StoreStatus is the Raft group as this peer sees it, and its own copy.
type StoreStatus struct {
	State       string    `json:"state"`  // Leader, Follower, Candidate, Shutdown; Closed
	Leader      string    `json:"leader"` // node id, "" when unknown
	LeaderHere  bool      `json:"leader_here"`
	Term        uint64    `json:"term"`    // of Raft, in which it is what State says
	Applied     uint64    `json:"applied"` // index of the last change in this copy
	Commit      uint64    `json:"commit"`  // index that the group is known to have
	LastContact time.Time `json:"last_contact"`
	Voter       bool      `json:"voter"` // this peer
	Voters      []string  `json:"voters"`
	Nonvoters   []string  `json:"nonvoters"`
	Database    string    `json:"database"` // Active, Synchronizing, Inactive, Failed
	Caught      bool      `json:"caught"`   // the group has confirmed all that this copy knew when it was opened
	Behind      bool      `json:"behind"`   // not Caught; or it leads and has not carried out all that was in its log when it began to
	Cause       string    `json:"cause,omitempty"`
}

// CaughtNow is Status().Caught, as it was found last, for the network below the
// store, whose connections may not wait for it: Raft waits for them when it is
// closed. It is false while a store is being replaced.
func (c *Cluster) CaughtNow() bool {
	if !c.mu.TryRLock() {
		return false
	}
	defer c.mu.RUnlock()
	return c.store != nil && c.store.caught.Load()
}

// Status tells how the group and this copy are. It is cheap.
func (c *Cluster) Status() StoreStatus {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.store
	if s == nil {
		out := StoreStatus{State: "Closed", Database: DatabaseInactive}
		if c.failure != nil {
			out.Database, out.Cause = DatabaseFailed, c.failure.Error()
		}
		return out
	}
	_, leader := s.raft.LeaderWithID()
	term, state := s.raft.CurrentTerm(), s.raft.State()
	for now := s.raft.CurrentTerm(); now != term; now = s.raft.CurrentTerm() {
		term, state = now, s.raft.State() // they changed between the two looks
	}
	out := StoreStatus{
		State: state.String(), Leader: string(leader), LeaderHere: state == raft.Leader, Term: term,
		Applied: s.store.DBAppliedIndex(), LastContact: s.raft.LastContact(),
	}
	out.Commit, _ = s.store.LeaderCommitIndex() // fails on a closed store only
	servers, _ := s.servers()
	for _, sv := range servers {
		if sv.Voter {
			out.Voters = append(out.Voters, sv.Node)
			out.Voter = out.Voter || sv.Node == c.o.Node
		} else {
			out.Nonvoters = append(out.Nonvoters, sv.Node)
		}
	}
	applied := s.carried()
	out.Database = databaseState(out, applied)
	if !s.gate.lifted() {
		out.Database = DatabaseSynchronizing
	}
	if out.Leader != "" && out.Commit > 0 {
		s.goal.CompareAndSwap(0, out.Commit)
	}
	own := min(s.last, s.raft.LastIndex()) // the leader may have cut off what was never confirmed
	if goal := s.goal.Load(); out.Leader != "" && out.Applied > 0 && goal > 0 && applied >= max(own, goal) && s.behindCopy() == nil {
		s.caught.Store(true)
	}
	out.Caught = s.caught.Load()
	out.Behind = !out.Caught || (out.LeaderHere && applied < s.ledFrom(term))
	return out
}

// lead is the end of the log of a leader, when it was first seen to lead.
type lead struct{ term, last uint64 }

// ledFrom is the index up to which a leader of this term must have carried out
// its log before its copy holds all that was acknowledged before.
func (s *raftStore) ledFrom(term uint64) uint64 {
	known := s.led.Load()
	if known == nil || known.term != term {
		known = &lead{term, s.raft.LastIndex()}
		s.led.Store(known)
	}
	return known.last
}

func databaseState(st StoreStatus, applied uint64) string {
	switch {
	case st.LeaderHere:
		return DatabaseActive
	case st.Leader == "":
		return DatabaseInactive
	case st.Applied == 0, applied+synchronizingLag < st.Commit:
		return DatabaseSynchronizing
	default:
		return DatabaseActive
	}
}

// servers is Raft's own list as this peer has it, in the order of node ids.
func (s *raftStore) servers() ([]engine.Server, error) {
	nodes, err := s.store.Nodes()
	if err != nil {
		return nil, errClosed
	}
	out := make([]engine.Server, len(nodes))
	for i, n := range nodes {
		out[i] = engine.Server{Node: n.ID, Voter: n.Suffrage == raft.Voter.String()}
	}
	return out, nil
}
