package command

import (
	"context"
	"strings"

	"hexad/engine"
)

// Dialogue is a command that asks before it does anything: one question a line.
// Nothing happens before the last answer; leaving it changes nothing.
type Dialogue struct {
	run  func(context.Context, Call) (Result, error)
	of   dialogue
	call Call
	at   int // question that waits
	l    engine.Language
}

// dialogue is the questions of one word. first is the command that is shown
// before the first question, last that before the last one.
type dialogue struct {
	command     string
	first, last string
	questions   []Argument
}

// dialogues are the commands that ask, by the word that is typed at a prompt.
//
// Source: reference 2.12, 2.17.
var dialogues = map[string]dialogue{
	"factory-reset": {command: "FactoryReset", last: "FactoryResetShow", questions: append(append([]Argument{}, resetQuestions...),
		Argument{Name: "Confirm", Space: yesNo, Help: engine.Text{EN: "Reset this system to factory settings now", JA: "このシステムを今すぐ工場出荷状態に戻す"}})},
	"clusterdb_destroy_and_purge_data": {command: "ClusterDatabasePurge", first: "ClusterDatabasePurgeShow", questions: []Argument{purgeName}},
}

// Dialogue begins the one that a line names, nil for any other line.
// run carries out its commands.
func (t *Table) Dialogue(line string, by By, run func(context.Context, Call) (Result, error)) *Dialogue {
	word := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(line)), ".sh")
	d, ok := dialogues[word]
	if !ok {
		return nil
	}
	if _, err := t.Lookup(d.command); err != nil {
		return nil
	}
	return &Dialogue{run: run, of: d, l: by.Language,
		call: Call{Name: d.command, Args: map[string]string{}, Actor: by.Actor, Role: by.Role, Language: by.Language}}
}

// Begin says what this is about and asks the first question.
//
// Errors: those of the command: who may not run it is asked nothing.
func (d *Dialogue) Begin(ctx context.Context) ([]string, error) {
	if d.call.Actor.User != "root" {
		_, err := d.run(ctx, d.call) // says why not
		return nil, err
	}
	out := []string{say(d.l, engine.Text{EN: "Answer each question; an empty line ends this and changes nothing.", JA: "各質問に答えてください。空行で中止し、何も変更しません。"})}
	if d.of.first != "" {
		shown, err := d.run(ctx, d.with(d.of.first))
		if err != nil {
			return nil, err
		}
		return append(append(out, shown.Lines...), d.question()), nil
	}
	return append(out, BackupLine(d.l), d.question()), nil
}

func (d *Dialogue) with(name string) Call {
	call := d.call
	call.Name, call.Args = name, map[string]string{}
	for k, v := range d.call.Args {
		call.Args[k] = v
	}
	return call
}

func (d *Dialogue) question() string {
	q := d.of.questions[d.at]
	text := say(d.l, q.Help)
	if len(q.Space.Values) == 0 { // any text
		return text + ":"
	}
	return text + "? " + q.Space.String()
}

// Next takes one answer. It returns what to print, the command's result once
// the last one was given, and whether the dialogue goes on.
//
// Errors: those of the command.
func (d *Dialogue) Next(ctx context.Context, line string) (result Result, goesOn bool, err error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return d.left(), false, nil
	}
	q := d.of.questions[d.at]
	value, err := q.canonical(line)
	if err != nil {
		return Result{Lines: []string{d.question()}}, true, nil // asked again
	}
	if q.Name == "Confirm" && value != "YES" {
		return d.left(), false, nil
	}
	d.call.Args[q.Name] = value
	if d.at++; d.at == len(d.of.questions) {
		result, err = d.run(ctx, d.call)
		return result, false, err
	}
	if d.at == len(d.of.questions)-1 && d.of.last != "" {
		shown, err := d.run(ctx, d.with(d.of.last))
		if err != nil {
			return Result{}, false, err
		}
		result.Lines = shown.Lines
	}
	result.Lines = append(result.Lines, d.question())
	return result, true, nil
}

func (d *Dialogue) left() Result {
	return Result{Lines: []string{say(d.l, engine.Text{EN: "nothing was changed", JA: "何も変更していません"})}}
}
