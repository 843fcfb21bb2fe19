package console

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// apiPrefix is where programs find the commands.
const apiPrefix = "/api/v1"

// alias is a path of its own for one command. Names after a colon in the path
// are arguments; those of a query are too.
type alias struct{ method, path, command string }

// aliases are the paths of backups, certificates and, as reference/policy-api.md
// section 7 has them, of the policies.
var aliases = []alias{
	{"GET", "/policy/status", "PolicyStatus"},
	{"GET", "/policy/hooks", "PolicyHooks"},
	{"GET", "/policy/hooks/:Hook/schema", "PolicySchema"},
	{"GET", "/policy/scripts", "PolicyList"},
	{"POST", "/policy/scripts", "PolicyPut"},
	{"GET", "/policy/scripts/:Script", "PolicyShow"},
	{"DELETE", "/policy/scripts/:Script", "PolicyRemove"},
	{"GET", "/policy/scripts/:Script/diff", "PolicyDiff"},
	{"POST", "/policy/scripts/:Script/pin", "PolicyPin"},
	{"DELETE", "/policy/scripts/:Script/pin", "PolicyUnpin"},
	{"POST", "/policy/check", "PolicyCheck"},
	{"POST", "/policy/test", "PolicyTest"},
	{"POST", "/policy/dry-run", "PolicyDryRun"},
	{"POST", "/policy/eval", "PolicyEval"},
	{"GET", "/policy/revisions", "PolicyHistory"},
	{"POST", "/policy/revisions", "PolicyStage"},
	{"POST", "/policy/revisions/:Revision/activate", "PolicyActivate"},
	{"POST", "/policy/revisions/:Revision/rollback", "PolicyRollback"},
	{"GET", "/policy/revisions/:Revision/archive", "PolicyExport"},
	{"POST", "/policy/archives", "PolicyImport"},
	{"GET", "/policy/data", "PolicyData"},
	{"GET", "/policy/data/:Table", "PolicyData"},
	{"PUT", "/policy/data/:Table/:Key", "PolicyDataSet"},
	{"DELETE", "/policy/data/:Table/:Key", "PolicyDataDelete"},
	{"GET", "/policy/waivers", "PolicyWaivers"},
	{"POST", "/policy/waivers", "PolicyWaive"},
	{"DELETE", "/policy/waivers/:Id", "PolicyUnwaive"},
	{"POST", "/backups", "SystemBackup"},
	{"POST", "/backups/restore", "SystemRestore"},
	{"POST", "/snapshots", "SystemSnapshot"},
	{"GET", "/certificates", "CertificateShow"},
	{"POST", "/certificates/request", "CertificateRequest"},
	{"DELETE", "/certificates/request", "CertificateRequestDelete"},
	{"PUT", "/certificates/server", "ServerCertificateSet"},
	{"PUT", "/certificates/trust", "TrustListSet"},
	{"GET", "/decisions", "PolicyDecisions"},
	{"GET", "/decisions/:Id", "PolicyExplain"},
}

// apiRoutes adds the paths for programs: every command by its name, and the
// aliases.
func (s *Server) apiRoutes(e *echo.Echo) {
	api := e.Group(apiPrefix, s.apiFailures, s.apiAuthenticated)
	api.GET("/openapi.json", s.openAPI)
	api.POST("/commands/:command", func(c echo.Context) error { return s.apiRun(c, c.Param("command")) })
	for _, a := range aliases {
		api.Add(a.method, a.path, func(c echo.Context) error { return s.apiRun(c, a.command) })
	}
}

