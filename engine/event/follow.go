package event

import "hexad/engine"

// Followed is a replicated configuration change on a peer where it was not
// made: each item in the database's form only.
func (l Lines) Followed(changes []engine.HistoryEntry) []engine.Event {
	var out []engine.Event
	for _, c := range changes {
		out = append(out, l.Changed(itemName(c.Path), c.Old, c.New))
	}
	return out
}
