package link

import (
	"context"
	"net"
	"net/http"
	"time"
)

// The bounds of a request on the peer link.
const (
	MaxBody    = 4 << 20  // bytes of a request
	maxHeader  = 16 << 10 // bytes
	maxStreams = 64
	// A link that says nothing is asked after silence and given up after
	// pingTimeout more: noticed within two seconds.
	silence     = 900 * time.Millisecond
	pingTimeout = 900 * time.Millisecond
	writeStall  = 5 * time.Second
	idleTimeout = 90 * time.Second
	readTimeout = 30 * time.Second
)

type remoteKey struct{}

// RemoteNode is the node id of the member that a request on the peer link
// comes from, "" in any other context.
func RemoteNode(ctx context.Context) string { return Remote(ctx).Node }

// Remote is the hello of the member that a request on the peer link comes from.
func Remote(ctx context.Context) Hello {
	c, _ := ctx.Value(remoteKey{}).(*Conn)
	if c == nil {
		return Hello{}
	}
	return c.remote
}

// RemoteIP is the address that the member of a request is seen to come from.
func RemoteIP(ctx context.Context) string {
	c, _ := ctx.Value(remoteKey{}).(*Conn)
	if c == nil {
		return ""
	}
	return addrOf(c.RemoteAddr()).String()
}

// unencryptedHTTP2 is HTTP/2 with prior knowledge: TLS is below, and net/http
// sees none.
func unencryptedHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams,
		SendPingTimeout:      silence,
		PingTimeout:          pingTimeout,
		WriteByteTimeout:     writeStall,
	}
}

func (l *Link) newServer() *http.Server {
	return &http.Server{
		Handler:           bounded(l.cfg.Handler, l.cfg.Recovery),
		Protocols:         unencryptedHTTP2(),
		HTTP2:             http2Config(),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: HandshakeTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, remoteKey{}, c)
		},
	}
}

// bounded limits the body, refuses requests that no member sent, and hands on
// by what the connection is for.
func bounded(peers, recovery http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(remoteKey{}).(*Conn)
		if c == nil || c.remote.Node == "" {
			http.Error(w, "not a member", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		switch c.purpose {
		case PurposePeer:
			peers.ServeHTTP(w, r)
		case PurposeRecover:
			recovery.ServeHTTP(w, r)
		default:
			http.Error(w, "not for requests", http.StatusForbidden)
		}
	})
}

// Client is an HTTP client to one member over the peer link. The host of a URL
// is not looked at: "http://peer/facts" will do. It opens connections when
// needed and notices a silent one within two seconds.
//
// Errors of a request unwrap to the Refusal of the connection, if that is why.
func (l *Link) Client(node string) *http.Client { return l.client(node, PurposePeer) }

// RecoveryClient is Client to a member of any generation.
func (l *Link) RecoveryClient(node string) *http.Client { return l.client(node, PurposeRecover) }

func (l *Link) client(node string, purpose Purpose) *http.Client {
	key := string(purpose) + " " + node
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.clients[key]; c != nil {
		return c
	}
	c := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := l.dial(ctx, node, purpose)
				if err != nil {
					return nil, err
				}
				return conn, nil
			},
			Protocols:              unencryptedHTTP2(),
			HTTP2:                  http2Config(),
			DisableCompression:     true,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
	l.clients[key] = c
	return c
}
