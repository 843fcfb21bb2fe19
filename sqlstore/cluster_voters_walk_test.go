package sqlstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// envWalk is how many steps TestVotersWalk takes, and envWalkSeed its seed.
const (
	envWalk     = "HEXAD_VOTERS_STEPS"
	envWalkSeed = "HEXAD_VOTERS_SEED"
)

// TestVotersWalk lets a cluster of one to six real stores grow, shrink, lose
// peers and get them back in random order, one change of the group at a time,
// while its primary saves: no term has two leaders, and what was acknowledged
// is there at the end, once, on every peer.
func TestVotersWalk(t *testing.T) {
	t.Parallel()
	steps, seed := 40, uint64(time.Now().UnixNano())
	if testing.Short() {
		steps = 20
	}
	if n, err := strconv.Atoi(os.Getenv(envWalk)); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv(envWalkSeed), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d, %d steps", seed, steps)
	w := newWalk(t, seed)
	for range steps {
		w.step()
	}
	w.settle()
}

type walk struct {
	*testing.T
	g    *sqlstoretest.Group
	rand *rand.Rand
	in   map[string]bool // peers that may be servers of the group: they are never emptied

	mu       sync.Mutex
	leaders  map[uint64]string // by term
	acked    map[string]string // value by path
	revision map[int64]string  // path by revision
	voters   map[int]bool      // sizes of the group that were seen
	said     []string
	stop     chan struct{}
	watching sync.WaitGroup
}

func newWalk(t *testing.T, seed uint64) *walk {
	g := sqlstoretest.Peers(t, engine.MaxPeers, func(o *sqlstore.ClusterOptions) {
		o.WriteTimeout, o.FollowerGrace = 400*time.Millisecond, 50*time.Millisecond
	})
	if err := g.Peers[0].Found(t.Context(), g.Generation, "cluster1", sqlstoretest.Member(1)); err != nil {
		t.Fatal(err)
	}
	w := &walk{T: t, g: g, rand: rand.New(rand.NewPCG(seed, 0)), in: map[string]bool{"node1": true}, leaders: map[uint64]string{},
		acked: map[string]string{}, revision: map[int64]string{}, voters: map[int]bool{}, stop: make(chan struct{})}
	w.watching.Go(w.watch)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(w.said, "\n"))
		}
	})
	return w
}

// watch looks who leads in which term.
func (w *walk) watch() {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range w.g.Peers {
			w.mu.Lock()
			st := p.Status()
			if st.LeaderHere {
				if before := w.leaders[st.Term]; before != "" && before != p.Node {
					w.Errorf("term %d is led by %s and by %s", st.Term, before, p.Node)
				}
				w.leaders[st.Term] = p.Node
				w.voters[len(st.Voters)] = true
			}
			w.mu.Unlock()
		}
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
	}
}

func (w *walk) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

// step does one random thing, then a step of the group, then saves.
func (w *walk) step() {
	agreed := w.agreed()
	var in, out []*sqlstoretest.Peer
	for _, p := range w.g.Peers {
		if slices.ContainsFunc(agreed.Members, func(m engine.Member) bool { return m.Node == p.Node }) {
			in = append(in, p)
		} else {
			out = append(out, p)
		}
	}
	pick := in[w.rand.IntN(len(in))]
	switch w.rand.IntN(8) {
	case 0, 1:
		if len(out) > 0 {
			w.grow(out[w.rand.IntN(len(out))])
		}
	case 2:
		if pick.Node != agreed.Primary {
			err := w.primary(agreed).RemoveMember(w.short(), pick.Node)
			w.say("remove %s: %v", pick.Node, err)
		}
	case 3, 4:
		w.g.Board.Isolate(pick.Node)
		w.say("isolate %s", pick.Node)
	case 5:
		w.g.Board.Heal()
		w.say("heal")
	case 6:
		err := w.primary(agreed).SetPrimary(w.short(), agreed.Primary, pick.Node)
		w.say("primary %s: %v", pick.Node, err)
	case 7:
		if pick.Generation().ID != "" {
			w.mu.Lock() // the watcher reads it
			w.g.Restart(pick)
			w.mu.Unlock()
			w.say("restart %s", pick.Node)
		}
	}
	w.regroup()
	w.save()
}

func (w *walk) short() context.Context {
	ctx, stop := context.WithTimeout(w.Context(), time.Second)
	w.Cleanup(stop)
	return ctx
}

