package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
)

// itemsPerPage is how many items one page shows.
const itemsPerPage = 100

// ConfigurationPage browses and edits configuration items.
type ConfigurationPage struct {
	Page
	Areas    []Area
	Area     string
	Search   string
	Revision int64
	Total    int
	First    int // number of the first item shown, 1-based
	Last     int
	Rows     []ItemRow
	Back     string // URL of the page before, "" for none
	Next     string
	Problem  *Problem
	Conflict *ConfigurationConflict
	Refused  ItemRow // what was typed into "another item", when it was refused
}

// ItemRow is one item of the form.
type ItemRow struct {
	Item
	Name     string // the path below its area
	Typed    string // what stands in the field
	Locked   bool   // cannot be edited here and now
	Selected []Choice
	Error    string
}

// Choice is one value of a closed list.
type Choice struct {
	Value    string
	Selected bool
}

// ConfigurationConflict tells what happened between looking and saving.
type ConfigurationConflict struct {
	Base    int64
	Changes []ConflictRow
	Others  []engine.HistoryEntry // every change since Base
}

// ConflictRow is one item that somebody tried to save.
type ConflictRow struct {
	Path, Before, Now, Yours string
	Changed                  bool // meanwhile, by somebody else
}

func (s *Server) configurationPage(c echo.Context) error {
	p, err := s.browse(c, c.QueryParams())
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "configuration", p)
}

// browse makes the page that q (area, q, from) asks for.
func (s *Server) browse(c echo.Context, q url.Values) (ConfigurationPage, error) {
	ctx := c.Request().Context()
	p := ConfigurationPage{Page: s.page(c, c.Get(who).(signedIn), "configuration"), Area: q.Get("area"), Search: strings.TrimSpace(q.Get("q"))}
	var err error
	if p.Areas, err = s.options.Configuration.Areas(ctx); err != nil {
		return p, err
	}
	slices.SortFunc(p.Areas, func(a, b Area) int { return strings.Compare(a.Name, b.Name) })
	if p.Area == "" && p.Search == "" {
		return p, nil
	}
	from, _ := strconv.Atoi(q.Get("from"))
	from = max(from, 0)
	found, err := s.options.Configuration.Items(ctx, ItemQuery{Area: p.Area, Search: p.Search, Offset: from, Limit: itemsPerPage})
	if err != nil {
		return p, err
	}
	p.Revision, p.Total = found.Revision, found.Total
	p.First, p.Last = from+1, from+len(found.Items)
	p.Rows = p.rows(found.Items)
	if from > 0 {
		p.Back = p.at(max(0, from-itemsPerPage))
	}
	if p.Last < p.Total {
		p.Next = p.at(from + itemsPerPage)
	}
	return p, nil
}

func (p *ConfigurationPage) at(from int) string {
	q := url.Values{}
	for k, v := range map[string]string{"area": p.Area, "q": p.Search} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if from > 0 {
		q.Set("from", strconv.Itoa(from))
	}
	return "/configuration?" + q.Encode()
}

// AreaURL is where an area is browsed.
func (p ConfigurationPage) AreaURL(name string) string {
	return "/configuration?" + url.Values{"area": {name}}.Encode()
}

// From is where the page starts, for the form to come back to.
func (p ConfigurationPage) From() int { return max(0, p.First-1) }

func (p *ConfigurationPage) rows(items []Item) []ItemRow {
	rows := make([]ItemRow, 0, len(items))
	for _, item := range items {
		row := ItemRow{Item: item, Name: item.Path, Typed: item.Value}
		if p.Area != "" {
			row.Name = strings.TrimSpace(strings.TrimPrefix(item.Path, p.Area))
		}
		if row.Name == "" {
			row.Name = item.Path
		}
		// A replicated item can be edited where it can be saved: on the primary.
		row.Locked = !p.MayChange || item.Page != "" || item.Replicated && !p.View.Writable
		row.choose()
		rows = append(rows, row)
	}
	return rows
}

