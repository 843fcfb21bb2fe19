package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// View is the clustering page as this peer sees it now.
func (s *Service) View(ctx context.Context) engine.ClusterView {
	servers, id := s.o.Group.Servers(), s.o.Identity()
	mode, mappings := s.mappings()
	self := s.Facts()
	page, agreed := s.copyPage(), s.Agreed()
	if now, err := s.o.Store.Agreed(ctx); err == nil && now.Cluster == agreed.Cluster {
		agreed.Revision = now.Revision // whoever just saved sees it
	}
	v := engine.ClusterView{
		Node: s.o.Node, Address: self.Address, Entered: page.Entered, Running: page.Running,
		Cluster: id.Cluster, Generation: id.Generation, Revision: agreed.Revision,
		Primary: agreed.Primary, PrimaryAddress: s.addressOf(agreed.Primary), PrimaryHere: agreed.Primary == s.o.Node,
		Database: servers.State, Synchronised: self.Store.Synchronised, MappingMode: mode, Mappings: mappings,
		Restart: s.RestartReasons(), Reset: s.resetNow(page.Reset),
	}
	if servers.Leader != "" {
		v.Leader = s.addressOf(servers.Leader)
	}
	if v.PrimaryHere {
		v.Synchronised = time.Now().UTC()
	}
	s.mu.Lock()
	v.Findings, v.Capacity = slices.Clone(s.findings), s.capacity.view
	s.mu.Unlock()
	v.Fenced = s.Fenced()
	v.Forcible = s.o.Generations != nil && v.Primary != "" && len(agreed.Members) > 1 && !id.Standalone && servers.State != stateFailed && s.cannotCommit(servers) == nil
	v.ReadOnly = s.readOnly(v, servers)
	v.Writable = v.ReadOnly == ""
	list := page.Entered.Peers
	if page.Reset != nil {
		list = page.Running.Peers
	}
	v.Index = s.indexOf(list)
	for i, address := range list {
		v.Peers = append(v.Peers, s.peerView(i+1, address, i+1 == v.Index, self, agreed, servers))
	}
	for _, snap := range s.snapshots() {
		if snap.node != "" && entry(list, snap.address) == 0 {
			v.Peers = append(v.Peers, s.peerView(0, snap.address, false, self, agreed, servers))
		}
	}
	return v
}

// MayEdit refuses at once what could only be saved elsewhere, without asking a
// group that may not answer.
//
// Errors: Denied, naming the primary.
func (s *Service) MayEdit() error {
	if agreed := s.Agreed(); !s.joining() && agreed.Primary != "" && agreed.Primary != s.o.Node {
		primary := s.addressOf(agreed.Primary)
		return engine.Errorf(engine.Denied, "configuration is edited on the primary, %s", primary).
			With("Primary", "sign in at "+primary+" and repeat the change there")
	}
	return s.MayShare()
}

// MayShare refuses what every peer is to have, and can be changed on any, while
// what this system has is about to be replaced by what the cluster has.
//
// Errors: Denied.
func (s *Service) MayShare() error {
	if s.joining() {
		return engine.Errorf(engine.Denied, "this system waits to be admitted to its cluster, whose configuration replaces its own").
			With("Primary", "edit the configuration on the primary, "+s.Running().PrimaryAddress())
	}
	if f := s.superseded(); f != nil {
		return engine.Errorf(engine.Denied, "%s", olderGeneration(f)).
			With("Primary", "edit the configuration on the present primary; xCommand ForceConfigUpdate here takes its configuration over, and keeps this one aside")
	}
	return nil
}

// superseded is who holds a newer generation of the configuration than this
// system, nil when nobody is known to. What was edited here from then on would
// only be one more thing that is lost.
func (s *Service) superseded() *engine.Fenced {
	if f := s.Fenced(); f != nil && f.Superseded {
		return f
	}
	return nil
}

func olderGeneration(f *engine.Fenced) string {
	return fmt.Sprintf("the configuration of this system is of generation %d, and %s has generation %d", f.Own.Number, f.Peer, f.Other.Number)
}

// readOnly says why configuration cannot be saved here, "" when it can.
func (s *Service) readOnly(v engine.ClusterView, servers Servers) string {
	switch {
	case s.joining():
		return "this system waits to be admitted to its cluster"
	case servers.State == "Failed":
		return "the cluster database of this system failed: " + servers.Err
	case v.Primary != "" && !v.PrimaryHere:
		return "configuration is edited on the primary, " + v.PrimaryAddress
	case s.superseded() != nil:
		return olderGeneration(s.superseded())
	case servers.Leader == "":
		return "too few voters of the cluster database answer"
	case !s.levelShown(servers, v.Revision):
		return "this system is catching up with the cluster database"
	}
	return ""
}

