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
	at := done.Load() // of the newest change; entries of Raft's own are not counted
	logs, ok := inside[*rlog.Log](s.store, "boltStore")
	for ok && at < handed {
		var entry raft.Log
		if logs.GetLog(at+1, &entry) != nil || entry.Type == raft.LogCommand {
			break
		}
		at++
	}
	return at
}
