package cli_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/cli"
	"hexad/ui/command"
	"hexad/ui/shell"
)

// table is a small command table: it answers a few lines and calls.
type table struct{}

func (table) Run(_ context.Context, call command.Call) (command.Result, error) {
	switch call.Name {
	case "SQL":
		if call.Args["Statement"] == "SELECT wrong" {
			return command.Result{}, engine.Errorf(engine.Invalid, "no such column: wrong")
		}
		return command.Result{Data: command.Rows{Columns: []string{"name", "n", "n"}, Truncated: call.Args["Database"] == "local",
			Rows: [][]any{{"branch, \"x\"", int64(9007199254740993), nil}}}}, nil
	case "Import":
		return command.Result{Lines: []string{call.Actor.Via + " " + call.Args["Machine"] + " " + strings.TrimSpace(call.Body)}}, nil
	case "xConfiguration":
		return command.Result{Saved: &engine.Saved{Revision: int64(len(call.Changes)), Replication: engine.Replicated}}, nil
	}
	return command.Result{}, engine.Errorf(engine.NotFound, "no %s", call.Name)
}

func (t table) Execute(ctx context.Context, line string, by command.By) (command.Result, error) {
	switch {
	case line == "xStatus Cluster":
		return command.Result{Data: map[string]any{"revision": 7}, Lines: []string{"*s Cluster: /"}}, nil
	case line == "xStatus Differs":
		return command.Result{Differs: true}, nil
	case line == "xStatus Away":
		return command.Result{}, engine.Errorf(engine.Unavailable, "the database cannot commit").With("", "try again")
	case strings.HasPrefix(line, "xCommand Echo"):
		return command.Result{Lines: []string{line}}, nil
	case by.Base == 3:
		return command.Result{}, engine.Errorf(engine.Conflict, "the configuration changed since revision 3")
	}
	_, err := command.Parse(line)
	if err == nil {
		call, _ := t.Resolve(line)
		return t.Run(ctx, call)
	}
	return command.Result{}, err
}

func (table) Resolve(line string) (command.Call, error) {
	parsed, err := command.Parse(line)
	call := command.Call{Name: string(parsed.Group)}
	for _, s := range parsed.Segments {
		call.Changes = append(call.Changes, engine.Change{Path: strings.Join(s.Words, " "), Value: s.Value})
	}
	return call, err
}

func (table) Complete(string, int) []string { return []string{"xStatus "} }

func (table) Dialogue(string, command.By, func(context.Context, command.Call) (command.Result, error)) *command.Dialogue {
	return nil
}

func (table) Banner(context.Context, engine.Language) []string { return nil }

