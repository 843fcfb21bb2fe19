package appliance

import (
	"context"
	"fmt"
	"strconv"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/policies"
)

// alarmPolicyFailed is raised for each script that fails. Source: policy-api 5.
const alarmPolicyFailed = 70001

// policyTime is the class of a failure by the time limit. Source: policy-api 5.
const policyTime = "limit.time"

// openRules compiles the built-in rules.
func (a *appliance) openRules() error {
	var err error
	a.policies, err = policy.New(policy.Options{
		Scripts: builtin(), Logger: a.log.With("module", "policy"), Record: a.recordDecision, RecordAfter: a.recordStages, Fail: a.ruleFailed,
		Pinned: a.pinned, Unpinned: a.unpinned, MaskAliases: a.masksAliases,
	})
	if err != nil {
		return fmt.Errorf("compile the built-in rules: %w", err)
	}
	return nil
}

// builtin are the rules that hexad comes with.
func builtin() []policy.Script {
	var out []policy.Script
	for _, s := range policies.Builtin() {
		out = append(out, policy.Script{
			Name: s.Name, Source: s.Source, Tests: s.Tests, Builtin: true, Version: engine.PolicyDigest(s.Name, s.Source, s.Tests),
		})
	}
	return out
}

// ruleFailed raises the alarm of a script that failed; the tracker lowers it
// when the script has not failed for a quarter of an hour.
//
// A time limit that ended while this process stood still is no failure of the
// script: it is asked again soon.
func (a *appliance) ruleFailed(f policy.Failure) {
	a.log.Error("a rule failed", "module", "policy", "err", f)
	if a.tracker == nil || f.Class == policyTime && a.stall.recent() {
		return
	}
	a.tracker.Raise(context.Background(), alarmPolicyFailed, f.Script, map[string]string{
		"script": f.Script, "hook": f.Hook, "class": f.Class, "line": strconv.Itoa(f.Line), "detail": f.Message,
	})
}
