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
func pace(r *raft.Raft, o ClusterOptions) {
	setCommitTimeout(r, commitPace)
	followed := o.Timers.of(r)
	led := followed
	led.HeartbeatTimeout *= leaderPace
	led.ElectionTimeout = max(led.ElectionTimeout, led.HeartbeatTimeout) // Raft wants it so
	r.RegisterObserver(raft.NewObserver(nil, false, func(seen *raft.Observation) bool {
		switch seen.Data {
		case raft.Leader:
			_ = r.ReloadConfig(led) // refused only for values that the store would not have opened with
			if o.OnLead != nil {
				o.OnLead()
			}
		case raft.Follower:
			_ = r.ReloadConfig(followed)
		}
		return false
	}))
}

// of are the times that r is given anew, with what it has beside them.
func (t Timers) of(r *raft.Raft) raft.ReloadableConfig {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout, c.ElectionTimeout = t.Heartbeat, t.Election
	return c
}

// yielding are the times of a peer that starts and is not the primary. When all
// of a cluster start at once, the primary then stands for election first, and
// leadership need not be handed to it by another one: half of the time that passed
// until saves were taken again.
func (t Timers) yielding() Timers {
	t.Heartbeat, t.Election = 2*t.Heartbeat, 2*t.Election
	return t
}

// endYielding gives a follower its own times, once it hears a leader or has
// waited for one. Whoever stood for election meanwhile has them.
func (s *raftStore) endYielding(timers Timers) {
	most := time.NewTimer(4 * timers.Heartbeat)
	defer most.Stop()
	look := time.NewTicker(timers.Heartbeat / 8)
	defer look.Stop()
	for waited := false; !waited; {
		if _, leader := s.raft.LeaderWithID(); leader != "" || s.raft.State() != raft.Follower {
			break
		}
		select {
		case <-look.C:
		case <-most.C:
			waited = true
		case <-s.closing:
			return
		}
	}
	if s.raft.State() == raft.Follower {
		_ = s.raft.ReloadConfig(timers.of(s.raft))
	}
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
