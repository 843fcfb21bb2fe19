package alarm

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hexad/engine"
)

// Own returns this peer's alarms, worst first.
func (t *Tracker) Own() []engine.RaisedAlarm {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own()
}

func (t *Tracker) own() []engine.RaisedAlarm {
	node, peer := t.node(), t.peer()
	out := make([]engine.RaisedAlarm, 0, len(t.raised))
	for _, s := range t.raised {
		a := s.alarm // Params are replaced, never changed
		a.Node, a.Peer = node, peer
		out = append(out, a)
	}
	slices.SortFunc(out, order)
	return out
}

// List returns the alarms of all peers, worst first: this peer's own as they
// are now, the others' as they published them, with what the rules made of them.
//
// Errors: Unavailable (cluster.db cannot be read); this peer's own are returned
// with it.
func (t *Tracker) List(ctx context.Context) ([]engine.RaisedAlarm, error) {
	all := t.Own()
	if t.board == nil {
		return t.marked(ctx, all), nil
	}
	published, err := t.board.PublishedAlarms(ctx)
	if err != nil {
		return t.marked(ctx, all), &engine.Error{Code: engine.Unavailable, Message: "the alarms of the other peers cannot be read", Err: err}
	}
	node := t.node()
	for _, a := range published {
		if a.Node != node {
			all = append(all, a)
		}
	}
	all = t.marked(ctx, all)
	slices.SortFunc(all, order)
	return all, nil
}

// order sorts by severity, number, peer and key.
func order(a, b engine.RaisedAlarm) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Peer, b.Peer),
		cmp.Compare(a.Node, b.Node),
		cmp.Compare(a.Key, b.Key),
	)
}

// rank is the place of an alarm's severity; unknown kinds come last.
func rank(a engine.RaisedAlarm) int {
	kind, known := Kind(a.ID)
	if !known {
		return len(engine.Severities)
	}
	return slices.Index(engine.Severities, a.SeverityOf(kind.Severity))
}

// Acknowledge records that a person has seen an alarm of this peer; it lowers
// nothing. Acknowledging twice keeps the first name.
//
// node is the alarm's, id and key tell which. Errors: Denied (another peer's:
// it must be acknowledged there), NotFound, Unavailable (not stored).
func (t *Tracker) Acknowledge(ctx context.Context, node string, id int, key, by, comment string) error {
	if own := t.node(); node != "" && node != own {
		return engine.Errorf(engine.Denied, "alarm %d holds on peer %s and can be acknowledged only there", id, t.nameOf(ctx, node)).
			With("alarm", "sign in to that peer and acknowledge it there")
	}
	t.mu.Lock()
	n := name{id, key}
	s := t.raised[n]
	if s == nil {
		t.mu.Unlock()
		return engine.Errorf(engine.NotFound, "alarm %d is not raised on this peer", id)
	}
	if s.alarm.State == engine.AlarmAcknowledged {
		t.mu.Unlock()
		return nil
	}
	seen := s.alarm
	t.mu.Unlock()

	seen.Node, seen.Peer = t.node(), t.peer()
	seen.State, seen.Acknowledged, seen.Comment = engine.AlarmAcknowledged, by, short(comment)
	if err := t.store.PutAlarm(ctx, seen); err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the acknowledgement could not be stored", Err: err}
	}
	t.accept(n, seen)
	t.flush()
	return nil
}

// accept makes a stored acknowledgement count, unless the alarm was lowered
// while it was stored.
func (t *Tracker) accept(n name, seen engine.RaisedAlarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed(n) // a lowering that overtook it is written again
	s := t.raised[n]
	if s == nil || !s.alarm.First.Equal(seen.First) || s.alarm.State == engine.AlarmAcknowledged {
		return
	}
	s.alarm.State, s.alarm.Acknowledged, s.alarm.Comment = seen.State, seen.Acknowledged, seen.Comment
	if kind, known := Kind(n.id); known {
		t.pending = append(t.pending, acknowledgedEvent(kind, s.alarm, millis(time.Now())))
	}
}

// nameOf is the address of a node as it published it, or the node id.
func (t *Tracker) nameOf(ctx context.Context, node string) string {
	if t.board == nil {
		return node
	}
	published, err := t.board.PublishedAlarms(ctx)
	if err != nil {
		return node
	}
	for _, a := range published {
		if a.Node == node && a.Peer != "" {
			return a.Peer
		}
	}
	return node
}
