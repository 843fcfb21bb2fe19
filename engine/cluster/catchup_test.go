package cluster_test

import (
	"testing"

	"hexad/engine"
)

// A joiner reads the log of the cluster from its begin: what the members were
// then must not replace what they were when it was admitted, or a member whose
// key was replaced in between is refused, and the joiner never catches up.
func TestJoinerKeepsTheMembersOfItsGrant(t *testing.T) {
	t.Parallel()
	s := start(t, clustered)
	granted := []engine.Member{{Node: "n1", Address: "192.0.2.1"}, {Node: "n2", Address: "192.0.2.2", Fingerprint: "new"}}
	steps := []struct {
		name    string
		members []engine.Member
		want    string // key of n2
	}{
		{"granted", granted, "new"},
		{"before it joined", []engine.Member{{Node: "n2", Address: "192.0.2.2", Fingerprint: "old"}}, "new"},
		{"caught up", []engine.Member{{Node: "n1", Address: "192.0.2.1"}, {Node: "n2", Address: "192.0.2.2", Fingerprint: "newer"}}, "newer"},
	}
	for _, step := range steps {
		s.agreed.Members = step.members
		s.StoreChanged(t.Context())
		var got string
		for _, m := range s.Service.Agreed().Members {
			if m.Node == "n2" {
				got = m.Fingerprint
			}
		}
		if got != step.want {
			t.Errorf("%s: the key of n2 is %q, want %q", step.name, got, step.want)
		}
	}
}
