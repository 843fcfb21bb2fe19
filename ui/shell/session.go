// Package shell is the administrator's shell: sessions that answer lines of
// text, and the Unix socket that hexad exec, shell, import and sql talk to.
package shell

import (
	"context"
	"errors"
	"strings"

	"hexad/engine"
	"hexad/ui/command"
)

// Commands is the command table, as a session sees it.
type Commands interface {
	command.Runner
	Execute(ctx context.Context, line string, by command.By) (command.Result, error)
	// Resolve finds what a line asks for, without carrying it out.
	Resolve(line string) (command.Call, error)
	// Complete lists what the word at byte pos of line could become.
	Complete(line string, pos int) []string
	// Dialogue begins the command that asks questions which line names, nil for
	// any other line; run carries out its commands.
	Dialogue(line string, by command.By, run func(context.Context, command.Call) (command.Result, error)) *command.Dialogue
	// Banner is what precedes every answer: an armed reset, a pending restart.
	Banner(ctx context.Context, l engine.Language) []string
}

// Answer is what a session says to one line.
type Answer struct {
	Lines  []string // for people: banner, answer, and OK or ERROR
	Result command.Result
	Err    error // nil: done
	Close  bool  // the session ends
	Asks   bool  // the next line answers a question
}

// Session is one administrator's conversation. It is used by one goroutine.
type Session struct {
	commands Commands
	by       command.By
	exit     int               // of the first line of Serve that failed
	asking   *command.Dialogue // whose question the next line answers, nil for none
}

// NewSession starts a conversation with somebody who is authenticated already.
func NewSession(commands Commands, by command.By) *Session {
	return &Session{commands: commands, by: by}
}

// Exit is the exit status of what Serve answered: that of the first line that failed.
func (s *Session) Exit() int { return s.exit }

// Answer answers one line.
func (s *Session) Answer(ctx context.Context, line string) Answer {
	if d := s.asking; d != nil {
		result, goesOn, err := d.Next(ctx, line)
		return s.ask(ctx, d, result, goesOn, err)
	}
	if d := s.commands.Dialogue(line, s.by, s.commands.Run); d != nil {
		lines, err := d.Begin(ctx)
		return s.ask(ctx, d, command.Result{Lines: lines}, err == nil, err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "exit", "bye", "quit":
		return Answer{Lines: []string{"Bye!"}, Close: true}
	case "help":
		line = "?"
	}
	result, err := s.commands.Execute(ctx, line, s.by)
	if blank(line) {
		return Answer{}
	}
	return s.answer(ctx, result, err)
}

// ask answers a line of a dialogue, which goes on or is over.
func (s *Session) ask(ctx context.Context, d *command.Dialogue, result command.Result, goesOn bool, err error) Answer {
	if s.asking = nil; goesOn {
		s.asking = d
		return Answer{Lines: result.Lines, Result: result, Asks: true}
	}
	return s.answer(ctx, result, err)
}

// Run answers a command that needs no parsing.
func (s *Session) Run(ctx context.Context, call command.Call) Answer {
	call.Actor, call.Role, call.Language = s.by.Actor, s.by.Role, s.by.Language
	result, err := s.commands.Run(ctx, call)
	return s.answer(ctx, result, err)
}

func blank(line string) bool {
	parsed, err := command.Parse(line)
	return err == nil && parsed.Empty()
}

func (s *Session) answer(ctx context.Context, result command.Result, err error) Answer {
	lines := append(s.commands.Banner(ctx, s.by.Language), result.Lines...)
	if err != nil {
		return Answer{Lines: append(lines, s.failure(err)...), Result: result, Err: err}
	}
	return Answer{Lines: append(lines, "OK"), Result: result}
}

// failure writes an error: what was refused, what was found, what to do.
func (s *Session) failure(err error) []string {
	var e *engine.Error
	if !errors.As(err, &e) {
		e = &engine.Error{Message: "failed inside hexad", Remedy: "see the event log"}
	}
	lines := []string{"ERROR: " + oneLine(e.Message)}
	for _, f := range e.Findings {
		lines = append(lines, command.Found(s.by.Language, f))
	}
	if e.Remedy != "" {
		lines = append(lines, "Remedy: "+oneLine(e.Remedy))
	}
	return lines
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
