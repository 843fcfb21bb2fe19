package command_test

import (
	"context"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/ui/command"
)

// Every policy command says what it does in both languages, and who may run it.
func TestPolicyCommands(t *testing.T) {
	t.Parallel()
	table := command.New(command.Parts{Policies: policy.NewLifecycle(policy.LifecycleOptions{})})
	count := 0
	for _, e := range table.Entries() {
		if !strings.HasPrefix(e.Name, "Policy") {
			continue
		}
		count++
		if e.Help.EN == "" || e.Help.JA == "" || e.Role == "" {
			t.Errorf("%s: help %+v, role %q", e.Name, e.Help, e.Role)
		}
		if _, err := table.Resolve(e.Example); err != nil {
			t.Errorf("%s: its example is refused: %v", e.Name, err)
		}
	}
	if count < 25 {
		t.Errorf("%d policy commands", count)
	}
}

func TestPolicyRoles(t *testing.T) {
	t.Parallel()
	table := command.New(command.Parts{Policies: policy.NewLifecycle(policy.LifecycleOptions{})})
	for name, tt := range map[string]struct {
		role    command.Role
		command string
		args    map[string]string
		denied  bool
	}{
		"an auditor reads":                 {command.Auditor, "PolicyHooks", nil, false},
		"an auditor drafts":                {command.Auditor, "PolicyPut", nil, true},
		"an auditor tests":                 {command.Auditor, "PolicyTest", map[string]string{"Run": "("}, true},
		"an author tests":                  {command.PolicyAuthor, "PolicyTest", map[string]string{"Run": "("}, false},
		"an author stages":                 {command.PolicyAuthor, "PolicyStage", nil, true},
		"an author activates":              {command.PolicyAuthor, "PolicyActivate", nil, true},
		"an author ends a waiver":          {command.PolicyAuthor, "PolicyUnwaive", map[string]string{"Id": "w"}, true},
		"an approver drafts":               {command.PolicyApprover, "PolicyPut", nil, true},
		"an approver tests":                {command.PolicyApprover, "PolicyTest", map[string]string{"Run": "("}, false},
		"an approver stages":               {command.PolicyApprover, "PolicyStage", map[string]string{"Mode": "warn"}, false},
		"an approver waives":               {command.PolicyApprover, "PolicyWaive", map[string]string{"Finding": "x", "For": "x", "Reason": "x"}, true},
		"an administrator waives":          {command.Administrator, "PolicyWaive", map[string]string{"Finding": "x", "For": "x", "Reason": "x"}, false},
		"nobody":                           {"", "PolicyHooks", nil, true},
		"somebody of a role that is none":  {"operator", "PolicyHooks", nil, true},
		"an administrator without scripts": {command.Administrator, "PolicyPut", nil, false},
	} {
		_, err := table.Run(context.Background(), command.Call{Name: tt.command, Args: tt.args, Role: tt.role, Actor: engine.Actor{User: "anna"}})
		if denied := engine.CodeOf(err) == engine.Denied; denied != tt.denied {
			t.Errorf("%s: %v", name, err)
		}
	}
}
