package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hexad/engine"
)

func TestVotersFor(t *testing.T) {
	t.Parallel()
	six := []string{"a", "b", "c", "d", "e", "f"}
	for _, tt := range []struct {
		members []string
		primary string
		down    string
		want    string
	}{
		// Source: design 3.
		{six[:1], "a", "", "[a]"},
		{six[:2], "b", "", "[b]"},
		{six[:3], "a", "", "[a b c]"},
		{six[:4], "b", "", "[b a c]"},
		{six[:5], "a", "", "[a b c d e]"},
		{six[:6], "f", "", "[f a b c d]"},
		// Somebody is lost.
		{six[:3], "a", "c", "[a]"},
		{six[:4], "a", "b", "[a c d]"},
		{six[:6], "a", "b", "[a c d e f]"},
		{six[:6], "a", "bc", "[a d e]"},
		{six[:6], "a", "bcde", "[a]"},
		{six[:6], "a", "bcdef", "[a]"},
		// The primary is lost.
		{six[:2], "a", "a", "[a]"},
		{six[:3], "a", "a", "[a b c]"},
		{six[:4], "a", "ab", "[a c d]"},
		{six[:6], "a", "abc", "[a d e f b]"},
		{six[:2], "x", "", "[]"}, // no member
	} {
		got := engine.VotersFor(tt.members, tt.primary, up(tt.down))
		if fmt.Sprint(got) != tt.want {
			t.Errorf("members %v, primary %s, without %q: %v, want %s", tt.members, tt.primary, tt.down, got, tt.want)
		}
	}
}

func up(down string) func(string) bool {
	return func(n string) bool { return !slices.Contains([]rune(down), rune(n[0])) }
}

func TestVotersForHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}`), 1, engine.MaxPeers, rapid.ID[string]).Draw(t, "members")
		primary := rapid.SampledFrom(members).Draw(t, "primary")
		reach := map[string]bool{}
		for _, m := range members {
			reach[m] = rapid.Bool().Draw(t, "reaches "+m)
		}
		voters := engine.VotersFor(members, primary, func(n string) bool { return reach[n] })
		if len(voters)%2 != 1 || voters[0] != primary {
			t.Fatalf("%v: not an odd number that begins with the primary", voters)
		}
		sorted := slices.Compact(slices.Sorted(slices.Values(voters)))
		if len(sorted) != len(voters) {
			t.Fatalf("%v: one votes twice", voters)
		}
		near := 0
		for _, v := range voters {
			if !slices.Contains(members, v) {
				t.Fatalf("%v: %s is no member", voters, v)
			}
			if reach[v] {
				near++
			}
		}
		if reach[primary] && near != len(voters) {
			t.Fatalf("%v: a voter is out of reach", voters)
		}
		for _, m := range members {
			if reach[m] && !slices.Contains(voters, m) && near < len(voters)-1 {
				t.Fatalf("%v: %s could be reached and does not vote", voters, m)
			}
		}
	})
}

// TestGroupPlanKeepsAMajority: of a group of which one voter is dead and another
// is not to be counted on any more, the dead vote goes first, and no step leaves
// voters that could not confirm it.
func TestGroupPlanKeepsAMajority(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, voters, near, answers string
		want                        string
	}{
		{"the dead one first, though its silence is short", "abc", "ab", "ac", "[demote b demote c]"},
		{"whatever the order is", "abc", "ac", "ab", "[demote c demote b]"},
		{"the dead one first", "abc", "a", "ac", "[demote b demote c]"},
		{"nothing is confirmed by one of three", "abc", "a", "a", "[]"},
		{"of two the leader can alone, while it leads", "ab", "a", "a", "[demote b]"},
		{"all are there", "abc", "ab", "abc", "[demote c demote b]"},
	} {
		plan := engine.GroupPlan{Self: "a", Primary: "a", Near: map[string]bool{}, Behind: func(string) bool { return false }}
		for _, n := range tt.voters {
			plan.Members = append(plan.Members, string(n))
			plan.Servers = append(plan.Servers, engine.Server{Node: string(n), Voter: true})
		}
		for _, n := range tt.near {
			plan.Near[string(n)] = true
		}
		plan.Answers = func(n string) bool { return strings.Contains(tt.answers, n) }
		got := []string{}
		for range 5 {
			verb, node := plan.Next()
			if verb == "" {
				break
			}
			got = append(got, verb+" "+node)
			plan.Servers[slices.IndexFunc(plan.Servers, func(s engine.Server) bool { return s.Node == node })].Voter = verb == "promote"
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}