// apiRequest is what a program sends. Values of arguments are texts, numbers or
// facts; Body is a text, or JSON that is handed on as it is.
type apiRequest struct {
	Args    map[string]any  `json:"args,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
	Base    int64           `json:"base,omitempty"`
	Changes []engine.Change `json:"changes,omitempty"`
}

// apiAnswer is a command's answer: its data and the same for people.
type apiAnswer struct {
	command.Result
	Lines []string `json:"lines"`
}

func (s *Server) apiRun(c echo.Context, name string) error {
	request, err := apiRequestOf(c)
	if err != nil {
		return err
	}
	in, r := c.Get(who).(signedIn), c.Request()
	call := command.Call{Name: name, Args: map[string]string{}, Base: request.Base, Changes: request.Changes, Role: in.Role,
		Language: languageOf(r), Actor: engine.Actor{User: in.Session.User, Via: "api", Source: r.RemoteAddr}}
	if call.Body, err = bodyText(request.Body); err != nil {
		return err
	}
	for name, value := range request.Args {
		if call.Args[name], err = argumentText(name, value); err != nil {
			return err
		}
	}
	for _, name := range c.ParamNames() {
		if name != "command" {
			call.Args[name] = c.Param(name)
		}
	}
	for name, values := range c.QueryParams() {
		call.Args[name] = values[0]
	}
	result, err := s.options.Runner.Run(r.Context(), call)
	if err != nil {
		return err
	}
	if result.Lines == nil {
		result.Lines = []string{}
	}
	return c.JSON(http.StatusOK, apiAnswer{result, result.Lines})
}

func apiRequestOf(c echo.Context) (apiRequest, error) {
	var request apiRequest
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil || len(bytes.TrimSpace(raw)) == 0 {
		return request, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&request); err != nil {
		return request, engine.Errorf(engine.Invalid, "the request is not understood: %w", err).
			With("", `send {"args": {…}, "body": …, "base": …, "changes": […]}, each of them optional`)
	}
	return request, nil
}

func bodyText(body json.RawMessage) (string, error) {
	if len(body) == 0 || string(body) == "null" {
		return "", nil
	}
	if body[0] != '"' {
		return string(body), nil
	}
	var text string
	err := json.Unmarshal(body, &text)
	return text, err
}

func argumentText(name string, value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	}
	return "", engine.Errorf(engine.Invalid, "the argument %s is no text, number or fact", name).With(name, "send a text")
}

// apiFailures answers an error as JSON.
func (s *Server) apiFailures(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || c.Response().Committed {
			return err
		}
		e := asError(err)
		if text, ok := s.pages.texts[engine.English][e.Message]; ok {
			e = &engine.Error{Code: e.Code, Message: text, Remedy: e.Remedy, Item: e.Item, Err: e.Err}
		}
		if e.Code == engine.Internal || e.Err != nil {
			s.options.Logger.Warn("request failed", "path", c.Request().URL.Path, "code", e.Code, "error", err)
		}
		status := StatusOf(e.Code)
		if errors.Is(err, errNobody) {
			status = http.StatusUnauthorized
		}
		return c.JSON(status, map[string]any{"error": map[string]any{
			"code": e.Code, "message": e.Message, "remedy": e.Remedy, "item": e.Item, "findings": e.Findings,
		}})
	}
}

// errNobody is the cause of a request without an account.
var errNobody = errors.New("no account")

// apiAuthenticated takes the name and password of an account with each request,
// or the session of the console.
func (s *Server) apiAuthenticated(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		name, password, basic := c.Request().BasicAuth()
		if !basic {
			in, err := s.session(c.Request(), true)
			if engine.CodeOf(err) == engine.Denied {
				c.Response().Header().Set("WWW-Authenticate", `Basic realm="hexad", charset="UTF-8"`)
				return &engine.Error{Code: engine.Denied, Message: "sign in first", Remedy: "send an account's name and password", Err: errNobody}
			}
			if err != nil {
				return err
			}
			c.Set(who, in)
			return next(c)
		}
		account, err := s.apiAccount(c, name, password)
		if err != nil {
			return err
		}
		c.Set(who, signedIn{Session: Session{User: account.Name}, Role: account.Role})
		return next(c)
	}
}

func (s *Server) apiAccount(c echo.Context, name, password string) (Account, error) {
	wrong := &engine.Error{Code: engine.Denied, Message: "the account or its password is wrong", Err: errNobody}
	from := source(c.Request())
	if account, err := s.options.Accounts.Account(c.Request().Context(), name); err == nil && s.proved.known(account, password) {
		return account, nil
	}
	attempt, err := s.options.Guard.Try(c.Request().Context(), s.options.Accounts, name, password, from)
	switch {
	case err != nil:
		return Account{}, err
	case attempt.Wait > 0:
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(attempt.Wait.Seconds()))))
		return Account{}, engine.Errorf(engine.Exhausted, "too many wrong passwords").With("", "wait "+attempt.Wait.Round(time.Second).String())
	case !attempt.OK:
		s.options.OnSession(SessionLoginFailure, name, from)
		return Account{}, wrong
	}
	account := attempt.Account
	s.proved.note(account, password)
	return account, nil
}

// proofs remembers for a while which passwords were right: proving one is made
// to be slow, and programs send theirs with every request. What is kept is a
// digest under a key of this process.
type proofs struct {
	mu   sync.Mutex
	key  [32]byte
	seen map[string]time.Time
}

const (
	proofTime = time.Minute
	maxProofs = 256
)

func newProofs() *proofs {
	p := &proofs{seen: map[string]time.Time{}}
	rand.Read(p.key[:]) // never fails
	return p
}

func (p *proofs) digest(a Account, password string) string {
	h := sha256.New()
	h.Write(p.key[:])
	fmt.Fprintf(h, "%q %q %q", a.Name, a.Hash, password)
	return hex.EncodeToString(h.Sum(nil))
}

func (p *proofs) known(a Account, password string) bool {
	digest := p.digest(a, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.seen[digest]
	return ok && time.Now().Before(until)
}

func (p *proofs) note(a Account, password string) {
	digest := p.digest(a, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= maxProofs {
		clear(p.seen)
	}
	p.seen[digest] = time.Now().Add(proofTime)
}
