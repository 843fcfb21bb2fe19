package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"hexad/ui/shell"
)

const shellHelp = `hexad shell [--data-dir DIR]

The administrator's shell: ? lists what can follow, Tab completes, exit ends.
xConfiguration lines that are pasted together become one revision; lines of a
dump (*c xConfiguration ...) each get a disposition.

  hexad shell
  hexad shell < commands.txt
`

// Shell is "hexad shell": a prompt on a terminal, or the lines of a pipe.
//
// On a terminal its exit status is 0; with a pipe it is that of the first line
// that failed.
func Shell(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("shell", shellHelp, stdin, stdout, stderr)
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() > 0 {
		return t.usage("shell takes no line; to run one line: hexad exec '%s'", strings.Join(t.flags.Args(), " "))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return t.terminal(ctx, f)
	}
	lines, failed := shell.Read(ctx, stdin)
	status := t.conversation(ctx, lines, t.out)
	select {
	case err := <-failed:
		if err != nil {
			fmt.Fprintln(stderr, "ERROR: the lines cannot be read:", err)
			return ExitUsage
		}
	default: // exit was typed; the reader may still wait for a line that nobody wants
	}
	return status
}

// conversation sends what is typed or pasted and prints the answers to w,
// until the lines end or exit is typed.
func (t *tool) conversation(ctx context.Context, lines <-chan string, w io.Writer) int {
	first := ExitOK
	var led []string // the lines of a dialogue so far
	for {
		var line string
		select {
		case l, ok := <-lines:
			if !ok {
				return first
			}
			line = l
		case <-ctx.Done():
			return first
		}
		for more := true; more; {
			var burst []string
			burst, line, more = shell.Gather(line, lines)
			status, asks, closed := t.send(ctx, led, burst, w)
			if led = append(led, burst...); !asks {
				led = nil
			}
			if first == ExitOK {
				first = status
			}
			if closed {
				return first
			}
		}
	}
}

// send sends lines and prints their answers. Those that led to a question which
// they answer go before them, and were answered already.
func (t *tool) send(ctx context.Context, led, burst []string, w io.Writer) (status int, asks, closed bool) {
	response, err := t.client().Do(ctx, shell.Request{Lines: slices.Concat(led, burst)})
	if err != nil {
		old := t.err
		t.err = w
		defer func() { t.err = old }()
		return t.fail(err), false, false
	}
	for _, reply := range response.Answers[min(len(led), len(response.Answers)):] {
		if len(reply.Lines) > 0 {
			fmt.Fprintf(w, "%s\n\n", strings.Join(reply.Lines, "\n"))
		}
		if status == ExitOK {
			status = reply.Exit()
		}
		closed, asks = closed || reply.Close, reply.Asks
		t.follow(ctx, reply, w)
	}
	return status, asks, closed
}

// terminal is the prompt: line editing, history, completion.
func (t *tool) terminal(ctx context.Context, f *os.File) int {
	if _, err := t.client().Do(ctx, shell.Request{Complete: &shell.Completion{}}); err != nil {
		return t.fail(err)
	}
	fd := int(f.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		fmt.Fprintln(t.err, "ERROR: the terminal cannot be set up:", err)
		return ExitRefused
	}
	defer func() { _ = term.Restore(fd, state) }()
	console := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{f, t.out}, "hexad> ")
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		_ = console.SetSize(width, height)
	}
	console.SetBracketedPasteMode(true)
	defer console.SetBracketedPasteMode(false)
	console.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		return t.complete(ctx, line, pos, console)
	}
	t.conversation(ctx, typed(ctx, console), console)
	return ExitOK
}

// typed hands over the lines that are typed until the end of the input.
func typed(ctx context.Context, console *term.Terminal) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for {
			line, err := console.ReadLine()
			if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// complete puts what all candidates have in common in the place of the word
// before pos; when that is nothing new, it lists them.
func (t *tool) complete(ctx context.Context, line string, pos int, w io.Writer) (string, int, bool) {
	response, err := t.client().Do(ctx, shell.Request{Complete: &shell.Completion{Line: line, Pos: pos}})
	if err != nil {
		return line, pos, true
	}
	expanded, at, offer := shell.Expand(line, pos, response.Candidates)
	if len(offer) > 0 {
		fmt.Fprintf(w, "%s\n", strings.Join(offer, "  "))
	}
	return expanded, at, true
}
