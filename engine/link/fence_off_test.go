//go:build hexad_nofence

package link_test

import (
	"testing"

	"hexad/engine"
)

// TestWithoutFence shows what the fence prevents: in a build without it, a
// primary that was replaced gets its Raft connections as if nothing happened.
// Run it with: go test -tags hexad_nofence -run TestWithoutFence ./engine/link
func TestWithoutFence(t *testing.T) {
	a, b := start(t, "a", "127.0.0.21"), start(t, "b", "127.0.0.22")
	meet(a, b)
	echo(t, b)
	b.dir.change(func(d *directory) { d.self.Generation = engine.Generation{Number: 2, ID: "g2", Parent: "g1"} })
	c, err := dialRaft(a, b)
	if err != nil {
		t.Fatalf("refused without the fence: %v", err)
	}
	wantEcho(t, c)
}
