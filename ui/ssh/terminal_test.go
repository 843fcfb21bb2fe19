package ssh_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"

	xssh "golang.org/x/crypto/ssh"
)

// typist types into a terminal and sees what it shows.
type typist struct {
	t       *testing.T
	session *xssh.Session
	in      io.Writer
	mu      sync.Mutex
	text    bytes.Buffer
	seen    int
}

func (y *typist) Write(p []byte) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.text.Write(p)
}

func inTerminal(t *testing.T, c *xssh.Client) *typist {
	t.Helper()
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	y := &typist{t: t, session: session}
	session.Stdout = y
	if y.in, err = session.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("xterm", 24, 80, xssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *typist) keys(text string) {
	y.t.Helper()
	if _, err := io.WriteString(y.in, text); err != nil {
		y.t.Fatal(err)
	}
}

func (y *typist) sees(text string) {
	y.t.Helper()
	defer func() {
		if y.t.Failed() {
			y.t.Logf("the terminal shows %q", y.text.String())
		}
	}()
	await(y.t, "the terminal shows "+text, func() bool {
		y.mu.Lock()
		defer y.mu.Unlock()
		i := strings.Index(y.text.String()[y.seen:], text)
		if i >= 0 {
			y.seen += i + len(text)
		}
		return i >= 0
	})
}

// What people do at a prompt.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	_, to := running(t, s)
	y := inTerminal(t, signedIn(t, to))
	y.sees("hexad 1.0.0, peer1.")
	y.sees("peer1> ")
	y.keys("xSta\t")
	y.sees("xStatus ")
	y.keys("S\t\r")
	y.sees("Fingerprint: \"SHA256:abc\"")
	y.sees("OK\r\n")
	y.keys("xCommand SSHKey\t\t")
	y.sees("SSHKeyAdd   SSHKeyDelete   SSHKeyList")
	y.keys("\x03")
	y.keys("?\r")
	y.sees("ends the session")
	y.keys("xCommand SSHKeyAdd ??\r")
	y.sees("[admin]")
	y.keys("xStatus SSH\x17XXX\x7f\x7f\x7fSSH HostKey Algorithm\r") // a word back, three characters back
	y.sees("Algorithm: ssh-ed25519")
	y.keys("\x1b[A\x1b[A\r") // the one before
	y.sees("[admin]")
	y.keys("xCommand SSHKeyDelete Fingerprint: \"\x1b[D\x1b[Cz\"\r")
	y.sees("ERROR: the account admin has no key z")
	y.keys("\x1b[200~xStatus SSH Status\rxStatus SSH HostKey\r\x1b[201~")
	y.sees("Status: Active")
	y.sees("HostKey:")
	if err := y.session.WindowChange(40, 120); err != nil {
		t.Error(err)
	}
	y.keys(strings.Repeat("a", 5000) + "\r")
	y.sees("ERROR: a line that is typed has at most 4095 characters")
	y.keys("exit\r")
	y.sees("Bye!")
	if err := y.session.Wait(); err != nil {
		t.Errorf("exit ends the session with %v", err)
	}
}

// A notice appears while somebody looks at the prompt, and cannot steer the
// terminal. The end of the input ends the session.
func TestNoticesWhileNothingIsTyped(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	_, to := running(t, s)
	y := inTerminal(t, signedIn(t, to))
	y.sees("peer1> ")
	y.keys("xStat")
	y.sees("xStat")
	s.say("! A factory reset is armed \x1b[2J\x9b\u009b.")
	y.sees("! A factory reset is armed \u00b7[2J")
	y.sees("xStat") // what was typed stands below it again
	y.keys("us SSH\r")
	y.sees("! A factory reset is armed")
	y.sees("OK\r\n")
	y.keys("\x04")
	if err := y.session.Wait(); err != nil {
		t.Errorf("Ctrl-D ends the session with %v", err)
	}
}
