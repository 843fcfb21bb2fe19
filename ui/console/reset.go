package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// ResetPage lists item by item what a factory reset keeps and loses: the armed
// one, or that of an empty peer list. Source: reference 2.12.
type ResetPage struct {
	Page
	Problem *Problem
	Plan    *engine.ResetPlan // nil when it is not known; Problem says why
}

// resetPage answers the link of the banner and of the Maintenance page.
func (s *Server) resetPage(c echo.Context) error {
	p := ResetPage{Page: s.page(c, c.Get(who).(signedIn), "maintenance")}
	result, err := s.run(c, "FactoryResetShow", 0, nil)
	if err == nil {
		p.Plan = &engine.ResetPlan{}
		if err := decode(result.Data, p.Plan); err != nil {
			return err
		}
	}
	p.Problem = p.problem(err)
	return s.render(c, http.StatusOK, "reset", p)
}
