package console

import (
	"maps"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/engine/policy"
)

// TablesPage shows the operators' tables: as they are, and what the next
// revision changes.
type TablesPage struct {
	PolicyFrame
	Tables []TableView
	Table  string // what was typed
	Key    string
	Value  string
}

// TableView is one table.
type TableView struct {
	Name string
	Rows []TableRow
}

// TableRow is one row; Change is "", new, changed or removed.
type TableRow struct {
	Key, Value, Next, Change string
}

// tableViews joins what is active with what is drafted.
func tableViews(t policy.Tables) []TableView {
	names := map[string]bool{}
	for name := range t.Active {
		names[name] = true
	}
	for name := range t.Next {
		names[name] = true
	}
	var out []TableView
	for _, name := range slices.Sorted(maps.Keys(names)) {
		view := TableView{Name: name}
		keys := maps.Clone(t.Active[name])
		if keys == nil {
			keys = map[string]string{}
		}
		maps.Copy(keys, t.Next[name])
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			view.Rows = append(view.Rows, tableRow(t, name, key))
		}
		out = append(out, view)
	}
	return out
}

func tableRow(t policy.Tables, table, key string) TableRow {
	was, before := t.Active[table][key]
	is, after := t.Next[table][key]
	row := TableRow{Key: key, Value: was, Next: is}
	switch {
	case !before:
		row.Change = "new"
	case !after:
		row.Change = "removed"
	case was != is:
		row.Change = "changed"
	}
	return row
}

func (s *Server) tablesPage(c echo.Context) error {
	p, err := s.tables(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "policydata", p)
}

func (s *Server) tables(c echo.Context) (TablesPage, error) {
	p := TablesPage{PolicyFrame: s.policyFrame(c, "data"), Table: c.QueryParam("table")}
	var tables policy.Tables
	if err := s.askPolicy(c, &tables, "PolicyData", nil); err != nil {
		return p, err
	}
	p.Tables = tableViews(tables)
	return p, nil
}

func (s *Server) changeTable(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	table, key := trimmed(form, "table"), trimmed(form, "key")
	name, args := "PolicyDataSet", map[string]string{"Table": table, "Key": key, "Value": form.Get("value")}
	if form.Get("do") == "remove" {
		name = "PolicyDataDelete"
		delete(args, "Value")
	}
	if _, err := s.run(c, name, 0, args); err != nil {
		p, failed := s.tables(c)
		if failed != nil {
			return err
		}
		p.Table, p.Key, p.Value = table, key, form.Get("value")
		return s.render(c, refused(&p.PolicyFrame, err), "policydata", p)
	}
	return done(c, "/policies/data?table="+table, "policy_data")
}

// WaiversPage lists what an administrator has waived.
type WaiversPage struct {
	PolicyFrame
	Waivers  []engine.PolicyWaiver
	Findings []Choice // that may be waived
	Peers    []Choice
	Finding  string
	Reason   string
	For      string
}

func (s *Server) waiversPage(c echo.Context) error {
	p, err := s.waivers(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "policywaivers", p)
}

func (s *Server) waivers(c echo.Context) (WaiversPage, error) {
	p := WaiversPage{PolicyFrame: s.policyFrame(c, "waivers"), Finding: c.QueryParam("finding"), For: "24h"}
	if err := s.askPolicy(c, &p.Waivers, "PolicyWaivers", nil); err != nil {
		return p, err
	}
	catalogue := policy.Catalogue()
	for _, id := range slices.Sorted(maps.Keys(catalogue)) {
		if catalogue[id].Waivable {
			p.Findings = append(p.Findings, Choice{Value: id, Selected: id == p.Finding})
		}
	}
	for _, peer := range p.View.Peers {
		p.Peers = append(p.Peers, Choice{Value: peer.Address, Selected: peer.Address == c.QueryParam("peer")})
	}
	return p, nil
}

func (s *Server) changeWaiver(c echo.Context) error {
	form, err := sent(c)
	if err != nil {
		return err
	}
	name, args := "PolicyWaive", map[string]string{"Finding": trimmed(form, "finding"), "For": trimmed(form, "for"), "Reason": trimmed(form, "reason")}
	if peer := form.Get("peer"); peer != "" {
		args["Peer"] = peer
	}
	if id := form.Get("id"); id != "" {
		name, args = "PolicyUnwaive", map[string]string{"Id": id}
	}
	if _, err := s.run(c, name, 0, args); err != nil {
		p, failed := s.waivers(c)
		if failed != nil {
			return err
		}
		p.Finding, p.Reason, p.For = trimmed(form, "finding"), form.Get("reason"), form.Get("for")
		return s.render(c, refused(&p.PolicyFrame, err), "policywaivers", p)
	}
	return done(c, "/policies/waivers", "policy_waiver")
}

// ReferencePage is what a script of a hook is asked, what it may answer, and
// what it can call.
type ReferencePage struct {
	PolicyFrame
	Hooks     []NavEntry
	Hook      policy.Description
	Complete  []policy.Completion
	Answers   []policy.Field
	Functions []policy.Function
}

func (s *Server) referencePage(c echo.Context) error {
	p := ReferencePage{PolicyFrame: s.policyFrame(c, "reference"), Functions: policy.Functions()}
	names := policy.Hooks()
	chosen := c.QueryParam("hook")
	if !slices.Contains(names, chosen) {
		chosen = names[0]
	}
	for _, name := range names {
		p.Hooks = append(p.Hooks, NavEntry{Name: name, URL: "/policies/reference?hook=" + name, Current: name == chosen})
	}
	p.Hook, _ = policy.Describe(chosen)
	p.Complete = policy.Complete(chosen)
	answer := p.Hook.Answer
	for answer.Elem != nil {
		answer = *answer.Elem
	}
	p.Answers = answer.Fields
	return s.render(c, http.StatusOK, "policyreference", p)
}
