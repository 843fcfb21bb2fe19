package cluster

import (
	"context"
	"net"
	"strings"
	"time"

	"hexad/engine"
)

// joinWindow is how long after the later Save an unknown key of a listed
// address may be pinned. Source: design 4.
const joinWindow = 10 * time.Minute

// joining reports whether this peer's running page names another primary of a
// cluster that it is not yet a member of.
func (s *Service) joining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := s.page.Running
	own := s.indexLocked(page.Peers)
	return s.o.Identity().Standalone && len(s.agreed.Members) <= 1 && own > 0 && page.Primary != own && page.PrimaryAddress() != ""
}

// joinCluster asks the primary to admit this peer until it does.
func (s *Service) joinCluster(ctx context.Context) {
	wait := s.o.Beat
	for {
		if s.joining() {
			err := s.joinOnce(ctx)
			s.setJoinCause(err)
			wait = min(2*wait, 5*time.Second)
			if err == nil {
				wait = s.o.Beat
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (s *Service) joinOnce(ctx context.Context) error {
	page := s.copyPage()
	ask := JoinAsk{Page: page.Running, Age: time.Since(page.SavedAt), Facts: s.Facts(), Token: s.o.Token()}
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	grant, err := s.o.Link.Join(ctx, page.Running.PrimaryAddress(), ask)
	if err != nil {
		return err
	}
	s.o.Log.Info("admitted to the cluster", "module", "cluster", "cluster", grant.Cluster, "generation", grant.Generation.Number)
	if err := s.o.Adopt(ctx, grant); err != nil {
		return err
	}
	s.mu.Lock()
	s.agreed = engine.Agreed{Cluster: grant.Cluster, Generation: grant.Generation, Members: grant.Members, Primary: grant.Primary}
	s.mu.Unlock()
	s.o.Link.Refresh()
	signal(s.wake)
	signal(s.kick)
	s.notify()
	return nil
}

func (s *Service) setJoinCause(err error) {
	cause := ""
	if err != nil {
		cause, _ = causeOf(err)
	}
	s.mu.Lock()
	changed := s.join != cause
	s.join = cause
	s.mu.Unlock()
	if changed && cause != "" {
		s.o.Log.Warn("not admitted to the cluster yet", "module", "cluster", "cause", cause)
		signal(s.kick)
	}
}

// MayPin tells a joiner whether the key of the primary that it dialled may be
// pinned: this peer lists it, and the other side's page lists this peer.
func (s *Service) MayPin(address string, theirs engine.Clustering, age time.Duration, proved bool) error {
	return s.mutual(s.Running(), theirs, address, age, proved)
}

// Admit decides whether a joiner becomes a member, on the primary.
//
// Errors: Denied (not the primary, not mutual, window closed), Invalid with
// findings (a rule refuses it), Exhausted (six peers), Unavailable (the group
// cannot commit).
//
// Source: design 4; reference 2.3.
func (s *Service) Admit(ctx context.Context, ask JoinAsk) (Grant, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	page, agreed := s.Running(), s.Agreed()
	if err := s.mayAdmit(page, agreed); err != nil {
		return Grant{}, err
	}
	if err := s.mutual(page, ask.Page, ask.Address, ask.Age, ask.Proved); err != nil {
		return Grant{}, err
	}
	for _, m := range agreed.Members {
		known := strings.EqualFold(m.Address, ask.Address)
		if known && m.Fingerprint != ask.Key && m.Node != ask.Facts.Node {
			return Grant{}, engine.Errorf(engine.Denied, "%s is a member already, with another key", ask.Address).
				With("Peers", "if that machine was replaced, take its address off the list, save, and put it back")
		}
	}
	i := entry(page.Peers, ask.Address)
	sight := engine.PeerSight{Index: i, Address: ask.Address, Joining: true, Reachable: true, Seen: ask.RemoteIP}
	candidate := engine.NewPeerRecord(sight, ask.Facts)
	if errs := engine.Errors(s.judge(ctx, question{occasion: engine.OnJoin, proposed: page, candidate: &candidate})); len(errs) > 0 {
		return Grant{}, refusal(errs)
	}
	return s.admit(ctx, ask)
}

func (s *Service) mayAdmit(page engine.Clustering, agreed engine.Agreed) error {
	switch {
	case len(page.Peers) == 0:
		return engine.Errorf(engine.Denied, "no cluster runs here yet").
			With("Peers", "create the cluster on its primary first: Peer 1 address = the primary itself, save, restart; then add peers")
	case agreed.Primary != s.o.Node:
		return engine.Errorf(engine.Denied, "this system is not the configuration primary; that is %s", s.addressOf(agreed.Primary)).
			With("Primary", "enter the primary's number on the joining peer")
	case len(agreed.Members) > engine.MaxPeers:
		return engine.Errorf(engine.Exhausted, "the cluster has %d peers already", engine.MaxPeers)
	}
	return nil
}

// mutual reports why two pages are not of one cluster, as a first contact demands.
func (s *Service) mutual(own, theirs engine.Clustering, address string, age time.Duration, proved bool) error {
	s.mu.Lock()
	saved, window := s.page.SavedAt, s.window
	listed := false
	self := s.indexLocked(theirs.Peers)
	listed = entry(own.Peers, address) > 0
	s.mu.Unlock()
	switch {
	case !listed:
		return engine.Errorf(engine.Denied, "%s is not in this system's peer list", address).With("Peers", "add it to the list here and save")
	case self == 0:
		return engine.Errorf(engine.Denied, "the peer list of %s does not have this system", address).With("Peers", "enter the same list, in the same order, on every peer")
	case !strings.EqualFold(own.Name, theirs.Name):
		return engine.Errorf(engine.Denied, "the cluster name differs: %q here, %q at %s", own.Name, theirs.Name, address).With("Name", "enter the same cluster name on every peer")
	case own.IPVersion != theirs.IPVersion:
		return engine.Errorf(engine.Denied, "the cluster IP version differs: %s here, %s at %s", own.IPVersion, theirs.IPVersion, address).With("IPVersion", "choose the same on every peer")
	case !strings.EqualFold(own.PrimaryAddress(), theirs.PrimaryAddress()):
		return engine.Errorf(engine.Denied, "the configuration primary differs: %s here, %s at %s", own.PrimaryAddress(), theirs.PrimaryAddress(), address).
			With("Primary", "enter the same peer list and primary on every peer")
	}
	later := min(age, time.Since(saved), time.Since(window))
	if !proved && later > joinWindow {
		return engine.Errorf(engine.Denied, "the first contact came more than %d minutes after the list was last saved", int(joinWindow.Minutes())).
			With("Peers", "save the list again, or open the window again on the clustering page, or use a join token")
	}
	return nil
}

// admit writes the member and adds its server; both may be repeated.
func (s *Service) admit(ctx context.Context, ask JoinAsk) (Grant, error) {
	m := engine.Member{Node: ask.Facts.Node, Address: ask.Address, Fingerprint: ask.Key, Release: ask.Facts.Release}
	if err := s.o.Store.PutMember(ctx, m); err != nil {
		return Grant{}, err
	}
	s.StoreChanged(ctx)
	if err := s.o.Group.AddNonvoter(ctx, m.Node); err != nil {
		return Grant{}, err
	}
	id, agreed := s.o.Identity(), s.Agreed()
	s.o.Log.Info("peer admitted", "module", "cluster", "peer", ask.Address, "node", m.Node)
	return Grant{Cluster: id.Cluster, Secret: id.Secret, Generation: id.Generation, Members: agreed.Members, Primary: agreed.Primary}, nil
}

// removeMember ends a membership: first the server, so that it has no vote,
// then the row, so that its connections are refused.
func (s *Service) removeMember(ctx context.Context, m engine.Member) error {
	if err := s.o.Group.RemoveServer(ctx, m.Node); err != nil {
		return err
	}
	if err := s.o.Store.RemoveMember(ctx, m.Node); err != nil {
		return err
	}
	s.o.Log.Info("peer removed", "module", "cluster", "peer", m.Address, "node", m.Node)
	s.StoreChanged(ctx)
	return nil
}

// entry is the 1-based index of an address in a list, 0 when it is not there.
func entry(peers []string, address string) int {
	for i, p := range peers {
		if strings.EqualFold(p, address) || (net.ParseIP(p) != nil && net.ParseIP(p).Equal(net.ParseIP(address))) {
			return i + 1
		}
	}
	return 0
}
