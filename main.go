// hexad is a call-control appliance in one binary: SQL inside, rules in Lua.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"hexad/engine"
	"hexad/engine/appliance"
	failpoint "hexad/engine/fail"
	"hexad/ui/cli"
)

// release is set by the build; peers compare it.
var release = "1.0.0"

const usage = `hexad is a call-control appliance that runs alone or as a cluster of up to six peers.

  hexad serve --data-dir DIR --address IP     run one peer
  hexad lab --peers 3                         run a whole cluster on this machine, to try it
  hexad exec --data-dir DIR 'xStatus Cluster' one administrator command
  hexad shell --data-dir DIR                  a prompt
  hexad import --data-dir DIR FILE            apply xConfiguration lines
  hexad certificate --data-dir DIR FILE       replace this peer's certificate, or its trust list
  hexad backup --data-dir DIR FILE            make an encrypted backup
  hexad restore --data-dir DIR FILE           check a backup, or restore it
  hexad snapshot --data-dir DIR FILE          take a system snapshot for support
  hexad sql --data-dir DIR 'SELECT …'         ask the databases
  hexad policy check FILE                     write, test, try and activate rules in Lua
  hexad version

"hexad COMMAND --help" explains each.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but its edge. It returns the exit status: 0 done,
// 1 refused or failed, 2 usage, 3 unreachable, 4 something differs.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return cli.ExitUsage
	}
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		return serve(ctx, rest, stdout, stderr)
	case "lab":
		return cli.Lab(ctx, rest, stdin, stdout, stderr)
	case "exec":
		return cli.Exec(ctx, rest, stdin, stdout, stderr)
	case "shell":
		return cli.Shell(ctx, rest, stdin, stdout, stderr)
	case "import":
		return cli.Import(ctx, rest, stdin, stdout, stderr)
	case "certificate":
		return cli.Certificate(ctx, rest, stdin, stdout, stderr)
	case "backup":
		return cli.Backup(ctx, rest, stdin, stdout, stderr)
	case "restore":
		return cli.Restore(ctx, rest, stdin, stdout, stderr)
	case "snapshot":
		return cli.Snapshot(ctx, rest, stdin, stdout, stderr)
	case "sql":
		return cli.SQL(ctx, rest, stdin, stdout, stderr)
	case "policy":
		return cli.Policy(ctx, appliance.BuiltinPolicies(), rest, stdin, stdout, stderr)
	case "version", "--version":
		fmt.Fprintf(stdout, "hexad %s%s\n", release, revision())
		if failpoint.Armable { // never in a release: see engine/fail
			fmt.Fprintf(stdout, "failpoints: %s\n", strings.Join(failpoint.Names, " "))
		}
		return cli.ExitOK
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return cli.ExitOK
	default:
		fmt.Fprintf(stderr, "hexad: there is no command %q\n\n%s", command, usage)
		return cli.ExitUsage
	}
}

// revision is the state of the source that the binary was built from.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}

// serve runs one peer: this process is the parent, or a child of it.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, status := serveOptions(args, stdout, stderr)
	if status >= 0 {
		return status
	}
	if err := o.Validate(); err != nil {
		return fail(stderr, err, cli.ExitUsage)
	}
	o.Log = appliance.ParentLog(ctx, stdout, o.LogFormat)
	if !appliance.IsChild() {
		return appliance.Supervise(ctx, append([]string{"serve"}, args...), o, stdout, stderr)
	}
	o.Crashes, o.Cause = appliance.Crashes()
	o.ResetFailed = appliance.ResetFailed()
	return appliance.Serve(ctx, o, stdout, stderr)
}

// serveOptions reads the flags of hexad serve. A status of 0 or more ends the process.
func serveOptions(args []string, stdout, stderr io.Writer) (appliance.Options, int) {
	var o appliance.Options
	var role string
	var standard bool
	flags := pflag.NewFlagSet("hexad serve", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(stderr)
	flags.StringVar(&o.DataDir, "data-dir", "hexad-data", "directory that holds everything of this peer")
	flags.StringVar(&o.Address, "address", hostAddress(), "LAN1 address: listened on, and dialled from")
	flags.StringVar(&role, "role", "core", "core or edge; a cluster holds one role")
	flags.StringVar(&o.Size, "size", "medium", "small, medium or large")
	flags.StringVar(&o.Series, "series", "expressway", "expressway or vcs: the series of the option keys; licences that the series pools may differ between peers")
	flags.IntVar(&o.HTTPSPort, "https-port", 8443, "web console")
	flags.IntVar(&o.SSHPort, "ssh-port", 8022, "shell over SSH; 0: none")
	flags.IntVar(&o.LinkPort, "link-port", 4371, "peer link; equal on all peers")
	flags.IntVar(&o.DatabasePort, "database-port", 4372, "cluster database; equal on all peers")
	flags.IntVar(&o.RASPort, "ras-port", 1719, "H.323 RAS between peers, UDP")
	flags.BoolVar(&standard, "appliance-ports", false, "use port 443 for the console and 22 for SSH (needs the privilege to)")
	flags.StringVar(&o.AdminPasswordFile, "admin-password-file", "", "first start: read the administrator's password here instead of making one")
	flags.StringVar(&o.LogFormat, "log-format", "text", "text or json")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, cli.ExitOK
		}
		return o, fail(stderr, err, cli.ExitUsage)
	}
	if flags.NArg() > 0 {
		return o, fail(stderr, engine.Errorf(engine.Invalid, "unexpected argument %q", flags.Arg(0)), cli.ExitUsage)
	}
	if standard {
		o.HTTPSPort, o.SSHPort = 443, 22
	}
	o.Role, o.Release = engine.Role(role), release
	return o, -1
}

func fail(stderr io.Writer, err error, status int) int {
	fmt.Fprintf(stderr, "hexad: %v\n", err)
	return status
}

// hostAddress is the address that this host would reach others from, the
// loopback address when it has no other.
func hostAddress() string {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range interfaces {
		if ipnet, ok := a.(*net.IPNet); ok && ipnet.IP.IsGlobalUnicast() && ipnet.IP.To4() != nil {
			return ipnet.IP.String()
		}
	}
	return "127.0.0.1"
}
