package sqlstore

import (
	"reflect"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// leaderPace is how much longer the heartbeat timeout of a leader is than that
// of its followers.
//
// Raft sends a heartbeat every tenth of that timeout, up to twice as rarely:
// between ten and five in the time that makes a follower stand for election.
// The connections are TCP, where none is lost; five to two and a half are
// enough, at half the cost of an idle cluster.
const leaderPace = 2

// commitPace is how long a leader with nothing to send waits before it tells a
// follower anew what is committed, up to twice as long. Raft's own 50 ms are for
// followers that would not learn of a change otherwise; here they are nudged,
// and what is left are the changes that nobody waits for.
const commitPace = 250 * time.Millisecond

// pace gives r the times of its state. The followers' are those that the store
// was opened with; a leader's are set in Raft's own goroutine, before its first
// heartbeat.
func pace(r *raft.Raft, timers Timers) {
	setCommitTimeout(r, commitPace)
	followed := r.ReloadableConfig()
	followed.HeartbeatTimeout, followed.ElectionTimeout = timers.Heartbeat, timers.Election
	led := followed
	led.HeartbeatTimeout *= leaderPace
	led.ElectionTimeout = max(led.ElectionTimeout, led.HeartbeatTimeout) // Raft wants it so
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		switch o.Data {
		case raft.Leader:
			_ = r.ReloadConfig(led) // refused only for values that the store would not have opened with
		case raft.Follower:
			_ = r.ReloadConfig(followed)
		}
		return false
	}))
}

// setCommitTimeout sets what rqlite v8 does not let be set. hashicorp/raft
// v1.7.3 is pinned; if its configuration is not where it is expected, Raft's own
// time stays.
func setCommitTimeout(r *raft.Raft, d time.Duration) {
	conf := fieldOf[atomic.Value](reflect.ValueOf(r).Elem(), "conf")
	if conf == nil {
		return
	}
	if c, ok := conf.Load().(raft.Config); ok {
		c.CommitTimeout = d
		conf.Store(c)
	}
}
