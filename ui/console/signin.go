package console

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// SignInPage asks who is there.
type SignInPage struct {
	Page
	Next    string
	Account string
	Failed  bool // wrong account or password: never said which
	Wait    int  // seconds to wait before the next attempt
}

func (s *Server) signInPage(c echo.Context) error {
	if _, err := s.session(c.Request(), false); err == nil {
		return c.Redirect(http.StatusSeeOther, local(c.QueryParam("next")))
	}
	p := SignInPage{Page: s.bare(c), Next: local(c.QueryParam("next")), Account: "admin"}
	p.Name = "signin"
	return s.render(c, http.StatusOK, "signin", p)
}

func (s *Server) signIn(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	p := SignInPage{Page: s.bare(c), Next: local(form.Get("next")), Account: form.Get("account")}
	p.Name, p.Here = "signin", "/sign-in"
	from := source(c.Request())
	attempt, err := s.options.Guard.Try(c.Request().Context(), s.options.Accounts, p.Account, form.Get("password"), from)
	switch {
	case err != nil:
		return err
	case attempt.Wait > 0:
		p.Wait = int(math.Ceil(attempt.Wait.Seconds()))
		s.options.OnSession(SessionLoginFailure, p.Account, from)
		c.Response().Header().Set("Retry-After", strconv.Itoa(p.Wait))
		return s.render(c, http.StatusTooManyRequests, "signin", p)
	case !attempt.OK:
		p.Failed = true
		s.options.OnSession(SessionLoginFailure, p.Account, from)
		return s.render(c, http.StatusUnauthorized, "signin", p)
	}
	account := attempt.Account
	token, err := s.startSession(c.Request().Context(), account, from)
	if err != nil {
		return err
	}
	s.options.OnSession(SessionStart, account.Name, from)
	setCookie(c, sessionCookie, token, sessionAbsolute)
	return c.Redirect(http.StatusSeeOther, p.Next)
}

func (s *Server) signOut(c echo.Context) error {
	in, err := s.session(c.Request(), false)
	if err == nil {
		if err := s.endSession(c.Request().Context(), in.Session, nil); err != nil {
			return err
		}
	}
	setCookie(c, sessionCookie, "", 0)
	return c.Redirect(http.StatusSeeOther, "/sign-in")
}

func (s *Server) chooseLanguage(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	for _, l := range languages {
		if form.Get("language") == string(l) {
			setCookie(c, languageCookie, string(l), 365*24*time.Hour)
		}
	}
	return c.Redirect(http.StatusSeeOther, local(form.Get("here")))
}
