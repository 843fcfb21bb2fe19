package console

import (
	"context"
	"strings"

	"hexad/engine/config"
)

// registry is the Configuration of engine/config.
type registry struct {
	current func() *config.View
}

// Registry browses the items of engine/config. current returns the present
// state of the configuration (config.Service.Current).
func Registry(current func() *config.View) Configuration { return registry{current} }

// area is the branch that a path is browsed in: its first word.
func area(path string) string {
	first, _, _ := strings.Cut(path, " ")
	return first
}

func (r registry) Areas(context.Context) ([]Area, error) {
	all, err := r.current().All("")
	if err != nil {
		return nil, err
	}
	var out []Area
	at := map[string]int{}
	for _, v := range all {
		name := area(v.Path)
		i, known := at[name]
		if !known {
			i = len(out)
			at[name] = i
			out = append(out, Area{Name: name})
		}
		out[i].Count++
	}
	return out, nil
}

func (r registry) Items(_ context.Context, q ItemQuery) (Items, error) {
	view := r.current()
	all, err := view.All("")
	if err != nil {
		return Items{}, err
	}
	words := strings.Fields(strings.ToLower(q.Search))
	out := Items{Revision: view.Revision}
	for _, v := range all {
		if !asked(v, q, words) {
			continue
		}
		if out.Total >= q.Offset && len(out.Items) < q.Limit {
			out.Items = append(out.Items, itemOf(v))
		}
		out.Total++
	}
	return out, nil
}

func asked(v config.ItemValue, q ItemQuery, words []string) bool {
	if len(q.Paths) > 0 {
		for _, path := range q.Paths {
			if strings.EqualFold(path, v.Path) {
				return true
			}
		}
		return false
	}
	if q.Area != "" && area(v.Path) != q.Area {
		return false
	}
	if len(words) == 0 {
		return true
	}
	line := strings.ToLower(v.Path + " " + v.Shown() + " " + v.Item.Help.EN + " " + v.Item.Help.JA)
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

func itemOf(v config.ItemValue) Item {
	i := v.Item
	item := Item{Path: v.Path, Space: i.Space.String(), Default: i.Default, Value: v.Value, Set: !v.Default,
		Secret: i.Secret, Replicated: i.Scope == config.Replicated, Restart: i.Effect.Restart,
		Later: i.Later, Help: i.Help}
	if i.Space.Kind == config.Enum {
		item.Choices = i.Space.Values
	}
	if i.Secret {
		item.Value = ""
	}
	if i.Scope == config.Clustering {
		item.Page = "/clustering"
	}
	return item
}
