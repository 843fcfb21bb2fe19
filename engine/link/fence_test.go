//go:build !hexad_nofence

package link_test

import (
	"strings"
	"testing"

	"hexad/engine"
	"hexad/engine/link"
)

// TestFence holds apart what must not talk, whoever dials, and tells both why.
func TestFence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*directory) // of b
		want   link.Refusal
		says   []string
	}{
		{"b superseded a", func(d *directory) { d.self.Generation = engine.Generation{Number: 2, ID: "g2", Parent: "g1"} },
			link.OtherGeneration, []string{"generation 1 (g1)", "generation 2 (g2, founded on g1)"}},
		{"b is of before", func(d *directory) { d.self.Generation = engine.Generation{Number: 0, ID: "g0"} },
			link.OtherGeneration, []string{"generation 0 (g0)"}},
		{"both forced at once", func(d *directory) { d.self.Generation = engine.Generation{Number: 1, ID: "g1b", Parent: "g0"} },
			link.OtherGeneration, []string{"g1b", "forked"}},
		{"other cluster", func(d *directory) { d.self.Cluster = "c2"; d.self.Secret = []byte("another secret of 32 bytes......") },
			link.OtherCluster, []string{"c1", "c2"}},
		{"wrong secret", func(d *directory) { d.self.Secret = []byte("another secret of 32 bytes......") }, link.WrongSecret, nil},
		{"no secret", func(d *directory) { d.self.Secret = nil }, link.WrongSecret, nil},
		{"node id of another", func(d *directory) { d.self.Node = "x" }, link.NodeMismatch, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := start(t, "a", "127.0.0.21"), start(t, "b", "127.0.0.22")
			meet(a, b)
			echo(t, a)
			echo(t, b)
			b.dir.change(test.change)
			_, err := dialRaft(a, b)
			wantRefusal(t, err, test.want)
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("message %q does not name %q", err, s)
				}
			}
			b.refusal(link.Inbound, test.want)
			_, err = dialRaft(b, a)
			wantRefusal(t, err, test.want)
			c := a.refusal(link.Inbound, test.want)
			if c.Node != "b" || c.Remote.Node == "" {
				t.Errorf("contact %+v does not tell who", c)
			}
			if n := a.link.Connections("b") + b.link.Connections("a"); n != 0 {
				t.Errorf("%d connections were let on", n)
			}
		})
	}
}

func TestStand(t *testing.T) {
	t.Parallel()
	g := func(n int64, id string) engine.Generation { return engine.Generation{Number: n, ID: id} }
	for _, test := range []struct {
		mine, theirs engine.Generation
		want         link.Standing
	}{
		{g(1, "a"), g(1, "a"), link.Same},
		{g(1, "a"), g(2, "b"), link.Superseded},
		{g(2, "b"), g(1, "a"), link.Superior},
		{g(2, "b"), g(2, "c"), link.Forked},
		{g(1, "a"), g(2, "a"), link.Superseded},
	} {
		if got := link.Stand(test.mine, test.theirs); got != test.want {
			t.Errorf("Stand(%v, %v) = %q, want %q", test.mine, test.theirs, got, test.want)
		}
	}
}

// TestRemovedPeerIsTold: it holds an old secret, and learns what happened all
// the same.
func TestRemovedPeerIsTold(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.23"), start(t, "b", "127.0.0.24")
	meet(a, b)
	echo(t, a)
	a.dir.change(func(d *directory) {
		d.peers[1].Removed = true
		d.self.Secret = []byte("a new secret after the removal..")
		delete(d.listed, b.ip())
	})
	_, err := dialRaft(b, a)
	wantRefusal(t, err, link.Removed)
	a.refusal(link.Inbound, link.Removed)
	_, err = dialRaft(a, b)
	wantRefusal(t, err, link.Removed)
}

// TestReleaseIsOnlyTold: an upgrade goes peer by peer.
func TestReleaseIsOnlyTold(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.0.25"), start(t, "b", "127.0.0.26")
	meet(a, b)
	echo(t, b)
	b.dir.change(func(d *directory) { d.self.Release = "2.0.0"; d.self.Applied = 42 })
	c, err := dialRaft(a, b)
	if err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c)
	got := a.reported("the contact", func(c link.Contact) bool { return c.Err == nil })
	if got.Remote.Release != "2.0.0" || got.Remote.Applied != 42 {
		t.Errorf("remote hello %+v", got.Remote)
	}
}
