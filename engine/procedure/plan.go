package procedure

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hexad/engine"
)

// planCreate: Peer 1 = this system, save, restart. Source: reference 2.2.
func planCreate(s *situation) ([]engine.ProcedureStep, error) {
	if len(s.view.Entered.Peers) > 0 || len(s.view.Running.Peers) > 0 {
		return nil, engine.Errorf(engine.Denied, "this system is in a cluster already").With("Kind", "start Add to add a peer to it")
	}
	if s.view.Reset != nil {
		return nil, engine.Errorf(engine.Denied, "a factory reset is armed on this system").With("Peers", "restart it first")
	}
	own := s.o.Address()
	if a := s.args["Address"]; a != "" {
		if !s.o.Cluster.SameAddress(a, own) {
			return nil, engine.Errorf(engine.Invalid, "%s is no address of this system (%s)", a, own).With("Address", "give its LAN1 address, or a name that is resolved to it")
		}
		own = a
	}
	page := s.view.Entered
	page.Peers, page.Primary = []string{own}, 1
	if n := s.args["Name"]; n != "" {
		page.Name = n
	}
	if page.IPVersion = s.args["IPVersion"]; page.IPVersion == "" {
		page.IPVersion = "IPv4"
		if ip, err := netip.ParseAddr(s.o.Address()); err == nil && ip.Is6() {
			page.IPVersion = "IPv6"
		}
	}
	here := place{node: s.o.Node, address: own, here: true}
	return append(saving(page, here), restarting(here), whole()), nil
}

// planAdd: the address goes to every list, then the new peer joins by itself.
// Source: reference 2.3.
func planAdd(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	if err := s.free(s.page, "Address"); err != nil {
		return nil, err
	}
	return s.adding(s.page, s.args["Address"], s.ordered()...), nil
}

// adding are the steps that add an address to page on those that are members then.
func (s *situation) adding(page engine.Clustering, address string, members ...place) []engine.ProcedureStep {
	steps := saving(with(page, address), members...)
	steps = append(steps, awaiting(address, both("on %s: xCommand ClusterJoin with the code of xCommand ClusterInvite; wait until it is a member",
		"%s で xCommand ClusterJoin を実行(コードは xCommand ClusterInvite で表示)。メンバーになるまで待つ", address), wantJoined))
	return append(steps, whole())
}

// planNames: one entry after the other on every peer, then the restart of the
// peer that the entry denotes. Source: reference 2.4; the seed.
func planNames(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	if s.page.TLSMode == engine.Enforcing {
		return nil, engine.Errorf(engine.Denied, "addresses are not changed to names while TLS verification is enforced").With("TLSMode", "start Permit first, then this, then Enforce")
	}
	if err := s.active(false); err != nil {
		return nil, err
	}
	page := s.page
	var steps []engine.ProcedureStep
	for i, m := range s.members() {
		arg := "Peer" + strconv.Itoa(m.index)
		name := s.args[arg]
		if name == "" {
			name = s.nameOf(m)
		}
		if strings.EqualFold(name, page.Peers[i]) {
			continue
		}
		if name == "" {
			return nil, engine.Errorf(engine.Invalid, "%s has no host name and domain to make an FQDN of", m.address).With(arg, "give its FQDN, or set its host name and domain")
		}
		want := ""
		if _, err := netip.ParseAddr(m.address); err == nil {
			want = m.address
		}
		if err := s.resolves(arg, name, want); err != nil {
			return nil, err
		}
		page.Peers = slices.Clone(page.Peers)
		page.Peers[i] = name
		renamed := m
		renamed.address = name
		steps = append(steps, saving(page, s.ordered()...)...)
		steps = append(steps, restarting(renamed), settled())
	}
	if len(steps) == 0 {
		return nil, engine.Errorf(engine.Conflict, "every entry has that name already").With("Kind", "")
	}
	return append(steps, whole()), nil
}

// nameOf is the FQDN that a peer says of itself, "" when it has none.
func (s *situation) nameOf(m place) string {
	if m.facts.HostName == "" || m.facts.Domain == "" {
		return ""
	}
	return m.facts.HostName + "." + m.facts.Domain
}

