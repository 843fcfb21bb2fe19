package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hexad/engine"
	"hexad/sqlstore"
	"hexad/sqlstore/sqlstoretest"
)

// dataKey is a data key with one wrap for each public part.
func dataKey(t *testing.T, number int64, publics ...string) sqlstore.DataKey {
	t.Helper()
	proof, err := sqlstore.ProofOf(number, bytes.Repeat([]byte{byte(number)}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k := sqlstore.DataKey{Number: number, Made: time.UnixMilli(1000).UTC(), By: "node1", Proof: proof, Wraps: map[string]string{}}
	for _, p := range publics {
		k.Wraps[p] = fmt.Sprintf("wrap %d for %s", number, p)
	}
	return k
}

// told is what a copy has of the keys, in short.
func told(k sqlstore.DataKeys) string {
	out := ""
	for _, key := range k.Keys {
		var for_ []string
		for p := range key.Wraps {
			for_ = append(for_, p)
		}
		slices.Sort(for_)
		out += fmt.Sprintf("%d%v ", key.Number, for_)
	}
	for _, m := range k.Members {
		out += fmt.Sprintf("%s=%s%v%v ", m.Node, m.Public, m.Lost, m.Asked != "" && m.Asked == m.Done)
	}
	return out
}

// TestDataKeys: the rows of the keys, equal everywhere; a key is made by the
// primary alone and follows the present one; what nobody needs is removed and
// what seals something is not.
func TestDataKeys(t *testing.T) {
	t.Parallel()
	g := sqlstoretest.Start(t, 2)
	ctx := t.Context()
	p := g.Peers[0]
	check := func(want string) {
		t.Helper()
		for _, q := range g.Peers {
			sqlstoretest.Until(t, q.Node+" has "+want, func() error {
				rows, err := q.DataKeys(ctx)
				if err == nil && (!rows.Ready || told(rows) != want) {
					err = errors.New(told(rows))
				}
				return err
			})
		}
	}
	check("")
	if err := g.Peers[1].PutDataKey(ctx, dataKey(t, 1)); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("a subordinate made a data key: %v", err)
	}
	if err := errors.Join(p.PutSystemKey(ctx, sqlstore.SystemKey{Node: "node1", Public: "a"}, nil),
		g.Peers[1].PutSystemKey(ctx, sqlstore.SystemKey{Node: "node2", Public: "b", Lost: []string{"x y"}}, nil), p.PutDataKey(ctx, dataKey(t, 1, "a"))); err != nil {
		t.Fatal(err)
	}
	check("1[a] node1=a[]false node2=b[x y]false ")
	for _, number := range []int64{1, 3} {
		if err := p.PutDataKey(ctx, dataKey(t, number, "a")); engine.CodeOf(err) != engine.Conflict {
			t.Errorf("data key %d after 1: %v", number, err)
		}
	}
	wraps := []sqlstore.Wrapping{{Number: 1, Public: "b", Wrapped: "w"}, {Number: 9, Public: "b", Wrapped: "of a key that is gone"}}
	if err := errors.Join(p.PutWraps(ctx, wraps), p.AskSystemKeys(ctx, []string{"node2", "nobody"}, "ask 1")); err != nil {
		t.Fatal(err)
	}
	check("1[a b] node1=a[]false node2=b[x y]false ")
	if err := g.Peers[1].PutSystemKey(ctx, sqlstore.SystemKey{Node: "node2", Public: "c", Done: "ask 1"}, []sqlstore.Wrapping{{Number: 1, Public: "c", Wrapped: "w"}}); err != nil {
		t.Fatal(err)
	}
	check("1[a b c] node1=a[]false node2=c[]true ")
	save(t, p, "Authentication Password", "{cipher}k1:AAAA")
	if err := errors.Join(p.PutDataKey(ctx, dataKey(t, 2, "a", "c")), p.TidyKeys(ctx)); err != nil {
		t.Fatal(err)
	}
	check("1[a c] 2[a c] node1=a[]false node2=c[]true ")
	save(t, p, "Authentication Password", "{cipher}k2:AAAA")
	if err := p.TidyKeys(ctx); err != nil {
		t.Fatal(err)
	}
	check("2[a c] node1=a[]false node2=c[]true ")
	rows, err := p.DataKeys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	present := rows.Present()
	if _, err := present.Proved(bytes.Repeat([]byte{2}, 32)); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if _, err := present.Proved(bytes.Repeat([]byte{1}, 32)); !errors.Is(err, sqlstore.ErrKey) {
		t.Errorf("another key: %v", err)
	}
	file := filepath.Join(t.TempDir(), "copy.sqlite")
	if _, err := p.Take(ctx, file); err != nil {
		t.Fatal(err)
	}
	copied, err := sqlstore.CopyDataKeys(file)
	if err != nil || told(copied) != told(rows) {
		t.Errorf("a copy has %s, %v", told(copied), err)
	}
	if err := p.RemoveMember(context.WithoutCancel(ctx), "node2"); err != nil {
		t.Fatal(err)
	}
	if err := p.TidyKeys(ctx); err != nil {
		t.Fatal(err)
	}
	if rows, err := p.DataKeys(ctx); err != nil || told(rows) != "2[a] node1=a[]false " {
		t.Errorf("after the removal: %s, %v", told(rows), err)
	}
}

// TestDataKeysRebuilt: with nothing left but the journal, the keys that the
// secrets are sealed with are there again.
func TestDataKeysRebuilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := sqlstoretest.Start(t, 1, journalled(dir))
	p, ctx := g.Peers[0], t.Context()
	if err := errors.Join(p.PutSystemKey(ctx, sqlstore.SystemKey{Node: p.Node, Public: "a"}, nil), p.PutDataKey(ctx, dataKey(t, 1, "a"))); err != nil {
		t.Fatal(err)
	}
	save(t, p, "Authentication Password", "{cipher}k1:AAAA")
	if err := p.PutDataKey(ctx, dataKey(t, 2, "a")); err != nil {
		t.Fatal(err)
	}
	save(t, p, "Authentication Password", "{cipher}k2:AAAA")
	if err := errors.Join(p.TidyKeys(ctx), p.AskSystemKeys(ctx, []string{p.Node}, "ask")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	path := filepath.Join(dir, "rebuilt.sqlite")
	if _, err := sqlstore.Rebuild(ctx, sqlstore.Remains{Journal: journalOf(dir, p.Node), Generation: g.Generation}, path); err != nil {
		t.Fatal(err)
	}
	rows, err := sqlstore.CopyDataKeys(path)
	if want := "2[a] " + p.Node + "=a[]false "; err != nil || told(rows) != want || rows.Of(p.Node).Asked != "ask" {
		t.Errorf("rebuilt %s, %v, want %s", told(rows), err, want)
	}
	items, err := sqlstore.CopyItems(path)
	if err != nil || items["Authentication Password"] != "{cipher}k2:AAAA" {
		t.Errorf("rebuilt %v, %v", items, err)
	}
}
