package appliance_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"hexad/engine/alarm"
	"hexad/engine/appliance/appliancetest"
	"hexad/sqlstore"
)

// provocation is what raises one alarm and what lowers it.
//
// fault and heal act on a cluster of two: its primary and its subordinate; on
// tells where the alarm is expected: 0 the primary, 1 the subordinate. Without
// a fault, shown names the test that provokes it, or never says why it cannot
// arise yet.
type provocation struct {
	id    int
	cause string
	lower string
	on    int
	fault func(primary, subordinate *appliancetest.Peer)
	heal  func(primary, subordinate *appliancetest.Peer)
	shown string
	never string
}

// own saves a page with one thing changed, back to what the cluster has.
func own(line string) func(_, q *appliancetest.Peer) {
	return func(_, q *appliancetest.Peer) { q.Exec("%s", line) }
}

func onPrimary(line string) func(p, _ *appliancetest.Peer) {
	return func(p, _ *appliancetest.Peer) { p.Exec("%s", line) }
}

// moved starts the subordinate at another address than its list has.
func moved(to string) func(_, q *appliancetest.Peer) {
	return func(_, q *appliancetest.Peer) {
		q.Stop()
		q.Address = to
		q.Up()
	}
}

// released starts the subordinate with a build of another release.
func released(release string) func(_, q *appliancetest.Peer) {
	return func(_, q *appliancetest.Peer) {
		q.Stop()
		q.Variant.Release = release
		q.Up()
	}
}

// paged changes the page of the stopped subordinate in its local.db: what a
// save refuses but a restored copy can hold.
func paged(change func(*sqlstore.Page)) func(_, q *appliancetest.Peer) {
	return func(_, q *appliancetest.Peer) {
		q.T.Helper()
		q.Stop()
		ctx := context.Background()
		local, err := sqlstore.OpenLocal(ctx, sqlstore.LocalOptions{Dir: q.Dir, Logger: slog.New(slog.DiscardHandler), Release: "1.0.0"})
		if err != nil {
			q.T.Fatal(err)
		}
		page, err := local.Page(ctx)
		if err == nil {
			change(&page)
			err = local.PutPage(ctx, page)
		}
		if err != nil {
			q.T.Fatal(err)
		}
		if err := local.Close(); err != nil {
			q.T.Fatal(err)
		}
		q.Up()
	}
}

// provocations has every alarm of clustering and of the databases.
//
// Source: reference 4.2, 4.3.
var provocations = []provocation{
	{id: 20003, cause: "the own address is not in the list", lower: "the address is", on: 1, fault: moved("127.0.43.9"), heal: moved("127.0.43.2")},
	{id: 20004, cause: "the peer has ended", lower: "it answers again",
		fault: func(_, q *appliancetest.Peer) { q.Kill() }, heal: func(_, q *appliancetest.Peer) { q.Up() }},
	{id: 20005, cause: "a listed name does not resolve", lower: "it is taken off the list",
		fault: onPrimary(`xCommand ClusterSave Peer3: "nowhere.invalid"`), heal: onPrimary(`xCommand ClusterSave Peer3: ""`)},
	{id: 20006, cause: "the peer is silent", lower: "it goes on",
		fault: func(_, q *appliancetest.Peer) { q.Pause() }, heal: func(_, q *appliancetest.Peer) { q.Resume() }},
	{id: 20007, shown: "TestStory: a saved cluster of one, a changed own address, a changed TLS mode"},
	{id: 20008, cause: "a peer runs another release", lower: "it runs the same again", fault: released("1.0.1"), heal: released("")},
	{id: 20009, never: "Raft applies a change on every copy or the copy fails as a whole (20025, 15005); single changes do not fail"},
	{id: 20011, shown: "TestFence"},
	{id: 20012, cause: "the cluster name differs", lower: "it is the same again", on: 1,
		fault: own(`xCommand ClusterSave Name: "other.example"`), heal: own(`xCommand ClusterSave Name: "` + appliancetest.ClusterName + `"`)},
	{id: 20014, never: "there is no file of configuration: a copy that is not found is a database failure, 15005"},
	{id: 20015, cause: "the own address is not in the running list", lower: "it is", on: 1, fault: moved("127.0.43.9"), heal: moved("127.0.43.2")},
	{id: 20016, cause: "the primary has ended", lower: "it answers again", on: 1,
		fault: func(p, _ *appliancetest.Peer) { p.Kill() }, heal: func(p, _ *appliancetest.Peer) { p.Up() }},
	{id: 20017, cause: "the page names another primary", lower: "it names the agreed one", on: 0,
		fault: onPrimary("xCommand ClusterSave Primary: 2"), heal: onPrimary("xCommand ClusterSave Primary: 1")},
	{id: 20018, cause: "H.323 mode is off", lower: "it is on", fault: onPrimary("xConfiguration H323 Mode: Off"), heal: onPrimary("xConfiguration H323 Mode: On")},
	{id: 20019, cause: "the page has no cluster name", lower: "it has one", on: 1,
		fault: paged(func(p *sqlstore.Page) { p.Entered.Name, p.Running.Name = "", "" }),
		heal:  own(`xCommand ClusterSave Name: "` + appliancetest.ClusterName + `"`)},
	{id: 20020, shown: "TestStory"},
	{id: 20021, cause: "nothing listens on the ports of the peer", lower: "it does",
		fault: func(_, q *appliancetest.Peer) { q.Kill() }, heal: func(_, q *appliancetest.Peer) { q.Up() }},
	{id: 20024, never: "a member cannot be removed while it is the agreed primary, so the primary is always a member"},
	{id: 20025, never: "a copy that stands still while its peer answers needs a filter on port 4372 alone, or a fault of the library"},
	{id: 15004, shown: "TestCrash"},
	{id: 15005, shown: "TestDamagedClusterDatabase, TestFullDisk"},
	{id: 15008, shown: "TestDamagedLocalDatabase"},
	{id: 15013, shown: "TestFactoryReset"},
	{id: 70011, cause: "an option key is on one peer only", lower: "it is deleted there",
		fault: own(`xCommand OptionKeyAdd Key: "116341P00-1-0A1B2C3D"`), heal: own(`xCommand OptionKeyDelete OptionKeyId: 1`)},
	{id: 40049, shown: "TestStory: until certificates are enforced"},
}

// TestAlarms provokes each alarm for real, and sees it go.
func TestAlarms(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 43, 2)
	known := map[int]bool{}
	for _, p := range provocations {
		known[p.id] = true
		kind, ok := alarm.Kind(p.id)
		if !ok {
			t.Errorf("alarm %d is not in the catalogue", p.id)
			continue
		}
		if p.fault == nil {
			if (p.shown == "") == (p.never == "") {
				t.Errorf("alarm %d is neither provoked nor excused", p.id)
			}
			continue
		}
		t.Logf("%d %s: %s; lowered when %s", p.id, kind.Title.EN, p.cause, p.lower)
		p.fault(peers[0], peers[1])
		peers[p.on].AwaitAlarm(p.id, true, 8*time.Second)
		p.heal(peers[0], peers[1])
		peers[p.on].AwaitAlarm(p.id, false, 10*time.Second)
		appliancetest.Ready(t, peers)
		for _, q := range peers {
			q.Calm(15 * time.Second)
		}
	}
	for id := 20003; id <= 20025; id++ {
		if _, ok := alarm.Kind(id); ok && !known[id] {
			t.Errorf("alarm %d is not in the table", id)
		}
	}
}
