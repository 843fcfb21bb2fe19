package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// contentPolicy allows what the console itself serves and nothing else: no inline
// scripts or styles, no frames around it.
const contentPolicy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

// statuses gives each engine code its HTTP status.
var statuses = map[engine.Code]int{
	engine.Invalid: http.StatusUnprocessableEntity, engine.Denied: http.StatusForbidden,
	engine.NotFound: http.StatusNotFound, engine.Conflict: http.StatusConflict,
	engine.Exhausted: http.StatusTooManyRequests, engine.Unavailable: http.StatusServiceUnavailable,
	engine.Internal: http.StatusInternalServerError,
}

// StatusOf is the HTTP status of an engine code.
func StatusOf(code engine.Code) int { return statuses[code] }

// headers sets what every answer carries.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// bounded limits the body and, but for live streams, the time of a request.
func (s *Server) bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		most := int64(maxBody)
		switch r.URL.Path {
		case "/sign-in", "/sign-out", "/language": // before anybody has proved who they are
			most = maxForm
		}
		if slices.Contains(archivePaths, r.URL.Path) {
			most = maxArchive * 4 / 3 // the interface for programs takes it as text
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, most)
		if r.URL.Path != "/live" {
			ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
			defer cancel()
			c.SetRequest(r.WithContext(ctx))
		}
		return next(c)
	}
}

// sameOrigin refuses what another site makes a browser send.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return &engine.Error{Code: engine.Denied, Message: "error.other_site", Err: err}
		}
		return next(c)
	}
}

// recovered turns a panic of one page into an answer and a log line.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				if r == http.ErrAbortHandler {
					panic(r)
				}
				err = &engine.Error{Code: engine.Internal, Message: "error.internal",
					Err: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
			}
		}()
		return next(c)
	}
}

// who is the context key of the signedIn of a request.
const who = "who"

// authenticated lets those through who are signed in, and sends others to the
// sign-in page and from there back to where they wanted to go.
func (s *Server) authenticated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		in, err := s.session(c.Request(), true)
		if engine.CodeOf(err) == engine.Denied {
			target := "/sign-in"
			if r := c.Request(); r.Method == http.MethodGet && r.URL.Path != "/" {
				target += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			return c.Redirect(http.StatusSeeOther, target)
		}
		if err != nil {
			return err
		}
		c.Set(who, in)
		return next(c)
	}
}

// local returns target when it is a path of this console, "/" otherwise: no
// form can send people elsewhere.
func local(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(target, "/") ||
		strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n") {
		return "/"
	}
	return target
}

// run runs one command as whoever is signed in. base is the revision that they
// looked at, 0 for the present one.
func (s *Server) run(c echo.Context, name string, base int64, args map[string]string) (command.Result, error) {
	in := c.Get(who).(signedIn)
	r := c.Request()
	return s.options.Runner.Run(r.Context(), command.Call{Name: name, Args: args, Role: in.Role, Base: base,
		Language: languageOf(r), Actor: engine.Actor{User: in.Session.User, Via: "web", Source: r.RemoteAddr}})
}

// set sets configuration items, all or none.
func (s *Server) set(c echo.Context, base int64, changes []engine.Change) (command.Result, error) {
	in := c.Get(who).(signedIn)
	r := c.Request()
	return s.options.Runner.Run(r.Context(), command.Call{Name: "xConfiguration", Changes: changes, Role: in.Role, Base: base,
		Language: languageOf(r), Actor: engine.Actor{User: in.Session.User, Via: "web", Source: r.RemoteAddr}})
}

// decode reads a command's typed answer in the form that machines get it in,
// so that the console depends on no command's types.
func decode(data, into any) error {
	raw, err := json.Marshal(data)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // numbers of a database have 64 bits
		err = d.Decode(into)
	}
	if err != nil {
		return &engine.Error{Code: engine.Internal, Message: "error.internal", Err: err}
	}
	return nil
}

// asError returns err as an engine error that can be shown. The console's own
// messages are text keys; the templates say them in the reader's language.
func asError(err error) *engine.Error {
	var e *engine.Error
	if errors.As(err, &e) {
		return e
	}
	var h *echo.HTTPError
	if errors.As(err, &h) {
		switch h.Code {
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return &engine.Error{Code: engine.NotFound, Message: "error.no_such_page"}
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &engine.Error{Code: engine.Invalid, Message: "error.too_large"}
	}
	return &engine.Error{Code: engine.Internal, Message: "error.internal", Err: err}
}

// fail answers a request that ended in an error with a page that says so.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	e := asError(err)
	if _, known := c.Get(who).(signedIn); !known && e.Code != engine.Internal && e.Err != nil {
		s.unknown.failed(s.options.Logger, c.Request().URL.Path, errors.Join(err, e.Err))
	} else if e.Code == engine.Internal || e.Err != nil {
		s.options.Logger.Warn("page failed", "path", c.Request().URL.Path, "code", e.Code, "error", err, "cause", e.Err)
	}
	var page Page
	if in, ok := c.Get(who).(signedIn); ok {
		page = s.page(c, in, "error")
	} else {
		page = s.bare(c)
		page.Name = "error"
	}
	if err := s.render(c, StatusOf(e.Code), "error", ErrorPage{Page: page, Problem: problemOf(e, page.Lang)}); err != nil {
		s.options.Logger.Error("page failed", "path", c.Request().URL.Path, "error", err)
	}
}

func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz tells a load balancer whether to send people here, and why not.
func (s *Server) readyz(c echo.Context) error {
	if reasons := s.options.Ready(); len(reasons) > 0 {
		return c.String(http.StatusServiceUnavailable, strings.Join(reasons, "\n")+"\n")
	}
	return c.String(http.StatusOK, "ready\n")
}
