package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
	"hexad/ui/command"
)

// PolicyFrame is what every page of the policies shows around its content.
//
// MayWrite and MayApprove are what the account may do: authors draft, approvers
// stage, activate and roll back, administrators do all of it.
type PolicyFrame struct {
	Page
	Tab        string
	Problem    *Problem
	MayWrite   bool
	MayApprove bool
}

// policyTabs are the pages of the policies, in order.
var policyTabs = []string{"scripts", "revisions", "decisions", "data", "waivers", "reference"}

// Tabs lists the pages of the policies, the one shown marked.
func (p PolicyFrame) Tabs() []NavEntry {
	var out []NavEntry
	for _, name := range policyTabs {
		u := "/policies/" + name
		if name == "scripts" {
			u = "/policies"
		}
		out = append(out, NavEntry{Name: name, URL: u, Current: name == p.Tab})
	}
	return out
}

func (s *Server) policyFrame(c echo.Context, tab string) PolicyFrame {
	f := PolicyFrame{Page: s.page(c, c.Get(who).(signedIn), "policies"), Tab: tab}
	f.MayWrite = f.MayChange || f.Role == command.PolicyAuthor
	f.MayApprove = f.MayChange || f.Role == command.PolicyApprover
	if c.Request().Method != http.MethodGet {
		f.Here = "/policies"
	}
	return f
}

// askPolicy runs a reading command and decodes its answer.
func (s *Server) askPolicy(c echo.Context, into any, name string, args map[string]string) error {
	result, err := s.run(c, name, 0, args)
	if err != nil {
		return err
	}
	return decode(result.Data, into)
}

// runWith runs a command that takes a body in JSON beside its arguments.
func (s *Server) runWith(c echo.Context, name string, args map[string]string, body any) (command.Result, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return command.Result{}, err
	}
	return s.runBody(c, name, args, string(text))
}

func (s *Server) runBody(c echo.Context, name string, args map[string]string, body string) (command.Result, error) {
	in := c.Get(who).(signedIn)
	r := c.Request()
	return s.options.Runner.Run(r.Context(), command.Call{Name: name, Args: args, Role: in.Role, Body: body,
		Language: languageOf(r), Actor: engine.Actor{User: in.Session.User, Via: "web", Source: r.RemoteAddr}})
}

// policyRoutes are the pages of the policies.
func (s *Server) policyRoutes(in *echo.Group) {
	in.GET("/policies", s.policiesPage)
	in.GET("/policies/script", s.scriptPage)
	in.POST("/policies/script", s.changeScript)
	in.GET("/policies/diff", s.diffPage)
	in.GET("/policies/edit", s.editPage)
	in.POST("/policies/edit", s.edit)
	in.GET("/policies/revisions", s.revisionsPage)
	in.POST("/policies/revisions", s.changeRevision)
	in.GET("/policies/archive", s.exportRevision)
	in.POST("/policies/import", s.importArchive)
	in.GET("/policies/decisions", s.decisionsPage)
	in.GET("/policies/decision", s.decisionPage)
	in.GET("/policies/data", s.tablesPage)
	in.POST("/policies/data", s.changeTable)
	in.GET("/policies/waivers", s.waiversPage)
	in.POST("/policies/waivers", s.changeWaiver)
	in.GET("/policies/reference", s.referencePage)
	in.GET("/policies/schema", s.schema)
}

// schema answers with the JSON Schema of a hook's input or answer.
func (s *Server) schema(c echo.Context) error {
	input, answer := policy.Schema(c.QueryParam("hook"))
	if c.QueryParam("part") == "answer" {
		input = answer
	}
	if input == nil {
		return &engine.Error{Code: engine.NotFound, Message: "error.no_such_page"}
	}
	return c.Blob(http.StatusOK, "application/schema+json", input)
}

func (s *Server) listPolicies(c echo.Context) ([]policy.Listed, error) {
	var listed []policy.Listed
	err := s.askPolicy(c, &listed, "PolicyList", nil)
	return listed, err
}

// PoliciesPage lists the scripts by hook.
type PoliciesPage struct {
	PolicyFrame
	Hooks    []HookScripts
	Choices  []string // hooks that a new policy can answer
	Status   []PeerPolicies
	Active   int64
	Drafts   int
	NoStatus bool // the peers' states could not be read
	NewName  string
	NewHook  string
}

// Unanswered lists the hooks that no script answers.
func (p PoliciesPage) Unanswered() []string {
	var out []string
	for _, h := range p.Hooks {
		if len(h.Scripts) == 0 {
			out = append(out, h.Name)
		}
	}
	return out
}

// HookScripts are the scripts of one hook in the order in which they are asked.
type HookScripts struct {
	Name    string
	When    string
	Scripts []ScriptRow
}

