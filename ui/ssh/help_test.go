package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	xssh "golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/engine/config"
	"hexad/ui/command"
	"hexad/ui/signin"
	"hexad/ui/ssh"
)

const password = "correct horse battery"

// system is what a server rests on, in memory.
type system struct {
	*command.Table

	mu      sync.Mutex
	banner  []string
	changed chan struct{}
	hashes  map[string]string // by account
	role    command.Role
	keys    map[string]bool // account and fingerprint
	events  []string
	gate    chan struct{} // when set, AddKey waits for it
	began   chan struct{}
}

func newSystem(t testing.TB) *system {
	t.Helper()
	s := &system{changed: make(chan struct{}), hashes: map[string]string{"admin": hashOf(password), "root": hashOf("root's " + password)},
		role: command.Administrator, keys: map[string]bool{}, began: make(chan struct{}, 8)}
	registry, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	s.Table = command.New(command.Parts{Registry: registry, SSH: s})
	return s
}

// hashOf is a hash that is made quickly.
func hashOf(password string) string {
	b, salt := base64.RawStdEncoding, []byte("saltsalt")
	return "$argon2id$v=19$m=64,t=1,p=1$" + b.EncodeToString(salt) + "$" + b.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 64, 1, 32))
}

func (s *system) Account(_ context.Context, name string) (signin.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes[name] == "" {
		return signin.Account{}, engine.Errorf(engine.NotFound, "there is no account %s", name)
	}
	return signin.Account{Name: name, Hash: s.hashes[name], Role: s.role}, nil
}

func (s *system) Trusted(_ context.Context, account, fingerprint string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[account+" "+fingerprint], nil
}

func (s *system) Banner(_ context.Context, l engine.Language) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.banner, []string{"language"}) {
		return []string{"language " + string(l)}
	}
	return s.banner
}

func (s *system) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// say changes the banner.
func (s *system) say(banner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.banner = []string{banner}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *system) Status(context.Context) command.SSHStatus {
	return command.SSHStatus{Active: true, Address: "192.0.2.1:8022", Algorithm: ssh.HostKeyAlgorithm, Fingerprint: "SHA256:abc"}
}

func (s *system) Keys(context.Context) ([]command.SSHKey, error) { return nil, nil }

func (s *system) AddKey(ctx context.Context, actor engine.Actor, account, key string) (command.SSHKey, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		s.began <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return command.SSHKey{}, ctx.Err()
		}
	}
	if key == "away" {
		return command.SSHKey{}, engine.Errorf(engine.Unavailable, "the database is away")
	}
	return command.SSHKey{Account: account, Fingerprint: actor.User + " via " + actor.Via, Comment: key}, nil
}

func (s *system) DeleteKey(_ context.Context, _ engine.Actor, account, fingerprint string) error {
	return engine.Errorf(engine.NotFound, "the account %s has no key %s", account, fingerprint)
}

func (s *system) session(e signin.Event, user, source, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf("%s: %s: %s", e, user, detail))
}

func (s *system) told(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if strings.Contains(e, what) {
			return true
		}
	}
	return false
}

func (s *system) options(t testing.TB) ssh.Options {
	t.Helper()
	private, _, err := ssh.MakeHostKey()
	if err != nil {
		t.Fatal(err)
	}
	return ssh.Options{Address: "127.0.120.1", HostKey: private, Release: "1.0.0", Commands: s, Accounts: s, Guard: signin.NewGuard(),
		Name: func() string { return "peer1" }, Changed: s.next, OnSession: s.session, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// running is a server on a port of its own, until the test ends.
func running(t testing.TB, s *system) (*ssh.Server, string) {
	t.Helper()
	server, err := ssh.New(s.options(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run = %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	})
	return server, server.Addr().String()
}

func client(user string, how ...xssh.AuthMethod) *xssh.ClientConfig {
	return &xssh.ClientConfig{User: user, Auth: how, HostKeyCallback: xssh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second}
}

// dial signs in from an address of its own.
func dial(from, to string, c *xssh.ClientConfig) (*xssh.Client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	raw, err := d.Dial("tcp", to)
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(time.Minute)) // no test hangs
	conn, channels, requests, err := xssh.NewClientConn(raw, to, c)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return xssh.NewClient(conn, channels, requests), nil
}

// signedIn is a connection as admin.
func signedIn(t testing.TB, to string) *xssh.Client {
	t.Helper()
	c, err := dial("127.0.0.1", to, client("admin", xssh.Password(password)))
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newKey makes a key that account may use.
func (s *system) newKey(t testing.TB, account string) (xssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := xssh.FingerprintSHA256(signer.PublicKey())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[account+" "+fingerprint] = true
	return signer, fingerprint
}

// run carries out one line and returns what came back.
func run(t testing.TB, c *xssh.Client, line string) (stdout, stderr string, status int) {
	t.Helper()
	session, err := c.NewSession()
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	defer session.Close()
	var out, errs bytes.Buffer
	session.Stdout, session.Stderr = &out, &errs
	err = session.Run(line)
	var exit *xssh.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", line, err)
	}
	if exit != nil {
		status = exit.ExitStatus()
	}
	return out.String(), errs.String(), status
}

// await looks until ok, and fails after ten seconds.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
