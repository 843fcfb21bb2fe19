package ssh_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"hexad/ui/command"
	"hexad/ui/shell"
	"hexad/ui/ssh"
)

func TestWhoMaySignIn(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	_, to := running(t, s)
	known, _ := s.newKey(t, "admin")
	stranger, _ := newSystem(t).newKey(t, "admin")
	for i, tt := range []struct {
		name, user string
		how        []xssh.AuthMethod
		want       bool
	}{
		{"password", "admin", []xssh.AuthMethod{xssh.Password(password)}, true},
		{"root by password", "root", []xssh.AuthMethod{xssh.Password("root's " + password)}, true},
		{"another's password", "root", []xssh.AuthMethod{xssh.Password(password)}, false},
		{"wrong password", "admin", []xssh.AuthMethod{xssh.Password("guess")}, false},
		{"empty password", "admin", []xssh.AuthMethod{xssh.Password("")}, false},
		{"very long password", "admin", []xssh.AuthMethod{xssh.Password(strings.Repeat("x", 100_000))}, false},
		{"no such account", "nobody", []xssh.AuthMethod{xssh.Password(password)}, false},
		{"nothing", "admin", nil, false},
		{"key", "admin", []xssh.AuthMethod{xssh.PublicKeys(known)}, true},
		{"another's key", "root", []xssh.AuthMethod{xssh.PublicKeys(known)}, false},
		{"unknown key", "admin", []xssh.AuthMethod{xssh.PublicKeys(stranger)}, false},
		{"unknown key, then password", "admin", []xssh.AuthMethod{xssh.PublicKeys(stranger), xssh.Password(password)}, true},
		{"keyboard-interactive", "admin", []xssh.AuthMethod{xssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) {
			return []string{password}, nil
		})}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := dial(fmt.Sprintf("127.0.120.%d", 10+i), to, client(tt.user, tt.how...))
			if (err == nil) != tt.want {
				t.Fatalf("sign in: %v, want success %v", err, tt.want)
			}
			if err == nil {
				defer c.Close()
				out, _, _ := run(t, c, `xCommand SSHKeyAdd Key: "k"`)
				if !strings.Contains(out, tt.user+" via ssh") {
					t.Errorf("the command ran as somebody else: %s", out)
				}
			}
		})
	}
	await(t, "the end of a session is told", func() bool { return s.told("Admin Session Finish: admin") })
	for _, want := range []string{"Admin Session Start: admin: password", "Admin Session Start: admin: key SHA256:", "Admin Session Login Failure: admin: wrong account or password", "Login Failure: nobody"} {
		if !s.told(want) {
			t.Errorf("not told: %s, in %v", want, s.events)
		}
	}
}

