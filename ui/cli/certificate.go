package cli

import (
	"context"
	"fmt"
	"io"

	"hexad/ui/shell"
)

const certificateHelp = `hexad certificate [--trust] [--json] [--data-dir DIR] FILE

Replaces this peer's certificate by the PEM of FILE (- for the standard input):
the certificate, those of its issuers, and its private key; without a key the
present one stays. The other peers are told of a new key first. With --trust
the file replaces the certificate authorities that this peer trusts.

  hexad certificate --trust authorities.pem
  hexad certificate peer1.pem
`

// Certificate is "hexad certificate": what this peer proves itself and judges
// others by.
func Certificate(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("certificate", certificateHelp, stdin, stdout, stderr)
	trust := t.flags.Bool("trust", false, "the file holds the trusted certificate authorities")
	t.flags.BoolVar(&t.asJSON, "json", false, "print the answer as JSON")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() != 1 {
		return t.usage("name one file, or - for the standard input; for example: hexad certificate peer1.pem")
	}
	body, err := t.read(t.flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, "ERROR: the file cannot be read:", err)
		return ExitUsage
	}
	call := &shell.Call{Name: "ServerCertificateSet", Body: body}
	if *trust {
		call.Name = "TrustListSet"
	}
	reply, err := t.ask(ctx, shell.Request{Call: call})
	if err != nil {
		return t.fail(err)
	}
	return t.print(reply)
}
