package policy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hexad/engine"
)

// ValidateCluster asks hook cluster.validate what is wrong with a clustering
// page that is proposed or running.
//
// No errors reach the caller: Judgement.Degraded tells of rules that failed,
// and outside of the periodic run a finding policy.failed then blocks.
func (p *Policies) ValidateCluster(ctx context.Context, in engine.ClusterInput) engine.Judgement {
	r := p.active.Load()
	r.complete(&in.PolicyContext)
	return p.judge(ctx, r, "cluster.validate", in.Occasion, in)
}

// CompareKeys asks hook keys.compare whether the peers carry the same option keys.
func (p *Policies) CompareKeys(ctx context.Context, in engine.KeysInput) engine.Judgement {
	r := p.active.Load()
	r.complete(&in.PolicyContext)
	return p.judge(ctx, r, "keys.compare", in.Occasion, in)
}

// Prerequisites asks hook peer.prerequisites whether a candidate may join, or
// whether those that are in still fit together.
func (p *Policies) Prerequisites(ctx context.Context, in engine.PrerequisitesInput) engine.Judgement {
	r := p.active.Load()
	r.complete(&in.PolicyContext)
	if in.Limits.RTTMS == 0 {
		in.Limits.RTTMS = 80
	}
	if in.Limits.Peers == 0 {
		in.Limits.Peers = engine.MaxPeers
	}
	return p.judge(ctx, r, "peer.prerequisites", in.Occasion, in)
}

// PeersChanged asks hook cluster.peers_changed what a new peer list does to the
// factory reset. A failure, or no answer, leaves the reset as it is.
func (p *Policies) PeersChanged(ctx context.Context, in engine.PeersChangedInput) engine.ResetDecision {
	r := p.active.Load()
	r.complete(&in.PolicyContext)
	out := p.ask(ctx, r, "cluster.peers_changed", in)
	if err := out.degraded(); err != nil || len(out.answers) == 0 {
		return engine.ResetDecision{Action: engine.ResetNone, Degraded: err}
	}
	a := out.answers[0].value.(map[string]any)
	d := engine.ResetDecision{
		Action: engine.ResetAction(a["reset"].(string)), BannerID: str(a["banner"]), Blocked: str(a["blocked"]),
	}
	keep, _ := a["keep"].([]any)
	for _, k := range keep {
		d.Keep = append(d.Keep, k.(string))
	}
	d.Banner = banners[d.BannerID]
	if d.Blocked != "" {
		e := catalogue["cluster.reset."+d.Blocked]
		d.Findings = []engine.Finding{{
			ID: "cluster.reset." + d.Blocked, Severity: engine.FindingWarning,
			Script: out.answers[0].script.Name, Alarm: e.Alarm, Text: e.Text,
		}}
	}
	return d
}

// Identity asks hook peer.identity whether the other side of a TLS session is
// the configured peer, after Go has judged its chain.
//
// While Enforcing a failure, no answer, or a chain that is not trusted rejects;
// while Permissive a failure accepts with a warning.
func (p *Policies) Identity(ctx context.Context, in engine.IdentityInput) engine.IdentityDecision {
	r := p.active.Load()
	r.complete(&in.PolicyContext)
	if in.Names == nil {
		in.Names = slices.Clone(in.SANs)
		if in.CN != "" {
			in.Names = append(in.Names, in.CN)
		}
	}
	enforcing := in.TLSMode == engine.Enforcing
	out := p.ask(ctx, r, "peer.identity", in)
	if err := out.degraded(); err != nil {
		return engine.IdentityDecision{Accept: !enforcing, Reason: "policy_failed", Warning: "policy_failed", Degraded: err}
	}
	if len(out.answers) == 0 {
		return engine.IdentityDecision{Accept: !enforcing, Reason: "no_policy", Warning: "no_policy"}
	}
	a := out.answers[0].value.(map[string]any)
	d := engine.IdentityDecision{Accept: a["action"] == "accept", Name: str(a["name"]), Reason: str(a["reason"])}
	if d.Accept {
		d.Warning, d.Reason = d.Reason, ""
	}
	if enforcing && !in.ChainOK { // an invariant: no script widens what the chain allows
		return engine.IdentityDecision{Reason: "chain_not_trusted"}
	}
	return d
}

// complete fills in what every input has.
func (r *revision) complete(c *engine.PolicyContext) {
	if c.Now == 0 {
		c.Now = time.Now().Unix()
	}
	if c.Revision == 0 {
		c.Revision = r.number
	}
}

// judge makes findings of the answers of a findings hook.
func (p *Policies) judge(ctx context.Context, r *revision, hook string, on engine.Occasion, in any) engine.Judgement {
	out := p.ask(ctx, r, hook, in)
	j := engine.Judgement{Degraded: out.degraded()}
	for _, a := range out.answers {
		list, err := r.findings(a)
		if err != nil {
			f := Failure{Script: a.script.Name, Hook: hook, Class: "bad_output", Message: err.Error()}
			p.failed([]Failure{f})
			out.failures = append(out.failures, f)
			j.Degraded = out.degraded()
			continue
		}
		j.Findings = append(j.Findings, list...)
	}
	for _, f := range out.failures {
		j.Failed = append(j.Failed, f.Script)
		if on == engine.OnSave || on == engine.OnJoin {
			j.Findings = append(j.Findings, policyFailed(f))
		}
	}
	return j
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
		v := one.(map[string]any)
		f := engine.Finding{
			ID: v["id"].(string), Severity: engine.FindingSeverity(v["severity"].(string)), Script: a.script.Name,
			Peer: str(v["peer"]), Field: str(v["field"]),
		}
		f.Params, _ = v["params"].(map[string]string)
		if fix, ok := v["fix"].(map[string]any); ok {
			f.Fix = &engine.Fix{Set: str(fix["set"]), To: str(fix["to"]), Page: str(fix["page"])}
		}
		e, ok := r.entry(a.script, f.ID)
		if !ok {
			return nil, fmt.Errorf("unknown finding %q", clip(f.ID, 64))
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
	if e, ok := catalogue[id]; ok && !strings.HasPrefix(id, "cluster.reset.") && id != "policy.failed" {
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
