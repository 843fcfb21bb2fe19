package appliance

import (
	"context"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// A peer is known by its key, so a new one is changed to in steps, each of which
// leaves a peer that the others know, also when it is the last one before a
// crash: the members accept the next key beside the present one (announce); the
// peer keeps the new key on its disk and uses it (SetServer); then it is the
// only one (use). A peer that finds itself between two steps goes on (settleKey).

// How long a new key waits for peers that are away for a moment, as they are
// after one of them got a new key itself; how long one attempt to tell the
// members may take, and all of them; and how long the others have until they
// show that they know it.
const (
	reachedWithin = 10 * time.Second
	tellTime      = 3 * time.Second
	tellAgain     = 15 * time.Second
	knownWithin   = 10 * time.Second
)

// unreached are the peers that cannot be told of a new key now.
func (c certificates) unreached() []string {
	var out []string
	for _, p := range c.a.cluster.View(context.Background()).Peers {
		if p.Node != "" && p.State != engine.PeerActive && p.State != engine.ThisSystem {
			out = append(out, p.Address)
		}
	}
	return out
}

func (c certificates) awaitReached(ctx context.Context) {
	deadline := time.After(reachedWithin)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(c.unreached()) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-deadline:
			return
		case <-tick.C:
		}
	}
}

// announce makes every member accept a key beside the present one, and returns
// when they do. With force it goes on without those that do not in time.
// Errors: Unavailable; nothing is changed then but that the key may be accepted
// until settleKey takes it back.
func (c certificates) announce(ctx context.Context, fingerprint string, force bool) error {
	for end := time.Now().Add(tellAgain); ; {
		err := c.tell(ctx, fingerprint)
		if err == nil {
			break
		}
		if engine.CodeOf(err) != engine.Unavailable || time.Now().After(end) || !pause(ctx, 300*time.Millisecond) {
			return &engine.Error{Code: engine.Unavailable, Err: err, Item: "Server certificate",
				Message: "the certificate was not replaced: its key is new, and the other peers cannot be told now",
				Remedy:  "wait until the cluster database can commit and every peer runs the same release, or have the certificate issued for the present key"}
		}
	}
	if missing := c.awaitKnown(ctx, fingerprint, force); len(missing) > 0 && !force {
		return engine.Errorf(engine.Unavailable, "the certificate was not replaced: its key is new, and these peers do not know it yet: %s", strings.Join(missing, " ")).
			With("Server certificate", "wait until they are Active and replicate, and try again; have the certificate issued for the present key; or give Force: On, and accept the key on those peers with xCommand ClusterPeerKeyAccept")
	}
	return nil
}

func (c certificates) tell(ctx context.Context, fingerprint string) error {
	ctx, stop := context.WithTimeout(ctx, tellTime)
	defer stop()
	return c.a.store.PutNextKey(ctx, c.a.identity.now().Node, fingerprint)
}

// awaitKnown waits until this copy and those of the other members have the next
// key, and returns the addresses of those that do not have it in time. With force
// nobody waits for those that are not Active.
func (c certificates) awaitKnown(ctx context.Context, fingerprint string, force bool) []string {
	deadline := time.After(knownWithin)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var index uint64 // of a copy that has it
	for {
		missing := []string{c.a.o.Address}
		if index == 0 && c.own().Next == fingerprint {
			index = c.a.applied.Load()
		}
		if index > 0 {
			missing = nil
			for _, p := range c.a.cluster.View(ctx).Peers {
				away := p.State != engine.PeerActive
				if p.Node != "" && p.State != engine.ThisSystem && (away && !force || !away && p.Applied < index) {
					missing = append(missing, p.Address)
				}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return missing
		case <-deadline:
			return missing
		case <-tick.C:
		}
	}
}

// own is this peer's row of the members.
func (c certificates) own() engine.Member {
	members := c.a.cluster.Agreed().Members
	if i := slices.IndexFunc(members, func(m engine.Member) bool { return m.Node == c.a.identity.now().Node }); i >= 0 {
		return members[i]
	}
	return engine.Member{}
}

// use makes the key that this peer shows now the only one of it.
func (c certificates) use(ctx context.Context, fingerprint string) {
	ctx, stop := context.WithTimeout(ctx, tellTime)
	defer stop()
	if err := c.a.store.UseNextKey(ctx, c.a.identity.now().Node, fingerprint); err != nil {
		c.a.log.Info("the new key is in use; the old one is accepted beside it until the cluster database can commit", "module", "security", "err", err)
	}
}

// settleKey ends a change of the key that was broken off: by a crash, or since
// the cluster database could not commit.
func (c certificates) settleKey(ctx context.Context) {
	if !c.a.keyChange.TryLock() {
		return
	}
	defer c.a.keyChange.Unlock()
	shown, m := c.a.link.Credentials().Fingerprint(), c.own()
	switch {
	case m.Next == "":
	case m.Next == shown:
		c.use(ctx, shown)
	case m.Fingerprint == shown && !c.keeps(ctx, m.Next):
		if err := c.tell(ctx, ""); err != nil {
			c.a.log.Debug("a key that came not to be used is accepted still", "module", "security", "err", err)
		}
	}
}

// keeps reports whether the disk holds, or may hold, a key that is not shown
// yet: the next start shows it. A write whose outcome was unknown leaves that.
func (c certificates) keeps(ctx context.Context, fingerprint string) bool {
	stored, err := c.a.local.Credentials(ctx)
	if err != nil {
		return true
	}
	kept, err := link.LoadCredentials(stored.Certificate, stored.PrivateKey)
	return err == nil && kept.Fingerprint() == fingerprint
}
