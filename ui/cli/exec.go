package cli

import (
	"context"
	"io"
	"strings"

	"hexad/ui/shell"
)

const execHelp = `hexad exec [--json] [--data-dir DIR] [--base N] LINE

Runs one line of the administrator's shell.

  hexad exec 'xStatus Cluster'
  hexad exec 'xConfiguration SystemUnit Name: "peer1"'
  hexad exec --json xStatus Alarm
  hexad exec 'xCommand ZoneAdd ZoneName: "branch" Type: Neighbor'
  hexad exec 'xCommand ?'

Exit status: 0 done, 1 refused, 2 the line is wrong, 3 hexad does not answer or
cannot do it now, 4 something differs.
`

// Exec is "hexad exec": one line of the shell.
func Exec(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("exec", execHelp, stdin, stdout, stderr)
	base := t.flags.Int64("base", 0, "revision that the change was decided on; refused when it is not the present one")
	t.flags.BoolVar(&t.asJSON, "json", false, "print the answer as JSON")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if words := t.flags.Args(); len(words) > 1 && t.flags.Lookup(strings.TrimPrefix(words[len(words)-1], "--")) != nil &&
		strings.HasPrefix(words[len(words)-1], "--") {
		return t.usage("flags come before the line: hexad exec %s '%s'", words[len(words)-1], strings.Join(words[:len(words)-1], " "))
	}
	line := joined(t.flags.Args())
	if line == "" {
		return t.usage("there is no line to run; for example: hexad exec 'xStatus Cluster'")
	}
	reply, err := t.ask(ctx, shell.Request{Lines: []string{line}, Base: *base})
	if err != nil {
		return t.fail(err)
	}
	status := t.print(reply)
	t.follow(ctx, reply, t.err)
	return status
}

// joined is the words as one line. The system's shell took the quotes off, so
// a word with spaces gets them back, unless it is the whole line.
func joined(words []string) string {
	if len(words) == 1 {
		return strings.TrimSpace(words[0])
	}
	out := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t") && !strings.HasPrefix(w, `"`) {
			w = `"` + w + `"`
		}
		out[i] = w
	}
	return strings.Join(out, " ")
}