func serve(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := shell.New(dir, table{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return dir
}

type subcommand func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int

func TestSubcommands(t *testing.T) {
	t.Parallel()
	dir := serve(t)
	file := filepath.Join(t.TempDir(), "dump.txt")
	if err := os.WriteFile(file, []byte("*c xConfiguration H323 Mode: On\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		run    subcommand
		args   []string
		stdin  string
		status int
		out    string // all of stdout, unless it ends with …
		err    string // part of stderr
	}{
		{"exec", cli.Exec, []string{"xStatus Cluster"}, "", cli.ExitOK, "*s Cluster: /\nOK\n", ""},
		{"exec in words", cli.Exec, []string{"xStatus", "Cluster"}, "", cli.ExitOK, "*s Cluster: /\nOK\n", ""},
		{"exec gives quotes back", cli.Exec, []string{"xCommand", "Echo", "A:", "two words", "B:", ""}, "", cli.ExitOK, "xCommand Echo A: \"two words\" B: \"\"\nOK\n", ""},
		{"exec json", cli.Exec, []string{"--json", "xStatus Cluster"}, "", cli.ExitOK, "{\n  \"revision\": 7\n}\n", ""},
		{"exec json of a save", cli.Exec, []string{"--json", "xConfiguration A B: c"}, "", cli.ExitOK, "{\n  \"saved\": {…", ""},
		{"exec json of an error", cli.Exec, []string{"--json", "xStatus Away"}, "", cli.ExitUnreachable, "{\n  \"error\": {\n    \"code\": \"unavailable\",…", ""},
		{"exec refused", cli.Exec, []string{"--base", "3", "xConfiguration A B: c"}, "", cli.ExitRefused, "", "ERROR: the configuration changed since revision 3"},
		{"exec unavailable", cli.Exec, []string{"xStatus Away"}, "", cli.ExitUnreachable, "", "Remedy: try again"},
		{"exec differs", cli.Exec, []string{"xStatus Differs"}, "", cli.ExitDiffers, "OK\n", ""},
		{"exec of a wrong line", cli.Exec, []string{"yStatus"}, "", cli.ExitUsage, "", "did you mean xStatus?"},
		{"exec of nothing", cli.Exec, nil, "", cli.ExitUsage, "", "no line"},
		{"exec with a flag too late", cli.Exec, []string{"xStatus Cluster", "--json"}, "", cli.ExitUsage, "", "flags come before the line"},
		{"exec with an unknown flag", cli.Exec, []string{"--yaml", "x"}, "", cli.ExitUsage, "", "unknown flag"},
		{"exec help", cli.Exec, []string{"--help"}, "", cli.ExitOK, "hexad exec [--json]…", ""},
		{"import", cli.Import, []string{file}, "", cli.ExitOK, "import  *c xConfiguration H323 Mode: On\nOK\n", ""},
		{"import of the standard input", cli.Import, []string{"--machine", "-"}, "A B: c", cli.ExitOK, "import On A B: c\nOK\n", ""},
		{"import of no file", cli.Import, []string{file + ".gone"}, "", cli.ExitUsage, "", "cannot be read"},
		{"sql", cli.SQL, []string{"SELECT 1"}, "", cli.ExitOK, "name         n                 n\nbranch, \"x\"  9007199254740993  NULL\n", ""},
		{"sql json", cli.SQL, []string{"--json", "SELECT 1"}, "", cli.ExitOK, "[\n  {\"name\": \"branch, \\\"x\\\"\", \"n\": 9007199254740993, \"n_2\": null}\n]\n", ""},
		{"sql csv", cli.SQL, []string{"--csv", "--local", "SELECT 1"}, "", cli.ExitOK, "name,n,n\n\"branch, \"\"x\"\"\",9007199254740993,\n", "there are more"},
		{"sql refused", cli.SQL, []string{"SELECT wrong"}, "", cli.ExitRefused, "", "no such column"},
		{"sql both forms", cli.SQL, []string{"--csv", "--json", "SELECT 1"}, "", cli.ExitUsage, "", "exclude"},
		{"shell", cli.Shell, nil, "xStatus Cluster\nexit\nxStatus Away\n", cli.ExitOK, "*s Cluster: /\nOK\n\nBye!\n\n", ""},
		{"shell takes a paste together", cli.Shell, nil, "xConfiguration A: b\nxConfiguration C: d\n", cli.ExitOK, "A: set\nC: set\nOK\n\n", ""},
		{"shell of a failing line", cli.Shell, nil, "xStatus Away\nxStatus Cluster\n", cli.ExitUnreachable, "ERROR: the database…", ""},
		{"lab of too many", cli.Lab, []string{"--peers", "7"}, "", cli.ExitUsage, "", "1 to 6"},
	} {
		var out, errs bytes.Buffer
		args := c.args
		if c.name[:3] != "lab" {
			args = append([]string{"--data-dir", dir}, args...)
		}
		status := c.run(t.Context(), args, strings.NewReader(c.stdin), &out, &errs)
		begin, cut := strings.CutSuffix(c.out, "…")
		if same := out.String() == c.out || cut && strings.HasPrefix(out.String(), begin); status != c.status || !same || !strings.Contains(errs.String(), c.err) {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d, %q, %q", c.name, status, out.String(), errs.String(), c.status, c.out, c.err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]subcommand{"exec": cli.Exec, "sql": cli.SQL} {
		var errs bytes.Buffer
		status := run(t.Context(), []string{"--data-dir", t.TempDir(), "xStatus"}, nil, io.Discard, &errs)
		if status != cli.ExitUnreachable || !strings.Contains(errs.String(), "hexad serve") {
			t.Errorf("%s: status %d, stderr %q", name, status, errs.String())
		}
	}
}

func TestExitsCoverEveryCode(t *testing.T) {
	t.Parallel()
	for _, code := range engine.Codes {
		if shell.Exits[code] == 0 {
			t.Errorf("no exit status for %q", code)
		}
	}
}
