package cli

import (
	"context"
	"fmt"
	"io"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/shell"
)

const certificateHelp = `hexad certificate [--trust] [--try] [--json] [--data-dir DIR] FILE

Replaces this peer's certificate by the PEM of FILE (- for the standard input):
the certificate, those of its issuers, and its private key; without a key it
belongs to the request that waits (xCommand CertificateRequest) or to the present
key. A new key needs nothing on the other peers: the present one vouches for it.
With --try it is checked only. With --trust the file replaces the certificate
authorities that this peer trusts. Take a backup first: hexad backup.

  hexad certificate --trust authorities.pem
  hexad certificate peer1.pem
`

// Certificate is "hexad certificate": what this peer proves itself and judges
// others by.
func Certificate(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("certificate", certificateHelp, stdin, stdout, stderr)
	trust := t.flags.Bool("trust", false, "the file holds the trusted certificate authorities")
	try := t.flags.Bool("try", false, "check the certificate and change nothing")
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
	if *trust && *try {
		return t.usage("--try is for a certificate, not for --trust")
	}
	call := &shell.Call{Name: "ServerCertificateSet", Body: body, Args: map[string]string{}}
	if *trust {
		call.Name = "TrustListSet"
	}
	if *try {
		call.Args["Try"] = "On"
	}
	if !*try && !t.asJSON { // before anything is changed
		fmt.Fprintln(stderr, command.BackupLine(engine.English))
	}
	reply, err := t.ask(ctx, shell.Request{Call: call})
	if err != nil {
		return t.fail(err)
	}
	return t.print(reply)
}
