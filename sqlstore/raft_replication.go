package sqlstore

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/hashicorp/raft"

	"hexad/engine"
)

// replications are what Raft, as the leader, keeps for each of its followers, as
// far as more is wanted of them than Raft's interface offers.
//
// Raft calls the filter of an observer from its own goroutine, the one that owns
// what is picked up here. hashicorp/raft v1.7.3 is pinned; if its fields are not
// where they are expected, followers are told of a commit by an entry more, and
// Raft's own pauses stay.
type replications struct {
	mu     sync.Mutex
	of     map[raft.ServerID]replication
	silent map[raft.ServerID]bool // did not answer what was sent last
}

// replication is that of one follower.
type replication struct {
	// trigger makes Raft send what there is. Touched by whoever changed something:
	// without it followers learn of a commit with the next entry of the log, or
	// after Raft's commit time-out. An entry more does it too, but costs what
	// a change costs: two writes to disk on each peer, and the next change waits for it.
	trigger chan struct{}
	// failures is the number of attempts that failed since the last success. Only
	// the goroutine of this replication uses it: read and set in its calls of the transport.
	failures *uint64
	term     uint64 // of the leader that it was started by
}

// mostFailures is the number that failures is held at: Raft pauses for 160 ms
// then. It pauses twice as long after each failure, up to ten seconds, and nothing
// ends the pause: a peer would be served again as late after it came back as it
// was away.
const mostFailures = 6

// watchReplication notes each replication that r starts from now on.
func watchReplication(r *raft.Raft) *replications {
	n := &replications{of: map[raft.ServerID]replication{}, silent: map[raft.ServerID]bool{}}
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if peer, ok := o.Data.(raft.PeerObservation); ok {
			n.note(peer.Peer.ID, replicationOf(o.Raft, peer.Peer.ID), peer.Removed)
		}
		return false
	}))
	return n
}

func (n *replications) note(id raft.ServerID, one replication, removed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if removed || one.trigger == nil {
		delete(n.of, id)
		delete(n.silent, id)
		return
	}
	n.of[id] = one
}

// nudge touches the triggers of the servers and reports whether it knows all
// of them. One of a replication that has ended does nothing.
func (n *replications) nudge(servers []engine.Server, self string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := true
	for _, s := range servers {
		if s.Node == self {
			continue
		}
		one := n.of[raft.ServerID(s.Node)]
		if one.trigger == nil {
			known = false
			continue
		}
		one.touch()
	}
	return known
}

// more touches the trigger of a follower that did not get everything at once.
func (n *replications) more(id raft.ServerID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[id].touch()
}

// touch makes the replication send what there is, if it is known.
func (r replication) touch() {
	select {
	case r.trigger <- struct{}{}:
	default: // it was touched already, or is not known
	}
}

// heard notes whether a follower answered.
func (n *replications) heard(id raft.ServerID, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[id] = err != nil
}

// answers reports whether a follower is not known to be silent now.
func (n *replications) answers(node string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.silent[raft.ServerID(node)]
}

// failed is called in the goroutine of the replication to id in term after an
// attempt that failed, before Raft counts it.
//
// Where a follower was removed and added again in one term, the last attempt of
// the old replication changes the count of the new one, which does no harm: one
// pause is shorter or longer. The race detector is not to look at that.
//
//go:norace
func (n *replications) failed(id raft.ServerID, term uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if one := n.of[id]; one.failures != nil && one.term == term {
		*one.failures = min(*one.failures, mostFailures-1)
	}
}

// replicationOf is what there is of r.leaderState.replState[id].
func replicationOf(r *raft.Raft, id raft.ServerID) replication {
	state := reflect.ValueOf(r).Elem().FieldByName("leaderState")
	if state.Kind() != reflect.Struct {
		return replication{}
	}
	all := state.FieldByName("replState")
	if all.Kind() != reflect.Map || all.Type().Key() != reflect.TypeFor[raft.ServerID]() {
		return replication{}
	}
	one := all.MapIndex(reflect.ValueOf(id))
	if one.Kind() != reflect.Pointer || one.IsNil() || one.Elem().Kind() != reflect.Struct {
		return replication{}
	}
	trigger := fieldOf[chan struct{}](one.Elem(), "triggerCh")
	if trigger == nil {
		return replication{}
	}
	known := replication{trigger: *trigger}
	if term := fieldOf[uint64](one.Elem(), "currentTerm"); term != nil {
		known.failures, known.term = fieldOf[uint64](one.Elem(), "failures"), *term
	}
	return known
}

// fieldOf is where a field of a struct is, nil when it is not of type T.
func fieldOf[T any](of reflect.Value, name string) *T {
	f := of.FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr()))
}
