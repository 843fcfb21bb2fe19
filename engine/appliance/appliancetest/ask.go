package appliancetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hexad/engine"
	"hexad/ui/shell"
)

// answerTime is more than any command takes.
const answerTime = 20 * time.Second

// pace is the time between two looks at a condition.
const pace = 20 * time.Millisecond

// Await looks until missing says nothing, and fails after within.
func Await(t testing.TB, what string, within time.Duration, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		last := missing()
		if last == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s: %s", within, what, last)
		}
		<-tick.C
	}
}

// Await is Await for something of this peer.
func (p *Peer) Await(what string, within time.Duration, missing func() string) {
	p.T.Helper()
	Await(p.T, p.Name+" "+what, within, missing)
}

func why(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

func (p *Peer) ask(r shell.Request) (shell.Reply, error) {
	ctx, stop := context.WithTimeout(context.Background(), answerTime)
	defer stop()
	response, err := shell.Client{Dir: p.Dir}.Do(ctx, r)
	if err != nil {
		if ctx.Err() != nil {
			if child := p.Child(); child != 0 {
				_ = syscall.Kill(child, syscall.SIGQUIT) // its log then shows what it waits for
			}
		}
		return shell.Reply{}, err
	}
	if len(response.Answers) == 0 {
		return shell.Reply{}, nil
	}
	last := response.Answers[len(response.Answers)-1]
	return last, last.Error.Err()
}

// Try runs one line of the shell and returns what it prints.
func (p *Peer) Try(line string) ([]string, error) {
	reply, err := p.ask(shell.Request{Lines: []string{line}})
	if err == nil {
		return reply.Lines, nil
	}
	return reply.Lines, err
}

// Exec is Try where no error is expected.
func (p *Peer) Exec(format string, args ...any) string {
	p.T.Helper()
	line := fmt.Sprintf(format, args...)
	lines, err := p.Try(line)
	if err != nil {
		p.T.Fatalf("%s: %s: %v\n%s", p.Name, line, err, strings.Join(lines, "\n"))
	}
	return strings.Join(lines, "\n")
}

// Refused runs a line that must be refused and returns the error.
func (p *Peer) Refused(format string, args ...any) *engine.Error {
	p.T.Helper()
	line := fmt.Sprintf(format, args...)
	lines, err := p.Try(line)
	e, ok := err.(*engine.Error)
	if !ok {
		p.T.Fatalf("%s: %s: got error %v, want a refusal\n%s", p.Name, line, err, strings.Join(lines, "\n"))
	}
	return e
}

// Ask runs a command and returns its answer whole.
func (p *Peer) Ask(c shell.Call) (shell.Reply, error) { return p.ask(shell.Request{Call: &c}) }

// Call runs a command that carries a body.
func (p *Peer) Call(name, body string, args map[string]string) (shell.Reply, error) {
	return p.ask(shell.Request{Call: &shell.Call{Name: name, Body: body, Args: args}, Via: "import"})
}

// status reads one part of xStatus as data.
func (p *Peer) status(path string, into any) error {
	reply, err := p.ask(shell.Request{Call: &shell.Call{Name: "xStatus", Args: map[string]string{"Path": path}}})
	if err != nil {
		return err
	}
	return json.Unmarshal(reply.Result, &struct{ Data any }{into})
}

// View is the clustering page as this peer sees it; empty when it does not answer.
func (p *Peer) View() engine.ClusterView {
	var v engine.ClusterView
	_ = p.status("Cluster", &v) // who waits looks again
	return v
}

// alarmServices is raised because tests have neither DNS nor NTP servers.
const alarmServices = 70017

// Alarms are the numbers of the alarms that hold on this peer itself, sorted,
// without the one about the services that tests do not have.
func (p *Peer) Alarms() []int {
	var out []int
	for _, a := range p.AllAlarms() {
		if a.Peer == p.Address && a.ID != alarmServices {
			out = append(out, a.ID)
		}
	}
	slices.Sort(out)
	return out
}

// AllAlarms are the alarms of all peers as this one lists them.
func (p *Peer) AllAlarms() []engine.RaisedAlarm {
	var list []engine.RaisedAlarm
	_ = p.status("Alarm", &list) // who waits looks again
	return list
}

// AwaitAlarm waits until the alarm holds on this peer, or does not.
func (p *Peer) AwaitAlarm(id int, holds bool, within time.Duration) {
	p.T.Helper()
	p.Await(fmt.Sprintf("alarm %d raised: %v", id, holds), within, func() string {
		now := p.Alarms()
		if slices.Contains(now, id) == holds {
			return ""
		}
		return fmt.Sprintf("alarms are %v", now)
	})
}

// Detail is the detail text of an alarm of this peer, "" when it does not hold.
func (p *Peer) Detail(id int) string {
	var list []struct {
		engine.RaisedAlarm
		Detail engine.Text `json:"detail"`
	}
	_ = p.status("Alarm", &list)
	for _, a := range list {
		if a.ID == id && a.Peer == p.Address {
			return a.Detail.EN + fmt.Sprint(a.Params)
		}
	}
	return ""
}

// Mark is how long the log is, once the lowering of these alarms is in it: an
// alarm leaves the list a moment before its line is written.
func (p *Peer) Mark(ids ...int) int {
	p.T.Helper()
	mark := len(p.Log())
	for _, id := range ids {
		p.Await(fmt.Sprintf("has written that alarm %d was lowered", id), 5*time.Second, func() string {
			log := p.Log()
			mark = len(log)
			last := log[max(0, strings.LastIndex(log, fmt.Sprintf(`" Id="%d"`, id))-len("Alarm Raised")):]
			if strings.HasPrefix(last, "Alarm Raised") {
				return "it was raised"
			}
			return ""
		})
	}
	return mark
}

// Counted is how often an alarm was raised and lowered in the lines that the
// peer wrote after the given part of its log.
func (p *Peer) Counted(id, after int) (raised, lowered int) {
	for _, line := range strings.Split(p.Log()[after:], "\n") {
		if !strings.Contains(line, fmt.Sprintf(`Id="%d"`, id)) {
			continue
		}
		switch {
		case strings.Contains(line, `Event="Alarm Raised"`):
			raised++
		case strings.Contains(line, `Event="Alarm Lowered"`):
			lowered++
		}
	}
	return raised, lowered
}
