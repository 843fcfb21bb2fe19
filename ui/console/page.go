package console

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// Page is what every page shows around its content.
type Page struct {
	Lang      engine.Language
	Name      string // of the page: its entry in the navigation, its title "page.<name>"
	Here      string // path and query, to come back to
	User      string
	Role      command.Role
	Release   string
	MayChange bool // the account may change things
	View      engine.ClusterView
	Primary   string // URL of the primary's console, "" when it is here or unknown
	Bar       AlarmBar
	Notice    string // text key of what was just done, "" for nothing
	Topics    string // live fragments of this page
	Now       time.Time
}

func (p Page) language() engine.Language { return p.Lang }

// SignedIn reports whether the page belongs to a session.
func (p Page) SignedIn() bool { return p.User != "" }

// Live is where the page's live fragments come from, "" for none.
func (p Page) Live() string {
	if !p.SignedIn() {
		return ""
	}
	q := url.Values{"topics": {strings.TrimSpace("banners alarmbar " + p.Topics)}, "here": {p.Here}}
	return "/live?" + q.Encode()
}

// ResetKept is what a pending factory reset keeps, for people.
func (p Page) ResetKept() []string {
	if p.View.Reset == nil {
		return nil
	}
	var out []string
	for _, name := range p.View.Reset.Keep {
		out = append(out, engine.ResetText(name).In(p.Lang, nil))
	}
	return out
}

// ResetBlocked is why a pending factory reset cannot be carried out now, "" when it can.
func (p Page) ResetBlocked() string {
	if p.View.Reset == nil {
		return ""
	}
	return engine.ResetText(p.View.Reset.Blocked).In(p.Lang, nil)
}

// AlarmBar counts the alarms of all peers for the bar on every page.
type AlarmBar struct {
	New      int // neither acknowledged nor expected
	Expected int
	Total    int
	Worst    string // severity of the worst new one, as a class
	Unknown  bool   // the list could not be read
}

// Acknowledged is how many are acknowledged and not expected.
func (b AlarmBar) Acknowledged() int { return b.Total - b.New - b.Expected }

// pageNames are the pages of the navigation, in order.
var pageNames = []string{"overview", "clustering", "procedures", "configuration", "policies", "alarms", "sql", "events", "history", "certificates", "maintenance", "restart"}

// NavEntry is one link of the navigation.
type NavEntry struct {
	Name, URL string
	Current   bool
}

// Navigation lists the pages, the one shown marked.
func (p Page) Navigation() []NavEntry {
	out := make([]NavEntry, 0, len(pageNames))
	for _, name := range pageNames {
		e := NavEntry{Name: name, URL: "/" + name, Current: name == p.Name}
		if name == "overview" {
			e.URL = "/"
		}
		out = append(out, e)
	}
	return out
}

// notices are the things done that a page can say after a redirect. A closed
// list: a link from elsewhere can say nothing else.
var notices = []string{"saved", "replicated", "not_replicated", "mapping", "peer_key", "join_window", "join_token", "acknowledged", "restored", "unchanged", "updated", "copy_deleted", "requested", "request_deleted", "certificate", "trust",
	"policy", "policy_active", "policy_data", "policy_draft", "policy_imported", "policy_rolled_back", "policy_staged", "policy_waiver",
	"procedure_started", "procedure_resumed", "procedure_aborted"}

// bare is the frame of a page for nobody in particular.
func (s *Server) bare(c echo.Context) Page {
	r := c.Request()
	return Page{Lang: languageOf(r), Here: r.URL.RequestURI(), Release: s.options.Release, Now: time.Now().UTC()}
}

// page is the frame of a page for whoever is signed in.
func (s *Server) page(c echo.Context, in signedIn, name string) Page {
	r := c.Request()
	p := s.bare(c)
	p.Name, p.User, p.Role = name, in.Session.User, in.Role
	p.MayChange = in.Role == command.Administrator
	p.View = s.options.Cluster.View(r.Context())
	p.Primary = primaryConsole(r, p.View)
	p.Bar = s.alarmBar(r)
	if r.Method != http.MethodGet {
		p.Here = "/" + name // a form's answer: coming back means its page
		if name == "overview" || name == "" {
			p.Here = "/"
		}
	}
	if done := c.QueryParam("done"); slices.Contains(notices, done) {
		p.Notice = "done." + done
	}
	return p
}

func (s *Server) alarmBar(r *http.Request) AlarmBar {
	raised, err := s.options.Alarms.List(r.Context())
	if err != nil {
		return AlarmBar{Unknown: true}
	}
	bar := AlarmBar{Total: len(raised)}
	worst := len(engine.Severities)
	for _, a := range raised {
		if a.ExpectedAt(time.Now()) {
			bar.Expected++
			continue
		}
		if a.State == engine.AlarmAcknowledged {
			continue
		}
		bar.New++
		severity := a.SeverityOf(s.options.Catalogue(a.ID).Severity)
		if i := slices.Index(engine.Severities, severity); i >= 0 && i < worst {
			worst, bar.Worst = i, string(severity)
		}
	}
	return bar
}

// primaryConsole is the URL of the primary's console. Peers are set up alike,
// so the port is the one that this request came to.
func primaryConsole(r *http.Request, v engine.ClusterView) string {
	if v.PrimaryHere || v.PrimaryAddress == "" {
		return ""
	}
	host := v.PrimaryAddress
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		host = net.JoinHostPort(v.PrimaryAddress, port)
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "https://" + host + "/"
}

// Problem is why something was refused, for people.
type Problem struct {
	Code     engine.Code
	Message  string
	Remedy   string
	Item     string
	Findings []FindingView
}

// ErrorPage says why there is no page.
type ErrorPage struct {
	Page
	Problem Problem
}

// FindingView is a finding in one language.
type FindingView struct {
	ID       string
	Severity string
	Script   string
	Peer     string
	Field    string
	Text     string
	Fix      *engine.Fix
}

func findingViews(found []engine.Finding, l engine.Language) []FindingView {
	out := make([]FindingView, 0, len(found))
	for _, f := range found {
		text := f.Text.In(l, f.Params)
		if text == "" {
			text = f.ID
		}
		out = append(out, FindingView{ID: f.ID, Severity: string(f.Severity), Script: f.Script, Peer: f.Peer, Field: f.Field, Text: text, Fix: f.Fix})
	}
	return out
}

func problemOf(err error, l engine.Language) Problem {
	e := asError(err)
	return Problem{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Item: e.Item, Findings: findingViews(e.Findings, l)}
}

// sent reads the form of a POST request. Errors: Invalid.
func sent(c echo.Context) (url.Values, error) {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return nil, &engine.Error{Code: engine.Invalid, Message: "error.form", Err: err}
	}
	return r.PostForm, nil
}

// done sends the browser back to a page that says what was done.
func done(c echo.Context, target, what string) error {
	u, err := url.Parse(local(target))
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("done", what)
	u.RawQuery = q.Encode()
	return c.Redirect(http.StatusSeeOther, u.String())
}

// savedAs is the notice for how far a save has gone.
func savedAs(saved *engine.Saved) string {
	switch {
	case saved == nil:
		return "saved"
	case saved.Replication == engine.Replicated:
		return "replicated"
	case saved.Replication == engine.NotReplicated:
		return "not_replicated"
	}
	return "saved"
}
