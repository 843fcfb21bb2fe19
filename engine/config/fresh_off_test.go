//go:build hexad_staleread

package config_test

import (
	"testing"

	"hexad/engine"
)

// TestStaleRead shows what a stale answer looks like: in a build with it, who
// saved an item reads the value of before.
// Run it with: go test -tags hexad_staleread -run TestStaleRead ./engine/config
func TestStaleRead(t *testing.T) {
	s, _ := open(t, true)
	before, _, err := s.Current().Get("H323 Mode")
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]string{"On": "Off", "Off": "On"}[before]
	if _, err := s.Set(t.Context(), engine.Actor{User: "admin"}, 0, []engine.Change{{Path: "H323 Mode", Value: next}}); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := s.Current().Get("H323 Mode"); got != before {
		t.Errorf("it reads %q at once, was %q", got, before)
	}
}