// Who guesses waits, with other connections too, and is told so; elsewhere the
// password is still taken.
func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ *system, _ *ssh.Server, m *memory) {
		try := func(source string, c *xssh.ClientConfig) error {
			conn, channels, requests, err := xssh.NewClientConn(m.dial(source), "pipe", c)
			if err == nil {
				xssh.NewClient(conn, channels, requests).Close()
			}
			return err
		}
		var banner bytes.Buffer
		guess := client("admin", xssh.RetryableAuthMethod(xssh.PasswordCallback(func() (string, error) { return "guess", nil }), 10))
		guess.BannerCallback = func(m string) error { banner.WriteString(m); return nil }
		for range 3 {
			if try("192.0.2.1:1000", guess) == nil {
				t.Fatal("a guess was taken")
			}
		}
		right := client("admin", xssh.Password(password))
		if try("192.0.2.1:1001", right) == nil {
			t.Error("after nine guesses in a row the password is taken at once")
		}
		if !strings.Contains(banner.String(), "Too many wrong passwords. Wait 1 seconds.") {
			t.Errorf("nobody said to wait: %q", banner.String())
		}
		if err := try("192.0.2.2:1000", right); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		time.Sleep(time.Second)
		if err := try("192.0.2.1:1002", right); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestOneCommand(t *testing.T) {
	t.Parallel()
	_, to := running(t, newSystem(t))
	c := signedIn(t, to)
	for _, tt := range []struct {
		line, stdout, stderr string
		status               int
	}{
		{"xStatus SSH", "*s SSH:\n  Status: Active\n", "", shell.ExitOK},
		{"xstatus ssh HostKey Fingerprint", "SHA256:abc", "", shell.ExitOK},
		{"xStatus SSH\nxStatus SSH\n", "*s/end\nOK\n*s SSH:", "", shell.ExitOK},
		{"xCommand ?", "SSHKeyAdd", "", shell.ExitOK},
		{"yStatus", "", "did you mean xStatus?", shell.ExitUsage},
		{`xCommand SSHKeyDelete Fingerprint: "x"`, "", "ERROR: the account admin has no key x", shell.ExitRefused},
		{`xCommand SSHKeyAdd Key: "away"`, "", "ERROR: the database is away", shell.ExitUnreachable},
		{"yStatus\nxStatus SSH", "OK\n", "did you mean", shell.ExitUsage},
		{"", "", "", shell.ExitOK},
		{"--json xStatus SSH", `"active": true`, "", shell.ExitOK},
		{`--json xCommand SSHKeyDelete Fingerprint: "x"`, `"code": "not_found"`, "", shell.ExitRefused},
		{"--json", "", "ERROR: ", shell.ExitUsage},
		{"sh -c id", "", "ERROR: ", shell.ExitUsage},
		{"xStatus SSH; id", "", "ERROR: ", shell.ExitUsage},
		{"\x00\x1b[2J", "", "ERROR: ", shell.ExitUsage},
		{strings.Repeat("x", command.MaxLine+1), "", "is the most", shell.ExitUsage},
	} {
		out, errs, status := run(t, c, tt.line)
		if status != tt.status || !strings.Contains(out, tt.stdout) || !strings.Contains(errs, tt.stderr) || tt.stderr == "" && errs != "" || tt.stdout == "" && out != "" {
			t.Errorf("%.40q: status %d, stdout %q, stderr %q; want %d, %q, %q", tt.line, status, out, errs, tt.status, tt.stdout, tt.stderr)
		}
		if strings.Contains(out+errs, ">") {
			t.Errorf("%.40q: there is a prompt: %q", tt.line, out)
		}
	}
}

// Answers are in the language that the client's variables say, as OpenSSH sends
// them; other variables are not to be had.
func TestLanguage(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.say("language")
	_, to := running(t, s)
	c := signedIn(t, to)
	for _, tt := range []struct {
		set  [][2]string
		want string
	}{
		{nil, "en"},
		{[][2]string{{"LANG", "ja_JP.UTF-8"}}, "ja"},
		{[][2]string{{"LANG", "ja_JP.UTF-8"}, {"LC_ALL", "C.UTF-8"}}, "en"},
		{[][2]string{{"LC_MESSAGES", "ja"}, {"LANG", "en_US.UTF-8"}, {"LC_TIME", "C"}}, "ja"},
		{[][2]string{{"LANG", strings.Repeat("j", 1000)}}, "en"},
	} {
		session, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.set {
			if err := session.Setenv(v[0], v[1]); err != nil {
				t.Errorf("%s: %v", v[0], err)
			}
		}
		if session.Setenv("PATH", "/") == nil {
			t.Error("PATH was taken")
		}
		out, err := session.Output("xStatus SSH")
		if err != nil || !strings.Contains(string(out), "language "+tt.want) {
			t.Errorf("%v: %s, %v", tt.set, out, err)
		}
	}
}

// Lines of a pipe are answered without a prompt; the status is that of the
// first one that failed.
func TestLinesOfAPipe(t *testing.T) {
	t.Parallel()
	_, to := running(t, newSystem(t))
	c := signedIn(t, to)
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var out bytes.Buffer
	session.Stdout = &out
	session.Stdin = strings.NewReader("xStatus SSH Status\n\n# a comment\nxCommand SSHKeyDelete Fingerprint: \"x\"\nyStatus\nexit\nxCommand SSHKeyAdd Key: \"never\"\n")
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	err = session.Wait()
	if e, ok := err.(*xssh.ExitError); !ok || e.ExitStatus() != shell.ExitRefused {
		t.Errorf("it ended with %v, want status %d", err, shell.ExitRefused)
	}
	text := out.String()
	if !strings.Contains(text, "Status: Active\n") || !strings.Contains(text, "has no key x") || !strings.Contains(text, "Bye!") ||
		strings.ContainsAny(text, "\r\x1b") || strings.Contains(text, "never") {
		t.Errorf("answers %q", text)
	}
}

// Nothing but the shell is to be had, and asking for it again and again ends
// the connection.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	_, to := running(t, newSystem(t))
	c := signedIn(t, to)
	if conn, err := c.Dial("tcp", to); err == nil {
		conn.Close()
		t.Error("a connection was forwarded")
	}
	if l, err := c.Listen("tcp", "127.0.120.9:0"); err == nil {
		l.Close()
		t.Error("a port was forwarded")
	}
	if l, err := c.ListenUnix("/tmp/hexad-test.sock"); err == nil {
		l.Close()
		t.Error("a socket was forwarded")
	}
	if _, _, err := c.OpenChannel("x11", nil); err == nil {
		t.Error("X11 was forwarded")
	}
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Setenv("PATH", "/tmp"); err == nil {
		t.Error("an environment was taken")
	}
	if err := session.RequestSubsystem("sftp"); err == nil {
		t.Error("there is an sftp")
	}
	for _, kind := range []string{"auth-agent-req@openssh.com", "x11-req"} {
		if ok, err := session.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %v, %v", kind, ok, err)
		}
	}
	if out, _, status := run(t, c, "xStatus SSH"); status != 0 || out == "" {
		t.Errorf("after all that the shell does not answer: status %d", status)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	var refused atomic.Int64
	go func() { // the client may never hear of what it asked for last
		for refused.Load() < 100_000 {
			if _, _, err := c.OpenChannel("direct-tcpip", nil); err == nil {
				t.Error("a channel was opened")
			}
			refused.Add(1)
		}
	}()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("it may ask for ever")
	}
	if n := refused.Load(); n < 10 {
		t.Errorf("the connection ended after %d refusals", n)
	}
}

