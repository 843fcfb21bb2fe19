package appliance_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"hexad/engine/appliance/appliancetest"
	commands "hexad/ui/command"
)

// sshStatus is what a peer says of its shell over SSH.
func sshStatus(p *appliancetest.Peer) commands.SSHStatus {
	p.T.Helper()
	var out struct{ Data commands.SSHStatus }
	reply, err := p.Call("xStatus", "", map[string]string{"Path": "SSH"})
	if err == nil {
		err = json.Unmarshal(reply.Result, &out)
	}
	if err != nil {
		p.T.Fatal(err)
	}
	return out.Data
}

// openSSH is the real client, told to know the peer by its fingerprint alone.
type openSSH struct {
	t     *testing.T
	p     *appliancetest.Peer
	dir   string
	flags []string
	// within is the command that the client is run by, nil for none.
	within []string
}

func realClient(t *testing.T, p *appliancetest.Peer) *openSSH {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("there is no ssh on this machine: install openssh-client")
	}
	dir := t.TempDir()
	return &openSSH{t: t, p: p, dir: dir, flags: []string{"-F", "/dev/null", "-p", "8022", "-o", "UserKnownHostsFile=" + filepath.Join(dir, "known_hosts"),
		"-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=20", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes"}}
}

func (o *openSSH) command(flags []string, words ...string) *exec.Cmd {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	o.t.Cleanup(stop)
	args := append(append(append([]string{}, o.flags...), flags...), "admin@"+o.p.Address)
	line := slices.Concat(o.within, []string{"ssh"}, args, words)
	c := exec.CommandContext(ctx, line[0], line[1:]...)
	c.Env = append(os.Environ(), "HOME="+o.dir, "SSH_AUTH_SOCK=")
	return c
}

// withKey makes a key, lets it in, and uses it from now on.
func (o *openSSH) withKey() (fingerprint string) {
	o.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		o.t.Fatal(err)
	}
	file := filepath.Join(o.dir, "id")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		o.t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		o.t.Fatal(err)
	}
	o.p.Exec(`xCommand SSHKeyAdd Account: admin Key: "%s anna@laptop"`, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
	o.flags = append(o.flags, "-i", file, "-o", "PasswordAuthentication=no")
	return ssh.FingerprintSHA256(key)
}

// run carries out one line without a terminal.
func (o *openSSH) run(stdin string, words ...string) (stdout, stderr string, status int) {
	o.t.Helper()
	c := o.command([]string{"-T"}, words...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.t.Fatalf("ssh %q: %v", words, err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// screen is a terminal that the client runs in.
type screen struct {
	t    *testing.T
	ptmx *os.File
	mu   sync.Mutex
	text bytes.Buffer
	seen int // of text, by await
	done chan error
}

// inTerminal starts the client in a terminal of 100 by 30 characters.
func (o *openSSH) inTerminal(flags ...string) *screen {
	o.t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		o.t.Skipf("there are no terminals here: %v", err)
	}
	fd := int(ptmx.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
	}
	if err != nil {
		o.t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		o.t.Fatal(err)
	}
	defer tty.Close()
	c := o.command(flags)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		o.t.Fatal(err)
	}
	s := &screen{t: o.t, ptmx: ptmx, done: make(chan error, 1)}
	go func() {
		part := make([]byte, 4096)
		for {
			n, err := ptmx.Read(part)
			s.mu.Lock()
			s.text.Write(part[:n])
			s.mu.Unlock()
			if err != nil { // EIO at the end of the client
				s.done <- c.Wait()
				return
			}
		}
	}()
	o.t.Cleanup(func() { _ = c.Process.Kill(); ptmx.Close() })
	return s
}

func (s *screen) keys(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.ptmx, text); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until text is shown after what was awaited before.
func (s *screen) await(text string) {
	s.t.Helper()
	appliancetest.Await(s.t, "the terminal shows "+text, 30*time.Second, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		rest := s.text.String()[s.seen:]
		i := strings.Index(rest, text)
		if i < 0 {
			return fmt.Sprintf("%q", rest)
		}
		s.seen += i + len(text)
		return ""
	})
}

