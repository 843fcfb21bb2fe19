// Package ssh is the administrator's shell over SSH: the same sessions and the
// same commands as at the machine, and nothing else. It forwards nothing, moves
// no files, takes no environment and starts no program.
//
// Source: design 7; reference/faults.md 4.2.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/shell"
	"hexad/ui/signin"
)

// Times of a connection.
const (
	loginTime    = 20 * time.Second // from the first byte to the end of the sign-in
	idleTime     = 30 * time.Minute // nothing was typed
	absoluteTime = 12 * time.Hour
	runTime      = 2 * time.Minute // one command
	writeTime    = 30 * time.Second
	answerTime   = 200 * time.Millisecond
	noticeTime   = time.Second // for the last words of a session that is ended
)

// Bounds. Source: reference/faults.md 4.2.
const (
	maxTries        = 3  // attempts to sign in of one connection
	maxStrangers    = 32 // connections that have not signed in
	maxStrangersOne = 8  // of one source
	maxSessions     = 32 // connections that have
	maxSessionsOne  = 12 // of one source
	maxChannels     = 4  // open at once in one connection
	maxRefused      = 64 // channels and requests that one connection may ask for in vain
)

// Accounts are the accounts that may sign in here, with their keys.
type Accounts interface {
	signin.Accounts
	// Trusted reports whether the account has an authorised key of that
	// fingerprint. Errors: those of the store.
	Trusted(ctx context.Context, account, fingerprint string) (bool, error)
}

// Options are what the shell needs of the rest of hexad. All are required
// unless said otherwise.
type Options struct {
	Address  string // IP to listen on
	Port     int    // 0: any free one, see Addr
	HostKey  []byte // PEM of MakeHostKey
	Release  string
	Commands shell.Commands
	Accounts Accounts
	Guard    *signin.Guard // of all faces
	// Name is what the prompt calls this system, "" for hexad.
	Name func() string
	// Changed returns a channel that is closed at the next change of what a
	// banner may say.
	Changed func() <-chan struct{}
	// OnSession is told of sign-ins, failures and ends; source is "ip:port".
	OnSession func(event signin.Event, user, source, detail string)
	Log       *slog.Logger
}

// Server is the SSH server of one peer.
type Server struct {
	options  Options
	config   ssh.ServerConfig
	listener net.Listener
	door     *door
	once     sync.Once

	mu       sync.Mutex
	sessions map[*session]struct{}
}

// New makes a server; Open makes it listen.
//
// Errors: Internal, when the host key cannot be read.
func New(o Options) (*Server, error) {
	signer, err := ssh.ParsePrivateKey(o.HostKey)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the SSH host key cannot be read", Err: err}
	}
	s := &Server{options: o, door: newDoor(), sessions: map[*session]struct{}{}, config: ssh.ServerConfig{
		Config:                  ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
		PublicKeyAuthAlgorithms: signatures,
		MaxAuthTries:            maxTries,
		ServerVersion:           "SSH-2.0-hexad", // the release is nobody's business before the sign-in
	}}
	s.config.AddHostKey(signer)
	return s, nil
}

// Open starts to listen. Errors: Unavailable (the port is taken or forbidden).
func (s *Server) Open(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.options.Address, strconv.Itoa(s.options.Port)))
	if err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the shell cannot listen: " + err.Error(),
			Item: "--ssh-port", Remedy: "stop what uses the port, or choose another with --ssh-port", Err: err}
	}
	s.listener = listener
	return nil
}

// Addr is where the shell listens, once open.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends; what is being carried out then is finished first.
func (s *Server) Run(ctx context.Context) error { return s.Serve(ctx, s.listener) }

// Serve is Run on a listener of the caller's.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		raw, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept a connection of the shell: %w", err)
		}
		in := s.door.admit(raw)
		wg.Go(func() { s.serve(ctx, in) })
	}
}

// Close stops listening. It may be called twice.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		if s.listener != nil {
			if err = s.listener.Close(); errors.Is(err, net.ErrClosed) {
				err = nil
			}
		}
	})
	return err
}

// serve is one connection, from its first byte to its last.
func (s *Server) serve(ctx context.Context, in *guest) {
	defer in.Close()
	login, stop := context.WithTimeout(ctx, loginTime)
	defer stop()
	defer context.AfterFunc(login, func() { in.leave() })()
	conn, channels, requests, err := ssh.NewServerConn(in, s.configure(login, in))
	if err != nil {
		s.door.refused(s.options.Log, "ended before anybody signed in", in.RemoteAddr())
		return
	}
	defer conn.Close()
	in.known()
	v := newSession(s, conn)
	why := s.enter(ctx, v)
	if why != "" {
		s.options.OnSession(signin.SessionLoginFailure, v.account.Name, v.source, why)
		v.refusal = why
	}
	v.serve(ctx, channels, requests)
	if why == "" {
		s.leave(v)
	}
}

// enter counts a session in. It returns why it cannot be one, "" otherwise.
func (s *Server) enter(ctx context.Context, v *session) string {
	if err := v.current(ctx); err != nil {
		return "the account was changed meanwhile"
	}
	s.mu.Lock()
	here := 0
	for other := range s.sessions {
		if other.key == v.key {
			here++
		}
	}
	if len(s.sessions) >= maxSessions || here >= maxSessionsOne {
		s.mu.Unlock()
		return fmt.Sprintf("too many sessions are open: %d in all, %d from this address", maxSessions, maxSessionsOne)
	}
	s.sessions[v] = struct{}{}
	s.mu.Unlock()
	s.options.OnSession(signin.SessionStart, v.account.Name, v.source, v.how)
	return ""
}

func (s *Server) leave(v *session) {
	s.mu.Lock()
	delete(s.sessions, v)
	s.mu.Unlock()
	s.options.OnSession(signin.SessionFinish, v.account.Name, v.source, v.over())
}

// Recheck ends the sessions whose account was changed: its password, its role,
// the key that was used. It is called after each such change.
func (s *Server) Recheck(ctx context.Context) {
	for _, v := range s.open() {
		if err := v.current(ctx); err != nil {
			// The answer to whoever made the change here travels first.
			time.AfterFunc(answerTime, func() { v.end("The account was changed: this session ends.") })
		}
	}
}

func (s *Server) open() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*session, 0, len(s.sessions))
	for v := range s.sessions {
		out = append(out, v)
	}
	return out
}

// Sessions lists who is signed in, the longest first.
func (s *Server) Sessions() []command.SSHSession {
	var out []command.SSHSession
	for _, v := range s.open() {
		out = append(out, command.SSHSession{Account: v.account.Name, Source: v.source, Key: v.fingerprint, Since: v.started})
	}
	return out
}
