package shell

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/ui/command"
)

// Times of a request and of a connection.
const (
	readTimeout  = 10 * time.Second
	idleTimeout  = 2 * time.Minute // between two requests of one connection
	runTimeout   = 2 * time.Minute
	writeTimeout = 10 * time.Second
)

// Server answers the administrator's socket. Only root and the user that hexad
// runs as may speak to it; they need no password, for they can read the
// databases anyway.
type Server struct {
	dir      string
	commands Commands
	log      *slog.Logger
	listener *net.UnixListener
	release  func()
	slots    chan struct{}
	once     sync.Once
}

// New makes a server for the socket admin.sock in dataDir.
func New(dataDir string, commands Commands, log *slog.Logger) *Server {
	return &Server{dir: dataDir, commands: commands, log: log, slots: make(chan struct{}, MaxConnections)}
}

// Open listens. A socket that an earlier run left behind is replaced: the
// caller holds the lock of the data directory.
func (s *Server) Open(context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	path, release, err := socketPath(s.dir)
	if err != nil {
		return fmt.Errorf("open the data directory: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		release()
		return fmt.Errorf("remove the old administrator's socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		release()
		return fmt.Errorf("listen on the administrator's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		release()
		return fmt.Errorf("protect the administrator's socket: %w", err)
	}
	s.listener, s.release = listener, release
	return nil
}

// socketPath is the path of the socket in dir. A path that is too long for an
// address (108 bytes) is reached through the open directory.
func socketPath(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, SocketName)
	if len(path) < 100 {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), SocketName), func() { d.Close() }, nil
}

// Run answers until ctx ends. What is being carried out then is finished first.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept on the administrator's socket: %w", err)
		}
		select {
		case s.slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-s.slots }()
				s.serve(ctx, conn)
			})
		default:
			wg.Go(func() {
				s.refuse(conn, engine.Errorf(engine.Exhausted, "%d administrators' requests are being answered already", MaxConnections).
					With("", "try again in a moment"))
			})
		}
	}
}

// Close stops listening and removes the socket. It may be called twice.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		if s.listener != nil {
			err = s.listener.Close()
			s.release()
		}
	})
	return err
}

func (s *Server) serve(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	if err := allowed(conn); err != nil {
		s.refuse(conn, err)
		return
	}
	// A connection that waits for its next request does not hold up the end.
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	in := bufio.NewReader(conn)
	patience := readTimeout
	for {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if ctx.Err() != nil {
			return
		}
		request, err := readRequest(in)
		switch {
		case errors.Is(err, io.EOF), patience == idleTimeout && errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			s.refuse(conn, err)
			return
		}
		if !s.carryOut(ctx, conn, request) {
			return
		}
		patience = idleTimeout
	}
}

// carryOut answers one request; what is being carried out is finished even
// when the server ends meanwhile. It reports whether the answer was delivered.
func (s *Server) carryOut(ctx context.Context, conn *net.UnixConn, request Request) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), runTimeout)
	defer cancel()
	return s.write(conn, s.respond(ctx, request))
}

func (s *Server) respond(ctx context.Context, r Request) Response {
	if r.Complete != nil {
		return Response{Candidates: s.commands.Complete(r.Complete.Line, r.Complete.Pos)}
	}
	actor := engine.Actor{User: "root", Via: "shell"}
	if r.Via == "import" {
		actor.Via = "import"
	}
	session := NewSession(s.commands, command.By{Actor: actor, Role: command.Administrator, Base: r.Base, Language: r.Language})
	var answers []Answer
	if r.Call != nil {
		answers = []Answer{session.Run(ctx, command.Call{Name: r.Call.Name, Args: r.Call.Args, Body: r.Call.Body, Base: r.Base})}
	} else {
		answers = session.Answers(ctx, r.Lines)
	}
	var out Response
	for _, a := range answers {
		reply, err := ReplyOf(a)
		if err != nil {
			s.log.Error("answer not encoded", "module", "shell", "err", err)
			reply = Reply{Lines: a.Lines, Error: failureOf(err)}
		}
		out.Answers = append(out.Answers, reply)
	}
	return out
}

// refuse answers before a request was read.
func (s *Server) refuse(conn *net.UnixConn, err error) {
	defer conn.Close()
	f := failureOf(err)
	s.write(conn, Response{Answers: []Reply{{Lines: []string{"ERROR: " + f.Message}, Error: f}}})
}

func (s *Server) write(conn *net.UnixConn, r Response) bool {
	_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	err := json.NewEncoder(conn).Encode(r)
	if err != nil {
		s.log.Debug("answer not delivered", "module", "shell", "err", err)
	}
	return err == nil
}

// readRequest reads one bounded line of JSON; io.EOF when there is none.
func readRequest(r *bufio.Reader) (Request, error) {
	var request Request
	line, err := readLine(r)
	switch {
	case len(line) == 0 && errors.Is(err, io.EOF):
		return request, io.EOF
	case len(line) > MaxRequest:
		return request, engine.Errorf(engine.Invalid, "the request is longer than %d bytes", MaxRequest).With("", "import the file in parts")
	case err != nil && !errors.Is(err, io.EOF):
		return request, &engine.Error{Code: engine.Invalid, Message: "the request did not arrive", Err: err}
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return request, &engine.Error{Code: engine.Invalid, Message: "the request is not understood", Remedy: "use the hexad of the same release", Err: err}
	}
	return request, nil
}

// readLine reads up to the end of a line, or one byte more than a request may have.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > MaxRequest {
			return line, err
		}
	}
}

// allowed refuses everybody but root and the user that hexad runs as.
func allowed(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return &engine.Error{Code: engine.Internal, Message: "the caller is not known", Err: err}
	}
	var who *syscall.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		who, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || failed != nil {
		return &engine.Error{Code: engine.Internal, Message: "the caller is not known", Err: errors.Join(err, failed)}
	}
	if who.Uid != 0 && int(who.Uid) != os.Geteuid() {
		return engine.Errorf(engine.Denied, "only root and the user that hexad runs as may use the administrator's socket").
			With("", "run the command as that user")
	}
	return nil
}
