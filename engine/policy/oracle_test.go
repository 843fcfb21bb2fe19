package policy_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hexad/engine"
	"hexad/engine/policy"
)

// pooled repeats the exceptions of option_keys in Go.
var pooled = map[string][]string{
	"vcs":        {"traversal_calls", "non_traversal_calls"},
	"expressway": {"rich_media_sessions", "room_registrations", "desktop_registrations"},
}

// differing is the set of keys that some peer has and another does not.
func differing(product string, peers [][]engine.KeyRecord) []string {
	holders := map[string]int{}
	for _, keys := range peers {
		mine := map[string]bool{}
		for _, k := range keys {
			count := "on"
			if k.Count > 0 {
				count = fmt.Sprint(k.Count)
			}
			if !slices.Contains(pooled[product], k.Family) {
				mine[k.Family+"="+count] = true
			}
		}
		for s := range mine {
			holders[s]++
		}
	}
	var out []string
	for s, n := range holders {
		if n < len(peers) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

func TestOptionKeysAgreeWithAnOracle(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: builtin()})
	families := []string{"traversal_calls", "rich_media_sessions", "room_registrations", "find_me", "gateway", "turn_relays"}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Custom(func(t *rapid.T) engine.KeyRecord {
			return engine.KeyRecord{Family: rapid.SampledFrom(families).Draw(t, "family"), Count: rapid.IntRange(0, 2).Draw(t, "count")}
		})
		product := rapid.SampledFrom([]string{"vcs", "expressway", "other"}).Draw(t, "product")
		peers := rapid.SliceOfN(rapid.SliceOfN(key, 0, 4), 1, 6).Draw(t, "peers")
		in := engine.KeysInput{Product: product, Occasion: engine.OnJoin}
		for i, keys := range peers {
			in.Peers = append(in.Peers, engine.PeerRecord{Address: fmt.Sprint("p", i), Reachable: true, Keys: keys})
		}
		var got []string
		for _, f := range p.CompareKeys(context.Background(), in).Findings {
			got = append(got, f.Params["key"])
		}
		slices.Sort(got)
		if want := differing(product, peers); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