// level reports whether this copy has everything that the group had when its
// leader was last heard: until then a read on a restarted primary could be older
// than what was acknowledged there.
func (s *Service) level(servers Servers) bool {
	if servers.Behind || servers.LeaderHere {
		return !servers.Behind
	}
	p := s.peerOf(servers.Leader)
	if p == nil {
		return false
	}
	snap := p.snapshot()
	return !snap.heard.IsZero() && snap.facts.Store.Applied <= servers.Applied
}

// levelShown reports whether this copy is level and readers are shown it: what
// was carried out a moment ago is read back a moment later. In between, a reader
// would take the configuration of before the start for the present one.
func (s *Service) levelShown(servers Servers, revision int64) bool {
	level := s.level(servers)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shows = level && (s.shows || s.o.Config.Revision() >= revision)
	return s.shows
}

func (s *Service) peerView(index int, address string, this bool, self engine.Facts, agreed engine.Agreed, servers Servers) engine.PeerView {
	if this {
		return engine.PeerView{
			Index: index, Address: address, Node: s.o.Node, State: engine.ThisSystem,
			Certificate: certificateWord(self.Certificate), Reason: self.Certificate.Reason, Fingerprint: self.Certificate.Fingerprint, Pin: "pinned",
			Primary: agreed.Primary == s.o.Node, Voter: slices.Contains(servers.Voters, s.o.Node),
			Applied: servers.Applied, Revision: agreed.Revision, Release: s.o.Release, Database: servers.State,
			Synchronised: self.Store.Synchronised, Restart: len(self.Restart) > 0, ResetArmed: self.ResetArmed, Maintenance: self.Maintenance,
			RTTs: s.rttsByAddress(self, agreed),
		}
	}
	v := engine.PeerView{Index: index, Address: address, State: engine.PeerUnknown, Certificate: "Unknown", Pin: "none"}
	p := s.peerAt(address)
	if p == nil {
		return v
	}
	snap := p.snapshot()
	f := snap.facts
	v.Node, v.State, v.Cause, v.Since, v.Fingerprint, v.RTTMS = snap.node, snap.state, snap.cause, snap.since, snap.key, snap.rttShown
	if snap.node != "" {
		v.Pin = "pinned"
		v.Primary, v.Voter = agreed.Primary == snap.node, slices.Contains(servers.Voters, snap.node)
	}
	if offered, changed := s.keyChanged(snap); changed {
		v.Pin, v.Offered = "changed", offered
	}
	if f.Node == "" {
		return v
	}
	v.Certificate, v.Reason = certificateWord(f.Certificate), f.Certificate.Reason
	v.Applied, v.Revision, v.Release, v.Database, v.Synchronised = f.Store.Applied, f.Store.Revision, f.Release, f.Store.State, f.Store.Synchronised
	v.Restart, v.ResetArmed, v.Maintenance, v.RTTs = len(f.Restart) > 0, f.ResetArmed, f.Maintenance, s.rttsByAddress(f, agreed)
	s.mu.Lock()
	if lag := s.applied.lag(f.Store.Applied, snap.heard); lag > 0 {
		v.LagMS = lag.Milliseconds()
	}
	s.mu.Unlock()
	return v
}

func certificateWord(c engine.CertFacts) string {
	switch {
	case c.Valid:
		return "Valid"
	case c.Reason == "":
		return "Unknown"
	default:
		return "Invalid"
	}
}

// keyChanged reports whether a peer shows another key than the pinned one, and which.
func (s *Service) keyChanged(snap snapshot) (offered string, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refused {
		if r.Kind == "key" && (r.Node == snap.node || strings.EqualFold(r.Address, snap.address)) {
			return r.Key, true
		}
	}
	return "", false
}

// rttsByAddress gives the round trips that a peer measured under the
// addresses of the entries.
func (s *Service) rttsByAddress(f engine.Facts, agreed engine.Agreed) map[string]float64 {
	out := map[string]float64{}
	for _, m := range agreed.Members {
		if ms := f.RTTs[m.Node]; ms > 0 {
			out[s.addressOf(m.Node)] = ms
		}
	}
	return out
}

// HostNames gives the host name that each peer told, by its address.
func (s *Service) HostNames() map[string]string {
	out := map[string]string{}
	for _, snap := range s.snapshots() {
		if snap.facts.HostName != "" {
			out[snap.address] = snap.facts.HostName
		}
	}
	f := s.Facts()
	out[f.Address] = f.HostName
	return out
}
