package cluster

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"hexad/engine"
)

// Procedures that the gate is asked about, each before its step: what an
// administrator does to the cluster, whatever face it is done in.
// Source: reference 2.
const (
	ProcedureCreate  = "create_cluster"
	ProcedureJoin    = "join_cluster" // on the joining peer
	ProcedureAdd     = "add_peer"
	ProcedureRemove  = "remove_peer"
	ProcedurePrimary = "change_primary"
	ProcedureTLS     = "tls_mode"
	ProcedureReset   = "factory_reset"
	ProcedureRestart = "restart"
	ProcedureImport  = "import"
	ProcedureForce   = "force_config_update"
	ProcedureRestore = "restore"
	ProcedurePurge   = "purge"
)

// Steps of the procedures.
const (
	StepSave    = "save"    // of the clustering page, or of its TLS mode
	StepAdmit   = "admit"   // a joiner, on the primary
	StepArm     = "arm"     // the factory reset
	StepRestart = "restart" // of this system
	StepImport  = "import"
	StepForce   = "force"
	StepRestore = "restore"
	StepPurge   = "purge" // of the cluster database
)

// lasts is how long after its last step a procedure explains that a peer is
// away. Source: reference 2.3, 11.
const lasts = 10 * time.Minute

// askedAgain is how long an answer that left the decision to the operator is
// remembered; the same command again is that decision.
const askedAgain = 15 * time.Minute

// undecided is a step that no rule could answer for.
type undecided struct{ from, until time.Time }

// Gate asks the rules whether a step of a procedure may begin, with what this
// peer knows of the cluster, and is asked nowhere else. peer is the address
// that the step is about. It returns what is to be shown beside the step.
//
// When the rules fail the step waits and then the operator decides: the same
// step, asked for again after that time, goes ahead.
//
// Errors: Denied, with the findings, when the rules refuse the step;
// Unavailable when they want it later.
//
// Source: reference/policy-api.md section 6.
func (s *Service) Gate(ctx context.Context, procedure, step, peer string) ([]engine.Finding, error) {
	ctx = context.WithoutCancel(ctx)
	now := time.Now()
	in := s.gateRequest(ctx, procedure, step, peer, now)
	a := s.o.Rules.Gate(ctx, in)
	found := a.Findings
	// Only what a rule could not answer is left to the operator; what another
	// one refused stays refused.
	if a.AskOperator && step != StepAdmit && s.operatorDecided(procedure+" "+step+" "+peer, a.Seconds, now) {
		for i := range found {
			if found[i].Severity == engine.FindingError {
				found[i].Severity = engine.FindingWarning
			}
		}
	}
	engine.Staged(ctx, "gate", cmp.Or(string(a.Action), string(engine.GateGo)), "%s, %s %s", procedure, step, peer)
	if errs := engine.Errors(found); len(errs) > 0 {
		return found, s.held(errs[0], a)
	}
	for _, f := range found { // whatever face it was asked for in
		s.o.Log.Warn("a step goes ahead against a rule", "module", "policy", "finding", f.ID, "script", f.Script, "procedure", procedure, "step", step,
			"peer", peer, "reason", f.Params["reason"], "waived", f.Waived != nil, "decision", a.Decision)
	}
	return found, nil
}

// held is the error of a step that may not begin now.
func (s *Service) held(f engine.Finding, a engine.GateAnswer) error {
	code, remedy := engine.Denied, "an administrator may waive "+f.ID
	if a.Action == engine.GateWait {
		code, remedy = engine.Unavailable, "repeat it then; an administrator may waive "+f.ID
	}
	if a.AskOperator {
		remedy = "correct the rule, or repeat this after that time: it then goes ahead"
	}
	e := engine.Errorf(code, "%s", f.Text.In(engine.English, f.Params))
	e.Item, e.Remedy, e.Findings = "procedure", remedy, []engine.Finding{f}
	return e
}

// operatorDecided reports whether the operator asked for a step again after the
// time that an earlier answer gave.
func (s *Service) operatorDecided(step string, seconds int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, u := range s.undecided {
		if now.After(u.until) {
			delete(s.undecided, other)
		}
	}
	u, asked := s.undecided[step]
	if !asked {
		from := now.Add(time.Duration(seconds) * time.Second)
		s.undecided[step] = undecided{from: from, until: from.Add(askedAgain)}
		return false
	}
	if now.Before(u.from) {
		return false
	}
	delete(s.undecided, step)
	return true
}

