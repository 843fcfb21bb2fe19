package appliance

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/event"
	"hexad/sqlstore"
	"hexad/ui/command"
)

// updatedWithin is how long ForceSystemKeyUpdate waits for the peers that it asked.
const updatedWithin = 10 * time.Second

// ForceSystemKeyUpdate repairs system key files. A system that is alone makes a
// new system key for itself. In a cluster it is run on a peer whose own file is
// as it should be, and asks those that raise the alarm: each makes a new system
// key, says its public part, and has the data keys wrapped for that.
//
// The identity towards the other peers, certificate and cluster secret, stays:
// a peer whose process still has its key, or finds the copy of it, seals them
// anew. A peer that has neither is refused by the others and cannot be asked;
// it leaves the cluster, is reset and added again.
//
// Errors: Denied (this system raises the alarm itself; its identity is lost),
// Unavailable.
//
// Source: reference 9.3.
func (k *keys) ForceSystemKeyUpdate(ctx context.Context, actor engine.Actor) (command.SystemKeyUpdate, error) {
	if e := k.a.storeErr.Load(); e != nil {
		return command.SystemKeyUpdate{}, e
	}
	agreed, err := k.a.store.Agreed(ctx)
	if err != nil {
		return command.SystemKeyUpdate{}, err
	}
	if len(agreed.Members) < 2 && len(k.a.cluster.Running().Peers) < 2 {
		return k.updateAlone(ctx, actor)
	}
	return k.updateOthers(ctx, actor, agreed)
}

// updateAlone makes a new system key here.
func (k *keys) updateAlone(ctx context.Context, actor engine.Actor) (out command.SystemKeyUpdate, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.renew(ctx, actor); err != nil {
		return out, err
	}
	out.Own = true
	if out.Lost, err = k.a.local.LostSecrets(ctx); err != nil {
		return out, err
	}
	s, err := k.situation(ctx)
	if err != nil {
		return out, err
	}
	if s.rows.Ready && s.present > 0 && !s.held { // nobody else could wrap it
		if err := k.a.store.PutSystemKey(ctx, sqlstore.SystemKey{Node: s.node, Public: s.public, Lost: out.Lost}, nil); err != nil {
			return out, err
		}
		if s, err = k.situation(ctx); err == nil {
			err = k.make(ctx, s)
		}
		if err != nil {
			return out, err
		}
	}
	if err := k.tend(ctx); err != nil {
		return out, err
	}
	if s, err = k.situation(ctx); err != nil || s.present == 0 {
		return out, err
	}
	done, err := k.reseal(ctx, actor, s.present)
	out.Closed = done.closed
	if len(out.Closed) > 0 {
		k.a.journal.Emit(event.By(actor, "System Key Update", "these secrets of the configuration cannot be opened; enter them again: "+strings.Join(out.Closed, ", ")))
	}
	return out, err
}

// updateOthers asks the peers that raise the alarm.
func (k *keys) updateOthers(ctx context.Context, actor engine.Actor, agreed engine.Agreed) (out command.SystemKeyUpdate, err error) {
	node := k.a.identity.now().Node
	faulty, err := k.faulty(ctx)
	if err != nil {
		return out, err
	}
	own := k.a.local.CheckKey()
	var healthy []string
	for _, m := range agreed.Members {
		if m.Node != node && !faulty[m.Node] {
			healthy = append(healthy, m.Address)
		}
	}
	switch {
	case k.a.local.LostKey():
		return out, engine.Errorf(engine.Denied, "the secrets of this system are lost, and with them what it proves to the other peers that it is a member").
			With("", "take it out of the cluster on the primary, reset it to factory defaults, and add it again; or put system.key back from a backup of this system")
	case own != nil && len(healthy) > 0:
		return out, engine.Errorf(engine.Denied, "this system raises alarm 40055 itself: %s", faultOf(own)).
			With("", "run the command on a peer that does not raise it: "+strings.Join(healthy, " "))
	}
	rows, err := k.a.store.DataKeys(ctx)
	if err == nil && !rows.Ready {
		err = engine.Errorf(engine.Unavailable, "the data keys wait until every peer runs a release that knows them").With("", "bring every peer to this release first")
	}
	if err != nil {
		return out, err
	}
	id := rand.Text()
	var asked []string
	for _, m := range agreed.Members {
		if faulty[m.Node] || m.Node == node && own != nil {
			asked = append(asked, m.Node)
			out.Peers = append(out.Peers, command.SystemKeyPeer{Node: m.Node, Address: m.Address})
		}
	}
	if len(asked) == 0 {
		return out, nil
	}
	if err := k.a.store.AskSystemKeys(ctx, asked, id); err != nil {
		return out, err
	}
	k.a.journal.Emit(event.By(actor, "System Key Update", "asked of "+strings.Join(addresses(out.Peers), " ")))
	k.changed()
	k.await(ctx, id, out.Peers)
	return out, nil
}

