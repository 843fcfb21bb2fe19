package console_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/ui/command"
)

// ruleSource is the site's script of the fake; its order is after the built-ins.
const ruleSource = `-- Boardrooms <b>need</b> authentication.
local P = policy {
  name = "site_rule", api = 1, hook = "cluster.validate", order = 300,
  title = { en = "A rule of this site", ja = "サイト独自のルール" },
}

function P.evaluate(c)
  if c.cluster.size > 5 then
    why("large", { size = c.cluster.size })
  end
  return {}
end

return P
`

const ruleTests = `function test_a_pair() expect.equal(evaluate(fixture("pair")), {}) end
`

// rules stands in for the policies of a cluster: one site script with a draft,
// a staged revision, decisions, a table and a waiver.
type rules struct {
	draft   string
	tables  policy.Tables
	waivers []engine.PolicyWaiver
	past    []policy.Past
	put     []string // names of new drafts
	fail    bool     // every policy command fails
	eyes    bool     // four eyes are configured
}

func newRules() rules {
	one := engine.PolicyItem{Name: "site_rule", SHA256: strings.Repeat("a1", 32)}
	return rules{
		draft:   strings.Repeat("b2", 32),
		tables:  policy.Tables{Active: map[string]map[string]string{"branches": {"77": "Osaka", "78": "Nagoya"}}, Next: map[string]map[string]string{"branches": {"77": "Kobe", "79": "Sendai"}}},
		waivers: []engine.PolicyWaiver{{ID: "w-1", Finding: "cluster.base.dns_failed", Peer: "192.0.2.4", Until: noon.AddDate(0, 0, 3), Reason: "is being moved", Author: "admin"}},
		past: []policy.Past{
			{PolicyRevision: engine.PolicyRevision{Number: 4, State: engine.PolicyRefused, BasedOn: 3, Author: "anna", Created: noon, Reason: "192.0.2.3: site_rule:9: unknown name x"}, Changed: []string{"~site_rule"},
				Acks: []engine.PolicyAck{{Revision: 4, Peer: "192.0.2.1", OK: true}, {Revision: 4, Peer: "192.0.2.3", Detail: "site_rule:9: unknown name x"}}},
			{PolicyRevision: engine.PolicyRevision{Number: 5, State: engine.PolicyStaged, BasedOn: 3, Author: "anna", Created: noon, Items: []engine.PolicyItem{one}}, Changed: []string{"~site_rule"}, Acks: []engine.PolicyAck{{Revision: 5, Peer: "192.0.2.1", OK: true}}},
			{PolicyRevision: engine.PolicyRevision{Number: 3, State: engine.PolicyActive, BasedOn: 2, Author: "anna", Approver: "ben", Created: noon, Activated: noon, Comment: "first rule"}, Changed: []string{"+site_rule"}},
			{PolicyRevision: engine.PolicyRevision{Number: 2, State: engine.PolicyRetired, Author: "anna", Created: noon.Add(-time.Hour)}},
		},
	}
}

// policyCommand carries out what the tests need of the policy commands.
func (a *appliance) policyCommand(call command.Call) (command.Result, error) {
	if a.rules.fail {
		return command.Result{}, engine.Errorf(engine.Unavailable, "the policies cannot be read").With("", "try again")
	}
	var data any
	switch call.Name {
	case "PolicyList":
		data = a.listed()
	case "PolicyStatus":
		data = policy.Watched{FourEyes: a.rules.eyes, Active: engine.PolicyRevision{Number: 3}, Scripts: []policy.ScriptStatus{{Script: "site_rule", Failures: 2}}, Peers: a.peersPolicies()}
	case "PolicyShow":
		return a.shown(call)
	case "PolicyDiff":
		data = map[string]any{"lines": policy.DiffLines("site_rule.lua a1", "site_rule.lua b2", ruleSource, strings.Replace(ruleSource, "> 5", "> 4", 1))}
	case "PolicyHistory":
		data = a.rules.past
	case "PolicyCheck", "PolicyTest":
		var files []policy.SourceFile
		if err := json.Unmarshal([]byte(call.Body), &files); err != nil {
			return command.Result{}, err
		}
		data = policy.CheckAll([]policy.Script{{Name: files[0].Name, Source: files[0].Source, Tests: files[0].Tests}}, nil, policy.TestOptions{Cover: call.Args["Cover"] == "True"})
	case "PolicyPut":
		var files []policy.SourceFile
		if err := json.Unmarshal([]byte(call.Body), &files); err != nil {
			return command.Result{}, err
		}
		a.rules.put = append(a.rules.put, files[0].Name)
	case "PolicyEval":
		data = a.decision()
	case "PolicyDecisions":
		data = []policy.Decision{a.decision()}
	case "PolicyExplain":
		return a.explained(call)
	case "PolicyDryRun":
		data = policy.DryRun{Active: 3, Asked: 120, Present: 3, Changed: 4, Differences: []policy.Difference{{Hook: "cluster.validate", Was: "no findings", Is: "1 finding", Count: 4, Samples: []string{"d-abc"}}}}
	case "PolicyData":
		data = a.rules.tables
	case "PolicyDataSet":
		a.rules.tables.Next[call.Args["Table"]][call.Args["Key"]] = call.Args["Value"]
	case "PolicyExport":
		data = map[string]any{"archive": []byte("archive of " + call.Args["Revision"])}
	case "PolicyImport":
		return a.imported(call)
	case "PolicyWaivers":
		data = a.rules.waivers
	case "PolicyUnwaive":
		a.rules.waivers = nil
	}
	return command.Result{Data: data}, nil
}

