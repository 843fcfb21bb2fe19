package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// OverviewPage is the whole system at a glance.
type OverviewPage struct {
	Page
	DB         Badge
	Peers      []PeerRow
	Map        RingMap
	Active     int // peers that answer, this one among them
	Severities []SeverityCount
	Changes    []engine.HistoryEntry
	NoChanges  bool   // the history could not be read
	HostKey    string // fingerprint of the SSH host key
}

// SeverityCount is how many alarms of one severity hold.
type SeverityCount struct {
	Badge Badge
	Count int
}

// recentChanges is how many changes the overview shows.
const recentChanges = 6

func (s *Server) overviewPage(c echo.Context) error {
	p := s.overview(c, s.page(c, c.Get(who).(signedIn), "overview"))
	return s.render(c, http.StatusOK, "overview", p)
}

func (s *Server) overview(c echo.Context, page Page) OverviewPage {
	ctx := c.Request().Context()
	page.Topics = "facts peers map changes"
	p := OverviewPage{Page: page, DB: databaseBadge(page.View.Database), Peers: peerRows(page.View), Map: ringMap(page.View), HostKey: s.options.HostKey()}
	for _, row := range p.Peers {
		if row.Reached {
			p.Active++
		}
	}
	raised, _ := s.options.Alarms.List(ctx) // Page.Bar tells when it failed
	for _, severity := range engine.Severities {
		n := 0
		for _, a := range raised {
			if a.SeverityOf(s.options.Catalogue(a.ID).Severity) == severity {
				n++
			}
		}
		if n > 0 {
			p.Severities = append(p.Severities, SeverityCount{Badge: severityBadge(severity), Count: n})
		}
	}
	var err error
	p.Changes, err = s.options.History.History(ctx, 0, 0, recentChanges)
	p.NoChanges = err != nil
	return p
}
