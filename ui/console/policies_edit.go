package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
)

// EditPage is the draft of a script with what the check and the tests say of it.
type EditPage struct {
	PolicyFrame
	Script   string
	Hook     policy.Description
	Text     string
	TestText string
	Comment  string
	New      bool
	Did      string // check, test or try: what was asked for last
	Report   *policy.ScriptReport
	Passed   int
	Failed   int
	Refused  bool
	Source   []SourceLine // with the marks of the report
	Tests    []SourceLine
	Complete []policy.Completion
	Input    string // of try
	Decision *DecisionView
}

// Errors and Warnings split the problems of the report.
func (p EditPage) Errors() []policy.Problem { return p.problems(false) }

// Warnings refuse nothing.
func (p EditPage) Warnings() []policy.Problem { return p.problems(true) }

func (p EditPage) problems(warning bool) []policy.Problem {
	if p.Report == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Report.Problems), func(one policy.Problem) bool { return one.Warning != warning })
}

// Rows is how tall the field of a text is.
func (p EditPage) Rows(text string) int {
	lines := 4
	for _, r := range text {
		if r == '\n' {
			lines++
		}
	}
	return min(max(lines, 14), 40)
}

// editPage opens the draft of a script, what is active, or a new one.
func (s *Server) editPage(c echo.Context) error {
	p := EditPage{PolicyFrame: s.policyFrame(c, "scripts"), Script: c.QueryParam("name")}
	if hook := c.QueryParam("hook"); hook != "" {
		return s.newPolicy(c, p, hook)
	}
	listed, err := s.listedPolicy(c, p.Script)
	if err != nil {
		return err
	}
	args := map[string]string{"Script": p.Script}
	if listed.Draft != "" && listed.Draft != engine.PolicyRemoved {
		args["Version"] = "draft"
	}
	if version := c.QueryParam("version"); version != "" {
		args["Version"] = version
	}
	var shown policy.Shown
	if err := s.askPolicy(c, &shown, "PolicyShow", args); err != nil {
		return err
	}
	p.Text, p.TestText = shown.Version.Source, shown.Version.Tests
	p.settle(listed.Hook)
	return s.render(c, http.StatusOK, "policyedit", p)
}

func (s *Server) newPolicy(c echo.Context, p EditPage, hook string) error {
	start, err := policy.Scaffold(hook, p.Script)
	if err == nil && s.hasPolicy(c, p.Script) {
		err = &engine.Error{Code: engine.Conflict, Message: "error.policy_exists"}
	}
	if err != nil {
		list, failed := s.policies(c)
		if failed != nil {
			return err
		}
		list.NewName, list.NewHook = p.Script, hook
		return s.render(c, refused(&list.PolicyFrame, err), "policies", list)
	}
	p.New, p.Text, p.TestText = true, start.Source, start.Tests
	p.settle(hook)
	return s.render(c, http.StatusOK, "policyedit", p)
}

func (s *Server) hasPolicy(c echo.Context, name string) bool {
	_, err := s.listedPolicy(c, name)
	return err == nil
}

// settle fills in what the page shows of the script beside its text.
func (p *EditPage) settle(hook string) {
	if d, err := policy.Declares(policy.Script{Name: p.Script, Source: p.Text}); err == nil {
		hook = d.Hook
	}
	p.Hook, _ = policy.Describe(hook)
	p.Complete = policy.Complete(hook)
	if fixtures := policy.Fixtures(hook); p.Input == "" && len(fixtures) > 0 {
		p.Input = indented(fixtures[p.Hook.Fixtures[0]])
	}
}

// edit checks, tests, tries or saves what was typed.
func (s *Server) edit(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	p := EditPage{PolicyFrame: s.policyFrame(c, "scripts"), Script: trimmed(form, "name"), Text: scriptText(form, "source"), TestText: scriptText(form, "tests"),
		Comment: trimmed(form, "comment"), New: form.Get("new") != "", Did: form.Get("do"), Input: form.Get("input")}
	p.settle(form.Get("hook"))
	file := policy.SourceFile{Name: p.Script, Source: p.Text, Tests: p.TestText}
	switch p.Did {
	case "save":
		return s.savePolicy(c, p, file)
	case "try":
		return s.tryPolicy(c, p, file)
	}
	if p.Did != "test" {
		p.Did = "check"
	}
	name, args := "PolicyCheck", map[string]string{}
	if p.Did == "test" {
		name, args = "PolicyTest", map[string]string{"Cover": "True"}
	}
	result, err := s.runWith(c, name, args, []policy.SourceFile{file})
	var checked policy.Checked
	if err == nil {
		err = decode(result.Data, &checked)
	}
	if err != nil {
		return s.render(c, refused(&p.PolicyFrame, err), "policyedit", p)
	}
	p.mark(checked)
	return s.render(c, http.StatusOK, "policyedit", p)
}

func (s *Server) savePolicy(c echo.Context, p EditPage, file policy.SourceFile) error {
	args := map[string]string{}
	if p.Comment != "" {
		args["Comment"] = p.Comment
	}
	if _, err := s.runWith(c, "PolicyPut", args, []policy.SourceFile{file}); err != nil {
		return s.render(c, refused(&p.PolicyFrame, err), "policyedit", p)
	}
	return done(c, "/policies/script?"+url.Values{"name": {p.Script}, "version": {"draft"}}.Encode(), "policy_draft")
}

// mark puts what was found beside the lines that it is about.
func (p *EditPage) mark(checked policy.Checked) {
	p.Passed, p.Failed, p.Refused = checked.Passed, checked.Failed, checked.Refused
	p.Source, p.Tests = colour(p.Text), nil
	if p.TestText != "" {
		p.Tests = colour(p.TestText)
	}
	if len(checked.Scripts) == 0 {
		return
	}
	p.Report = &checked.Scripts[0]
	p.coverage()
	for _, one := range p.Report.Problems {
		mark := "error"
		if one.Warning {
			mark = "warning"
		}
		if one.Script == p.Script {
			marked(p.Source, one.Line, mark, one.Message)
		} else {
			marked(p.Tests, one.Line, mark, one.Message)
		}
	}
	for _, t := range p.Report.Tests {
		if t.Failure != "" {
			marked(p.Tests, t.Line, "error", t.Name+": "+t.Failure)
		}
	}
}

// coverage marks the lines that the tests ran, and those that none did.
func (p *EditPage) coverage() {
	if p.Report.Lines == 0 {
		return
	}
	d, err := policy.Declares(policy.Script{Name: p.Script, Source: p.Text})
	if err != nil {
		return
	}
	for _, line := range d.Lines {
		mark := "ran"
		if slices.Contains(p.Report.Uncovered, line) {
			mark = "unrun"
		}
		marked(p.Source, line, mark, "")
	}
}

func marked(lines []SourceLine, number int, mark, note string) {
	if number < 1 || number > len(lines) {
		return
	}
	line := &lines[number-1]
	if line.Mark == "error" {
		note = line.Note
		mark = "error"
	}
	line.Mark, line.Note = mark, note
}

// Covered is how much of the script the tests ran, "" when it was not asked.
func (p EditPage) Covered() string {
	if p.Report == nil || p.Report.Lines == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.Report.Lines-len(p.Report.Uncovered), p.Report.Lines)
}