// gateRequest is the cluster as this peer sees it. A peer counts as restarted
// when it started after the last change.
func (s *Service) gateRequest(ctx context.Context, procedure, step, peer string, now time.Time) engine.GateRequest {
	peers := s.records(s.Running().Peers)
	in := engine.GateRequest{
		PolicyContext: s.policyContext(peers), Procedure: procedure, Step: step, Peer: peer, Peers: peers,
		SinceChangeS: -1, SinceRestartS: -1,
	}
	changed := s.copyPage().SavedAt
	if s.o.LastChange != nil {
		if at := s.o.LastChange(ctx); at.After(changed) {
			changed = at
		}
	}
	if !changed.IsZero() {
		in.SinceChangeS = max(0, int(now.Sub(changed).Seconds()))
	}
	for _, t := range s.Told() {
		if t.Facts.Started.IsZero() {
			continue
		}
		if ago := max(0, int(now.Sub(t.Facts.Started).Seconds())); in.SinceRestartS < 0 || ago < in.SinceRestartS {
			in.SinceRestartS = ago
		}
		if t.Facts.Started.After(changed) {
			in.Restarted = append(in.Restarted, t.Address)
		}
	}
	return in
}

// begun notes a step that is carried out here now; the others learn of it. It
// touches every peer of the list.
func (s *Service) begun(procedure, step, peer string) {
	p := &engine.ProcedureRecord{Kind: procedure, Step: step, Peer: peer, Started: time.Now().Unix()}
	s.mu.Lock()
	p.Peers = slices.Clone(s.page.Running.Peers)
	if entry(p.Peers, peer) == 0 {
		p.Peers = append(p.Peers, peer)
	}
	s.procedure = p
	s.said.version = ""
	s.mu.Unlock()
}

// Procedure is what runs in the cluster now: here, or as another peer told it;
// nil when nothing does. Of several it is the one that began last.
func (s *Service) Procedure() *engine.ProcedureRecord {
	var out *engine.ProcedureRecord
	for _, t := range s.Told() {
		p := t.Facts.Procedure
		if p != nil && time.Since(time.Unix(p.Started, 0)) < lasts && (out == nil || p.Started > out.Started) {
			out = p
		}
	}
	return out
}

// steps are the procedures that a changed page carries out, with the address
// that each is about.
func (s *Service) steps(old, c engine.Clustering) [][2]string {
	var out [][2]string
	own := s.indexOf(c.Peers)
	if len(old.Peers) == 0 {
		if own > 0 && len(c.Peers) > 0 {
			kind := ProcedureCreate
			if c.Primary != own {
				kind = ProcedureJoin
			}
			out = append(out, [2]string{kind, c.Peers[own-1]})
		}
		return out
	}
	for _, address := range c.Peers {
		if entry(old.Peers, address) == 0 {
			out = append(out, [2]string{ProcedureAdd, address})
		}
	}
	for _, address := range old.Peers {
		if entry(c.Peers, address) == 0 && len(c.Peers) > 0 {
			out = append(out, [2]string{ProcedureRemove, address})
		}
	}
	if was, is := old.PrimaryAddress(), c.PrimaryAddress(); is != "" && !strings.EqualFold(was, is) {
		out = append(out, [2]string{ProcedurePrimary, is})
	}
	if old.TLSMode != c.TLSMode {
		out = append(out, [2]string{ProcedureTLS, s.Facts().Address})
	}
	return out
}

// gatePage asks about every procedure that a changed page carries out.
func (s *Service) gatePage(ctx context.Context, old, c engine.Clustering) ([]engine.Finding, error) {
	var out []engine.Finding
	for _, p := range s.steps(old, c) {
		found, err := s.Gate(ctx, p[0], StepSave, p[1])
		out = append(out, found...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// gated marks what is done within a step that was let through already.
type gated struct{}

func withGate(ctx context.Context) context.Context { return context.WithValue(ctx, gated{}, true) }

func passedGate(ctx context.Context) bool { return ctx.Value(gated{}) != nil }

// announce tells the other peers at once what is about to happen here, without
// waiting long for any of them.
func (s *Service) announce(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), s.o.Beat)
	defer stop()
	s.restate()
	var waiting []chan struct{}
	for _, p := range s.active() {
		done := make(chan struct{})
		waiting = append(waiting, done)
		go func() {
			defer close(done)
			s.exchange(ctx, p)
		}()
	}
	for _, done := range waiting {
		<-done // ends with ctx at the latest
	}
}

// active are the members that answer.
func (s *Service) active() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*peer
	for _, p := range s.peers {
		if p.member() != "" && p.state() == engine.PeerActive {
			out = append(out, p)
		}
	}
	return slices.Clip(out)
}
