package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// SQLPage asks the live data.
type SQLPage struct {
	Page
	Statement string
	Database  string // cluster or local
	Views     []ViewLink
	Asked     bool
	Columns   []string
	Rows      [][]Cell
	Truncated bool
	Took      string // ms
	Problem   *Problem
}

// ViewLink is a view with the address of its first rows.
type ViewLink struct{ Name, URL string }

// Cell is one value of a result.
type Cell struct {
	Text   string
	Null   bool
	Number bool
}

func (s *Server) sqlPage(c echo.Context) error {
	ctx := c.Request().Context()
	p := SQLPage{Page: s.page(c, c.Get(who).(signedIn), "sql"), Statement: strings.TrimSpace(c.QueryParam("statement")), Database: c.QueryParam("database")}
	if p.Database != "local" {
		p.Database = "cluster"
	}
	views, err := s.options.Diagnostics.Views(ctx, p.Database)
	if err != nil {
		s.options.Logger.Warn("no list of views", "database", p.Database, "error", err)
	}
	for _, name := range views {
		q := url.Values{"database": {p.Database}, "statement": {"SELECT * FROM " + name + " LIMIT 100"}}
		p.Views = append(p.Views, ViewLink{Name: name, URL: "/sql?" + q.Encode()})
	}
	if p.Statement == "" {
		return s.render(c, http.StatusOK, "sql", p)
	}
	return s.ask(c, p)
}

func (s *Server) ask(c echo.Context, p SQLPage) error {
	p.Asked = true
	started := time.Now()
	result, err := s.run(c, "SQL", 0, map[string]string{"Statement": p.Statement, "Database": p.Database})
	p.Took = milliseconds(float64(time.Since(started).Microseconds()) / 1000)
	if err != nil {
		problem := problemOf(err, p.Lang)
		p.Problem = &problem
		return s.render(c, StatusOf(problem.Code), "sql", p)
	}
	var rows struct {
		Columns   []string `json:"columns"`
		Rows      [][]any  `json:"rows"`
		Truncated bool     `json:"truncated"`
	}
	if err := decode(result.Data, &rows); err != nil {
		return err
	}
	p.Columns, p.Truncated = rows.Columns, rows.Truncated
	for _, row := range rows.Rows {
		cells := make([]Cell, 0, len(row))
		for _, v := range row {
			cells = append(cells, cell(v))
		}
		p.Rows = append(p.Rows, cells)
	}
	return s.render(c, http.StatusOK, "sql", p)
}

func cell(v any) Cell {
	switch v := v.(type) {
	case nil:
		return Cell{Null: true}
	case json.Number:
		return Cell{Text: v.String(), Number: true}
	case string:
		return Cell{Text: v}
	}
	return Cell{Text: fmt.Sprint(v)}
}

// EventsPage is the end of this peer's event log.
type EventsPage struct {
	Page
	Text   string
	Level  string
	Levels []Choice
	Events []engine.Event // newest first
	Read   int            // how many were looked through
}

// How far back the event log is looked through, and how much of it is shown.
const (
	eventsRead  = 2000
	eventsShown = 200
)

func (s *Server) eventsPage(c echo.Context) error {
	p, err := s.events(c, s.page(c, c.Get(who).(signedIn), "events"), c.QueryParams())
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "events", p)
}

func (s *Server) events(c echo.Context, page Page, q url.Values) (EventsPage, error) {
	page.Topics = "events"
	p := EventsPage{Page: page, Text: strings.TrimSpace(q.Get("q")), Level: q.Get("level")}
	read, err := s.options.Events.Events(c.Request().Context(), eventsRead)
	if err != nil {
		return p, err
	}
	p.Read = len(read)
	var levels []string
	for _, e := range slices.Backward(read) {
		if e.Level != "" && !slices.Contains(levels, e.Level) {
			levels = append(levels, e.Level)
		}
		if len(p.Events) < eventsShown && (p.Level == "" || p.Level == e.Level) && mentions(e, p.Text) {
			p.Events = append(p.Events, e)
		}
	}
	slices.Sort(levels)
	for _, l := range levels {
		p.Levels = append(p.Levels, Choice{Value: l, Selected: l == p.Level})
	}
	return p, nil
}

// mentions reports whether every word of text occurs in e, in any case.
func mentions(e engine.Event, text string) bool {
	var b strings.Builder
	fmt.Fprint(&b, e.Process, " ", e.Module, " ", e.Name, " ", e.Level, " ", e.Detail, " ", e.Kind)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " %s=%q", f.Name, f.Value)
	}
	line := strings.ToLower(b.String())
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

// HistoryPage is what was changed, by whom, from where.
type HistoryPage struct {
	Page
	Entries []engine.HistoryEntry
	Next    string // URL of older ones, "" for none
	Newest  bool   // this is the first page
}

// historyShown is how many entries a page of the history shows.
const historyShown = 100

func (s *Server) historyPage(c echo.Context) error {
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	p := HistoryPage{Page: s.page(c, c.Get(who).(signedIn), "history"), Newest: before <= 0}
	var err error
	p.Entries, err = s.options.History.History(c.Request().Context(), 0, max(before, 0), historyShown+1)
	if err != nil {
		return err
	}
	if len(p.Entries) > historyShown {
		p.cut()
	}
	return s.render(c, http.StatusOK, "history", p)
}

// cut ends the page between two revisions: one is never split, unless it alone
// is longer than a page.
func (p *HistoryPage) cut() {
	last := p.Entries[historyShown].Revision
	end := historyShown
	for end > 0 && p.Entries[end-1].Revision == last {
		end--
	}
	if end == 0 {
		end = historyShown
	}
	p.Entries = p.Entries[:end]
	p.Next = "/history?before=" + strconv.FormatInt(p.Entries[end-1].Revision, 10)
}
