package command_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

// resetter is a factory reset that only notes what it was asked for.
type resetter struct{ begun []engine.ResetAnswers }

func (r *resetter) Plan(_ context.Context, answers *engine.ResetAnswers) (engine.ResetPlan, error) {
	return engine.ResetPlan{Armed: answers == nil, Items: []engine.ResetItem{
		{Text: engine.Text{EN: "option keys", JA: "オプションキー"}, Kept: answers == nil || answers.OptionKeys},
		{Text: engine.Text{EN: "the zones", JA: "ゾーン"}, Detail: "3"},
	}}, nil
}

func (r *resetter) Reset(_ context.Context, _ engine.Actor, answers engine.ResetAnswers) error {
	r.begun = append(r.begun, answers)
	return nil
}

var root = command.By{Actor: engine.Actor{User: "root", Via: "shell"}, Role: command.Administrator}

// TestFactoryResetAsks: seven questions and the confirmation, each YES or NO;
// before the last one it is said what is lost; nothing else begins a reset.
func TestFactoryResetAsks(t *testing.T) {
	t.Parallel()
	all := []string{"YES", "YES", "YES", "yes", "NO", "YES", "NO", "YES"}
	for _, c := range []struct {
		name    string
		answers []string
		begun   bool
		want    string
	}{
		{"confirmed", all, true, "begins"},
		{"not confirmed", append(slices.Clone(all[:7]), "NO"), false, "nothing was changed"},
		{"left in the middle", []string{"YES", ""}, false, "nothing was changed"},
		{"another word is asked again", append([]string{"perhaps", "y"}, all...), true, "begins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &resetter{}
			table := command.New(command.Parts{Resets: r})
			d := table.Dialogue("factory-reset", root, table.Run)
			first, err := d.Begin(t.Context())
			if err != nil || !strings.Contains(strings.Join(first, "\n"), "xCommand SystemBackup") {
				t.Fatalf("begins with %q, %v", first, err)
			}
			asked := first
			for i, a := range c.answers {
				result, more, err := d.Next(t.Context(), a)
				if err != nil || more != (i < len(c.answers)-1) {
					t.Fatalf("answer %d, %q: goes on %v, %v", i+1, a, more, err)
				}
				asked = append(asked, result.Lines...)
			}
			text := strings.Join(asked, "\n")
			if (len(r.begun) == 1) != c.begun || !strings.Contains(text, c.want) {
				t.Errorf("begun %v; %s", r.begun, text)
			}
			if !c.begun {
				return
			}
			if want := (engine.ResetAnswers{OptionKeys: true, FIPS140: true, IP: true, SSHKeys: true, Passwords: true}); r.begun[0] != want {
				t.Errorf("answers %+v, want %+v", r.begun[0], want)
			}
			place := 0
			for _, q := range []string{"option keys?", "FIPS140", "IP configuration", "ssh keys", "CA trust store", "passwords", "log files", "lost: the zones (3)", "factory settings now?"} {
				at := strings.Index(text[place:], q)
				if at < 0 {
					t.Fatalf("%q is not said in its place:\n%s", q, text)
				}
				place += at
			}
		})
	}
}

// TestFactoryResetIsRoots: nobody else is asked a question, and an answer that
// is not there resets nothing.
func TestFactoryResetIsRoots(t *testing.T) {
	t.Parallel()
	r := &resetter{}
	table := command.New(command.Parts{Resets: r})
	if _, err := table.Dialogue("factory-reset", admin, table.Run).Begin(t.Context()); engine.CodeOf(err) != engine.Denied {
		t.Errorf("admin: %v", err)
	}
	full := "xCommand FactoryReset KeepOptionKeys: YES KeepFIPS140: YES KeepIP: YES KeepSSHKeys: YES KeepCertificates: YES KeepPasswords: YES SaveLogs: NO"
	if _, err := table.Execute(t.Context(), full+" Confirm: YES", admin); engine.CodeOf(err) != engine.Denied {
		t.Errorf("admin with every answer: %v", err)
	}
	if _, err := table.Execute(t.Context(), "xCommand FactoryReset KeepIP: YES Confirm: YES", root); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("unanswered: %v", err)
	}
	dry, err := table.Execute(t.Context(), full, root)
	if err != nil || dry.Backup == nil || !strings.Contains(strings.Join(dry.Lines, "\n"), "kept: option keys") {
		t.Errorf("dry run %+v, %v", dry, err)
	}
	armed, err := table.Execute(t.Context(), "xCommand FactoryResetShow", admin)
	if err != nil || !strings.Contains(strings.Join(armed.Lines, "\n"), "is armed") {
		t.Errorf("the armed one: %+v, %v", armed, err)
	}
	if len(r.begun) > 0 {
		t.Errorf("a reset was begun: %v", r.begun)
	}
	if _, err := table.Execute(t.Context(), full+" Confirm: YES", root); err != nil || len(r.begun) != 1 {
		t.Errorf("root: %v, %v", r.begun, err)
	}
	if table.Dialogue("xStatus", root, table.Run) != nil {
		t.Error("any line begins a dialogue")
	}
}
