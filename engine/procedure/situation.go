package procedure

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hexad/engine"
)

// situation is the cluster as a plan finds it.
type situation struct {
	ctx  context.Context
	o    Options
	kind Kind
	args map[string]string
	view engine.ClusterView
	told []engine.Told
	page engine.Clustering // that all members have
}

// place is a member with its entry.
type place struct {
	node, address string
	index         int // 1-based; 0 when it is not listed
	here, reached bool
	facts         engine.Facts
}

// members are the peers of the list that are members, in its order.
func (s *situation) members() []place {
	var out []place
	for i, address := range s.page.Peers {
		for _, t := range s.told {
			if strings.EqualFold(t.Address, address) || s.o.Cluster.SameAddress(t.Address, address) {
				out = append(out, place{t.Node, address, i + 1, t.Here, t.Reachable, t.Facts})
				break
			}
		}
	}
	return out
}

// at is the member of an entry.
func (s *situation) at(address string) (place, bool) {
	for _, m := range s.members() {
		if strings.EqualFold(m.address, address) || s.o.Cluster.SameAddress(m.address, address) {
			return m, true
		}
	}
	return place{}, false
}

// ordered are the members without the given nodes, the primary of the page first.
func (s *situation) ordered(without ...string) []place {
	out := slices.DeleteFunc(s.members(), func(m place) bool { return slices.Contains(without, m.node) })
	slices.SortStableFunc(out, func(a, b place) int {
		return b2i(b.index == s.page.Primary) - b2i(a.index == s.page.Primary)
	})
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// clustered refuses what needs a cluster that is at rest: every member but
// those without must answer and have the same page, and no restart or reset may wait.
func (s *situation) clustered(without ...string) error {
	if len(s.page.Peers) == 0 || len(s.view.Running.Peers) == 0 {
		return engine.Errorf(engine.Denied, "this system is in no cluster").With("Kind", "start Create first")
	}
	if s.view.Reset != nil {
		return engine.Errorf(engine.Denied, "a factory reset is armed on this system").With("Peers", "restore its peer list first")
	}
	if s.view.Primary == "" {
		return engine.Errorf(engine.Unavailable, "this system does not know the configuration primary yet").With("Primary", "repeat this in some seconds")
	}
	if s.page.PrimaryAddress() == "" || !s.o.Cluster.SameAddress(s.page.PrimaryAddress(), s.view.PrimaryAddress) {
		return engine.Errorf(engine.Conflict, "the page of this system names %s as primary, but %s is in effect", s.page.PrimaryAddress(), s.view.PrimaryAddress).
			With("Primary", "bring the pages into agreement: Kind: Primary does it")
	}
	return s.answering(without...)
}

func (s *situation) answering(without ...string) error {
	known := s.members()
	for i, address := range s.page.Peers {
		n := slices.IndexFunc(known, func(m place) bool { return m.index == i+1 })
		switch {
		case n < 0 && slices.Contains(without, address):
		case n < 0:
			return engine.Errorf(engine.Denied, "%s is on the list but no member", address).With("Peers", "let it join, or take it off the list with Kind: RemoveLost")
		case slices.Contains(without, known[n].node):
		case !known[n].reached:
			return engine.Errorf(engine.Unavailable, "%s does not answer", address).With("Peers", "bring it back first, or remove it with Kind: RemoveLost")
		case known[n].facts.ResetArmed:
			return engine.Errorf(engine.Denied, "a factory reset is armed on %s", address).With("Peers", "restore its peer list, or restart it")
		case !engine.SamePeers(known[n].facts.Entered.Peers, s.page.Peers):
			return engine.Errorf(engine.Conflict, "the peer list of %s is another one than here", address).With("Peers", "save the same list on every peer first")
		}
	}
	return nil
}

// subject is the member that the procedure is about.
func (s *situation) subject(arg string) (place, error) {
	m, ok := s.at(s.args[arg])
	if !ok {
		return place{}, engine.Errorf(engine.NotFound, "%s is not a member of the cluster", s.args[arg]).With(arg, "give the address of a peer as the clustering page shows it")
	}
	return m, nil
}

// without is the page after entry index was taken out: the lists close up, and
// the primary's index follows.
func without(page engine.Clustering, index int) engine.Clustering {
	page.Peers = slices.Delete(slices.Clone(page.Peers), index-1, index)
	if page.Primary > index {
		page.Primary--
	}
	return page
}

// with is the page with an address more.
func with(page engine.Clustering, address string) engine.Clustering {
	page.Peers = append(slices.Clone(page.Peers), address)
	return page
}

// free refuses an address that cannot be added.
func (s *situation) free(page engine.Clustering, arg string) error {
	address := s.args[arg]
	if len(page.Peers) >= engine.MaxPeers {
		return engine.Errorf(engine.Exhausted, "the cluster has %d peers already", engine.MaxPeers).With(arg, "remove a peer first")
	}
	for _, p := range page.Peers {
		if strings.EqualFold(p, address) || s.o.Cluster.SameAddress(p, address) {
			return engine.Errorf(engine.Conflict, "%s is on the list already, as %s", address, p).With(arg, "")
		}
	}
	if _, err := netip.ParseAddr(address); err != nil {
		return s.resolves(arg, address, "")
	}
	return nil
}

// resolves refuses a name that does not lead to the wanted address ("" for any).
func (s *situation) resolves(arg, name, want string) error {
	found, err := s.o.Resolve(s.ctx, name)
	if err != nil || len(found) == 0 {
		return engine.Errorf(engine.Invalid, "%s is not resolved here", name).With(arg, "enter it in DNS or in the cluster address mapping first")
	}
	if want != "" && !slices.Contains(found, want) {
		return engine.Errorf(engine.Invalid, "%s is resolved to %s, not to %s", name, strings.Join(found, " "), want).With(arg, "correct DNS or the cluster address mapping first")
	}
	return nil
}

// The steps.

func both(en, ja string, args ...any) engine.Text {
	return engine.Text{EN: fmt.Sprintf(en, args...), JA: fmt.Sprintf(ja, args...)}
}

func saving(page engine.Clustering, on ...place) []engine.ProcedureStep {
	var out []engine.ProcedureStep
	for _, m := range on {
		p := page
		p.Peers = slices.Clone(page.Peers)
		out = append(out, engine.ProcedureStep{Do: doSave, Node: m.node, Peer: m.address, Page: &p, Text: both("save the clustering page on %s", "%s でクラスタリングページを保存", m.address)})
	}
	return out
}

func restarting(m place) engine.ProcedureStep {
	return engine.ProcedureStep{Do: doRestart, Node: m.node, Peer: m.address, Text: both("restart %s and wait until it is back", "%s を再起動し、復帰を待つ", m.address)}
}

func leaving(m place) engine.ProcedureStep {
	return engine.ProcedureStep{Do: doLeave, Node: m.node, Peer: m.address, Text: both("clear the peer list on %s and restart it: it resets itself", "%s のピアリストを消去して再起動する(工場出荷時リセット)", m.address)}
}

func awaiting(peer string, text engine.Text, want ...string) engine.ProcedureStep {
	return engine.ProcedureStep{Do: doAwait, Peer: peer, Want: want, Text: text}
}

// whole ends a procedure: every peer of the list is active, has what the
// primary has, and no alarm of clustering is left.
func whole() engine.ProcedureStep {
	return awaiting("", both("verify the result on every peer", "すべてのピアで結果を確認"), wantActive, wantFresh, wantAgreed, wantLevel, wantEqual, wantCalm)
}

func settled() engine.ProcedureStep {
	return awaiting("", both("wait until every peer is active again", "すべてのピアが Active に戻るまで待つ"), wantActive, wantLevel)
}
