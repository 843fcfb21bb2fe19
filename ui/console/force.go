package console

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// ForcePage asks before this system is named the primary by force: what will
// happen, and what is lost.
//
// Source: design 3.
type ForcePage struct {
	Page
	Problem      *Problem
	Plan         *engine.ForcePlan // nil when it cannot be done; Problem says why
	Consequences []string
}

// UpdatePage asks before this system takes the primary's copy, and shows the
// copies that were saved aside.
type UpdatePage struct {
	Page
	Problem *Problem
	Plan    *engine.UpdatePlan // nil when it cannot be done
	Copies  []engine.SavedCopy
	Copy    string // the one that is compared
	Found   []engine.Difference
	Lines   []string // configuration lines that bring its values back
}

func (s *Server) forceRoutes(in *echo.Group) {
	in.GET("/clustering/force", s.forcePage)
	in.POST("/clustering/force", s.force)
	in.GET("/clustering/update", s.updatePage)
	in.POST("/clustering/update", s.update)
	in.POST("/clustering/copy/delete", s.deleteCopy)
}

func (s *Server) forcePage(c echo.Context) error { return s.askForce(c, http.StatusOK, nil) }

// askForce is the page with the plan as it is now.
func (s *Server) askForce(c echo.Context, status int, failed error) error {
	p := ForcePage{Page: s.page(c, c.Get(who).(signedIn), "clustering")}
	result, err := s.run(c, "ClusterForceShow", 0, nil)
	if err == nil {
		p.Plan = &engine.ForcePlan{}
		err = decode(result.Data, p.Plan)
	}
	if err != nil {
		p.Plan = nil
	}
	if p.Plan != nil {
		for _, text := range command.ForceConsequences(*p.Plan) {
			p.Consequences = append(p.Consequences, text.In(p.Lang, nil))
		}
	}
	if failed == nil {
		failed = err
	}
	p.Problem = p.problem(failed)
	return s.render(c, status, "force", p)
}

// problem is an error as a page shows it, nil for none.
func (p Page) problem(err error) *Problem {
	if err == nil {
		return nil
	}
	out := problemOf(asError(err), p.Lang)
	return &out
}

func (s *Server) force(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	if form.Get("agreed") != "yes" {
		return s.askForce(c, http.StatusBadRequest, engine.Errorf(engine.Invalid, "error.not_agreed"))
	}
	base, _ := strconv.ParseInt(form.Get("base"), 10, 64)
	v := s.options.Cluster.View(c.Request().Context())
	result, err := s.run(c, "ClusterSave", base, map[string]string{"Primary": strconv.Itoa(v.Index), "Force": "On"})
	if err != nil {
		return s.askForce(c, StatusOf(asError(err).Code), err)
	}
	return done(c, "/clustering", savedAs(result.Saved))
}

func (s *Server) updatePage(c echo.Context) error { return s.askUpdate(c, http.StatusOK, nil) }

func (s *Server) askUpdate(c echo.Context, status int, failed error) error {
	p := UpdatePage{Page: s.page(c, c.Get(who).(signedIn), "clustering"), Copy: c.QueryParam("copy")}
	if p.MayChange { // the question is the administrator's command without its confirmation
		result, err := s.run(c, "ForceConfigUpdate", 0, nil)
		if err == nil {
			p.Plan = &engine.UpdatePlan{}
			err = decode(result.Data, p.Plan)
		}
		if err != nil {
			p.Plan = nil
		}
		if failed == nil {
			failed = err
		}
	}
	if result, err := s.run(c, "ConfigurationCopyList", 0, nil); err == nil {
		if err := decode(result.Data, &p.Copies); err != nil {
			return err
		}
	} else if failed == nil {
		failed = err
	}
	if p.Copy != "" {
		if err := s.compareCopy(c, &p); err != nil {
			failed = err
		}
	}
	p.Problem = p.problem(failed)
	return s.render(c, status, "update", p)
}

func (s *Server) compareCopy(c echo.Context, p *UpdatePage) error {
	result, err := s.run(c, "ConfigurationCopyCompare", 0, map[string]string{"Copy": p.Copy})
	if err != nil {
		return err
	}
	if err := decode(result.Data, &p.Found); err != nil {
		return err
	}
	result, err = s.run(c, "ConfigurationCopyCompare", 0, map[string]string{"Copy": p.Copy, "Form": "Lines"})
	p.Lines = result.Lines
	return err
}

func (s *Server) update(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	if form.Get("agreed") != "yes" {
		return s.askUpdate(c, http.StatusBadRequest, engine.Errorf(engine.Invalid, "error.not_agreed"))
	}
	base, _ := strconv.ParseInt(form.Get("base"), 10, 64)
	if _, err := s.run(c, "ForceConfigUpdate", base, map[string]string{"Confirm": "On"}); err != nil {
		return s.askUpdate(c, StatusOf(asError(err).Code), err)
	}
	return done(c, "/clustering/update", "updated")
}

func (s *Server) deleteCopy(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	if _, err := s.run(c, "ConfigurationCopyDelete", 0, map[string]string{"Copy": form.Get("copy")}); err != nil {
		return s.askUpdate(c, StatusOf(asError(err).Code), err)
	}
	return done(c, "/clustering/update", "copy_deleted")
}
