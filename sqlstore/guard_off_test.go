//go:build hexad_noguard

package sqlstore_test

import (
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

// TestWithoutGuard shows what the guard prevents: in a build without it a save
// that was decided on an older revision takes back a later one.
// Run it with: go test -tags hexad_noguard -run TestWithoutGuard ./sqlstore
func TestWithoutGuard(t *testing.T) {
	g := sqlstoretest.Start(t, 1)
	p := g.Peers[0]
	first := save(t, p, "Zones Zone 1 Name", "first")
	_, err := p.SaveConfiguration(t.Context(), engine.Save{Operation: "second", Base: first.Revision - 1, Time: time.Now(),
		Actor: engine.Actor{User: "admin"}, Changes: []engine.Change{{Path: "Zones Zone 1 Name", Value: "second"}}})
	if err != nil || value(t, p, "Zones Zone 1 Name") != "second" {
		t.Errorf("refused without the guard: %v", err)
	}
}
