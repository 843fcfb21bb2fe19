package sqlstore_test

import (
	"maps"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/sqlstore"
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

// TestSavesTogether: saves that follow each other are written at once, each
// with its revision, its origin and its entry of the history.
func TestSavesTogether(t *testing.T) {
	t.Parallel()
	p := sqlstoretest.Start(t, 1).Peers[0]
	save(t, p, "SIP Mode", "On")
	var saves []engine.Save
	for i, path := range []string{"SIP Mode", "Zones Zone 1 Name", "Zones Zone 2 Name"} {
		s := change(t, p, path, "v"+path)
		s.Base += int64(i)
		s.Actor.User = "user" + path
		saves = append(saves, s)
	}
	got, err := p.SaveConfigurations(t.Context(), saves)
	if err != nil || len(got) != 3 || got[0].Revision != 2 || got[2].Revision != 4 {
		t.Fatalf("saved %+v, %v, want revisions 2 to 4", got, err)
	}
	history, err := p.History(t.Context(), sqlstore.RevisionFilter{After: 1})
	if err != nil || len(history) != 3 {
		t.Fatalf("history %+v, %v", history, err)
	}
	for i, e := range history {
		want := saves[2-i]
		if e.Revision != int64(4-i) || e.Path != want.Changes[0].Path || e.New != want.Changes[0].Value || e.Actor.User != want.Actor.User {
			t.Errorf("entry %d = %+v, want revision %d of %+v", i, e, 4-i, want)
		}
	}
	if history[2].Old != "On" || history[0].Old != "" {
		t.Errorf("old values %q and %q", history[2].Old, history[0].Old)
	}
	again, err := p.SaveConfigurations(t.Context(), saves)
	if err != nil || again[2].Revision != 4 {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if one, err := p.SaveConfiguration(t.Context(), saves[2]); err != nil || one.Revision != 4 {
		t.Errorf("the last one sent again by itself: %+v, %v", one, err)
	}
	for i := range saves {
		saves[i].Operation += "-other"
	}
	if _, err := p.SaveConfigurations(t.Context(), saves); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("on an old revision: %v, want a conflict", err)
	}
	saves[1].Changes[0].Path = "SIP Mode"
	if _, err := p.SaveConfigurations(t.Context(), saves); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("twice the same item: %v, want invalid", err)
	}
	saves[1].Base = 9
	if _, err := p.SaveConfigurations(t.Context(), saves); engine.CodeOf(err) != engine.Invalid {
		t.Errorf("not one after the other: %v, want invalid", err)
	}
}
