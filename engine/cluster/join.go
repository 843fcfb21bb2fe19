package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// joinWindow is how long after the later Save an unknown key of a listed
// address may be pinned. Source: design 4.
const joinWindow = 10 * time.Minute

// joining reports whether this peer's running page names another primary of a
// cluster that it is not yet a member of.
func (s *Service) joining() bool {
	page, agreed := s.Running(), s.Agreed()
	own := s.indexOf(page.Peers)
	return s.o.Identity().Standalone && len(agreed.Members) <= 1 && own > 0 && page.Primary != own && page.PrimaryAddress() != ""
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
		case <-s.rejoin:
			wait = s.o.Beat
		case <-time.After(wait):
		}
	}
}

func (s *Service) joinOnce(ctx context.Context) error {
	page := s.copyPage()
	ask := JoinAsk{Page: page.Running, Age: time.Since(page.SavedAt), Facts: s.Facts()}
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
	if err := fail.Point("join.adopted"); err != nil {
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

// awayShown is how long the page shows why a joiner was turned away after its
// last attempt; a joiner asks every few seconds.
const awayShown = 20 * time.Second

// away is why a joiner was turned away here, and when.
type away struct {
	cause string
	at    time.Time
}

// TurnedAway notes why the joiner at a listed address was not admitted, for
// the clustering page of the system that it asked.
func (s *Service) TurnedAway(address string, err error) {
	s.mu.Lock()
	before := s.away[strings.ToLower(address)]
	now := away{joinCause(err), time.Now()}
	if s.away[strings.ToLower(address)] = now; len(s.away) > 4*engine.MaxPeers {
		s.away = map[string]away{strings.ToLower(address): now}
	}
	s.mu.Unlock()
	s.showCause(address, now.cause)
	if before.cause != now.cause {
		s.o.Log.Warn("joining peer not admitted", "module", "cluster", "peer", address, "cause", now.cause)
		signal(s.kick)
	}
}

// refusedJoin is why the primary at address has not admitted this peer yet, or
// why this system turned the joiner at address away.
func (s *Service) refusedJoin(address string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turned := s.away[strings.ToLower(address)]; time.Since(turned.at) < awayShown {
		return turned.cause
	}
	if !strings.EqualFold(s.page.Running.PrimaryAddress(), address) {
		return ""
	}
	return s.join
}

// showCause puts why a join failed beside the entry of the other side.
func (s *Service) showCause(address, cause string) {
	p := s.peerAt(address)
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.node == "" {
		p.cause = cause
	}
	p.mu.Unlock()
	s.notify()
}

// joinCause is why a join failed, with what to do about it.
func joinCause(err error) string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Error()
	}
	cause, _ := causeOf(err)
	return cause
}

func (s *Service) setJoinCause(err error) {
	cause := ""
	if err != nil {
		cause = joinCause(err)
	}
	s.mu.Lock()
	changed := s.join != cause
	s.join = cause
	primary := s.page.Running.PrimaryAddress()
	s.mu.Unlock()
	if cause != "" {
		s.showCause(primary, cause)
	}
	if changed && cause != "" {
		s.o.Log.Warn("not admitted to the cluster yet", "module", "cluster", "cause", cause)
		signal(s.kick)
	}
}

// WindowOpen reports whether the administrator opened the window for first
// contacts again within the last ten minutes.
func (s *Service) WindowOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.window) < joinWindow
}

// Judge decides, on the primary, whether a joiner whose page names this system
// may become a member. It changes nothing.
//
// Errors: Denied (not the primary, no cluster yet, another key, the gate),
// Invalid with findings (a rule refuses it), Exhausted (six peers), Unavailable
// (the gate wants it later).
//
// Source: reference 2.3; design 4.
func (s *Service) Judge(ctx context.Context, ask JoinAsk) error {
	ctx, end := engine.WithStages(ctx)
	defer end()
	err := s.judgeJoiner(ctx, ask)
	if err != nil {
		engine.Staged(ctx, "joiner", "refused", "%v", err)
		return err
	}
	engine.Staged(ctx, "joiner", "may be admitted", "%s, node %.8s", ask.Address, ask.Facts.Node)
	return nil
}

