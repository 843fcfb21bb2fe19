package appliance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// TestRefusedPages: lists that cannot be a cluster are refused where they are
// entered, with what to do, and the page stays as it was.
func TestRefusedPages(t *testing.T) {
	t.Parallel()
	p := single(t, 44)
	before := p.View().Entered
	for _, test := range []struct {
		name, line string
		says       string
	}{
		{"a gap", `xCommand ClusterSave Peer3: "127.0.44.3"`, "gap"},
		{"a duplicate", `xCommand ClusterSave Peer2: "127.0.44.2" Peer3: "127.0.44.2"`, ""},
		{"the own address twice", `xCommand ClusterSave Peer2: "127.0.44.1"`, ""},
		{"no own address", `xCommand ClusterSave Peer1: "127.0.44.2" Peer2: "127.0.44.3"`, "not among the peer addresses"},
		{"no address", `xCommand ClusterSave Peer2: "127.0.44.2:5060 x"`, ""},
		{"a primary that is not there", `xCommand ClusterSave Primary: 4`, ""},
	} {
		e := p.Refused("%s", test.line)
		if e.Code != engine.Invalid || !strings.Contains(strings.ToLower(e.Error()), test.says) {
			t.Errorf("%s: %s: %v", test.name, e.Code, e)
		}
		if now := p.View().Entered; !now.Equal(before) {
			t.Errorf("%s: the page is now %+v", test.name, now)
			p.Exec("%s", appliancetest.Page(before.Peers...))
		}
	}
	p.Exec("%s", appliancetest.Page("127.0.44.1", "127.0.44.2", "127.0.44.3", "127.0.44.4", "127.0.44.5", "127.0.44.6"))
	if e := p.Refused(`xCommand ClusterPeerAdd Address: "127.0.44.7"`); !strings.Contains(e.Error(), "6") || e.Remedy == "" {
		t.Errorf("a seventh peer: %v", e)
	}
}

// TestRefusedJoins: a joiner that does not fit is not admitted, and both sides
// say why.
func TestRefusedJoins(t *testing.T) {
	t.Parallel()
	primary := single(t, 45)
	for i, test := range []struct {
		name string
		make func(*appliancetest.Peer)
		says []string // in the joiner's cause
		mend func(*appliancetest.Peer)
	}{
		{name: "other role", make: func(p *appliancetest.Peer) { p.Args = append(p.Args, "--role", "edge") }, says: []string{"role"}},
		{name: "other release", make: func(p *appliancetest.Peer) { p.Variant.Release = "1.0.1" }, says: []string{"1.0.1"}},
		{name: "other cluster name", make: func(*appliancetest.Peer) {}, says: []string{"name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			joiner := appliancetest.New(t, 2+i, fmt.Sprintf("127.0.45.%d", 2+i))
			test.make(joiner)
			list := []string{primary.Address, joiner.Address}
			primary.Exec("%s", appliancetest.Page(list...))
			joiner.Up()
			joiner.Prepare()
			joiner.Exec("%s", appliancetest.Page(list...))
			if test.name == "other cluster name" {
				joiner.Exec(`xCommand ClusterSave Name: "other.example"`)
			}
			joiner.Restart()
			joiner.Await("says why it is not admitted", 10*time.Second, func() string {
				v := joiner.View()
				if len(v.Peers) == 0 {
					return "no peers"
				}
				for _, part := range test.says {
					if !strings.Contains(strings.ToLower(v.Peers[0].Cause), part) {
						return v.Peers[0].Cause
					}
				}
				return ""
			})
			if v := primary.View(); v.Peers[1].Node != "" {
				t.Errorf("the primary admitted it: %+v", v.Peers[1])
			}
			joiner.AwaitAlarm(20004, true, 8*time.Second)
			joiner.Stop()
			primary.Exec("%s", appliancetest.Page(primary.Address))
		})
	}
}

// TestJoinBeforeCluster: a peer that joins a primary which has not restarted
// yet waits, and joins when it has.
func TestJoinBeforeCluster(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 46, 2)
	list := appliancetest.Addresses(peers)
	for _, p := range peers {
		p.Up()
		p.Prepare()
	}
	if e := peers[0].Refused("%s", appliancetest.Page(list...)); !strings.Contains(e.Error(), "restart") {
		t.Errorf("a new cluster of two: %v", e)
	}
	peers[0].Exec("%s", appliancetest.Page(list[0]))
	peers[1].Exec("%s", appliancetest.Page(list...))
	peers[1].Restart()
	peers[1].AwaitAlarm(20004, true, 8*time.Second)
	if v := peers[1].View(); v.Writable || v.Peers[0].State == engine.PeerActive {
		t.Errorf("it joined a cluster that does not run: %+v", v)
	}
	peers[0].Restart()
	appliancetest.Ready(t, peers[:1])
	peers[0].Exec("%s", appliancetest.Page(list...))
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		p.Calm(8 * time.Second)
	}
}

// TestJoinWithToken: first contact long after the pages were saved needs a
// token or the window; with a token it is authenticated on both sides.
func TestJoinWithToken(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 47, 2)
	list := appliancetest.Addresses(peers)
	primary, joiner := peers[0], peers[1]
	appliancetest.Form(t, peers[:1])
	primary.Exec("%s", appliancetest.Page(list...))
	var token string
	for line := range strings.SplitSeq(primary.Exec("xCommand ClusterJoinToken"), "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && name == "Token" {
			token = strings.Trim(value, `"`)
		}
	}
	joiner.Up()
	joiner.Prepare()
	if e := joiner.Refused(`xCommand ClusterJoinTokenEnter Token: "nonsense"`); e.Code != engine.Invalid {
		t.Errorf("a token that is none: %v", e)
	}
	joiner.Exec(`xCommand ClusterJoinTokenEnter Token: "%s"`, token)
	joiner.Exec("%s", appliancetest.Page(list...))
	joiner.Restart()
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		p.Calm(8 * time.Second)
	}
	changeOfPrimary(t, peers) // of two, where one voter hands over to the other
}
