package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// Life of a session. Source: reference/console.md section 4.
const (
	sessionIdle     = 30 * time.Minute
	sessionAbsolute = 12 * time.Hour
	// sessionTouch is how stale Seen may be: one write a minute, not one a page.
	sessionTouch = time.Minute

	sessionCookie  = "__Host-hexad-session"
	languageCookie = "__Host-hexad-language"
)

// signedIn is who a request is from.
type signedIn struct {
	Session Session
	Role    command.Role
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// startSession makes a session for account and returns the token for its cookie.
func (s *Server) startSession(ctx context.Context, account Account, source string) (string, error) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails: crypto/rand ends the process instead
	token := base64.RawURLEncoding.EncodeToString(raw)
	now := time.Now().UTC()
	err := s.options.Accounts.PutSession(ctx, Session{ID: digest(token), User: account.Name,
		Password: digest(account.Hash), Source: source, Started: now, Seen: now})
	return token, err
}

// session returns who the request is from. With touch, it counts as use of the
// session; live streams do not, or an open page would never time out.
//
// Errors: Denied for every kind of missing, ended or revoked session.
func (s *Server) session(r *http.Request, touch bool) (signedIn, error) {
	denied := engine.Errorf(engine.Denied, "not signed in")
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return signedIn{}, denied
	}
	ctx, id := r.Context(), digest(cookie.Value)
	sess, err := s.options.Accounts.Session(ctx, id)
	if engine.CodeOf(err) == engine.NotFound {
		return signedIn{}, denied
	}
	if err != nil {
		return signedIn{}, err
	}
	account, err := s.options.Accounts.Account(ctx, sess.User)
	if err != nil && engine.CodeOf(err) != engine.NotFound {
		return signedIn{}, err
	}
	now := time.Now().UTC()
	if err != nil || digest(account.Hash) != sess.Password ||
		now.Sub(sess.Seen) > sessionIdle || now.Sub(sess.Started) > sessionAbsolute {
		return signedIn{}, s.endSession(ctx, sess, denied)
	}
	if touch && now.Sub(sess.Seen) > sessionTouch {
		sess.Seen = now
		if err := s.options.Accounts.PutSession(ctx, sess); err != nil {
			return signedIn{}, err
		}
	}
	return signedIn{Session: sess, Role: account.Role}, nil
}

// endSession forgets sess, reports it, and returns why.
func (s *Server) endSession(ctx context.Context, sess Session, why error) error {
	if err := s.options.Accounts.DeleteSession(ctx, sess.ID); err != nil {
		return err
	}
	s.options.OnSession(SessionFinish, sess.User, sess.Source)
	return why
}

func setCookie(c echo.Context, name, value string, life time.Duration) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: int(life.Seconds())}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// source is the address that a request came from, without its port. Headers of
// proxies are not believed: nothing stands in front of the console.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