// ScriptRow is one script of the list.
type ScriptRow struct {
	policy.Listed
	Titled   string // in the reader's language
	OriginOf Badge
	ModeOf   Badge
	Failures int64
	Pins     []string // peers that have pinned it
	URL      string
}

// PeerPolicies is what one peer runs.
type PeerPolicies struct {
	Address   string
	Here      bool
	Reachable bool
	State     Badge
	engine.PolicyFacts
}

func originBadge(origin string) Badge {
	switch origin {
	case "builtin":
		return Badge{Kind: "muted", Icon: "lock", Key: "origin.builtin"}
	case "override":
		return Badge{Kind: "warn", Icon: "sync", Key: "origin.override"}
	}
	return Badge{Kind: "info", Icon: "page-policies", Key: "origin.site"}
}

func modeBadge(mode string) Badge {
	switch mode {
	case "warn":
		return Badge{Kind: "warn", Icon: "warn", Key: "mode.warn"}
	case "shadow":
		return Badge{Kind: "muted", Icon: "unknown", Key: "mode.shadow"}
	case "enforce":
		return Badge{Kind: "ok", Icon: "ok", Key: "mode.enforce"}
	}
	return Badge{Kind: "muted", Icon: "off", Key: "mode.none"}
}

func (s *Server) policiesPage(c echo.Context) error {
	p, err := s.policies(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "policies", p)
}

func (s *Server) policies(c echo.Context) (PoliciesPage, error) {
	p := PoliciesPage{PolicyFrame: s.policyFrame(c, "scripts"), Choices: policy.Hooks()}
	p.Topics = "policypeers"
	listed, err := s.listPolicies(c)
	if err != nil {
		return p, err
	}
	status := s.watched(c, &p)
	for _, hook := range p.Choices {
		d, _ := policy.Describe(hook)
		group := HookScripts{Name: hook, When: d.When.In(p.Lang, nil)}
		for _, l := range listed {
			if l.Hook == hook {
				group.Scripts = append(group.Scripts, scriptRow(l, status, p.Lang))
			}
			if l.Hook == hook && l.Draft != "" {
				p.Drafts++
			}
		}
		p.Hooks = append(p.Hooks, group)
	}
	return p, nil
}

// watched fills in what runs on which peer.
func (s *Server) watched(c echo.Context, p *PoliciesPage) policy.Watched {
	var status policy.Watched
	if err := s.askPolicy(c, &status, "PolicyStatus", nil); err != nil {
		p.NoStatus = true
	}
	p.Active, p.Status = status.Active.Number, peerPolicies(status)
	return status
}

func scriptRow(l policy.Listed, status policy.Watched, lang engine.Language) ScriptRow {
	row := ScriptRow{Listed: l, OriginOf: originBadge(l.Origin), ModeOf: modeBadge(l.Mode), URL: "/policies/script?name=" + url.QueryEscape(l.Name)}
	row.Titled = l.Title.In(lang, nil)
	for _, peer := range status.Peers {
		if slices.ContainsFunc(peer.Pins, func(pin engine.PolicyPin) bool { return pin.Script == l.Name }) {
			row.Pins = append(row.Pins, peer.Address)
		}
	}
	for _, one := range status.Scripts {
		if one.Script == l.Name {
			row.Failures = one.Failures
		}
	}
	return row
}

// peerPolicies are the peers with what each runs.
func peerPolicies(w policy.Watched) []PeerPolicies {
	var out []PeerPolicies
	for _, peer := range w.Peers {
		row := PeerPolicies{Address: peer.Address, Here: peer.Here, Reachable: peer.Reachable || peer.Here, PolicyFacts: peer.PolicyFacts}
		switch {
		case !peer.Reachable && !peer.Here:
			row.State = Badge{Kind: "muted", Icon: "unknown", Key: "peerpolicy.silent"}
		case peer.Unloadable != 0:
			row.State = Badge{Kind: "bad", Icon: "bad", Key: "peerpolicy.unloadable"}
		case len(peer.Pins) > 0:
			row.State = Badge{Kind: "warn", Icon: "warn", Key: "peerpolicy.pinned"}
		case peer.Revision != w.Active.Number:
			row.State = Badge{Kind: "info", Icon: "sync", Key: "peerpolicy.behind"}
		default:
			row.State = Badge{Kind: "ok", Icon: "ok", Key: "peerpolicy.active"}
		}
		out = append(out, row)
	}
	return out
}

// refused shows a page of the policies again with why a command was refused.
func refused(f *PolicyFrame, err error) int {
	problem := problemOf(err, f.Lang)
	f.Problem = &problem
	return StatusOf(problem.Code)
}

// trimmed is a form's value without the blanks around it and with the line
// ends of scripts.
func trimmed(form url.Values, name string) string { return strings.TrimSpace(form.Get(name)) }

// script is a form's text with the line ends of scripts.
func scriptText(form url.Values, name string) string {
	text := strings.ReplaceAll(form.Get(name), "\r\n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
