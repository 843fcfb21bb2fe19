package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"hexad/engine/backup"
	"hexad/ui/command"
	"hexad/ui/shell"
)

const backupHelp = `hexad backup [--cluster] [--passphrase-file FILE] [--data-dir DIR] FILE

Makes an encrypted backup and writes it to FILE, which must not be there; when
FILE is a directory, to a file in it named after release, serial number and
time. The backup holds this system's accounts, keys and certificates and the
configuration that the cluster shares; not the logs. With --cluster each member's
own backup is fetched from it and put into one file; who does not answer is
named, and the exit status is then 4.

  hexad backup /var/backups
  hexad backup --cluster /var/backups
`

const restoreHelp = `hexad restore [--confirm] [--peer NAME] [--extract TO] [--passphrase-file FILE] [--json] [--data-dir DIR] FILE

Checks a backup by restoring it into a scratch directory and shows what would
change; the exit status is 4 when anything does. With --confirm this system
restarts with what the backup holds. It must be in no cluster and run the release that
made the backup. Should the restored system not start, the previous one comes
back and alarm 15023 says why.

Of a backup of a whole cluster it takes the part of this machine, or with --peer
that of a peer by its address, system name or serial number. With --extract that
part is written to the file TO as a backup of its own, and nothing is restored;
hexad need not run for it.

  hexad restore 1.0.0_0A1B2C3D_20260304_050607_backup.tar.gz.age
  hexad restore --peer 192.0.2.12 --extract peer2.age 1.0.0_hq_20260304_050607_cluster_backup.tar.gz.age
`

// Backup is "hexad backup".
func Backup(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("backup", backupHelp, stdin, stdout, stderr)
	secret := t.flags.String("passphrase-file", "", "file that holds the passphrase; asked for without one")
	whole := t.flags.Bool("cluster", false, "of every peer of the cluster")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() != 1 {
		return t.usage("name one file or directory; for example: hexad backup /var/backups")
	}
	passphrase, err := t.passphrase(*secret, true)
	if err != nil {
		return t.usage("%s", err)
	}
	call := map[string]string{"Passphrase": passphrase}
	if *whole {
		call["Scope"] = "Cluster"
	}
	reply, err := t.ask(ctx, shell.Request{Call: &shell.Call{Name: "SystemBackup", Args: call}})
	if err != nil {
		return t.fail(err)
	}
	if reply.Error != nil {
		return t.print(reply)
	}
	return t.keep(reply, t.flags.Arg(0))
}

// keep writes the file of an answer to path, or into it when it is a directory.
func (t *tool) keep(reply shell.Reply, path string) int {
	var result struct {
		Data struct {
			Name    string                 `json:"name"`
			File    []byte                 `json:"file"`
			Members []command.BackupMember `json:"members"`
		} `json:"data"`
	}
	if err := json.Unmarshal(reply.Result, &result); err != nil {
		return t.fail(err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, filepath.Base(result.Data.Name))
	}
	if err := writeNew(path, result.Data.File); err != nil {
		fmt.Fprintln(t.err, "ERROR: the file cannot be written:", err)
		return ExitRefused
	}
	fmt.Fprintln(t.out, path)
	missing := command.ClusterBackup{Members: result.Data.Members}.Missing()
	for _, m := range missing {
		fmt.Fprintf(t.err, "not in the backup: %s: %s\n", m.Address, m.Missing)
	}
	if len(missing) > 0 {
		return ExitDiffers
	}
	return ExitOK
}

const snapshotHelp = `hexad snapshot [--kind status|logs|full] [--data-dir DIR] FILE

Takes a system snapshot for support: status and configuration, the event log,
and the diagnostic views, without secrets. When FILE is a directory it is
written to a file in it named after kind, serial number and time.

  hexad snapshot /tmp
`

// Snapshot is "hexad snapshot".
func Snapshot(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("snapshot", snapshotHelp, stdin, stdout, stderr)
	kind := t.flags.String("kind", "full", "status, logs or full")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() != 1 {
		return t.usage("name one file or directory; for example: hexad snapshot /tmp")
	}
	reply, err := t.ask(ctx, shell.Request{Call: &shell.Call{Name: "SystemSnapshot", Args: map[string]string{"Kind": *kind}}})
	if err != nil {
		return t.fail(err)
	}
	if reply.Error != nil {
		return t.print(reply)
	}
	return t.keep(reply, t.flags.Arg(0))
}

// writeNew writes a file that was not there, on disk when it returns.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Restore is "hexad restore".
func Restore(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := newTool("restore", restoreHelp, stdin, stdout, stderr)
	secret := t.flags.String("passphrase-file", "", "file that holds the passphrase; asked for without one")
	confirm := t.flags.Bool("confirm", false, "restore, and restart")
	peer := t.flags.String("peer", "", "whose part of a backup of a whole cluster")
	extract := t.flags.String("extract", "", "write that part to this file, and restore nothing")
	t.flags.BoolVar(&t.asJSON, "json", false, "print the answer as JSON")
	if status, ok := t.parse(args); !ok {
		return status
	}
	if t.flags.NArg() != 1 {
		return t.usage("name one file; for example: hexad restore backup.tar.gz.age")
	}
	file, err := readBackup(t.flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, "ERROR: the file cannot be read:", err)
		return ExitUsage
	}
	passphrase, err := t.passphrase(*secret, false)
	if err != nil {
		return t.usage("%s", err)
	}
	if *extract != "" {
		part, _, err := backup.Extract(file, passphrase, *peer)
		if err != nil {
			return t.fail(err)
		}
		if err := writeNew(*extract, part); err != nil {
			fmt.Fprintln(stderr, "ERROR: the file cannot be written:", err)
			return ExitRefused
		}
		fmt.Fprintln(stdout, *extract)
		return ExitOK
	}
	call := &shell.Call{Name: "SystemRestore", Args: map[string]string{"Passphrase": passphrase, "Peer": *peer}, Body: base64.StdEncoding.EncodeToString(file)}
	if *confirm {
		call.Args["Confirm"] = "On"
	}
	reply, err := t.ask(ctx, shell.Request{Call: call})
	if err != nil {
		return t.fail(err)
	}
	return t.print(reply)
}

func readBackup(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, backup.MaxClusterFile+1))
	if err == nil && len(file) > backup.MaxClusterFile {
		err = errors.New("it is larger than a backup may be")
	}
	return file, err
}

// passphrase is the first line of a file, or what is typed, twice for a new one.
// It never stands in the command line, which other users can see.
func (t *tool) passphrase(path string, twice bool) (string, error) {
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(text), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	in, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		if err != nil && line == "" {
			return "", errors.New("no passphrase: give --passphrase-file, or a line of the standard input")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	fmt.Fprint(t.err, "Passphrase: ")
	first, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(t.err)
	if err != nil || !twice {
		return string(first), err
	}
	fmt.Fprint(t.err, "Once more: ")
	second, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(t.err)
	if err == nil && string(first) != string(second) {
		err = errors.New("the two passphrases differ")
	}
	return string(first), err
}