func (s *screen) ends() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(30 * time.Second):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Fatalf("the client does not end: %q", s.text.String())
		return nil
	}
}

// TestSSH uses a peer's shell with the real client, as people do.
func TestSSH(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.120.11")
	p.Start()
	p.Await("answers", 30*time.Second, func() string {
		_, err := p.Try("xStatus SSH")
		return why(err)
	})
	o := realClient(t, p)
	host := sshStatus(p)
	if !host.Active || host.Address != "127.0.120.11:8022" || !strings.HasPrefix(host.Fingerprint, "SHA256:") {
		t.Fatalf("xStatus SSH = %+v", host)
	}

	// With a password, at a prompt: editing, Tab, ?, history, Ctrl-C, Ctrl-D.
	s := o.inTerminal("-o", "PubkeyAuthentication=no")
	s.await("password:")
	s.keys("wrong\r")
	s.await("password:")
	s.keys(appliancetest.Password + "\r")
	s.await("Tab completes")
	s.await("> ")
	s.keys("xSta\t")
	s.await("xStatus ")
	s.keys("SS\t\r")
	s.await(host.Fingerprint)
	s.await("OK")
	s.keys("xCommand SSHKey\t\t")
	s.await("SSHKeyAdd ")
	s.await("SSHKeyList")
	s.keys("\x03")
	s.keys("xCommand SSHKeyAdd ?\r")
	s.await("one line of a .pub file")
	s.keys("\x1b[A\r") // the line above once more
	s.await("one line of a .pub file")
	s.keys("yStatus\x01\x1b[C\x7fx\r") // to the beginning, one to the right, the y away, an x
	s.await("*s Alarm:")
	s.await("OK")
	s.keys("\x04")
	if err := s.ends(); err != nil {
		t.Errorf("Ctrl-D ends the client with %v", err)
	}
	known, err := os.ReadFile(filepath.Join(o.dir, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, key, _, _, err := ssh.ParseKnownHosts(known)
	if err != nil || ssh.FingerprintSHA256(key) != host.Fingerprint {
		t.Errorf("the client saw another key than xStatus shows: %v, %s", err, known)
	}

	// With a key, one command at a time.
	fingerprint := o.withKey()
	for _, tt := range []struct {
		stdin          string
		words          []string
		stdout, stderr string
		status         int
	}{
		{"", []string{"xStatus", "Alarm"}, "*s Alarm:", "", 0},
		{"", []string{"xStatus SSH"}, fingerprint, "", 0},
		{"", []string{`xConfiguration SystemUnit Name: "over ssh"`}, "OK\n", "", 0},
		{"xConfiguration SystemUnit Name\nxStatus SystemUnit Name\n", nil, `"over ssh"`, "", 0},
		{"", []string{"yStatus"}, "", "did you mean xStatus?", 2},
		{"", []string{`xCommand AccountDelete Account: "admin"`}, "", "ERROR: ", 1},
		{"", []string{"/bin/sh", "-c", "id"}, "", "ERROR: ", 2},
	} {
		out, errs, status := o.run(tt.stdin, tt.words...)
		if status != tt.status || !strings.Contains(out, tt.stdout) || !strings.Contains(errs, tt.stderr) || strings.Contains(out, "> ") {
			t.Errorf("ssh admin@peer %q: status %d, %q, %q; want %d, %q, %q", tt.words, status, out, errs, tt.status, tt.stdout, tt.stderr)
		}
	}
	c := o.command([]string{"-T", "-o", "ExitOnForwardFailure=yes", "-R", "127.0.120.11:18022:127.0.0.1:1"}, "xStatus SSH")
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "forwarding failed") {
		t.Errorf("a port was forwarded: %v, %s", err, out)
	}
	if out, err := o.command([]string{"-s"}, "sftp").CombinedOutput(); err == nil || !strings.Contains(string(out), "subsystem request failed") {
		t.Errorf("there is an sftp: %v, %s", err, out)
	}

	// A new password ends what is open; the key goes on until it is taken away.
	s = o.inTerminal()
	s.await("over ssh> ")
	p.Exec(`xCommand SSHKeyDelete Fingerprint: "%s"`, fingerprint)
	s.await("this session ends")
	_ = s.ends() // its status tells that the connection was closed
	if _, errs, status := o.run("", "xStatus SSH"); status != 255 || !strings.Contains(errs, "Permission denied") {
		t.Errorf("a key that was taken away: status %d, %s", status, errs)
	}

	log := p.Log()
	for _, want := range []string{`ssh: Event="Admin Session Login Failure" Detail="wrong account or password" Src-ip="127.0.0.1"`, `Event="Admin Session Start" Detail="key ` + fingerprint, `Event="Admin Session Finish"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the event log lacks %s", want)
		}
	}
	p.Await("the sign-in is in the audit", 20*time.Second, func() string {
		if text := p.Exec(`xCommand SQL Statement: "SELECT command, result FROM diag_audit"`); !strings.Contains(text, "SSHSignIn") || !strings.Contains(text, "denied: wrong account or password") {
			return text
		}
		return ""
	})

	// The host key is the same after a restart and after a reset that keeps it.
	p.Restart()
	if again := sshStatus(p); again.Fingerprint != host.Fingerprint {
		t.Errorf("after a restart the host key is %s, it was %s", again.Fingerprint, host.Fingerprint)
	}
}

// TestRootOverSSH: root signs in over SSH once it has a password, and nowhere else.
func TestRootOverSSH(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.120.12")
	p.Start()
	p.Await("answers", 30*time.Second, func() string {
		_, err := p.Try("xStatus SSH")
		return why(err)
	})
	const password = "root has another one"
	signIn := func(user, password string) error {
		c, err := ssh.Dial("tcp", net.JoinHostPort(p.Address, "8022"), &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.Password(password)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 30 * time.Second})
		if err != nil {
			return err
		}
		defer c.Close()
		session, err := c.NewSession()
		if err != nil {
			return err
		}
		out, err := session.Output("xStatus SSH")
		if err == nil && !strings.Contains(string(out), user) {
			err = fmt.Errorf("somebody else is signed in: %s", out)
		}
		return err
	}
	if err := signIn("root", appliancetest.Password); err == nil {
		t.Error("root signed in without a password of its own")
	}
	if err := p.Refused(`xCommand SSHKeyAdd Account: root Key: "ssh-ed25519 AAAA"`); !strings.Contains(err.Message, "no public key") {
		t.Errorf("half a key: %v", err)
	}
	p.Exec(`xCommand AccountPasswordSet Account: "root" Password: "%s"`, password)
	if err := signIn("root", password); err != nil {
		t.Errorf("root: %v", err)
	}
	p.Exec(`xCommand AccountAdd Account: "anna" Password: "%s" Role: administrator`, password)
	if err := signIn("anna", password); err == nil {
		t.Error("an account of the console signed in over SSH")
	}
	p.Exec(`xCommand AccountDelete Account: "root"`)
	if err := signIn("root", password); err == nil {
		t.Error("root signed in after it was deleted")
	}
}

// TestSSHOff: whether there is a shell over SSH is this peer's configuration,
// with its next restart.
func TestSSHOff(t *testing.T) {
	t.Parallel()
	p := appliancetest.New(t, 1, "127.0.141.1").Up()
	reached := func() bool {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(p.Address, "8022"), 5*time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if !reached() {
		t.Fatal("there is no shell over SSH at first")
	}
	for _, mode := range []string{"Off", "On"} {
		p.Exec("xConfiguration Administration SSH Mode: %s", mode)
		p.AwaitAlarm(25015, true, 10*time.Second)
		p.Restart()
		p.AwaitAlarm(25015, false, 10*time.Second)
		if on := mode == "On"; reached() != on || sshStatus(p).Active != on {
			t.Errorf("%s: reached %v, status %+v", mode, reached(), sshStatus(p))
		}
	}
}