// agreed is what the copy that is farthest says.
func (w *walk) agreed() engine.Agreed {
	var best engine.Agreed
	for _, p := range w.g.Peers {
		if a, err := p.Agreed(w.Context()); err == nil && (best.Cluster == "" || a.Revision >= best.Revision && p.Status().Leader != "") {
			best = a
		}
	}
	return best
}

func (w *walk) primary(a engine.Agreed) *sqlstoretest.Peer {
	i := slices.IndexFunc(w.g.Peers, func(p *sqlstoretest.Peer) bool { return p.Node == a.Primary })
	return w.g.Peers[i]
}

// grow admits a peer. It begins with an empty store, unless it may be in the
// group from before: a voter must never forget what it confirmed.
func (w *walk) grow(p *sqlstoretest.Peer) {
	i := slices.Index(w.g.Peers, p)
	if !w.in[p.Node] {
		w.mu.Lock()
		if err := p.Follow(w.Context(), w.g.Generation); err != nil {
			w.Fatal(err)
		}
		w.mu.Unlock()
		w.in[p.Node] = true
	}
	err := w.primary(w.agreed()).PutMember(w.short(), sqlstoretest.Member(i+1))
	w.say("grow by %s: %v", p.Node, err)
}

// regroup lets whoever leads do some steps, as the peers see each other.
func (w *walk) regroup() {
	for range 1 + w.rand.IntN(4) {
		for _, p := range w.g.Peers {
			if !p.Status().LeaderHere {
				continue
			}
			a, err := p.Agreed(w.Context())
			if err != nil {
				continue
			}
			var members []string
			for _, m := range a.Members {
				members = append(members, m.Node)
			}
			did, err := p.Reconcile(w.short(), members, a.Primary, func(n string) bool { return w.g.Board.Linked(p.Node, n) })
			w.say("%s leads: %q %v", p.Node, did, err)
			if gone, removed := strings.CutPrefix(did, "remove "); removed {
				delete(w.in, gone)
			}
			if added, yes := strings.CutPrefix(did, "add "); yes {
				w.in[added] = true
			}
			for _, m := range members {
				w.in[m] = w.in[m] || err != nil // it may still be added
			}
		}
	}
}

// save tries to save on every peer, whatever it takes itself for.
func (w *walk) save() {
	for _, p := range w.g.Peers {
		a, err := p.Agreed(w.Context())
		if err != nil || a.Primary != p.Node {
			continue
		}
		path, text := fmt.Sprintf("Zones Zone %d Name", 1+w.rand.IntN(1000)), fmt.Sprint(w.rand.Uint64())
		if w.acked[path] != "" {
			continue
		}
		saved, err := p.SaveConfiguration(w.short(), engine.Save{Operation: text, Base: a.Revision, Time: time.Now(),
			Actor: engine.Actor{User: "admin"}, Changes: []engine.Change{{Path: path, Value: text}}})
		w.say("save %s on %s: %v %v", path, p.Node, saved, err)
		if err != nil {
			w.acked[path] = "?" // nobody was told that it is there
			continue
		}
		if other := w.revision[saved.Revision]; other != "" {
			w.Errorf("revision %d was acknowledged for %s and for %s", saved.Revision, other, path)
		}
		w.revision[saved.Revision], w.acked[path] = path, text
	}
}

// settle heals everything and compares what everybody has.
func (w *walk) settle() {
	w.g.Board.Heal()
	w.g.Reconcile()
	a := w.agreed()
	w.regroup()
	var members []*sqlstoretest.Peer
	for _, m := range a.Members {
		i := slices.IndexFunc(w.g.Peers, func(p *sqlstoretest.Peer) bool { return p.Node == m.Node })
		members = append(members, w.g.Peers[i])
	}
	w.g.Until("every member has all", func() error {
		for _, p := range members {
			if now, err := p.Agreed(w.Context()); err != nil || now.Revision != w.agreed().Revision {
				return fmt.Errorf("%s: %v %v", p.Node, now.Revision, err)
			}
		}
		return nil
	})
	close(w.stop)
	w.watching.Wait()
	for _, p := range members {
		now, err := p.Configuration(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		for path, text := range w.acked {
			if text == "?" {
				continue
			}
			if now.Items[path] != text {
				w.Errorf("%s has %q at %s, acknowledged was %q", p.Node, now.Items[path], path, text)
			}
		}
	}
	if len(w.revision) == 0 || len(w.leaders) == 0 {
		w.Errorf("%d saves were acknowledged in %d terms", len(w.revision), len(w.leaders))
	}
	w.Logf("%d members at the end, %d saves acknowledged, %d terms, groups of %v voters", len(members), len(w.revision), len(w.leaders), w.voters)
}