// planMapping: suggest, check, enable, replicate. Source: reference 1.10; the seed.
func planMapping(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	const item = "ClusterConfiguration AddressMapping "
	var changes []engine.Change
	for _, m := range s.members() {
		arg := "Peer" + strconv.Itoa(m.index)
		name := s.args[arg]
		if name == "" {
			if name = s.nameOf(m); name == "" {
				return nil, engine.Errorf(engine.Invalid, "%s has no host name and domain to suggest a name from", m.address).With(arg, "give its FQDN, or set its host name and domain")
			}
		}
		ip := m.address
		if _, err := netip.ParseAddr(ip); err != nil {
			if len(m.facts.Addresses) == 0 {
				return nil, engine.Errorf(engine.Unavailable, "the address of %s is not known", m.address).With(arg, "repeat this when it answers")
			}
			ip = m.facts.Addresses[0]
		}
		n := strconv.Itoa(m.index)
		changes = append(changes, engine.Change{Path: item + n + " FQDN", Value: name}, engine.Change{Path: item + n + " IPAddress", Value: ip})
	}
	changes = append(changes, engine.Change{Path: item + "Mode", Value: "On"})
	primary, _ := s.at(s.page.PrimaryAddress())
	return []engine.ProcedureStep{
		{Do: doSet, Node: primary.node, Peer: primary.address, Changes: changes, Text: both("save the address mapping on the primary, %s", "プライマリ %s でアドレスマッピングを保存", primary.address)},
		awaiting("", both("wait until every peer has it", "すべてのピアに反映されるまで待つ"), wantLevel, wantEqual),
	}, nil
}

// active refuses while an indicator is not green; certificates count when asked for.
func (s *situation) active(certificates bool) error {
	for _, p := range s.view.Peers {
		if p.State != engine.PeerActive && p.State != engine.ThisSystem {
			return engine.Errorf(engine.Denied, "%s is not active: %s %s", p.Address, p.State, p.Cause).With("Peers", "every Clustering indicator has to be green first")
		}
		if certificates && p.Certificate != "Valid" {
			return engine.Errorf(engine.Denied, "the certificate of %s is not valid: %s", p.Address, p.Reason).
				With("Peers", "every Certificate indicator has to be green first: upload certificates with the Peer N names as SANs, and the trust list")
		}
	}
	return nil
}

// planEnforce: the mode on the primary, then restarts, the primary first.
// Source: reference 2.5; the seed.
func planEnforce(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	if s.page.TLSMode == engine.Enforcing && !s.differs(engine.Enforcing) {
		return nil, engine.Errorf(engine.Conflict, "TLS verification is enforced already").With("TLSMode", "")
	}
	if err := s.active(true); err != nil {
		return nil, err
	}
	return append(s.mode(engine.Enforcing), awaiting("", both("every indicator is green", "すべての表示が緑になるまで待つ"), wantActive, wantFresh, wantValid, wantLevel, wantEqual, wantCalm)), nil
}

// planPermit is the one step back. Source: reference 2.5.
func planPermit(s *situation) ([]engine.ProcedureStep, error) {
	if len(s.page.Peers) == 0 {
		return nil, engine.Errorf(engine.Denied, "this system is in no cluster").With("Kind", "")
	}
	if s.page.TLSMode == engine.Permissive && !s.differs(engine.Permissive) {
		return nil, engine.Errorf(engine.Conflict, "TLS verification is permissive already").With("TLSMode", "")
	}
	if !s.view.PrimaryHere && len(s.members()) > 1 {
		if p, ok := s.at(s.view.PrimaryAddress); !ok || !p.reached {
			return nil, engine.Errorf(engine.Denied, "the mode is changed on the primary, %s, which does not answer here", s.view.PrimaryAddress).With("Kind", "start this there")
		}
	}
	return append(s.mode(engine.Permissive), whole()), nil
}

// differs reports whether a member runs in another mode than that.
func (s *situation) differs(mode engine.TLSMode) bool {
	return slices.ContainsFunc(s.members(), func(m place) bool { return m.facts.Running.TLSMode != mode })
}

func (s *situation) mode(mode engine.TLSMode) []engine.ProcedureStep {
	page := s.page
	page.TLSMode = mode
	members := s.ordered()
	steps := saving(page, members...)
	for _, m := range members {
		steps = append(steps, restarting(m), settled())
	}
	return steps
}

