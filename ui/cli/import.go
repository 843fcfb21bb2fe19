package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"hexad/ui/shell"
)

const importHelp = `hexad import [--machine] [--json] [--data-dir DIR] FILE

Applies the xConfiguration lines of FILE (- for the standard input) in one
revision, or none. Prints each line that was not applied with the reason, and a
count. Lines that belong to one machine (addresses, names, keys, the peer list)
are left alone unless --machine is given.

  hexad import backup.txt
  hexad exec xConfiguration | hexad import --data-dir other -
`

// Import is "hexad import": many configuration lines in one revision.
func Import(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("import", importHelp, stdin, stdout, stderr)
	machine := t.flags.Bool("machine", false, "apply the lines that belong to one machine too")
	t.flags.BoolVar(&t.asJSON, "json", false, "print the disposition of every line as JSON")
	base := t.flags.Int64("base", 0, "revision that the change was decided on")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() != 1 {
		return t.usage("name one file, or - for the standard input; for example: hexad import backup.txt")
	}
	body, err := t.read(t.flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, "ERROR: the file cannot be read:", err)
		return ExitUsage
	}
	call := &shell.Call{Name: "Import", Body: body, Args: map[string]string{}}
	if *machine {
		call.Args["Machine"] = "On"
	}
	reply, err := t.ask(ctx, shell.Request{Call: call, Base: *base, Via: "import"})
	if err != nil {
		return t.fail(err)
	}
	return t.print(reply)
}

// read returns a file's text; it is bounded by what one request carries.
func (t *tool) read(name string) (string, error) {
	in := t.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	const most = shell.MaxRequest / 2 // JSON may double it
	body, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(body) > most {
		err = fmt.Errorf("it is longer than %d bytes", most)
	}
	return string(body), err
}
