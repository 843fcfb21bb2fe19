package appliance_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// deaf is the network of a store that nobody reaches.
type deaf struct{ net.Listener }

func (deaf) Dial(string, time.Duration) (net.Conn, error) {
	return nil, errors.New("nobody is reached")
}

// stopped is the data of a stopped peer, with its store open and no network.
type stopped struct {
	*sqlstore.Cluster
	local   *sqlstore.Local
	who     sqlstore.Identity
	members []engine.Member
}

// opened opens the data of a stopped peer while do changes it.
func opened(t *testing.T, p *appliancetest.Peer, do func(stopped)) {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: p.Dir, Logger: log, Release: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	who, err := local.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	members, err := local.Members(ctx)
	if err != nil {
		t.Fatal(err)
	}
	store := sqlstore.NewCluster(sqlstore.ClusterOptions{Dir: filepath.Join(p.Dir, "cluster"), Node: who.Node, Release: "1.0.0", Logger: log,
		Layer: func(engine.Generation) sqlstore.Layer {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return deaf{ln}
		}})
	defer store.Close()
	if err := store.Open(ctx, who.Generation); err != nil {
		t.Fatal(err)
	}
	do(stopped{store, local, who, members})
}

// refound makes the stopped peer the primary of a new generation, as naming
// another primary by force does.
func refound(t *testing.T, p *appliancetest.Peer, id string) engine.Generation {
	t.Helper()
	var g engine.Generation
	opened(t, p, func(s stopped) {
		g = engine.Generation{Number: s.who.Generation.Number + 1, ID: id, Parent: s.who.Generation.ID}
		if err := s.Refound(context.Background(), g, sqlstore.Refounding{}); err != nil {
			t.Fatal(err)
		}
		s.adopt(t, g)
	})
	return g
}

// adopt makes g the generation of the peer.
func (s stopped) adopt(t *testing.T, g engine.Generation) {
	t.Helper()
	s.who.Generation, s.who.StoreDir = g, s.Directory(g)
	if err := s.local.PutIdentity(context.Background(), s.who, s.members); err != nil {
		t.Fatal(err)
	}
}

// zones are the names of the zones that a peer's own copy has.
func zones(p *appliancetest.Peer) string {
	lines, err := p.Try(`xCommand SQL Statement: "SELECT name FROM diag_zone ORDER BY name"`)
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// diverge makes a cluster of two whose second peer went on in a generation of
// its own, each with a zone that the other does not have.
func diverge(t *testing.T, network int, variant appliancetest.Variant) (a, b *appliancetest.Peer) {
	peers := appliancetest.Network(t, network, 2)
	for _, p := range peers {
		p.Variant = variant
	}
	appliancetest.Form(t, peers)
	a, b = peers[0], peers[1]
	a.Stop()
	b.Stop()
	refound(t, b, "gen2b")
	b.Up()
	b.Await("can save", 10*time.Second, func() string {
		_, err := b.Try(`xCommand ZoneAdd ZoneName: "of generation 2" Type: Neighbor`)
		if err != nil {
			return err.Error()
		}
		return ""
	})
	a.Up()
	return a, b
}

// TestFence: what the fence prevents happens in a build without it, and does
// not happen in the real one.
func TestFence(t *testing.T) {
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		_, b := diverge(t, 34, appliancetest.Variant{Tags: "hexad_nofence"})
		own := func() engine.PeerView {
			v := b.View()
			for _, p := range v.Peers {
				if p.State == engine.ThisSystem {
					return p
				}
			}
			return engine.PeerView{Voter: true}
		}
		b.Await("has lost its vote in its own generation to the older one", 20*time.Second, func() string {
			if own().Voter {
				return "it is a voter"
			}
			return ""
		})
		if _, err := b.Try(`xCommand ZoneAdd ZoneName: "after" Type: Neighbor`); err == nil {
			t.Error("it still saves by itself")
		}
	})
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		a, b := diverge(t, 35, appliancetest.Variant{})
		a.AwaitAlarm(20011, true, 10*time.Second)
		if d := a.Detail(20011); !strings.Contains(d, "gen2b") || !strings.Contains(d, a.View().Generation.ID) {
			t.Errorf("20011 does not name both generations: %s", d)
		}
		b.AwaitAlarm(20006, true, 10*time.Second)
		if e := a.Refused(`xCommand ZoneAdd ZoneName: "too late" Type: Neighbor`); e.Code != engine.Denied || !strings.Contains(e.Error(), "ForceConfigUpdate") {
			t.Errorf("a save on the older copy, which knows that it is: %v", e)
		}
		if e := a.Refused(`xCommand PolicyWaive Finding: "cluster.rtt.over_limit" For: 24h Reason: "too late"`); e.Code != engine.Denied || !strings.Contains(e.Error(), "ForceConfigUpdate") {
			t.Errorf("a change of the policies there: %v", e)
		}
		b.Stop()
		a.Restart() // what it had heard of the other is forgotten
		a.Exec(`xCommand ZoneAdd ZoneName: "of generation 1" Type: Neighbor`)
		b.Up()
		a.AwaitAlarm(20011, true, 10*time.Second)
		b.Exec(`xCommand ZoneAdd ZoneName: "also of generation 2" Type: Neighbor`)
		if got := zones(a); !strings.Contains(got, "of generation 1") || strings.Contains(got, "of generation 2") {
			t.Errorf("the older copy has\n%s", got)
		}
		if got := zones(b); strings.Contains(got, "of generation 1") || !strings.Contains(got, "also of generation 2") {
			t.Errorf("the newer copy has\n%s", got)
		}

		a.Stop()
		refound(t, a, "gen2a") // both by force: neither is newer
		a.Up()
		for _, p := range []*appliancetest.Peer{a, b} {
			p.AwaitAlarm(20012, true, 10*time.Second)
			p.AwaitAlarm(20017, true, 3*time.Second)
		}
		a.AwaitAlarm(20011, false, 8*time.Second)
		if got := zones(a); !strings.Contains(got, "of generation 1") || strings.Contains(got, "of generation 2") {
			t.Errorf("the forked copy has\n%s", got)
		}
	})
}
