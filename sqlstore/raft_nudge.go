package sqlstore

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/hashicorp/raft"

	"hexad/engine"
)

// nudges makes the followers learn at once what the leader has committed.
//
// Raft tells them with the next entry of the log, or after its commit time-out
// of 50 to 100 ms, which rqlite v8 does not let be set. An entry more after
// each change does it too, but costs what a change costs: two writes to disk on
// each peer, and the next change waits behind it. What the commit time-out does
// is send an empty append; Raft does the same when the trigger of a follower's
// replication is touched. There is no public way to it, so the triggers are
// picked up where Raft makes them. hashicorp/raft v1.7.3 is pinned; if its
// fields are not where they are expected, the entry more is written.
type nudges struct {
	mu       sync.Mutex
	triggers map[raft.ServerID]chan struct{}
}

// watchReplication notes the trigger of each replication that r starts from now
// on. Raft calls the filter from its own goroutine, the one that owns what is
// read here.
func watchReplication(r *raft.Raft) *nudges {
	n := &nudges{triggers: map[raft.ServerID]chan struct{}{}}
	r.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if peer, ok := o.Data.(raft.PeerObservation); ok {
			n.note(peer.Peer.ID, replicationTrigger(o.Raft, peer.Peer.ID), peer.Removed)
		}
		return false
	}))
	return n
}

func (n *nudges) note(id raft.ServerID, trigger chan struct{}, removed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if removed || trigger == nil {
		delete(n.triggers, id)
		return
	}
	n.triggers[id] = trigger
}

// nudge touches the triggers of the servers and reports whether it knows all
// of them. One of a replication that has ended does nothing.
func (n *nudges) nudge(servers []engine.Server, self string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := true
	for _, s := range servers {
		if s.Node == self {
			continue
		}
		trigger := n.triggers[raft.ServerID(s.Node)]
		if trigger == nil {
			known = false
			continue
		}
		select {
		case trigger <- struct{}{}:
		default: // it was touched already
		}
	}
	return known
}

// replicationTrigger is r.leaderState.replState[id].triggerCh, nil when it is
// not there.
func replicationTrigger(r *raft.Raft, id raft.ServerID) chan struct{} {
	state := reflect.ValueOf(r).Elem().FieldByName("leaderState")
	if state.Kind() != reflect.Struct {
		return nil
	}
	all := state.FieldByName("replState")
	if all.Kind() != reflect.Map || all.Type().Key() != reflect.TypeFor[raft.ServerID]() {
		return nil
	}
	one := all.MapIndex(reflect.ValueOf(id))
	if one.Kind() != reflect.Pointer || one.IsNil() || one.Elem().Kind() != reflect.Struct {
		return nil
	}
	trigger := one.Elem().FieldByName("triggerCh")
	if !trigger.IsValid() || trigger.Type() != reflect.TypeFor[chan struct{}]() {
		return nil
	}
	return *(*chan struct{})(unsafe.Pointer(trigger.UnsafeAddr()))
}
