// Package cli is the subcommands that talk to a running hexad over the
// administrator's socket of its data directory, and the lab, which runs a whole
// cluster on one machine.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"hexad/engine"
	"hexad/ui/shell"
)

// DefaultDataDir is where hexad keeps its data unless --data-dir says otherwise.
const DefaultDataDir = "hexad-data"

// Exit statuses of the subcommands.
const (
	ExitOK          = shell.ExitOK
	ExitRefused     = shell.ExitRefused
	ExitUsage       = shell.ExitUsage
	ExitUnreachable = shell.ExitUnreachable
	ExitDiffers     = shell.ExitDiffers
)

// tool is one run of a subcommand.
type tool struct {
	flags   *pflag.FlagSet
	dataDir string
	asJSON  bool
	in      io.Reader
	out     io.Writer
	err     io.Writer
}

// newTool makes the flags that all subcommands have. Flags come before the
// other words, so that a line may hold words that look like flags.
func newTool(name, help string, in io.Reader, out, err io.Writer) *tool {
	t := &tool{flags: pflag.NewFlagSet("hexad "+name, pflag.ContinueOnError), in: in, out: out, err: err}
	t.flags.SetInterspersed(false)
	t.flags.SetOutput(io.Discard)
	t.flags.StringVar(&t.dataDir, "data-dir", DefaultDataDir, "data directory of the hexad to talk to")
	t.flags.SortFlags = false
	t.flags.Usage = func() { fmt.Fprintf(out, "%s\nFlags:\n%s", help, t.flags.FlagUsages()) }
	return t
}

// parse reads the flags. It returns false when there is nothing left to do:
// help was asked for, or the flags are wrong.
func (t *tool) parse(args []string) (status int, ok bool) {
	switch err := t.flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return ExitOK, false // pflag has called Usage
	case err != nil:
		return t.usage("%s", err), false
	}
	return ExitOK, true
}

// usage says what is wrong with the words of the command line.
func (t *tool) usage(format string, args ...any) int {
	fmt.Fprintf(t.err, "%s: %s\nTry: %s --help\n", t.flags.Name(), fmt.Sprintf(format, args...), t.flags.Name())
	return ExitUsage
}

func (t *tool) client() shell.Client { return shell.Client{Dir: t.dataDir} }

// ask sends one request that has one answer.
func (t *tool) ask(ctx context.Context, request shell.Request) (shell.Reply, error) {
	response, err := t.client().Do(ctx, request)
	if err != nil {
		return shell.Reply{}, err
	}
	if len(response.Answers) == 0 {
		return shell.Reply{}, nil
	}
	return response.Answers[0], nil
}

// fail prints an error that came before any answer.
func (t *tool) fail(err error) int {
	var e *engine.Error
	if !errors.As(err, &e) {
		e = &engine.Error{Code: engine.Internal, Message: err.Error()}
	}
	if t.asJSON {
		t.encode(map[string]any{"error": shell.Failure{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Item: e.Item}})
		return shell.Exits[e.Code]
	}
	fmt.Fprintln(t.err, "ERROR: "+e.Message)
	if e.Remedy != "" {
		fmt.Fprintln(t.err, "Remedy: "+e.Remedy)
	}
	return shell.Exits[e.Code]
}

// print shows one answer: for people, errors on stderr; for machines, the
// typed answer alone when there is nothing beside it.
func (t *tool) print(reply shell.Reply) int {
	if t.asJSON {
		t.printJSON(reply)
	} else {
		w := t.out
		if reply.Error != nil {
			w = t.err
		}
		for _, line := range reply.Lines {
			fmt.Fprintln(w, line)
		}
	}
	return reply.Exit()
}

func (t *tool) printJSON(reply shell.Reply) {
	t.encode(reply.Document())
}

func (t *tool) encode(v any) {
	if err := shell.PrintJSON(t.out, v); err != nil {
		fmt.Fprintln(t.err, "ERROR: the answer cannot be written:", err)
	}
}
