package sqlstore

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
	rlog "github.com/rqlite/rqlite/v8/store/log"
)

// carried is the index up to which the log is carried out in the database, or
// less. Raft's own AppliedIndex is that of the newest entry handed over to be
// carried out: after a start the database may be thousands of entries behind it.
func (s *raftStore) carried() uint64 {
	handed := s.raft.AppliedIndex() // first: the other may move on meanwhile
	done, ok := inside[*atomic.Uint64](s.store, "fsmIdx")
	if !ok {
		return s.store.DBAppliedIndex()
	}
	change := done.Load() // the newest one; entries of Raft's own are not counted
	mark := carriedMark{change: change, at: change}
	if known := s.reached.Load(); known != nil && known.change == change {
		mark = *known
	}
	logs, ok := inside[*rlog.Log](s.store, "boltStore")
	for ok && !mark.next && mark.at < handed {
		var entry raft.Log
		if logs.GetLog(mark.at+1, &entry) != nil {
			break
		}
		if mark.next = entry.Type == raft.LogCommand; !mark.next {
			mark.at++
		}
	}
	s.reached.Store(&mark)
	return mark.at
}

// carriedMark is how far the log was looked at, which is read again and again
// while it is carried out: after the change of that index come entries of Raft's
// own up to at, and then, if next is set, a change.
type carriedMark struct {
	change, at uint64
	next       bool
}