// planPrimary: first on the new primary, then on the old one, then on the
// others. Source: reference 2.6; the seed.
func planPrimary(s *situation) ([]engine.ProcedureStep, error) {
	next, err := s.subject("Address")
	if err != nil {
		return nil, err
	}
	if !next.reached {
		return nil, engine.Errorf(engine.Unavailable, "%s does not answer", next.address).With("Address", "name a peer that does")
	}
	page := s.page
	page.Primary = next.index
	old, known := s.at(s.view.PrimaryAddress)
	var lost []string
	for _, m := range s.members() {
		if !m.reached {
			lost = append(lost, m.node)
		}
	}
	if known && old.node == next.node && s.page.Primary == next.index && len(lost) == 0 && s.answering() == nil {
		return nil, engine.Errorf(engine.Conflict, "%s is the configuration primary already", next.address).With("Address", "")
	}
	steps := saving(page, next)
	if s.view.Forcible {
		if s.args["Force"] != "On" || !next.here {
			return nil, engine.Errorf(engine.Unavailable, "the cluster database cannot commit: too few of its voters answer").
				With("Force", "xCommand ClusterForceShow says on each peer what naming it by force would do; start this there with Force: On")
		}
		steps[0].Do, steps[0].Text = doForce, both("make %s the primary by force", "%s を強制的にプライマリにする", next.address)
	}
	rest := slices.DeleteFunc(s.ordered(lost...), func(m place) bool { return m.node == next.node })
	slices.SortStableFunc(rest, func(a, b place) int { return b2i(b.node == old.node) - b2i(a.node == old.node) })
	steps = append(steps, saving(page, rest...)...)
	want := []string{wantAgreed}
	if len(lost) == 0 {
		want = []string{wantActive, wantAgreed, wantLevel, wantEqual, wantCalm}
	}
	return append(steps, awaiting(next.address, both("verify that every peer has accepted %s as primary", "すべてのピアが %s をプライマリとして受け入れたことを確認", next.address), want...)), nil
}

// planRemove: the peer resets itself, then the lists close up. Source: reference 2.7.
func planRemove(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	m, err := s.removable("Address")
	if err != nil {
		return nil, err
	}
	if m.here {
		return nil, engine.Errorf(engine.Denied, "this system is the one to be removed: it resets itself and could not go on").With("Kind", "start this on another peer")
	}
	return append(s.removing(m), whole()), nil
}

// removable is a member that is not the primary.
func (s *situation) removable(arg string) (place, error) {
	m, err := s.subject(arg)
	if err != nil {
		return m, err
	}
	if m.node == s.view.Primary {
		return m, engine.Errorf(engine.Denied, "%s is the configuration primary", m.address).With(arg, "start Primary first, to name another one")
	}
	return m, nil
}

func (s *situation) removing(m place) []engine.ProcedureStep {
	steps := []engine.ProcedureStep{leaving(m)}
	page := without(s.page, m.index)
	steps = append(steps, saving(page, s.ordered(m.node)...)...)
	return append(steps, awaiting(m.address, both("wait until %s is no member any more", "%s がメンバーでなくなるまで待つ", m.address), wantGone))
}

// planRemoveLost: the lists close up without it. Source: reference 2.8.
func planRemoveLost(s *situation) ([]engine.ProcedureStep, error) {
	steps, _, _, err := s.removingLost("Address")
	if err != nil {
		return nil, err
	}
	return append(steps, whole()), nil
}

func (s *situation) removingLost(arg string) (steps []engine.ProcedureStep, page engine.Clustering, rest []place, err error) {
	address := s.args[arg]
	index := slices.IndexFunc(s.page.Peers, func(p string) bool { return strings.EqualFold(p, address) || s.o.Cluster.SameAddress(p, address) }) + 1
	if index == 0 {
		return nil, page, nil, engine.Errorf(engine.NotFound, "%s is not on the list", address).With(arg, "give the address of a peer as the clustering page shows it")
	}
	gone := s.page.Peers[index-1]
	skip := []string{gone}
	if m, ok := s.at(gone); ok {
		skip = append(skip, m.node)
		switch {
		case m.here:
			return nil, page, nil, engine.Errorf(engine.Denied, "%s is this system", address).With(arg, "start Remove on another peer")
		case m.reached:
			return nil, page, nil, engine.Errorf(engine.Denied, "%s answers", address).With(arg, "start Remove: it resets the peer before it takes it off the lists")
		case m.node == s.view.Primary:
			return nil, page, nil, engine.Errorf(engine.Denied, "%s is the configuration primary", address).With(arg, "start Primary first, to name another one")
		}
	}
	if err := s.clustered(skip...); err != nil {
		return nil, page, nil, err
	}
	page, rest = without(s.page, index), s.ordered(skip...)
	steps = saving(page, rest...)
	return append(steps, awaiting(gone, both("wait until %s is no member any more", "%s がメンバーでなくなるまで待つ", gone), wantGone)), page, rest, nil
}

