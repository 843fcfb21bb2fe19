package cluster

import (
	"context"
	"slices"
	"strings"

	"hexad/engine"
)

// Rules are the policies, asked with facts. *policy.Policies is one.
type Rules interface {
	ValidateCluster(ctx context.Context, in engine.ClusterInput) engine.Judgement
	CompareKeys(ctx context.Context, in engine.KeysInput) engine.Judgement
	Prerequisites(ctx context.Context, in engine.PrerequisitesInput) engine.Judgement
	PeersChanged(ctx context.Context, in engine.PeersChangedInput) engine.ResetDecision
	Capacity(ctx context.Context, in engine.CapacityRequest) engine.Capacity
	Gate(ctx context.Context, in engine.GateRequest) engine.GateAnswer
}

// Configuration items of the cluster itself.
const (
	ItemTLS         = "ClusterConfiguration TLSVerify"
	ItemMappingMode = "ClusterConfiguration AddressMapping Mode"
	itemMapping     = "ClusterConfiguration AddressMapping "
	ItemH323        = "H323 Mode"
)

// question is everything that one asking of the rules is about: one reading
// of the facts, shared by all hooks.
type question struct {
	occasion  engine.Occasion
	proposed  engine.Clustering
	fields    []string // the six address fields as typed; nil outside a save
	candidate *engine.PeerRecord
}

// judge asks the findings hooks and returns their union. In the periodic run
// the findings of a script that failed stay as they were.
func (s *Service) judge(ctx context.Context, q question) []engine.Finding {
	// A process that ends must not stop a rule half way: that would be its failure.
	names := ctx
	ctx = context.WithoutCancel(ctx)
	page := s.copyPage()
	mapped, mapping := s.mappings()
	peers := s.records(q.proposed.Peers)
	common := s.policyContext(peers)
	procedure := ""
	if p := s.Procedure(); p != nil {
		procedure = p.Kind
	}
	record := func(c engine.Clustering, fields []string) engine.ConfigRecord {
		return engine.NewConfigRecord(c, fields, mapped, mapping)
	}
	judgements := []engine.Judgement{
		s.o.Rules.ValidateCluster(ctx, engine.ClusterInput{
			PolicyContext: common, Occasion: q.occasion, Current: record(page.Entered, nil), Proposed: record(q.proposed, q.fields),
			Running: record(page.Running, nil), RestartPending: len(s.restartReasons()) > 0, Peers: peers,
			Changed: changedFields(page.Entered, q.proposed), Resolved: s.resolutions(names, q.proposed.Peers), Neighbours: s.o.Config.Neighbours(),
			Procedure: procedure,
		}),
		s.o.Rules.Prerequisites(ctx, engine.PrerequisitesInput{PolicyContext: common, Occasion: q.occasion, Candidate: q.candidate, Peers: peers, Procedure: procedure}),
		s.o.Rules.CompareKeys(ctx, engine.KeysInput{PolicyContext: common, Occasion: q.occasion, Product: common.Self.Product, Peers: withCandidate(peers, q.candidate)}),
	}
	var out []engine.Finding
	for _, j := range judgements {
		out = append(out, j.Findings...)
		if j.Degraded != nil {
			s.o.Log.Error("a rule failed", "module", "policy", "scripts", strings.Join(j.Failed, " "), "err", j.Degraded)
			if q.occasion == engine.OnPeriodic {
				out = append(out, s.findingsOf(j.Failed)...)
			}
		}
	}
	return out
}

// JudgeItems asks the rules about an edit of the replicated items that
// concern clustering, before it is saved.
func (s *Service) JudgeItems(ctx context.Context, mode engine.TLSMode, h323 string) []engine.Finding {
	proposed := s.Entered()
	unchanged := mode == "" || mode == engine.TLSMode(s.o.Config.Get(ItemTLS))
	if len(s.Running().Peers) == 0 || (unchanged && strings.EqualFold(h323, s.o.Config.Get(ItemH323))) {
		return nil
	}
	var found []engine.Finding
	if !unchanged {
		proposed.TLSMode = mode
		if !passedGate(ctx) {
			found, _ = s.Gate(ctx, ProcedureTLS, StepSave, s.Facts().Address) // an error is among them
		}
	}
	return append(found, s.judge(ctx, question{occasion: engine.OnSave, proposed: proposed})...)
}

// findingsOf are the present findings of the named scripts.
func (s *Service) findingsOf(scripts []string) []engine.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []engine.Finding
	for _, f := range s.findings {
		if slices.Contains(scripts, f.Script) {
			out = append(out, f)
		}
	}
	return out
}

func withCandidate(peers []engine.PeerRecord, candidate *engine.PeerRecord) []engine.PeerRecord {
	if candidate == nil {
		return peers
	}
	out := slices.DeleteFunc(slices.Clone(peers), func(p engine.PeerRecord) bool { return strings.EqualFold(p.Address, candidate.Address) })
	return append(out, *candidate)
}

func (s *Service) policyContext(peers []engine.PeerRecord) engine.PolicyContext {
	page := s.Running()
	mapped, _ := s.mappings()
	c := engine.PolicyContext{
		Cluster: engine.ClusterRecord{
			Name: page.Name, IPVersion: page.IPVersion, TLSMode: page.TLSMode,
			PrimaryIndex: page.Primary, Size: len(page.Peers), MappingEnabled: mapped,
		},
	}
	for _, p := range peers {
		if p.ThisSystem {
			c.Self = p
			return c
		}
	}
	self := s.Facts()
	c.Self = engine.NewPeerRecord(engine.PeerSight{Address: self.Address, ThisSystem: true, State: engine.ThisSystem}, self)
	return c
}

