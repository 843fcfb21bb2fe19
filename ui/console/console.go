// Package console is hexad's web console: server-rendered pages over HTTPS, in
// English and Japanese, that work without scripts.
//
// It reads through the small interfaces of readers.go and writes through
// command.Runner alone, so it can do nothing that the shell cannot.
//
// Source: reference/console.md.
package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
	"hexad/ui/signin"
)

// Limits of the server.
const (
	maxBody       = 1 << 20  // bytes of a request's body
	maxForm       = 16 << 10 // of one without a session
	maxHeader     = 16 << 10 // bytes of a request's header
	maxStreams    = 16       // requests of one connection at once
	maxUnread     = 64 << 10 // bytes of a connection that nobody has read yet; below 65535 uploads break: who sends has not heard of it yet
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 2 * time.Second
	pageTimeout   = 20 * time.Second // for what a page asks of the rest of hexad
	maxLive       = 64               // open live streams
	maxLiveByUser = 12               // of one session
)

// Options are what the console needs of the rest of hexad. All are required
// unless said otherwise.
type Options struct {
	// Certificate returns the server certificate to present now, nil while
	// there is none.
	Certificate func() *tls.Certificate
	Address     string // IP to listen on, "" for all
	Port        int    // 0: any free one, see Addr
	Release     string // of this peer

	Runner        command.Runner
	Cluster       Cluster
	Alarms        Alarms
	Configuration Configuration
	Events        Events
	History       History
	Diagnostics   Diagnostics
	Accounts      Accounts
	// Guard decides about passwords; the faces of one peer share it. Nil: one of
	// the console's own.
	Guard *signin.Guard

	// Catalogue returns the kind of an alarm; for an unknown ID one without texts.
	Catalogue func(id int) engine.Alarm
	// Changed returns a channel that is closed at the next change of anything
	// that the console shows. Nil: pages refresh by time only.
	Changed func() <-chan struct{}
	// Ready returns why this peer does not serve yet, nothing when it does.
	// Nil: ready as soon as the console is.
	Ready func() []string
	// HostKey returns the fingerprint of the SSH host key, "" while there is
	// none; nil: there never is.
	HostKey func() string
	// OnSession is told of sign-ins, failures and ends of sessions; nil is allowed.
	OnSession func(event SessionEvent, user, source string)

	Logger *slog.Logger
}

// Server is the console of one peer.
type Server struct {
	options Options
	pages   *pages
	assets  *assets
	proved  *proofs
	live    *liveStreams
	unknown strangers

	listener net.Listener
	server   *http.Server
	quit     chan struct{}
	once     sync.Once
}

// New makes a console; Open makes it listen.
//
// Errors: Internal, when the embedded pages or texts are damaged.
func New(options Options) (*Server, error) {
	if options.OnSession == nil {
		options.OnSession = func(SessionEvent, string, string) {}
	}
	if options.Changed == nil {
		never := make(chan struct{})
		options.Changed = func() <-chan struct{} { return never }
	}
	if options.Ready == nil {
		options.Ready = func() []string { return nil }
	}
	if options.HostKey == nil {
		options.HostKey = func() string { return "" }
	}
	if options.Guard == nil {
		options.Guard = signin.NewGuard()
	}
	assets, err := loadAssets()
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the console's files are damaged", Err: err}
	}
	pages, err := loadPages(assets)
	if err != nil {
		return nil, &engine.Error{Code: engine.Internal, Message: "the console's pages are damaged", Err: err}
	}
	return &Server{options: options, pages: pages, assets: assets, live: newLiveStreams(), proved: newProofs(), quit: make(chan struct{})}, nil
}

// Open starts to listen. Errors: Unavailable (the port is taken or forbidden).
func (s *Server) Open(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.options.Address, strconv.Itoa(s.options.Port)))
	if err != nil {
		return &engine.Error{Code: engine.Unavailable, Message: "the console cannot listen: " + err.Error(),
			Item: "--https-port", Remedy: "stop what uses the port, or choose another with --https-port", Err: err}
	}
	open := newAdmission(listener)
	s.listener = open
	s.server = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: maxUnread, MaxReceiveBufferPerConnection: maxUnread},
		ConnState:         open.state,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate},
	}
	return nil
}

func (s *Server) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.options.Certificate(); c != nil {
		return c, nil
	}
	return nil, errors.New("no server certificate")
}

// Addr is where the console listens, once open.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends; requests that are being answered then get two
// seconds.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.server.ServeTLS(s.listener, "", "") }()
	select {
	case err := <-done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve the console: %w", err)
	case <-ctx.Done():
	}
	s.once.Do(func() { close(s.quit) }) // ends the live streams, or they would use up the two seconds
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.server.Shutdown(drain); err != nil {
		s.server.Close()
	}
	<-done
	return nil
}

// Close stops the console at once. It may be called twice.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.quit) })
	if s.server == nil {
		return nil
	}
	return errors.Join(s.server.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Handler is the console without its listener.
func (s *Server) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.Use(s.recovered, s.headers, s.bounded, s.sameOrigin)

	e.GET("/healthz", s.healthz)
	e.GET("/readyz", s.readyz)
	e.GET("/static/:tag/:name", s.static)
	e.GET("/favicon.ico", s.favicon)
	e.GET("/sign-in", s.signInPage)
	e.POST("/sign-in", s.signIn)
	e.POST("/sign-out", s.signOut)
	e.POST("/language", s.chooseLanguage)
	e.GET("/live", s.liveStream)
	s.apiRoutes(e)

	in := e.Group("", s.authenticated)
	in.GET("/", s.overviewPage)
	in.GET("/clustering", s.clusteringPage)
	in.POST("/clustering", s.saveClustering)
	in.POST("/clustering/mapping", s.addMapping)
	in.POST("/clustering/mapping/mode", s.setMappingMode)
	in.POST("/clustering/mapping/delete", s.deleteMapping)
	in.POST("/clustering/peer-key", s.acceptPeerKey)
	in.POST("/clustering/join-window", s.openJoinWindow)
	in.POST("/clustering/join-token", s.joinToken)
	in.POST("/clustering/join-token/enter", s.enterJoinToken)
	in.POST("/clustering/restore", s.restoreAddresses)
	in.GET("/restart", s.restartPage)
	in.POST("/restart", s.restart)
	in.GET("/configuration", s.configurationPage)
	in.POST("/configuration", s.saveConfiguration)
	in.GET("/history", s.historyPage)
	in.GET("/alarms", s.alarmsPage)
	in.GET("/alarms/one", s.alarmPage)
	in.POST("/alarms/acknowledge", s.acknowledge)
	s.forceRoutes(in)
	s.procedureRoutes(in)
	s.certificateRoutes(in)
	s.maintenanceRoutes(in)
	s.policyRoutes(in)
	in.GET("/sql", s.sqlPage)
	in.GET("/events", s.eventsPage)
	return e
}
