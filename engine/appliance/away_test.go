package appliance_test

import (
	"testing"
	"time"

	"hexad/engine"
	. "hexad/engine/appliance/appliancetest"
)

// TestAwayWhileThePrimaryJoined: a peer is away while another one joins and is
// made the primary. It knows neither that peer nor its key, and the log that says so
// would come from there: it has it from the members that it knows.
func TestAwayWhileThePrimaryJoined(t *testing.T) {
	t.Parallel()
	peers := Network(t, 161, 4)
	a, away, later := peers[0], peers[2], peers[3]
	Form(t, peers[:3])
	away.Stop()
	all := Addresses(peers)
	later.Start()
	later.Answers()
	later.Prepare()
	later.Exec("%s", Page(all...))
	later.Exec("xCommand Restart")
	for _, p := range peers[:2] {
		p.Exec("%s", Page(all...))
	}
	for _, p := range peers[:2] {
		p.Await("the later one is there", 30*time.Second, func() string {
			e := p.Entry(later.Address)
			return unless(e.State == engine.PeerActive && e.Database == "Active", string(e.State))
		})
	}
	for _, p := range []*Peer{later, a, peers[1]} {
		p.Exec("xCommand ClusterSave Primary: 4")
	}
	later.Await("is the primary and leads", 30*time.Second, func() string {
		v := later.View()
		return unless(v.Writable && v.Leader == later.Address, "led by "+v.Leader+" "+v.ReadOnly)
	})
	later.Exec(`xCommand ZoneAdd ZoneName: "meanwhile" Type: Neighbor`)

	away.Up()
	away.AwaitRevision(later.View().Revision)
	away.Exec("%s", Page(all...))
	away.Exec("xCommand ClusterSave Primary: 4")
	Meet(t, peers)
	for _, p := range peers {
		p.Restart()
	}
	Ready(t, peers)
}
