package shell

import (
	"context"
	"strings"
	"time"

	"hexad/engine"
	"hexad/ui/command"
)

// quiet is how long no line must follow for a paste to be over. Terminals hand
// a paste over within a few milliseconds; nobody types two lines that fast.
const quiet = 30 * time.Millisecond

// maxBurst is the most lines of one paste that are taken together.
const maxBurst = 20000

// Gather returns first with the lines that belong to the same paste: the
// xConfiguration settings that follow without a pause. Any other line is
// returned alone, and at once; next is the line that ended the paste, if one did.
func Gather(first string, lines <-chan string) (burst []string, next string, more bool) {
	burst = []string{first}
	if !setting(first) {
		return burst, "", false
	}
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for len(burst) < maxBurst {
		select {
		case line, ok := <-lines:
			if !ok {
				return burst, "", false
			}
			if !setting(line) && strings.TrimSpace(line) != "" {
				return burst, line, true
			}
			burst = append(burst, line)
			timer.Reset(quiet)
		case <-timer.C:
			return burst, "", false
		}
	}
	return burst, "", false
}

// setting reports whether a line sets a configuration item.
func setting(line string) bool {
	parsed, err := command.Parse(line)
	return err == nil && parsed.Group == command.XConfiguration && len(parsed.Segments) > 0 && parsed.Help == 0
}

// dumped reports whether a line comes from a dump: it begins with *c.
func dumped(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "*c") }

// Answers answers lines that arrived together. Settings that follow each other
// are one revision or none; lines of a dump are imported, so that each gets a
// disposition. Any other line is answered by itself.
func (s *Session) Answers(ctx context.Context, lines []string) []Answer {
	var out []Answer
	for len(lines) > 0 {
		n := run(lines)
		var a Answer
		switch {
		case s.asking != nil: // whatever it is, it answers a question
			n = 1
			a = s.Answer(ctx, lines[0])
		case n > 0 && dumped(lines[0]):
			a = s.Run(ctx, command.Call{Name: "Import", Body: strings.Join(lines[:n], "\n"), Base: s.by.Base,
				Args: map[string]string{"All": "On"}})
		case n > 1:
			a = s.together(ctx, lines[:n])
		default:
			n = 1
			a = s.Answer(ctx, lines[0])
		}
		lines = lines[n:]
		out = append(out, a)
		if a.Close {
			break
		}
	}
	return out
}

// run counts the settings at the beginning of lines that go together.
func run(lines []string) int {
	n := 0
	for n < len(lines) && (setting(lines[n]) || n > 0 && strings.TrimSpace(lines[n]) == "") {
		if n > 0 && setting(lines[n]) && dumped(lines[n]) != dumped(lines[0]) {
			break
		}
		n++
	}
	return n
}

// together makes one change of several settings: all of them or none. Each
// line is answered with what became of its item.
func (s *Session) together(ctx context.Context, lines []string) Answer {
	call := command.Call{Name: string(command.XConfiguration), Base: s.by.Base}
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		one, err := s.commands.Resolve(line)
		if err != nil {
			return s.answer(ctx, command.Result{}, err)
		}
		call.Changes = append(call.Changes, one.Changes...)
	}
	became := engine.Text{EN: "set", JA: "設定しました"}
	a := s.Run(ctx, call)
	if a.Err != nil {
		became = engine.Text{EN: "not set", JA: "設定していません"}
	}
	each := make([]string, 0, len(call.Changes)+len(a.Lines))
	for _, c := range call.Changes {
		each = append(each, c.Path+": "+became.In(s.by.Language, nil))
	}
	a.Lines = append(each, a.Lines...)
	return a
}
