package policy

import (
	"context"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"hexad/engine"
)

// ValidateCluster asks hook cluster.validate what is wrong with a clustering
// page that is proposed or running.
//
// No errors reach the caller: Judgement.Degraded tells of rules that failed,
// and outside of the periodic run a finding policy.failed then blocks.
func (p *Policies) ValidateCluster(ctx context.Context, in engine.ClusterInput) engine.Judgement {
	return p.begin(ctx, "cluster.validate").validateCluster(in)
}

func (q *asking) validateCluster(in engine.ClusterInput) engine.Judgement {
	q.complete(&in.PolicyContext)
	return q.judge(in.Occasion, in)
}

// CompareKeys asks hook keys.compare whether the peers carry the same option keys.
func (p *Policies) CompareKeys(ctx context.Context, in engine.KeysInput) engine.Judgement {
	return p.begin(ctx, "keys.compare").compareKeys(in)
}

func (q *asking) compareKeys(in engine.KeysInput) engine.Judgement {
	q.complete(&in.PolicyContext)
	return q.judge(in.Occasion, in)
}

// Prerequisites asks hook peer.prerequisites whether a candidate may join, or
// whether those that are in still fit together.
func (p *Policies) Prerequisites(ctx context.Context, in engine.PrerequisitesInput) engine.Judgement {
	return p.begin(ctx, "peer.prerequisites").prerequisites(in)
}

func (q *asking) prerequisites(in engine.PrerequisitesInput) engine.Judgement {
	q.complete(&in.PolicyContext)
	if in.Limits.RTTMS == 0 {
		in.Limits.RTTMS = 80
	}
	if in.Limits.Peers == 0 {
		in.Limits.Peers = engine.MaxPeers
	}
	return q.judge(in.Occasion, in)
}

// PeersChanged asks hook cluster.peers_changed what a new peer list does to the
// factory reset. A failure, or no answer, leaves the reset as it is.
func (p *Policies) PeersChanged(ctx context.Context, in engine.PeersChangedInput) engine.ResetDecision {
	return p.begin(ctx, "cluster.peers_changed").peersChanged(in)
}

func (q *asking) peersChanged(in engine.PeersChangedInput) engine.ResetDecision {
	q.complete(&in.PolicyContext)
	q.check = func(_ *script, answer any) error { return calledFor(in, answer.(record)) }
	q.ask(in)
	a, by := q.out.first()
	d := engine.ResetDecision{Action: engine.ResetNone, Degraded: q.out.degraded()}
	if a != nil {
		d.Action, d.BannerID, d.Blocked = engine.ResetAction(a.text("reset")), a.text("banner"), a.text("blocked")
		keep := a.list("keep")
		for _, k := range keep {
			d.Keep = append(d.Keep, textOf(k))
		}
		d.Banner = banners[d.BannerID]
	}
	if d.Blocked != "" {
		e := catalogue["cluster.reset."+d.Blocked]
		d.Findings = []engine.Finding{{
			ID: "cluster.reset." + d.Blocked, Severity: engine.FindingWarning, Script: by, Alarm: e.Alarm, Text: e.Text,
		}}
	}
	if a == nil {
		a = record{{"reset", lua.LString(engine.ResetNone)}}
	}
	finish(q, a, by)
	return d
}

// calledFor is an invariant: no script arms or disarms a factory reset where the
// lists do not call for it.
func calledFor(in engine.PeersChangedInput, a record) error {
	was, now := len(in.Previous.PeerAddresses), len(in.Proposed.PeerAddresses)
	switch engine.ResetAction(a.text("reset")) {
	case engine.ResetArm:
		if was == 0 || now > 0 {
			return badOutput("answer.reset: arm answers a list that was cleared, and this one was not")
		}
	case engine.ResetDisarm:
		if !in.Reset.Armed || now == 0 {
			return badOutput("answer.reset: disarm answers an armed reset when peers are back in the list")
		}
	case engine.ResetKeepArmed:
		if !in.Reset.Armed {
			return badOutput("answer.reset: keep_armed, but nothing is armed")
		}
	}
	return nil
}

// Identity asks hook peer.identity whether the other side of a TLS session is
// the configured peer, after Go has judged its chain.
//
// While Enforcing a failure, no answer, or a chain that is not trusted rejects;
// while Permissive a failure accepts with a warning. An accept of a site's
// script leaves the matter to the scripts behind it, the built-in last.
func (p *Policies) Identity(ctx context.Context, in engine.IdentityInput) engine.IdentityDecision {
	return p.begin(ctx, "peer.identity").identity(in)
}

