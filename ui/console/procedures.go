package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/procedure"
)

// ProceduresPage is where guided procedures are started, watched, resumed and
// aborted.
//
// Source: reference/console.md 1.3.
type ProceduresPage struct {
	Page
	Problem *Problem
	Shown   *ProcedureView // the one asked for, else the open one, else the newest
	Plan    *ProcedureView // what starting would do
	Kinds   []ProcedureForm
	List    []ProcedureView
	Code    string // a code for a new peer, shown once
}

// ProcedureForm is how one kind is started.
type ProcedureForm struct {
	Name, Title string
	Args        []ProcedureArgument
	Chosen      bool
}

// ProcedureArgument is one field of the form.
type ProcedureArgument struct {
	Name, Value string
	Required    bool
	Choices     []string
}

// ProcedureView is one procedure with its texts in the reader's language.
type ProcedureView struct {
	engine.Procedure
	Title, Waiting, Problem string
	Steps                   []ProcedureStepView
	Notes                   []ProcedureNoteView
	Badge                   Badge
	Joins                   string // the address of a new peer that is waited for
}

// ProcedureStepView is one step.
type ProcedureStepView struct {
	Text          string
	Done, Present bool
}

// ProcedureNoteView is one line of the transcript.
type ProcedureNoteView struct {
	engine.ProcedureNote
	Line string
}

func (s *Server) procedureRoutes(in *echo.Group) {
	in.GET("/procedures", s.proceduresPage)
	in.POST("/procedures/start", s.startProcedure)
	in.POST("/procedures/change", s.changeProcedure)
	in.POST("/procedures/invite", s.invitePeer)
}

func (s *Server) proceduresPage(c echo.Context) error {
	return s.showProcedures(c, http.StatusOK, nil, nil, nil)
}

// showProcedures is the page, with what a form asked for and what became of it.
func (s *Server) showProcedures(c echo.Context, status int, form url.Values, change func(*ProceduresPage), failed error) error {
	p, err := s.procedures(c, s.page(c, c.Get(who).(signedIn), "procedures"), c.QueryParams())
	if failed == nil {
		failed = err
	}
	p.Problem = p.problem(failed)
	p.Kinds = procedureForms(p.Page, form)
	if change != nil {
		change(&p)
	}
	return s.render(c, status, "procedures", p)
}

// procedures is the live part of the page.
func (s *Server) procedures(c echo.Context, page Page, q url.Values) (ProceduresPage, error) {
	page.Topics = "procedure"
	p := ProceduresPage{Page: page}
	result, err := s.run(c, "ProcedureList", 0, nil)
	if err != nil {
		return p, err
	}
	var list []engine.Procedure
	if err := decode(result.Data, &list); err != nil {
		return p, err
	}
	for _, one := range list {
		p.List = append(p.List, procedureView(one, page.Lang))
	}
	id := q.Get("id")
	i := slices.IndexFunc(list, func(x engine.Procedure) bool { return x.ID == id || id == "" && x.State.Open() })
	if i < 0 && len(list) > 0 {
		i = 0
	}
	if i >= 0 {
		p.Shown = &p.List[i]
	}
	return p, nil
}

func procedureView(p engine.Procedure, l engine.Language) ProcedureView {
	v := ProcedureView{Procedure: p, Title: p.Kind, Waiting: p.Waiting.In(l, nil), Problem: p.Problem.In(l, nil)}
	for _, k := range procedure.Kinds {
		if k.Name == p.Kind {
			v.Title = k.Title.In(l, nil)
		}
	}
	for i, st := range p.Steps {
		v.Steps = append(v.Steps, ProcedureStepView{Text: st.Text.In(l, nil), Done: i < p.Step, Present: i == p.Step && p.State.Open()})
		if i == p.Step && p.State.Open() && slices.Contains(st.Want, "joined") {
			v.Joins = st.Peer
		}
	}
	for _, n := range p.Notes {
		v.Notes = append(v.Notes, ProcedureNoteView{n, n.Text.In(l, nil)})
	}
	v.Badge = map[engine.ProcedureState]Badge{
		engine.ProcedureRunning: {Kind: "info", Icon: "restart"}, engine.ProcedureHalted: {Kind: "bad", Icon: "bad"},
		engine.ProcedureDone: {Kind: "ok", Icon: "ok"}, engine.ProcedureAborted: {Kind: "warn", Icon: "warn"},
	}[p.State]
	v.Badge.Key = "procedurestate." + strings.ToLower(string(p.State))
	return v
}

// procedureForms are the forms of all kinds, the addresses to be chosen from the list.
func procedureForms(page Page, form url.Values) []ProcedureForm {
	var out []ProcedureForm
	for _, k := range procedure.Kinds {
		f := ProcedureForm{Name: k.Name, Title: k.Title.In(page.Lang, nil), Chosen: form.Get("Kind") == k.Name}
		for _, a := range k.Args {
			name, required := strings.CutPrefix(a, "*")
			if n, numbered := strings.CutPrefix(name, "Peer"); numbered {
				if i, err := strconv.Atoi(n); err == nil && i > len(page.View.Entered.Peers) {
					continue
				}
			}
			arg := ProcedureArgument{Name: name, Required: required}
			if f.Chosen {
				arg.Value = form.Get(name)
			}
			switch {
			case name == "Force":
				arg.Choices = []string{"Off", "On"}
			case name == "IPVersion":
				arg.Choices = []string{"IPv4", "IPv6"}
			case name == "Address" && k.Name != procedure.Add && k.Name != procedure.Create:
				arg.Choices = page.View.Entered.Peers
			}
			f.Args = append(f.Args, arg)
		}
		out = append(out, f)
	}
	return out
}

func (s *Server) startProcedure(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	args := map[string]string{}
	for name := range form {
		if name != "do" && name != "csrf" && form.Get(name) != "" {
			args[name] = form.Get(name)
		}
	}
	plan := form.Get("do") != "start"
	name := "ProcedureStart"
	if plan {
		name = "ProcedurePlan"
	}
	result, err := s.run(c, name, 0, args)
	if err != nil {
		return s.showProcedures(c, StatusOf(asError(err).Code), form, nil, err)
	}
	if !plan {
		return done(c, "/procedures", "procedure_started")
	}
	var p engine.Procedure
	if err := decode(result.Data, &p); err != nil {
		return err
	}
	return s.showProcedures(c, http.StatusOK, form, func(page *ProceduresPage) {
		v := procedureView(p, page.Lang)
		page.Plan = &v
	}, nil)
}

func (s *Server) changeProcedure(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	name, said := "ProcedureResume", "procedure_resumed"
	if form.Get("do") == "abort" {
		name, said = "ProcedureAbort", "procedure_aborted"
	}
	if _, err := s.run(c, name, 0, map[string]string{"Id": form.Get("id")}); err != nil {
		return s.showProcedures(c, StatusOf(asError(err).Code), nil, nil, err)
	}
	return done(c, "/procedures", said)
}

// invitePeer shows the code with which a new peer joins, once.
func (s *Server) invitePeer(c echo.Context) error {
	if _, err := sent(c); err != nil {
		return err
	}
	result, err := s.run(c, "ClusterInvite", 0, nil)
	if err != nil {
		return s.showProcedures(c, StatusOf(asError(err).Code), nil, nil, err)
	}
	var out struct {
		Code string `json:"code"`
	}
	if err := decode(result.Data, &out); err != nil {
		return err
	}
	return s.showProcedures(c, http.StatusOK, nil, func(p *ProceduresPage) { p.Code = out.Code }, nil)
}