// foreign is the fingerprint of a signer that the fake's cluster does not know.
const foreign = "SHA256:strange"

func (a *appliance) imported(call command.Call) (command.Result, error) {
	archive, err := base64.StdEncoding.DecodeString(call.Body)
	if err != nil || !strings.HasPrefix(string(archive), "archive of ") {
		return command.Result{}, engine.Errorf(engine.Invalid, "the archive cannot be read").With("", "export it again")
	}
	if string(archive) == "archive of 9" && call.Args["Trust"] != foreign {
		return command.Result{}, engine.Errorf(engine.Denied, "the archive is signed by a key that is no peer's of this cluster: "+foreign).With("Trust", "compare the fingerprint")
	}
	a.rules.put = append(a.rules.put, "brought")
	return command.Result{Data: policy.Imported{From: 3, Known: call.Args["Trust"] == ""}}, nil
}

func (a *appliance) listed() any {
	var drafts []map[string]any
	for _, name := range a.rules.put {
		if name != "site_rule" {
			drafts = append(drafts, map[string]any{"name": name, "hook": "cluster.validate", "origin": "site", "draft": a.rules.draft})
		}
	}
	return append(drafts, []map[string]any{
		{"name": "h323_required", "hook": "cluster.validate", "order": 100, "origin": "builtin", "mode": "enforce", "version": strings.Repeat("c3", 32), "title": engine.Text{EN: "H.323 mode must be on", JA: "H.323 モードをオンにする"}},
		{"name": "site_rule", "hook": "cluster.validate", "order": 300, "origin": "site", "mode": "shadow", "version": strings.Repeat("a1", 32), "author": "anna", "draft": a.rules.draft, "draft_by": "anna", "title": engine.Text{EN: "A rule of this site", JA: "サイト独自のルール"}},
		{"name": "round_trip", "hook": "peer.prerequisites", "order": 120, "origin": "override", "mode": "warn", "version": strings.Repeat("d4", 32), "outdated": true},
		{"name": "old_rule", "hook": "keys.compare", "order": 400, "origin": "site", "mode": "", "draft": "removed"},
	}...)
}

func (a *appliance) peersPolicies() []policy.WatchedPeer {
	pin := engine.PolicyPin{Script: "site_rule", Version: strings.Repeat("a1", 32), Reason: "limit.instructions at line 8", By: "system", At: noon}
	return []policy.WatchedPeer{
		{Address: "192.0.2.1", Here: true, Reachable: true, PolicyFacts: engine.PolicyFacts{Revision: 3, API: 1, Decisions: 1200, P99US: 84, Pins: []engine.PolicyPin{pin}, Failures: 3}},
		{Address: "192.0.2.2", Reachable: true, PolicyFacts: engine.PolicyFacts{Revision: 3, API: 1, Decisions: 900}},
		{Address: "192.0.2.4"},
		{Address: "192.0.2.5", Reachable: true, PolicyFacts: engine.PolicyFacts{Revision: 2, API: 1}},
		{Address: "192.0.2.6", Reachable: true, PolicyFacts: engine.PolicyFacts{Unloadable: 3, API: 1}},
	}
}

func (a *appliance) shown(call command.Call) (command.Result, error) {
	v := engine.PolicyVersion{SHA256: strings.Repeat("a1", 32), Name: "site_rule", Hook: "cluster.validate", API: 1, Source: ruleSource, Tests: ruleTests, Author: "anna", Created: noon, Comment: "first"}
	out := policy.Shown{Name: call.Args["Script"], Origin: "site", Version: v}
	switch call.Args["Script"] {
	case "site_rule":
		out.Versions = []engine.PolicyVersion{{SHA256: a.rules.draft, Name: "site_rule", Author: "anna", Created: noon}, {SHA256: v.SHA256, Name: "site_rule", Author: "anna", Created: noon}}
	case "h323_required":
		out.Origin = "builtin"
	case "old_rule", "round_trip", "my_rule":
	default:
		return command.Result{}, engine.Errorf(engine.NotFound, "there is no script %q", call.Args["Script"])
	}
	return command.Result{Data: out}, nil
}

func (a *appliance) decision() policy.Decision {
	return policy.Decision{ID: "d-abc", At: noon, Hook: "cluster.validate", Revision: 3, Input: json.RawMessage(`{"now":1}`), Answer: json.RawMessage(`{"findings":["<x>"]}`), Script: "site_rule", Degraded: true,
		Took: 84 * time.Microsecond, Instructions: 120, Steps: []policy.Step{
			{Script: "h323_required", Outcome: policy.StepNothing},
			{Script: "site_rule", Outcome: policy.StepFailed, Detail: "limit.instructions", Why: []policy.Why{{Code: "large", Params: map[string]string{"size": "6", "a": "b"}}, {Code: "bare"}}, Lines: []int{8, 9}},
		}}
}

func (a *appliance) explained(call command.Call) (command.Result, error) {
	if call.Args["Id"] != "d-abc" {
		return command.Result{}, engine.Errorf(engine.NotFound, "there is no decision %q", call.Args["Id"])
	}
	d := a.decision()
	out := policy.Explained{Decision: d, Again: &d, Same: call.Args["With"] == "", Sources: []policy.ExplainedLines{{Script: "site_rule", Lines: strings.Split(ruleSource, "\n"), Ran: []int{8, 9}}}}
	return command.Result{Data: out}, nil
}

var _ command.Runner = (*appliance)(nil)

func (a *appliance) called(ctx context.Context, name string) (command.Call, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.calls) - 1; i >= 0 && ctx.Err() == nil; i-- {
		if a.calls[i].Name == name {
			return a.calls[i], true
		}
	}
	return command.Call{}, false
}
