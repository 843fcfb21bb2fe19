package appliance

import (
	"strings"

	"hexad/engine/config"
	"hexad/ui/console"
)

// matches reports whether every word of a search occurs in the path, the value
// or the help of an item.
func matches(v config.ItemValue, search string) bool {
	if search == "" {
		return true
	}
	text := strings.ToLower(strings.Join([]string{v.Path, v.Shown(), v.Item.Help.EN, v.Item.Help.JA}, " "))
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// consoleItem is an item of the registry with its value as the console shows it.
func consoleItem(v config.ItemValue) console.Item {
	i := v.Item
	out := console.Item{
		Path: v.Path, Space: i.Space.String(), Default: i.Default, Value: v.Value, Set: !v.Default, Secret: i.Secret,
		Replicated: i.Scope == config.Replicated, Restart: i.Effect.Restart, Later: i.Later, Help: i.Help,
	}
	if i.Scope == config.Clustering {
		out.Page = "/clustering"
	}
	if i.Secret {
		out.Value = ""
	}
	if i.Space.Kind == config.Enum {
		out.Choices = i.Space.Values
	}
	return out
}