// choose marks the choice that stands in the field, and keeps a value that is
// in no list rather than showing another one.
func (r *ItemRow) choose() {
	r.Selected = nil
	if len(r.Choices) == 0 {
		return
	}
	if !slices.Contains(r.Choices, r.Typed) {
		r.Selected = append(r.Selected, Choice{Value: r.Typed, Selected: true})
	}
	for _, v := range r.Choices {
		r.Selected = append(r.Selected, Choice{Value: v, Selected: v == r.Typed})
	}
}

// edit is one field of the form: what it held and what it holds.
type edit struct{ path, before, value string }

// edits are the fields that were changed: forms send the path, the old and the
// new value of each as p.N, o.N and v.N, and always sends that come as "+".
func edits(form url.Values) []edit {
	var out []edit
	for i := 0; form.Has("p." + strconv.Itoa(i)); i++ {
		n := strconv.Itoa(i)
		e := edit{path: form.Get("p." + n), before: form.Get("o." + n), value: form.Get("v." + n)}
		if form.Has("v."+n) && e.value != e.before {
			out = append(out, e)
		}
	}
	if path := strings.TrimSpace(form.Get("p.new")); path != "" {
		out = append(out, edit{path: strings.TrimPrefix(path, "xConfiguration "), value: form.Get("v.new")})
	}
	return out
}

func (s *Server) saveConfiguration(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	made := edits(form)
	where := url.Values{"area": {form.Get("area")}, "q": {form.Get("q")}, "from": {form.Get("from")}}
	back := "/configuration?" + where.Encode()
	if len(made) == 0 {
		return done(c, back, "unchanged")
	}
	base, _ := strconv.ParseInt(form.Get("base"), 10, 64)
	changes := make([]engine.Change, 0, len(made))
	for _, e := range made {
		changes = append(changes, engine.Change{Path: e.path, Value: e.value})
	}
	result, err := s.set(c, base, changes)
	if err == nil {
		return done(c, back, savedAs(result.Saved))
	}
	return s.refusedItems(c, where, base, made, err)
}

// refusedItems is the page again with everything that was typed, and why it
// was not saved; after a conflict, with what others saved meanwhile.
func (s *Server) refusedItems(c echo.Context, where url.Values, base int64, made []edit, refusal error) error {
	p, err := s.browse(c, where)
	if err != nil {
		return err
	}
	e := asError(refusal)
	problem := problemOf(e, p.Lang)
	p.Problem = &problem
	for _, m := range made {
		p.keep(m, e)
	}
	if e.Code == engine.Conflict {
		if p.Conflict, err = s.conflict(c, base, made); err != nil {
			return err
		}
	}
	return s.render(c, StatusOf(e.Code), "configuration", p)
}

// keep puts what was typed back into its field.
func (p *ConfigurationPage) keep(m edit, e *engine.Error) {
	for i := range p.Rows {
		row := &p.Rows[i]
		if !strings.EqualFold(row.Path, m.path) {
			continue
		}
		row.Typed = m.value
		row.choose()
		if strings.EqualFold(e.Item, row.Path) {
			row.Error = strings.TrimSpace(e.Message + " " + e.Remedy)
		}
		return
	}
	p.Refused = ItemRow{Item: Item{Path: m.path}, Typed: m.value}
}

func (s *Server) conflict(c echo.Context, base int64, made []edit) (*ConfigurationConflict, error) {
	ctx := c.Request().Context()
	paths := make([]string, 0, len(made))
	for _, m := range made {
		paths = append(paths, m.path)
	}
	// An item that was typed by its path may not exist: then it has no value now.
	now, err := s.options.Configuration.Items(ctx, ItemQuery{Paths: paths, Limit: len(paths)})
	if err != nil && engine.CodeOf(err) != engine.NotFound {
		return nil, err
	}
	out := &ConfigurationConflict{Base: base}
	if out.Others, err = s.options.History.History(ctx, base, 0, 200); err != nil {
		return nil, err
	}
	for _, m := range made {
		row := ConflictRow{Path: m.path, Before: m.before, Yours: m.value}
		for _, item := range now.Items {
			if strings.EqualFold(item.Path, m.path) {
				row.Now = item.Value
			}
		}
		for _, h := range out.Others {
			row.Changed = row.Changed || strings.EqualFold(h.Path, m.path)
		}
		out.Changes = append(out.Changes, row)
	}
	return out, nil
}
