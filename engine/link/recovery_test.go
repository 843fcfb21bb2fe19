package link_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/link"
)

// answering serves both handlers of a link, each with its own word.
func answering(c *link.Config) {
	say := func(word string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, word, " ", link.RemoteNode(r.Context())) })
	}
	c.Handler, c.Recovery = say("peers"), say("recovery")
}

// TestRaftOf: between opening the store of a new generation and saying so,
// nobody of the old one gets at it, and it reaches nobody.
func TestRaftOf(t *testing.T) {
	t.Parallel()
	a, b := start(t, "a", "127.0.111.243"), start(t, "b", "127.0.111.244")
	meet(a, b)
	echo(t, a)
	next := engine.Generation{Number: 2, ID: "g2", Parent: "g1"}
	layer := b.link.RaftOf(next)
	_, err := dialRaft(a, b)
	wantRefusal(t, err, link.NotReady)
	_, err = layer.Dial("a", 5*time.Second)
	wantRefusal(t, err, link.NotReady)
	for _, p := range []*peer{a, b} {
		p.dir.change(func(d *directory) { d.self.Generation = next })
	}
	if c, err := dialRaft(a, b); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

// TestRecovery: members of unequal generations can compare what they have, and
// nothing else gets through; who does not pass otherwise does not here.
func TestRecovery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*directory) // of b
		want   link.Refusal
	}{
		{"same generation", func(*directory) {}, ""},
		{"b superseded a", func(d *directory) { d.self.Generation = engine.Generation{Number: 2, ID: "g2", Parent: "g1"} }, ""},
		{"b is of before", func(d *directory) { d.self.Generation = engine.Generation{Number: 0, ID: "g0"} }, ""},
		{"both forced at once", func(d *directory) { d.self.Generation = engine.Generation{Number: 1, ID: "g1b"} }, ""},
		{"other cluster", func(d *directory) { d.self.Cluster = "c2" }, link.OtherCluster},
		{"wrong secret", func(d *directory) { d.self.Secret = []byte("another secret of 32 bytes......") }, link.WrongSecret},
		{"removed there", func(d *directory) { d.peers[0].Removed = true }, link.Removed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := start(t, "a", "127.0.111.241", answering), start(t, "b", "127.0.111.242", answering)
			a.dir.change(func(d *directory) { d.self.Primary = "a" })
			meet(a, b)
			b.dir.change(test.change)
			answer, err := a.link.RecoveryClient("b").Get("http://b/")
			wantRefusal(t, err, test.want)
			if err != nil {
				return
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if string(body) != "recovery a" || err != nil {
				t.Errorf("answer %q %v", body, err)
			}
			in := b.reported("the contact", func(c link.Contact) bool { return c.Err == nil && c.Purpose == link.PurposeRecover })
			if in.Remote.Primary != "a" {
				t.Errorf("contact %+v does not tell whom a takes for the primary", in)
			}
			a.link.Recheck() // it is no reason to end that connection
			if n := a.link.Connections("b"); n != 1 {
				t.Errorf("%d connections after looking at them again", n)
			}
		})
	}
}