// planRecover: out, and in again as the last. Source: reference 2.9.
func planRecover(s *situation) ([]engine.ProcedureStep, error) {
	steps, page, rest, err := s.removingLost("Address")
	if err != nil {
		return nil, err
	}
	return append(steps, s.adding(page, s.args["Address"], rest...)...), nil
}

// planDisband: the subordinates leave one by one, the last first. Source: reference 2.10.
func planDisband(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	if !s.view.PrimaryHere {
		return nil, engine.Errorf(engine.Denied, "the peers leave one by one, and the primary is left").With("Kind", "start this on the primary, "+s.view.PrimaryAddress)
	}
	members := s.members()
	if len(members) < 2 {
		return nil, engine.Errorf(engine.Conflict, "the cluster has one peer only").With("Kind", "")
	}
	var steps []engine.ProcedureStep
	left := *s
	for _, m := range slices.Backward(members) {
		if m.here {
			continue
		}
		left.told = slices.DeleteFunc(slices.Clone(left.told), func(t engine.Told) bool { return t.Node == m.node })
		now := left
		now.page = s.pageOf(steps)
		steps = append(steps, leaving(m))
		page := without(now.page, slices.Index(now.page.Peers, m.address)+1)
		after := left
		after.page = page
		steps = append(steps, saving(page, after.ordered()...)...)
		steps = append(steps, awaiting(m.address, both("wait until %s is no member any more", "%s がメンバーでなくなるまで待つ", m.address), wantGone))
	}
	return append(steps, whole()), nil
}

// pageOf is the page after steps.
func (s *situation) pageOf(steps []engine.ProcedureStep) engine.Clustering {
	for _, st := range slices.Backward(steps) {
		if st.Page != nil {
			return *st.Page
		}
	}
	return s.page
}

// planReplace: the old entry leaves, another address joins as the last; a peer
// whose address changes goes the same way. Source: reference 2.11.
func planReplace(s *situation) ([]engine.ProcedureStep, error) {
	m, err := s.removable("Address")
	if err != nil {
		return nil, err
	}
	if m.here {
		return nil, engine.Errorf(engine.Denied, "this system is the one to be removed").With("Kind", "start this on another peer")
	}
	page := without(s.page, m.index)
	if err := s.free(page, "NewAddress"); err != nil {
		return nil, err
	}
	if !m.reached {
		steps, page, rest, err := s.removingLost("Address")
		if err != nil {
			return nil, err
		}
		return append(steps, s.adding(page, s.args["NewAddress"], rest...)...), nil
	}
	if err := s.clustered(); err != nil {
		return nil, err
	}
	return append(s.removing(m), s.adding(page, s.args["NewAddress"], s.ordered(m.node)...)...), nil
}

// planRestart: the primary, then the others one at a time. Source: reference 2.13; the seed.
func planRestart(s *situation) ([]engine.ProcedureStep, error) {
	if err := s.clustered(); err != nil {
		return nil, err
	}
	var steps []engine.ProcedureStep
	for _, m := range s.ordered() {
		steps = append(steps, restarting(m), settled())
	}
	return append(steps, whole()), nil
}

// planResynchronise: ForceConfigUpdate on a subordinate, which saves its copy
// aside first. Source: reference 2.16; the seed.
func planResynchronise(s *situation) ([]engine.ProcedureStep, error) {
	m := place{node: s.o.Node, address: s.view.Address, here: true, reached: true}
	if s.args["Address"] != "" {
		var err error
		if m, err = s.subject("Address"); err != nil {
			return nil, err
		}
	}
	if m.node == s.view.Primary {
		return nil, engine.Errorf(engine.Denied, "%s is the configuration primary: its configuration would be lost", m.address).With("Address", "name the subordinate whose configuration is to be replaced")
	}
	if !m.reached {
		return nil, engine.Errorf(engine.Unavailable, "%s does not answer here", m.address).With("Address", "start this on that peer: one of another generation is kept apart")
	}
	return []engine.ProcedureStep{
		{Do: doUpdate, Node: m.node, Peer: m.address, Text: both("save the copy of %s aside and take the primary's", "%s のコピーを退避し、プライマリの設定を取得", m.address)},
		whole(),
	}, nil
}
