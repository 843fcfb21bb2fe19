package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"hexad/ui/command"
	"hexad/ui/shell"
)

const sqlHelp = `hexad sql [--local] [--json|--csv] [--data-dir DIR] STATEMENT

Asks the databases of a peer; nothing can be changed this way. One SELECT, WITH
or EXPLAIN over the views named diag_....

  hexad sql 'SELECT name FROM diag_zone ORDER BY name'
  hexad sql --local --csv 'SELECT * FROM diag_event LIMIT 20'
  hexad sql "SELECT name FROM sqlite_schema WHERE type = 'view'"
`

// SQL is "hexad sql": one reading statement.
func SQL(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("sql", sqlHelp, stdin, stdout, stderr)
	local := t.flags.Bool("local", false, "ask the peer's own database instead of the cluster's")
	asCSV := t.flags.Bool("csv", false, "print the rows as CSV")
	t.flags.BoolVar(&t.asJSON, "json", false, "print the rows as a JSON array of objects")
	if status, ok := t.parse(args); !ok {
		return status
	}
	statement := strings.Join(t.flags.Args(), " ")
	switch {
	case strings.TrimSpace(statement) == "":
		return t.usage("there is no statement; for example: hexad sql 'SELECT name FROM diag_zone'")
	case *asCSV && t.asJSON:
		return t.usage("--json and --csv exclude each other")
	}
	call := &shell.Call{Name: "SQL", Args: map[string]string{"Statement": statement, "Database": "cluster"}}
	if *local {
		call.Args["Database"] = "local"
	}
	reply, err := t.ask(ctx, shell.Request{Call: call})
	if err != nil {
		return t.fail(err)
	}
	if reply.Error != nil {
		return t.print(reply)
	}
	rows, err := rowsOf(reply.Result)
	if err != nil {
		return t.fail(err)
	}
	if err := t.rows(rows, *asCSV); err != nil {
		fmt.Fprintln(stderr, "ERROR: the rows cannot be written:", err)
		return ExitRefused
	}
	if rows.Truncated {
		fmt.Fprintf(stderr, "only the first %d rows; there are more\n", len(rows.Rows))
	}
	return ExitOK
}

// rowsOf reads the rows of an answer; numbers stay as they were written.
func rowsOf(result []byte) (command.Rows, error) {
	var answer struct {
		Data command.Rows `json:"data"`
	}
	d := json.NewDecoder(bytes.NewReader(result))
	d.UseNumber()
	err := d.Decode(&answer)
	return answer.Data, err
}

func (t *tool) rows(r command.Rows, asCSV bool) error {
	switch {
	case t.asJSON:
		return t.objects(r)
	case asCSV:
		w := csv.NewWriter(t.out)
		if err := w.Write(r.Columns); err != nil {
			return err
		}
		for _, row := range r.Rows {
			line := make([]string, len(row))
			for i, cell := range row {
				if cell != nil {
					line[i] = fmt.Sprint(cell)
				}
			}
			if err := w.Write(line); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	}
	_, err := io.WriteString(t.out, strings.Join(append(r.Table(), ""), "\n"))
	return err
}

// objects prints one object a row, with its columns in their order.
func (t *tool) objects(r command.Rows) error {
	names := make([]string, len(r.Columns))
	seen := map[string]int{}
	for i, c := range r.Columns {
		names[i] = c
		if seen[c]++; seen[c] > 1 {
			names[i] = fmt.Sprintf("%s_%d", c, seen[c])
		}
	}
	var b bytes.Buffer
	b.WriteString("[")
	for n, row := range r.Rows {
		if n > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for i, cell := range row {
			if i > 0 {
				b.WriteString(", ")
			}
			key, err := json.Marshal(names[i])
			if err != nil {
				return err
			}
			value, err := json.Marshal(cell)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s: %s", key, value)
		}
		b.WriteString("}")
	}
	b.WriteString("\n]\n")
	_, err := t.out.Write(b.Bytes())
	return err
}
