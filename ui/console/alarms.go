package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/alarm"
)

// AlarmsPage lists the alarms of all peers.
type AlarmsPage struct {
	Page
	Filter     AlarmFilter
	Severities []Choice
	States     []Choice
	Peers      []Choice
	Alarms     []AlarmView
	Total      int
}

// AlarmFilter is what the list is narrowed to; it stands in the URL.
type AlarmFilter struct{ Severity, State, Peer, Text string }

// AlarmView is one raised alarm with its kind, in one language.
type AlarmView struct {
	engine.RaisedAlarm
	Kind     engine.Severity
	Severity Badge
	Status   Badge
	Title    string
	Detail   string
	Remedy   string
	Own      bool // raised on this peer, and so acknowledged here
	URL      string
	// What the rules made of it.
	Expected  bool
	Changed   *Badge // severity of its kind, when the rules gave it another
	Suggested []string
	Decision  string // URL, when it was made on this peer
}

// AlarmPage is one alarm in full.
type AlarmPage struct {
	Page
	Alarm   AlarmView
	UUID    string
	Params  [][2]string
	Comment string
	Problem *Problem
}

func (s *Server) alarmsPage(c echo.Context) error {
	p, err := s.alarms(c, s.page(c, c.Get(who).(signedIn), "alarms"), c.QueryParams())
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "alarms", p)
}

func (s *Server) alarms(c echo.Context, page Page, q url.Values) (AlarmsPage, error) {
	page.Topics = "alarms"
	p := AlarmsPage{Page: page, Filter: AlarmFilter{Severity: q.Get("severity"), State: q.Get("state"), Peer: q.Get("peer"), Text: strings.TrimSpace(q.Get("q"))}}
	raised, err := s.options.Alarms.List(c.Request().Context())
	if err != nil {
		return p, err
	}
	p.Total = len(raised)
	for _, severity := range engine.Severities {
		p.Severities = append(p.Severities, Choice{Value: string(severity), Selected: p.Filter.Severity == string(severity)})
	}
	for _, state := range []engine.AlarmState{engine.AlarmNew, engine.AlarmAcknowledged} {
		p.States = append(p.States, Choice{Value: string(state), Selected: p.Filter.State == string(state)})
	}
	var peers []string
	for _, a := range raised {
		if !slices.Contains(peers, a.Peer) {
			peers = append(peers, a.Peer)
		}
		if v := s.alarmView(a, p.Page); p.Filter.admits(v) {
			p.Alarms = append(p.Alarms, v)
		}
	}
	slices.Sort(peers)
	for _, peer := range peers {
		p.Peers = append(p.Peers, Choice{Value: peer, Selected: p.Filter.Peer == peer})
	}
	slices.SortStableFunc(p.Alarms, byUrgency)
	return p, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// byUrgency puts what is not expected first, then new before acknowledged,
// worse before better, later before earlier.
func byUrgency(a, b AlarmView) int {
	return cmp.Or(cmp.Compare(flag(a.Expected), flag(b.Expected)), cmp.Compare(b.State, a.State), // New sorts after Acknowledged
		cmp.Compare(slices.Index(engine.Severities, a.Kind), slices.Index(engine.Severities, b.Kind)),
		b.Last.Compare(a.Last))
}

func (f AlarmFilter) admits(v AlarmView) bool {
	text := strings.ToLower(strconv.Itoa(v.ID) + " " + v.Title + " " + v.Detail + " " + v.Peer)
	return (f.Severity == "" || f.Severity == string(v.Kind)) && (f.State == "" || f.State == string(v.State)) &&
		(f.Peer == "" || f.Peer == v.Peer) && strings.Contains(text, strings.ToLower(f.Text))
}

func (s *Server) alarmView(a engine.RaisedAlarm, p Page) AlarmView {
	kind := s.options.Catalogue(a.ID)
	q := url.Values{"id": {strconv.Itoa(a.ID)}, "node": {a.Node}}
	if a.Key != "" {
		q.Set("key", a.Key)
	}
	severity := a.SeverityOf(kind.Severity)
	v := AlarmView{RaisedAlarm: a, Kind: severity, Severity: severityBadge(severity), Status: alarmStateBadge(a.State),
		Title: kind.Title.In(p.Lang, a.Params), Detail: kind.Detail.In(p.Lang, a.Params), Remedy: kind.Remedy.In(p.Lang, a.Params),
		Own: a.Node == p.View.Node, URL: "/alarms/one?" + q.Encode(), Expected: a.ExpectedAt(p.Now)}
	if a.Mark == nil {
		return v
	}
	if severity != kind.Severity {
		was := severityBadge(kind.Severity)
		v.Changed = &was
	}
	for _, s := range a.Mark.Suggested {
		v.Suggested = append(v.Suggested, alarm.Suggestion(s, p.Lang))
	}
	if a.Mark.Decision != "" && p.View.PrimaryHere {
		v.Decision = "/policies/decision?id=" + url.QueryEscape(a.Mark.Decision)
	}
	return v
}

// oneAlarm finds the alarm that q names. Errors: NotFound (lowered meanwhile).
func (s *Server) oneAlarm(c echo.Context, q url.Values) (AlarmPage, error) {
	p := AlarmPage{Page: s.page(c, c.Get(who).(signedIn), "alarms")}
	raised, err := s.options.Alarms.List(c.Request().Context())
	if err != nil {
		return p, err
	}
	id, _ := strconv.Atoi(q.Get("id"))
	for _, a := range raised {
		if a.ID != id || a.Node != q.Get("node") || a.Key != q.Get("key") {
			continue
		}
		p.Alarm, p.UUID = s.alarmView(a, p.Page), s.options.Catalogue(a.ID).UUID
		for name, value := range a.Params {
			p.Params = append(p.Params, [2]string{name, value})
		}
		slices.SortFunc(p.Params, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		return p, nil
	}
	return p, &engine.Error{Code: engine.NotFound, Message: "error.alarm_lowered"}
}

func (s *Server) alarmPage(c echo.Context) error {
	p, err := s.oneAlarm(c, c.QueryParams())
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "alarm", p)
}

func (s *Server) acknowledge(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	p, err := s.oneAlarm(c, form)
	if err != nil {
		return err
	}
	args := map[string]string{"AlarmID": strconv.Itoa(p.Alarm.ID), "Peer": p.Alarm.Peer}
	for name, value := range map[string]string{"Key": p.Alarm.Key, "Comment": strings.TrimSpace(form.Get("comment"))} {
		if value != "" {
			args[name] = value
		}
	}
	if _, err := s.run(c, "AlarmAcknowledge", 0, args); err != nil {
		problem := problemOf(err, p.Lang)
		p.Problem, p.Comment = &problem, form.Get("comment")
		return s.render(c, StatusOf(problem.Code), "alarm", p)
	}
	return done(c, p.Alarm.URL, "acknowledged")
}
