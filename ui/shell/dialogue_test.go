package shell_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/shell"
)

// resets notes how often a factory reset was begun.
type resets struct{ begun int }

func (r *resets) Plan(context.Context, *engine.ResetAnswers) (engine.ResetPlan, error) {
	return engine.ResetPlan{Items: []engine.ResetItem{{Text: engine.Text{EN: "the zones", JA: "ゾーン"}}}}, nil
}

func (r *resets) Reset(context.Context, engine.Actor, engine.ResetAnswers) error {
	r.begun++
	return nil
}

// TestQuestionsOverAStream: at a prompt, as over SSH, what is typed after a
// question answers it, settings too, until the last answer or an empty line.
func TestQuestionsOverAStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, typed string
		begun       int
		want        []string
	}{
		{"confirmed", "factory-reset\nYES\nYES\nYES\nYES\nNO\nYES\nNO\nYES\nexit\n", 1, []string{"Keep option keys? ", "lost: the zones", "the factory reset begins", "Bye!"}},
		{"a setting is no answer", "factory-reset\nYES\nxConfiguration SystemUnit Name: \"x\"\n\nexit\n", 0, []string{"Keep FIPS140", "nothing was changed", "Bye!"}},
		{"exit is no answer either", "factory-reset\nexit\n\nexit\n", 0, []string{"nothing was changed", "Bye!"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &resets{}
			table := command.New(command.Parts{Resets: r})
			session := shell.NewSession(table, command.By{Actor: engine.Actor{User: "root", Via: "ssh"}, Role: command.Administrator})
			near, far := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- session.Serve(t.Context(), far, "> "); far.Close() }()
			go func() { _, _ = io.WriteString(near, c.typed) }()
			_ = near.SetReadDeadline(time.Now().Add(10 * time.Second))
			out, _ := io.ReadAll(near) // ends when the session does
			if err := <-done; err != nil || r.begun != c.begun {
				t.Errorf("begun %d times, want %d; %v", r.begun, c.begun, err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}
