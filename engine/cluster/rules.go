package cluster

import (
	"context"
	"net"
	"slices"
	"strings"

	"hexad/engine"
)

// Occasions on which the rules are asked.
const (
	OnSave     = "save"     // before a save is stored
	OnJoin     = "join"     // at the primary, before a joiner is admitted
	Periodicly = "periodic" // at every peer, when a fact changed and each minute
)

// Situation is what the rules judge: facts, and nothing that a rule decides.
type Situation struct {
	Occasion  string
	Self      engine.Facts
	Index     int // of this system in Proposed, 0 when it is not listed
	Current   engine.Clustering
	Proposed  engine.Clustering
	Fields    []string // the six address fields as typed, gaps included; nil outside a save
	Changed   []string // names of the changed fields
	Mapping   bool
	Mappings  []engine.Mapping
	Restart   bool // this system waits for a restart
	Peers     []PeerFacts
	Candidate *PeerFacts
	Revision  int64
}

// PeerFacts is one peer of a Situation; this system is among them.
type PeerFacts struct {
	Index     int
	Address   string
	This      bool
	State     engine.PeerState
	Reachable bool
	RTTMS     float64
	SeenAs    string // address that this system is seen from by that peer
	Resolved  []string
	Facts     engine.Facts
}

// ResetQuestion asks what a changed peer list means for a factory reset.
type ResetQuestion struct {
	Previous, Proposed engine.Clustering
	Reset              *engine.Reset
	Self               engine.Facts
	Image              bool
}

// ResetAnswer is the rule's decision: none, arm, disarm or keep_armed.
type ResetAnswer struct {
	Action  string
	Keep    []string
	Banner  engine.Text
	Blocked string
}

// Source of a finding that Go itself raises when the rules cannot be asked.
const rulesFailed = "policy.failed"

// judge asks the rules about proposed.
func (s *Service) judge(ctx context.Context, occasion string, proposed engine.Clustering, fields []string, candidate *PeerFacts) []engine.Finding {
	sit := s.situation(occasion, proposed, fields)
	sit.Candidate = candidate
	found, err := s.o.Rules.Judge(ctx, sit)
	if err != nil {
		s.o.Log.Error("rules could not be asked", "module", "policy", "err", err)
		if occasion != Periodicly {
			found = append(found, engine.Finding{ID: rulesFailed, Severity: engine.FindingError, Text: engine.Text{
				EN: "The rules could not be asked, so nothing was changed: " + err.Error(),
				JA: "ルールを評価できなかったため、何も変更されていません: " + err.Error()}})
		}
	}
	return found
}

func (s *Service) situation(occasion string, proposed engine.Clustering, fields []string) Situation {
	s.mu.Lock()
	page := s.page
	revision := s.agreed.Revision
	s.mu.Unlock()
	self := s.Facts()
	sit := Situation{
		Occasion: occasion, Self: self, Index: s.indexOf(proposed.Peers), Current: page.Running, Proposed: proposed,
		Fields: fields, Changed: changedFields(page.Entered, proposed), Restart: len(s.restartReasons()) > 0, Revision: revision,
	}
	sit.Mapping, sit.Mappings = s.mappings()
	for i, address := range proposed.Peers {
		pf := PeerFacts{Index: i + 1, Address: address, State: engine.PeerUnknown}
		for _, ip := range s.resolved(address) {
			pf.Resolved = append(pf.Resolved, ip.String())
		}
		if i+1 == sit.Index {
			pf.This, pf.Reachable, pf.State, pf.Facts = true, true, engine.ThisSystem, self
		} else if p := s.peerAt(address); p != nil {
			snap := p.snapshot()
			pf.State, pf.Reachable, pf.RTTMS = snap.state, snap.state == engine.PeerActive, snap.rtt
			pf.SeenAs, pf.Facts = snap.seenAs, snap.facts
		}
		sit.Peers = append(sit.Peers, pf)
	}
	return sit
}

// changedFields names the fields of the clustering page in which both differ.
func changedFields(old, proposed engine.Clustering) []string {
	var out []string
	if old.Name != proposed.Name {
		out = append(out, "name")
	}
	if old.Primary != proposed.Primary {
		out = append(out, "primary")
	}
	if old.IPVersion != proposed.IPVersion {
		out = append(out, "ip_version")
	}
	if old.TLSMode != proposed.TLSMode {
		out = append(out, "tls_mode")
	}
	if !engine.SamePeers(old.Peers, proposed.Peers) {
		out = append(out, "peers")
	}
	return out
}

// Configuration items of the cluster itself.
const (
	ItemTLS         = "ClusterConfiguration TLSVerify"
	ItemMappingMode = "ClusterConfiguration AddressMapping Mode"
	itemMapping     = "ClusterConfiguration AddressMapping "
	ItemH323        = "H323 Mode"
)

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

func ipsContain(ips []net.IP, ip net.IP) bool {
	return ip != nil && slices.ContainsFunc(ips, ip.Equal)
}
