package sqlstore_test

import (
	"maps"
	"slices"
	"testing"

	"hexad/sqlstore/sqlstoretest"
)

// TestConfigurationSince: the way from any revision leads to what reading
// everything gives, and costs no more than what changed.
func TestConfigurationSince(t *testing.T) {
	t.Parallel()
	p := sqlstoretest.Start(t, 1).Peers[0]
	save(t, p, "SIP Mode", "On")
	save(t, p, "Zones Zone 1 Name", "one")
	save(t, p, "SIP Mode", "Off")
	gone := change(t, p, "Zones Zone 1 Name", "")
	gone.Changes[0].Delete = true
	if _, err := p.SaveConfiguration(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	save(t, p, "SIP Mode", "Off") // a revision that changes nothing
	now, err := p.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		generation string
		since      int64
		ok         bool
		set        map[string]string
		unset      []string
	}{
		{"the present one", now.Generation, now.Revision, true, map[string]string{}, nil},
		{"the one before", now.Generation, now.Revision - 1, true, map[string]string{}, nil},
		{"a deletion", now.Generation, now.Revision - 2, true, map[string]string{}, []string{"Zones Zone 1 Name"}},
		{"the first", now.Generation, 1, true, map[string]string{"SIP Mode": "Off"}, []string{"Zones Zone 1 Name"}},
		{"before the history", now.Generation, 0, false, nil, nil},
		{"one of the future", now.Generation, now.Revision + 1, false, nil, nil},
		{"another generation", "other", now.Revision, false, nil, nil},
	} {
		step, ok, err := p.ConfigurationSince(t.Context(), tt.generation, tt.since)
		if err != nil || ok != tt.ok {
			t.Errorf("%s: ok %v, %v, want %v", tt.name, ok, err, tt.ok)
		}
		if ok && (step.Revision != now.Revision || !maps.Equal(step.Set, tt.set) || !slices.Equal(slices.Compact(step.Unset), tt.unset)) {
			t.Errorf("%s: %+v, want revision %d, %v, %v", tt.name, step, now.Revision, tt.set, tt.unset)
		}
	}
}
