package sqlstore_test

import (
	"database/sql"
	"slices"
	"testing"

	"hexad/engine"
	"hexad/sqlstore/sqlstoretest"
)

// digests waits until the peers of g tell their digests at the index of the first.
func digests(t *testing.T, g *sqlstoretest.Group) []engine.ContentDigest {
	t.Helper()
	var out []engine.ContentDigest
	g.Equal()
	g.Until("all are at one index", func() error {
		out = nil
		for _, p := range g.Peers {
			d, err := p.Digest(t.Context())
			if err != nil {
				return err
			}
			out = append(out, d)
		}
		if v, _ := out[0].Compare(out[len(out)-1]); v == engine.DigestUnjudged {
			return engine.Errorf(engine.Unavailable, "indexes %d and %d", out[0].Index, out[len(out)-1].Index)
		}
		return nil
	})
	return out
}

// Equal copies have equal digests, also when one came as a snapshot; a change
// changes them.
func TestDigest(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 3)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	first := digests(t, g)
	for _, d := range first[1:] {
		if v, tables := first[0].Compare(d); v != engine.DigestEqual || d.Revision != 1 {
			t.Errorf("%s: %s %v", d.Node, v, tables)
		}
	}
	again, err := g.Peers[0].Digest(t.Context())
	if err != nil || again.Digest != first[0].Digest {
		t.Errorf("again %v, %v", again, err)
	}
	g.Restart(g.Peers[1])
	save(t, g.Peers[0], "Zones Zone 1 Name", "lab")
	second := digests(t, g)
	if second[0].Digest == first[0].Digest || second[0].Tables["item"] == first[0].Tables["item"] || second[0].Tables["member"] != first[0].Tables["member"] {
		t.Errorf("after a change: %v, before %v", second[0], first[0])
	}
	if v, _ := first[0].Compare(second[0]); v != engine.DigestUnjudged {
		t.Errorf("digests of two indexes are %s", v)
	}
	if v, _ := second[0].Compare(second[1]); v != engine.DigestEqual {
		t.Errorf("after a restart: %s", v)
	}
}

// One changed value in one copy is found, and the table named.
func TestDigestFindsAChange(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	save(t, g.Peers[0], "Zones Zone 1 Name", "branch")
	g.Equal()
	other := g.Peers[1]
	db, err := sql.Open("sqlite", "file:"+other.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE item SET value = 'brunch' WHERE path = 'Zones Zone 1 Name'"); err != nil {
		t.Fatal(err)
	}
	got := digests(t, g)
	if v, tables := got[0].Compare(got[1]); v != engine.DigestUnequal || !slices.Equal(tables, []string{"item"}) {
		t.Errorf("%s %v", v, tables)
	}
}

// Without a copy there is no digest.
func TestDigestOfNothing(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Peers(t, 1)
	if err := g.Peers[0].Follow(t.Context(), g.Generation); err != nil {
		t.Fatal(err)
	}
	if d, err := g.Peers[0].Digest(t.Context()); engine.CodeOf(err) != engine.Unavailable {
		t.Errorf("%v, %v", d, err)
	}
}
