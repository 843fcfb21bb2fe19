package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
)

// ScriptPage is one script: a version of it with its tests and its history.
type ScriptPage struct {
	PolicyFrame
	Script   string
	Origin   Badge
	Shown    policy.Shown
	Title    engine.Text
	Hook     policy.Description
	Order    int
	Tables   []string
	Source   []SourceLine
	Tests    []SourceLine
	Versions []VersionRow
	Asked    string // the version that was asked for, "" for the active one
	Pins     []PinRow
	Draft    string // what the next revision takes
	MayEdit  bool   // it may be replaced
	Listed   bool   // the active revision has it
	Modes    []Choice
	Failures []Choice // what on_failure may be
}

// VersionRow is one version of a script's history.
type VersionRow struct {
	engine.PolicyVersion
	Shown   bool
	Active  bool
	Draft   bool
	Builtin bool
	URL     string
}

// PinRow is a peer that does not run the script in its active version.
type PinRow struct {
	Peer string
	Here bool
	engine.PolicyPin
}

// PinnedHere reports whether this peer has pinned it.
func (p ScriptPage) PinnedHere() bool {
	return slices.ContainsFunc(p.Pins, func(pin PinRow) bool { return pin.Here })
}

func (s *Server) scriptPage(c echo.Context) error {
	p, err := s.script(c, c.QueryParam("name"), c.QueryParam("version"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "policyscript", p)
}

func (s *Server) script(c echo.Context, name, version string) (ScriptPage, error) {
	p := ScriptPage{PolicyFrame: s.policyFrame(c, "scripts"), Script: name, Asked: version}
	listed, err := s.listedPolicy(c, name)
	if err != nil {
		return p, err
	}
	p.Listed, p.Draft = listed.Mode != "", listed.Draft
	if !p.Listed && version == "" {
		version = "draft" // there is no other yet
	}
	args := map[string]string{"Script": name}
	if version != "" {
		args["Version"] = version
	}
	if err := s.askPolicy(c, &p.Shown, "PolicyShow", args); err != nil {
		return p, err
	}
	v := p.Shown.Version
	p.Origin, p.MayEdit = originBadge(p.Shown.Origin), policy.Overridable(name)
	p.Source, p.Tests = colour(v.Source), nil
	if v.Tests != "" {
		p.Tests = colour(v.Tests)
	}
	if d, err := policy.Declares(policy.Script{Name: name, Source: v.Source}); err == nil {
		p.Title, p.Order, p.Tables = d.Title, d.Order, d.Data
	}
	if listed.Order != 0 && version == "" {
		p.Order = listed.Order
	}
	p.Hook, _ = policy.Describe(cmp.Or(v.Hook, listed.Hook))
	for _, mode := range []policy.Mode{policy.Shadow, policy.Warn, policy.Enforce} {
		p.Modes = append(p.Modes, Choice{Value: string(mode), Selected: string(mode) == listed.Mode})
	}
	for _, f := range policy.Permitted(p.Hook.Name) {
		p.Failures = append(p.Failures, Choice{Value: string(f), Selected: string(f) == cmp.Or(listed.Failure, string(policy.FailSafe))})
	}
	p.versions(listed)
	var status policy.Watched
	if s.askPolicy(c, &status, "PolicyStatus", nil) == nil {
		p.Pins = pinsOf(status, name)
	}
	return p, nil
}

func (p *ScriptPage) versions(listed policy.Listed) {
	for _, v := range p.Shown.Versions {
		p.Versions = append(p.Versions, VersionRow{PolicyVersion: v, Shown: v.SHA256 == p.Shown.Version.SHA256,
			Active: p.Listed && v.SHA256 == listed.Version, Draft: v.SHA256 == listed.Draft, URL: p.at(v.SHA256)})
	}
	known := slices.ContainsFunc(p.Shown.Versions, func(v engine.PolicyVersion) bool { return v.SHA256 == listed.Version })
	if listed.Origin != "site" {
		p.Versions = append(p.Versions, VersionRow{PolicyVersion: engine.PolicyVersion{Name: p.Script}, Builtin: true,
			Shown: p.Shown.Origin == "builtin", Active: p.Listed && !known, URL: p.at("builtin")})
	}
}

// at is the address of this page with a version.
func (p *ScriptPage) at(version string) string {
	return "/policies/script?" + url.Values{"name": {p.Script}, "version": {version}}.Encode()
}

// listedPolicy finds one script in the list. Errors: NotFound.
func (s *Server) listedPolicy(c echo.Context, name string) (policy.Listed, error) {
	all, err := s.listPolicies(c)
	if err != nil {
		return policy.Listed{}, err
	}
	for _, l := range all {
		if l.Name == name {
			return l, nil
		}
	}
	return policy.Listed{}, &engine.Error{Code: engine.NotFound, Message: "error.no_policy"}
}

func pinsOf(w policy.Watched, script string) []PinRow {
	var out []PinRow
	for _, peer := range w.Peers {
		for _, pin := range peer.Pins {
			if pin.Script == script {
				out = append(out, PinRow{Peer: peer.Address, Here: peer.Here, PolicyPin: pin})
			}
		}
	}
	return out
}

// changeScript does to a script what a button of its page says.
func (s *Server) changeScript(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	name, commands := form.Get("name"), map[string]string{"remove": "PolicyRemove", "cancel": "PolicyRemove", "pin": "PolicyPin", "unpin": "PolicyUnpin"}
	do, known := commands[form.Get("do")]
	if !known {
		return &engine.Error{Code: engine.Invalid, Message: "error.form"}
	}
	args := map[string]string{"Script": name}
	switch form.Get("do") {
	case "cancel":
		args["Cancel"] = "True"
	case "pin":
		args["Reason"] = trimmed(form, "reason")
	}
	if _, err := s.run(c, do, 0, args); err != nil {
		p, failed := s.script(c, name, "")
		if failed != nil {
			return err
		}
		return s.render(c, refused(&p.PolicyFrame, err), "policyscript", p)
	}
	target := "/policies/script?name=" + url.QueryEscape(name)
	if form.Get("do") != "pin" && form.Get("do") != "unpin" {
		target = "/policies" // a draft that is gone may have been all there was
	}
	return done(c, target, "policy")
}

// DiffPage compares two versions of a script.
type DiffPage struct {
	PolicyFrame
	Script   string
	From, To string
	Versions []VersionRow
	Lines    []DiffLine
	Same     bool
}

// DiffLine is one line of a difference: its kind is head, hunk, old, new or
// same.
type DiffLine struct{ Kind, Text string }

func (s *Server) diffPage(c echo.Context) error {
	name := c.QueryParam("name")
	whole, err := s.script(c, name, "")
	if err != nil {
		return err
	}
	p := DiffPage{PolicyFrame: whole.PolicyFrame, Script: name, From: c.QueryParam("from"), To: c.QueryParam("to"), Versions: whole.Versions}
	args := map[string]string{"Script": name}
	for key, value := range map[string]string{"From": p.From, "To": p.To} {
		if value != "" {
			args[key] = value
		}
	}
	var answer struct {
		Lines []string `json:"lines"`
	}
	status := http.StatusOK
	if err := s.askPolicy(c, &answer, "PolicyDiff", args); err != nil {
		status = refused(&p.PolicyFrame, err)
	}
	p.Same = len(answer.Lines) == 0
	for _, line := range answer.Lines {
		p.Lines = append(p.Lines, diffLine(line))
	}
	return s.render(c, status, "policydiff", p)
}

func diffLine(line string) DiffLine {
	for _, kind := range []struct{ prefix, name string }{{"---", "head"}, {"+++", "head"}, {"@@", "hunk"}, {"-", "old"}, {"+", "new"}} {
		if strings.HasPrefix(line, kind.prefix) {
			return DiffLine{kind.name, line}
		}
	}
	return DiffLine{"same", line}
}