func (s *Service) judgeJoiner(ctx context.Context, ask JoinAsk) error {
	page, agreed := s.Running(), s.Agreed()
	if err := s.mayAdmit(page, agreed, ask.Facts.Node); err != nil {
		return err
	}
	engine.Staged(ctx, "members", "room", "%d of %d; this system is the primary", len(agreed.Members), engine.MaxPeers)
	for _, m := range agreed.Members {
		if m.Node == s.o.Node && ask.Facts.Node == s.o.Node {
			return engine.Errorf(engine.Denied, "the joining peer has this system's node id; it was made from a copy of this system's data").
				With("Peers", "factory reset the copy: it then makes an identity of its own")
		}
		if strings.EqualFold(m.Address, ask.Address) && ask.Key != m.Fingerprint && (m.Node != ask.Facts.Node || !ask.Known) {
			return engine.Errorf(engine.Denied, "%s is a member already, with another key", ask.Address).
				With("Peers", "if that machine was replaced, take its address off the list, save, and put it back")
		}
	}
	engine.Staged(ctx, "key", "proved", "%s shows %.16s…", ask.Address, ask.Key)
	sight := engine.PeerSight{Index: entry(page.Peers, ask.Address), Address: ask.Address, Joining: true, Reachable: true, Seen: ask.RemoteIP}
	candidate := engine.NewPeerRecord(sight, ask.Facts)
	if errs := engine.Errors(s.judge(ctx, question{occasion: engine.OnJoin, proposed: page, candidate: &candidate})); len(errs) > 0 {
		return s.refusal(errs)
	}
	_, err := s.Gate(ctx, ProcedureAdd, StepAdmit, ask.Address)
	if err == nil {
		s.begun(ProcedureAdd, StepAdmit, ask.Address)
	}
	return err
}

// Admit makes a joiner that Judge let pass a member: a row of cluster.db and a
// server of the group. It may be repeated.
//
// Errors: Denied, Exhausted, Unavailable (the group cannot commit).
func (s *Service) Admit(ctx context.Context, ask JoinAsk) (Grant, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.mayAdmit(s.Running(), s.Agreed(), ask.Facts.Node); err != nil {
		return Grant{}, err
	}
	return s.admit(ctx, ask)
}

func (s *Service) mayAdmit(page engine.Clustering, agreed engine.Agreed, node string) error {
	known := slices.ContainsFunc(agreed.Members, func(m engine.Member) bool { return m.Node == node })
	switch {
	case len(page.Peers) == 0:
		return engine.Errorf(engine.Denied, "no cluster runs at the primary yet").
			With("Peers", "create the cluster there first: Peer 1 address = the primary itself, save, restart; then add peers")
	case agreed.Primary != s.o.Node:
		return engine.Errorf(engine.Denied, "the system asked is not the configuration primary; that is %s", s.addressOf(agreed.Primary)).
			With("Primary", "enter the primary's number on the joining peer")
	case !known && len(agreed.Members) >= engine.MaxPeers:
		return engine.Errorf(engine.Exhausted, "the cluster has %d peers already", engine.MaxPeers)
	}
	return nil
}

// admit writes the member and adds its server; both may be repeated.
func (s *Service) admit(ctx context.Context, ask JoinAsk) (Grant, error) {
	m := engine.Member{Node: ask.Facts.Node, Address: ask.Address, Fingerprint: ask.Key, Release: ask.Facts.Release}
	if err := s.o.Store.PutMember(ctx, m); err != nil {
		return Grant{}, err
	}
	if err := fail.Point("admit.member"); err != nil {
		return Grant{}, err
	}
	s.StoreChanged(ctx)
	// It asks to join, so its store is empty: a vote that it has from before
	// would be one of a voter that forgot what it confirmed.
	if slices.Contains(s.o.Group.Servers().Voters, m.Node) && m.Node != s.o.Node {
		if err := s.o.Group.RemoveServer(ctx, m.Node); err != nil {
			return Grant{}, err
		}
	}
	if err := s.o.Group.AddNonvoter(ctx, m.Node); err != nil {
		return Grant{}, err
	}
	if err := fail.Point("admit.server"); err != nil {
		return Grant{}, err
	}
	id, agreed := s.o.Identity(), s.Agreed()
	s.o.Log.Info("peer admitted", "module", "cluster", "peer", ask.Address, "node", m.Node)
	return Grant{Cluster: id.Cluster, Secret: id.Secret, Generation: id.Generation, Members: agreed.Members, Primary: agreed.Primary}, nil
}

// removeMember ends a membership: first the server, so that it has no vote,
// then the row, so that its connections are refused. A primary that does not
// lead removes the row; the leader follows with the server.
func (s *Service) removeMember(ctx context.Context, m engine.Member) error {
	if s.o.Group.Servers().LeaderHere {
		if err := s.o.Group.RemoveServer(ctx, m.Node); err != nil {
			return err
		}
		if err := fail.Point("remove.server"); err != nil {
			return err
		}
	}
	if err := s.o.Store.RemoveMember(ctx, m.Node); err != nil {
		return err
	}
	if err := fail.Point("remove.member"); err != nil {
		return err
	}
	s.o.Log.Info("peer removed", "module", "cluster", "peer", m.Address, "node", m.Node)
	s.StoreChanged(ctx)
	return nil
}
