package config

import (
	"maps"
	"slices"

	"hexad/engine"
)

// Checked is a value that its item accepts.
type Checked struct {
	Match
	Value string // as it is stored
	unset bool   // the item goes back to its default
}

// Check finds the item of a path and checks a value against its space: the one
// validation of single values, for every face.
//
// Errors: NotFound for an unknown path; Invalid, naming the item and what is allowed.
func (r *Registry) Check(path, value string) (Checked, error) {
	m, err := r.Lookup(path)
	if err != nil {
		return Checked{}, err
	}
	return m.check(value)
}

func (m Match) check(value string) (Checked, error) {
	if m.Item.Secret && sealed(value) {
		return Checked{}, engine.Errorf(engine.Invalid, "%s: the secret is sealed with the key of another machine", m.Path).
			With(m.Path, "type the secret itself")
	}
	v, err := m.Item.canonical(value)
	if err != nil {
		e := engine.Errorf(engine.Invalid, "%s: %s", m.Path, err.Error())
		return Checked{}, e.With(m.Path, "allowed is "+m.Item.Space.String())
	}
	return Checked{Match: m, Value: v, unset: v == "" && m.Item.Default == ""}, nil
}

// RestartAlarms are all the "Restart required" alarms of this peer's own items
// that are in effect in this release.
func (r *Registry) RestartAlarms() []int {
	seen := map[int]bool{}
	for _, i := range r.Items() {
		if i.Scope == PeerSpecific && i.Effect.Restart && i.InEffect() {
			seen[i.Effect.Alarm] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Restart lists the "Restart required" alarms that changes bring with them,
// each once, for items that are in effect in this release.
func (r *Registry) Restart(changes []engine.Change) (paths []string, alarms []int) {
	seen := map[int]bool{}
	for _, c := range changes {
		m, ok := r.find(c.Path)
		if !ok || !m.Item.Effect.Restart || !m.Item.InEffect() {
			continue
		}
		paths = append(paths, m.Path)
		if !seen[m.Item.Effect.Alarm] {
			seen[m.Item.Effect.Alarm] = true
			alarms = append(alarms, m.Item.Effect.Alarm)
		}
	}
	return paths, alarms
}