// A session ends with what it was begun with: the password, the role, the key.
func TestSessionEndsWithItsAccount(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	server, to := running(t, s)
	key, fingerprint := s.newKey(t, "admin")
	for _, tt := range []struct {
		name   string
		how    xssh.AuthMethod
		change func()
	}{
		{"role", xssh.Password(password), func() { s.role = command.Auditor }},
		{"password", xssh.Password(password), func() { s.hashes["admin"] = hashOf("another") }},
		{"key", xssh.PublicKeys(key), func() { delete(s.keys, "admin "+fingerprint) }},
	} {
		c, err := dial("127.0.0.1", to, client("admin", tt.how))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if _, _, status := run(t, c, "xStatus SSH"); status != 0 {
			t.Errorf("%s: before: status %d", tt.name, status)
		}
		await(t, "the session is counted", func() bool { return len(server.Sessions()) == 1 })
		s.mu.Lock()
		tt.change()
		s.mu.Unlock()
		if out, errs, status := run(t, c, `xCommand SSHKeyAdd Key: "k"`); status != shell.ExitRefused || out != "" || !strings.Contains(errs, "sign in again") {
			t.Errorf("%s: after: status %d, %q, %q", tt.name, status, out, errs)
		}
		server.Recheck(t.Context())
		ended := make(chan struct{})
		go func() { _ = c.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the session goes on", tt.name)
		}
		c.Close()
		await(t, "the session is gone", func() bool { return len(server.Sessions()) == 0 })
	}
}

// A peer that ends finishes what it carries out.
func TestEndFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.gate = make(chan struct{})
	server, err := ssh.New(s.options(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	c := signedIn(t, server.Addr().String())
	answer := make(chan string, 1)
	go func() {
		out, errs, _ := run(t, c, `xCommand SSHKeyAdd Key: "k"`)
		answer <- out + errs
	}()
	<-s.began
	stop()
	await(t, "nobody new is let in", func() bool {
		conn, err := net.DialTimeout("tcp", server.Addr().String(), time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(s.gate)
	if text := <-answer; !strings.Contains(text, "OK") {
		t.Errorf("the answer was cut off: %q", text)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}