func (q *asking) identity(in engine.IdentityInput) engine.IdentityDecision {
	q.complete(&in.PolicyContext)
	if in.Names == nil {
		in.Names = slices.Clone(in.SANs)
		if in.CN != "" {
			in.Names = append(in.Names, in.CN)
		}
	}
	q.pass = func(s *script, answer any) bool { // an invariant: a site refuses more than the built-in, never less
		return !s.Builtin && answer.(record).text("action") == "accept"
	}
	q.ask(in)
	d, by := q.identified(in)
	answer := map[string]any{"action": "accept", "name": d.Name, "warning": d.Warning}
	if !d.Accept {
		answer = map[string]any{"action": "reject", "reason": d.Reason}
	}
	finish(q, answer, by)
	return d
}

func (q *asking) identified(in engine.IdentityInput) (engine.IdentityDecision, string) {
	enforcing := in.TLSMode == engine.Enforcing
	a, by := q.out.first()
	if a == nil {
		reason := "no_policy"
		if len(q.out.missing) > 0 {
			reason = "policy_failed"
		}
		return engine.IdentityDecision{Accept: !enforcing, Reason: reason, Warning: reason, Degraded: q.out.degraded()}, by
	}
	if enforcing && !in.ChainOK { // an invariant: no script widens what the chain allows
		return engine.IdentityDecision{Reason: "chain_not_trusted"}, by
	}
	d := engine.IdentityDecision{Accept: a.text("action") == "accept", Name: a.text("name"), Reason: a.text("reason"), Degraded: q.out.degraded()}
	if d.Accept {
		d.Warning, d.Reason = d.Reason, ""
	}
	return d, by
}

// complete fills in what every input has.
func (q *asking) complete(c *engine.PolicyContext) {
	if c.Now == 0 {
		c.Now = q.now
	}
	if c.Revision == 0 {
		c.Revision = q.r.number
	}
}

// judge makes findings of the answers of a findings hook.
func (q *asking) judge(on engine.Occasion, in any) engine.Judgement {
	q.check = func(s *script, answer any) error {
		_, err := q.r.findings(answered{s, answer})
		return err
	}
	q.ask(in)
	j := engine.Judgement{Degraded: q.out.degraded()}
	for _, a := range q.out.answers {
		list, _ := q.r.findings(a) // checked before
		j.Findings = append(j.Findings, list...)
	}
	for _, f := range q.out.missing {
		j.Failed = append(j.Failed, f.Script)
		if on == engine.OnSave || on == engine.OnJoin {
			j.Findings = append(j.Findings, policyFailed(f))
		}
	}
	finish(q, judged{append([]engine.Finding{}, j.Findings...), j.Failed}, "")
	return j
}

// judged is a Judgement in the record of a decision.
type judged struct {
	Findings []engine.Finding `json:"findings"`
	Failed   []string         `json:"failed,omitempty"`
}

func policyFailed(f Failure) engine.Finding {
	e := catalogue["policy.failed"]
	return engine.Finding{
		ID: "policy.failed", Severity: engine.FindingError, Script: f.Script, Alarm: e.Alarm, Text: e.Text,
		Params: map[string]string{"script": f.Script, "hook": f.Hook, "class": f.Class, "line": strconv.Itoa(f.Line)},
	}
}

// findings turns one script's answer into findings of the catalogue. Ids that
// the script declares itself raise alarm AlarmSiteFinding.
func (r *revision) findings(a answered) ([]engine.Finding, error) {
	var out []engine.Finding
	for _, one := range a.value.([]any) {
		v := one.(record)
		f := engine.Finding{
			ID: v.text("id"), Severity: engine.FindingSeverity(v.text("severity")), Script: a.script.Name,
			Peer: v.text("peer"), Field: v.text("field"),
		}
		f.Params, _ = v.get("params").(map[string]string)
		if fix, ok := v.get("fix").(record); ok {
			f.Fix = &engine.Fix{Set: fix.text("set"), To: fix.text("to"), Page: fix.text("page")}
		}
		e, ok := r.entry(a.script, f.ID)
		if !ok {
			return nil, badOutput("unknown finding %q", clip(f.ID, 64))
		}
		f.Alarm, f.Text = e.Alarm, e.Text
		if f.Severity == engine.FindingInfo {
			f.Alarm = 0
		}
		if a.script.Mode == Warn && f.Severity == engine.FindingError {
			f.Severity = engine.FindingWarning
		}
		out = append(out, f)
	}
	return out, nil
}

func (r *revision) entry(s *script, id string) (Entry, bool) {
	if e, ok := catalogue[id]; ok && !strings.HasPrefix(id, "cluster.reset.") && !strings.HasPrefix(id, "procedure.") && id != "policy.failed" {
		return e, true
	}
	t, ok := s.meta.Text[id]
	if !ok {
		return Entry{}, false
	}
	return Entry{Alarm: AlarmSiteFinding, Waivable: true, Text: engine.Text{EN: str(t["en"]), JA: str(t["ja"])}}, true
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