// faulty are the members that raise the alarm, by node.
func (k *keys) faulty(ctx context.Context) (map[string]bool, error) {
	raised, err := k.a.tracker.List(ctx)
	out := map[string]bool{}
	for _, r := range raised {
		if r.ID == alarmKeyFile {
			out[r.Node] = true
		}
	}
	return out, err
}

func addresses(peers []command.SystemKeyPeer) []string {
	var out []string
	for _, p := range peers {
		out = append(out, p.Address)
	}
	return out
}

// await fills in what the peers that were asked have done.
func (k *keys) await(ctx context.Context, id string, peers []command.SystemKeyPeer) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(updatedWithin)
	for {
		rows, err := k.a.store.DataKeys(ctx)
		for i := range peers {
			if m := rows.Of(peers[i].Node); err == nil && m.Done == id {
				peers[i].Done, peers[i].Lost = true, m.Lost
			}
		}
		if !slices.ContainsFunc(peers, func(p command.SystemKeyPeer) bool { return !p.Done }) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-deadline:
			return
		case <-tick.C:
		}
	}
}

// RotateDataKey makes a new data key, wrapped for every member, and seals every
// secret of the configuration with it in one revision; the old one is removed.
// A member that is away finds its copy of the key when it comes back.
//
// Errors: Denied (not the primary), Unavailable (the group cannot commit, or a
// member's release does not know data keys), Conflict (others save all the time).
func (k *keys) RotateDataKey(ctx context.Context, actor engine.Actor) (out command.DataKeyRotation, err error) {
	if e := k.a.storeErr.Load(); e != nil {
		return out, e
	}
	if agreed := k.a.cluster.Agreed(); agreed.Primary != k.a.identity.now().Node {
		return out, engine.Errorf(engine.Denied, "the data key is changed on the configuration primary, %s", addressIn(agreed, agreed.Primary)).
			With("", "run the command there")
	}
	if err := k.a.mayEdit(); err != nil {
		return out, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.situation(ctx)
	switch {
	case err != nil:
		return out, err
	case !s.rows.Ready:
		return out, engine.Errorf(engine.Unavailable, "the data keys wait until every peer runs a release that knows them").With("", "bring every peer to this release first")
	case s.present > 0 && !s.held:
		return out, notHeld(s.present)
	}
	if err := k.make(ctx, s); err != nil {
		return out, err
	}
	done, err := k.reseal(ctx, actor, s.present+1)
	if err != nil {
		return out, err
	}
	out = command.DataKeyRotation{Number: s.present + 1, Secrets: done.count, Revision: done.revision, Closed: done.closed}
	detail := fmt.Sprintf("data key %d; %d secrets sealed with it in revision %d", out.Number, out.Secrets, out.Revision)
	if len(out.Closed) > 0 {
		detail += "; these cannot be opened, enter them again: " + strings.Join(out.Closed, ", ")
	}
	k.a.journal.Emit(event.By(actor, "Cluster Data Key Changed", detail))
	if s, err = k.situation(ctx); err == nil && k.untidy(s) {
		err = k.a.store.TidyKeys(ctx)
	}
	for _, m := range s.agreed.Members {
		if s.rows.Of(m.Node).Public == "" {
			out.Waiting = append(out.Waiting, m.Address)
		}
	}
	return out, err
}

func addressIn(a engine.Agreed, node string) string {
	for _, m := range a.Members {
		if m.Node == node {
			return m.Address
		}
	}
	return node
}