// records are the peers of a list as the rules see them.
func (s *Service) records(list []string) []engine.PeerRecord {
	own, self, agreed := s.indexOf(list), s.Facts(), s.Agreed()
	var out []engine.PeerRecord
	for i, address := range list {
		sight := engine.PeerSight{Index: i + 1, Address: address, State: engine.PeerUnknown}
		facts := engine.Facts{}
		if i+1 == own {
			sight.ThisSystem, sight.Reachable, sight.State, facts = true, true, engine.ThisSystem, self
			sight.Seen = s.seenAs()
			if s.o.Certificate != nil { // a list that is proposed may have another entry than the running one
				facts.Certificate = s.o.Certificate(address)
			}
		} else if p := s.peerAt(address); p != nil {
			snap := p.snapshot()
			facts = snap.facts
			sight.State, sight.Reachable, sight.RTTMS = snap.state, snap.state == engine.PeerActive, snap.rtt
			sight.Joining = snap.node == ""
		}
		sight.RTTs = s.rttsByAddress(facts, agreed)
		out = append(out, engine.NewPeerRecord(sight, facts))
	}
	return out
}

// seenAs is the address that the other peers see this system come from, "" when none told.
func (s *Service) seenAs() string {
	for _, snap := range s.snapshots() {
		if snap.seenAs != "" {
			return snap.seenAs
		}
	}
	return ""
}

func (s *Service) resolutions(ctx context.Context, list []string) []engine.Resolution {
	known := s.lookUp(ctx, list)
	var out []engine.Resolution
	for _, address := range list {
		out = append(out, known[address])
	}
	return out
}

// ResetKeeps asks the rules what a factory reset of this system keeps when its
// peer list is cleared.
func (s *Service) ResetKeeps(ctx context.Context) engine.ResetDecision {
	page := s.copyPage()
	page.Reset = nil
	if page.Entered = page.Running; len(page.Entered.Peers) == 0 {
		page.Entered.Peers = []string{s.Facts().Address}
	}
	return s.resetAnswer(ctx, page, engine.Clustering{})
}

// resetAnswer asks what a changed peer list means for a factory reset.
func (s *Service) resetAnswer(ctx context.Context, page Page, c engine.Clustering) engine.ResetDecision {
	if engine.SamePeers(page.Entered.Peers, c.Peers) {
		return engine.ResetDecision{Action: engine.ResetNone}
	}
	in := engine.PeersChangedInput{
		PolicyContext: s.policyContext(s.records(page.Running.Peers)), ResetImage: "missing",
		Previous: engine.NewConfigRecord(page.Entered, nil, false, nil), Proposed: engine.NewConfigRecord(c, nil, false, nil),
	}
	if s.o.ResetImage() {
		in.ResetImage = "present"
	}
	if page.Reset != nil {
		in.Reset = engine.ArmedReset{Armed: true, From: page.Reset.From}
	}
	return s.o.Rules.PeersChanged(ctx, in)
}

// changedFields names the fields of the clustering page in which both differ.
func changedFields(old, proposed engine.Clustering) []string {
	var out []string
	for name, differs := range map[string]bool{
		"name": old.Name != proposed.Name, "primary": old.Primary != proposed.Primary,
		"ip_version": old.IPVersion != proposed.IPVersion, "tls_mode": old.TLSMode != proposed.TLSMode,
		"peers": !engine.SamePeers(old.Peers, proposed.Peers),
	} {
		if differs {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Mappings is the cluster address mapping, and whether it is on.
func (s *Service) Mappings() (bool, []engine.Mapping) { return s.mappings() }

func (s *Service) mappings() (bool, []engine.Mapping) {
	var out []engine.Mapping
	for i := '1'; i <= '0'+engine.MaxPeers; i++ {
		m := engine.Mapping{FQDN: s.o.Config.Get(itemMapping + string(i) + " FQDN"), IP: s.o.Config.Get(itemMapping + string(i) + " IPAddress")}
		if m.FQDN != "" || m.IP != "" {
			out = append(out, m)
		}
	}
	return strings.EqualFold(s.o.Config.Get(ItemMappingMode), "On"), out
}

// conditionsOf gives each alarm that the findings raise once, with the peers
// that they name.
func conditionsOf(found []engine.Finding) []Condition {
	var out []Condition
	at := map[int]int{}
	for _, f := range found {
		if f.Alarm == 0 || f.Severity == engine.FindingInfo {
			continue
		}
		i, ok := at[f.Alarm]
		if !ok {
			params := map[string]string{"detail": f.Text.In(engine.English, f.Params), "peers": ""}
			for k, v := range f.Params {
				params[k] = v
			}
			at[f.Alarm] = len(out)
			out = append(out, Condition{ID: f.Alarm, Params: params})
			i = len(out) - 1
		}
		if f.Peer != "" {
			peers := strings.Fields(out[i].Params["peers"])
			if !slices.Contains(peers, f.Peer) {
				out[i].Params["peers"] = strings.Join(append(peers, f.Peer), " ")
			}
		}
	}
	return out
}
