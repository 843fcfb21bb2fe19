package appliance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// TestPrimary: what happens to the primary, and to what was saved there, when
// peers end, are silent, are added and removed and the administrator names
// another one.
func TestPrimary(t *testing.T) {
	t.Parallel()
	p := &primacy{t: t, peers: appliancetest.Network(t, 85, 3)}
	p.together()
	p.acknowledged()
	p.withoutPrimary()
	p.twoAdministrators()
	p.byHand()
	p.removed()
	p.two()
	p.back()
}

type primacy struct {
	t     *testing.T
	peers []*appliancetest.Peer
}

// together: two systems join at once.
func (p *primacy) together() {
	first, all := p.peers[0], appliancetest.Addresses(p.peers)
	appliancetest.Form(p.t, p.peers[:1])
	for _, q := range p.peers[1:] {
		q.Start()
	}
	for _, q := range p.peers[1:] {
		q.Answers()
		q.Prepare()
		q.Exec("%s", appliancetest.Page(all...))
		q.Exec("xCommand Restart")
	}
	first.Exec("%s", appliancetest.Page(all...))
	appliancetest.Ready(p.t, p.peers)
	for _, q := range p.peers {
		q.Calm(8 * time.Second)
	}
}

// zone is one acknowledged save: what its answer said.
type zone struct {
	name     string
	id       int
	revision int64
}

// writer saves zones until it is told to stop.
type writer struct {
	stop  atomic.Bool
	done  chan struct{}
	acked []zone
	tried int
}

func write(p *appliancetest.Peer, prefix string) *writer {
	w := &writer{done: make(chan struct{})}
	pause := time.NewTicker(20 * time.Millisecond) // between saves that fail
	go func() {
		defer close(w.done)
		defer pause.Stop()
		for ; !w.stop.Load(); w.tried++ {
			name := fmt.Sprintf("%s-%d", prefix, w.tried)
			reply, err := p.TryAt(0, `xCommand ZoneAdd ZoneName: "`+name+`" Type: Neighbor`)
			if err != nil {
				<-pause.C
				continue
			}
			var answer struct {
				Data  struct{ ID int }
				Saved *engine.Saved
			}
			if err := json.Unmarshal(reply.Result, &answer); err != nil || answer.Saved == nil {
				p.T.Errorf("the answer %s: %v", reply.Result, err)
				return
			}
			w.acked = append(w.acked, zone{name, answer.Data.ID, answer.Saved.Revision})
		}
	}()
	return w
}

// end stops the writer. Every acknowledged save has a revision and a zone of
// its own, and is on every peer as it was answered, once.
func (w *writer) end(t *testing.T, peers []*appliancetest.Peer) {
	t.Helper()
	w.stop.Store(true)
	<-w.done
	appliancetest.Ready(t, peers)
	revisions, ids := map[int64]string{}, map[int]string{}
	for _, z := range w.acked {
		if revisions[z.revision] != "" || ids[z.id] != "" {
			t.Errorf("%s was answered with revision %d and zone %d, which %s and %s have", z.name, z.revision, z.id, revisions[z.revision], ids[z.id])
		}
		revisions[z.revision], ids[z.id] = z.name, z.name
	}
	want := copyOf(t, peers[0])
	for _, p := range peers {
		got := copyOf(t, p)
		if got != want {
			t.Errorf("%s has other items than %s", p.Name, peers[0].Name)
		}
		for _, z := range w.acked {
			if n := strings.Count(zones(p)+"\n", z.name+"\n"); n != 1 {
				t.Errorf("%s has the acknowledged zone %s %d times", p.Name, z.name, n)
			}
		}
	}
	if len(w.acked) == 0 || len(w.acked) > w.tried {
		t.Errorf("%d of %d saves were acknowledged", len(w.acked), w.tried)
	}
	t.Logf("%d of %d saves were acknowledged", len(w.acked), w.tried)
}

// acknowledged: the primary is killed, then paused, in the middle of saving.
func (p *primacy) acknowledged() {
	first := p.peers[0]
	w := write(first, "killed")
	p.saves(2)
	first.Kill()
	p.others(20016, true, plain)
	first.Up()
	p.saves(2)
	w.end(p.t, p.peers)
	w = write(first, "paused")
	p.saves(2)
	first.Pause()
	p.others(20016, true, silent)
	first.Resume()
	p.others(20016, false, over+time.Second)
	p.saves(2)
	w.end(p.t, p.peers)
}

// saves waits until the cluster has gone on by n revisions.
func (p *primacy) saves(n int64) {
	p.t.Helper()
	from := int64(-1)
	p.peers[0].Await("goes on saving", 10*time.Second, func() string {
		v := p.peers[0].View()
		if from < 0 && v.Node != "" {
			from = v.Revision
		}
		if v.Node == "" || v.Revision < from+n {
			return fmt.Sprintf("revision %d", v.Revision)
		}
		return ""
	})
}

func (p *primacy) others(id int, holds bool, within time.Duration) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for _, q := range p.peers[1:] {
		q.AwaitAlarm(id, holds, max(time.Until(deadline), 50*time.Millisecond))
	}
}

// withoutPrimary: no configuration is saved, everything else goes on, and the
// primary leads again when it is back.
func (p *primacy) withoutPrimary() {
	first, second, third := p.peers[0], p.peers[1], p.peers[2]
	first.Kill()
	p.others(20016, true, plain)
	for _, q := range p.peers[1:] {
		if e := q.Refused(`xCommand ZoneAdd ZoneName: "no" Type: Neighbor`); e.Code != engine.Denied || !strings.Contains(e.Error(), first.Address) {
			p.t.Errorf("%s refuses with %s: %v", q.Name, e.Code, e)
		}
	}
	second.Exec(`xCommand OptionKeyAdd Key: "%s"`, featureKey)
	third.Await("lists the alarm of another peer", 5*time.Second, func() string {
		for _, a := range third.AllAlarms() {
			if a.ID == 70011 && a.Peer == second.Address {
				return ""
			}
		}
		return fmt.Sprint(third.AllAlarms())
	})
	second.Exec(`xCommand OptionKeyDelete OptionKeyId: 1`)
	first.Up()
	appliancetest.Ready(p.t, p.peers)
	first.Await("leads again", 8*time.Second, func() string {
		for _, q := range p.peers {
			if leader := q.View().Leader; leader != first.Address {
				return q.Name + " follows " + leader
			}
		}
		return ""
	})
	for _, q := range p.peers {
		q.Calm(8 * time.Second)
	}
}

// twoAdministrators look at the same revision; the second is told who changed what.
func (p *primacy) twoAdministrators() {
	first := p.peers[0]
	base := first.View().Revision
	if _, err := first.TryAt(base, `xCommand ZoneAdd ZoneName: "of the first" Type: Neighbor`); err != nil {
		p.t.Fatal(err)
	}
	for _, line := range []string{
		`xCommand ZoneAdd ZoneName: "of the second" Type: Neighbor`, `xConfiguration H323 Mode: Off`,
		`xCommand ClusterSave Name: "second.example"`,
	} {
		_, err := first.TryAt(base, line)
		if engine.CodeOf(err) != engine.Conflict || !strings.Contains(err.Error(), "root changed ") || !strings.Contains(err.Error(), first.Address) {
			p.t.Errorf("%s: the second administrator was told %s: %v", line, engine.CodeOf(err), err)
		}
	}
	if got := zones(first); !strings.Contains(got, "of the first") || strings.Contains(got, "of the second") {
		p.t.Errorf("the zones are %s", got)
	}
}

// byHand is the document's change of primary with the old one reachable: the
// new primary first. Until all pages agree the alarms say so.
func (p *primacy) byHand() {
	p.change(p.peers, 2)
	p.change(p.peers, 1)
}

func (p *primacy) change(peers []*appliancetest.Peer, index int) {
	p.t.Helper()
	next, rest := peers[index-1], []*appliancetest.Peer{}
	for i, q := range peers {
		if i != index-1 {
			rest = append(rest, q)
		}
	}
	m := mark(peers)
	next.Exec("xCommand ClusterSave Primary: %d", index)
	next.Exec(`xCommand ZoneAdd ZoneName: "by %d at %d" Type: Neighbor`, index, next.View().Revision)
	for _, q := range rest {
		q.AwaitRevision(next.View().Revision)
		q.AwaitAlarm(20017, true, silent)
		if e := q.Refused(`xCommand ZoneAdd ZoneName: "not here" Type: Neighbor`); e.Code != engine.Denied || !strings.Contains(e.Error(), next.Address) {
			p.t.Errorf("%s refuses with %s: %v", q.Name, e.Code, e)
		}
	}
	for _, q := range rest {
		q.Exec("xCommand ClusterSave Primary: %d", index)
	}
	ended := time.Now()
	for _, q := range peers {
		q.AwaitAlarm(20017, false, max(time.Until(ended.Add(over)), 50*time.Millisecond))
		q.AwaitAlarm(20012, false, max(time.Until(ended.Add(over)), 50*time.Millisecond))
	}
	for _, q := range rest { // the new primary may never have noticed
		m.once(p.t, q, 20017)
	}
	next.Await("leads", 8*time.Second, func() string {
		if v := next.View(); v.Leader != next.Address || !v.PrimaryHere {
			return "the leader is " + v.Leader
		}
		return ""
	})
}

// removed: a live peer that is taken off the primary's list is told; the others go on.
func (p *primacy) removed() {
	first, second, third := p.peers[0], p.peers[1], p.peers[2]
	for _, q := range p.peers[:2] {
		q.Exec(`xCommand ClusterSave Peer3: ""`)
	}
	third.AwaitAlarm(70022, true, 5*time.Second)
	if e := third.Refused(`xCommand ZoneAdd ZoneName: "still" Type: Neighbor`); e.Code == engine.Internal {
		p.t.Errorf("the removed peer refuses with %v", e)
	}
	first.Exec(`xCommand ZoneAdd ZoneName: "of two" Type: Neighbor`)
	appliancetest.Ready(p.t, p.peers[:2])
	for _, q := range []*appliancetest.Peer{first, second} {
		q.Calm(8 * time.Second)
		if n := len(q.View().Peers); n != 2 {
			p.t.Errorf("%s shows %d peers", q.Name, n)
		}
	}
	if strings.Contains(zones(third), "of two") {
		p.t.Error("the removed peer still gets what is saved")
	}
	third.Stop()
}

// two: with the primary gone its vote is missing, and the other is not made the
// primary; with it there, it is.
func (p *primacy) two() {
	first, second := p.peers[0], p.peers[1]
	first.Kill()
	second.AwaitAlarm(20016, true, plain)
	refused(p.t, second, []refusal{{"no majority", "xCommand ClusterSave Primary: 2", engine.Unavailable, "Primary", "bring the present primary back"}})
	first.Up()
	appliancetest.Ready(p.t, p.peers[:2])
	second.Calm(8 * time.Second)
	p.change(p.peers[:2], 2)
	p.change(p.peers[:2], 1)
}

// back: the removed system, reset and therefore with another identity and key,
// is added again at its old address.
func (p *primacy) back() {
	fresh := appliancetest.New(p.t, 3, p.peers[2].Address)
	all := appliancetest.Addresses(p.peers)
	p.peers[2] = fresh
	for _, q := range p.peers[:2] {
		q.Exec("%s", appliancetest.Page(all...))
	}
	fresh.Up()
	fresh.Prepare()
	fresh.Exec("%s", appliancetest.Page(all...))
	fresh.Restart()
	appliancetest.Ready(p.t, p.peers)
	for _, q := range p.peers {
		q.Calm(10 * time.Second)
	}
	if got, want := copyOf(p.t, fresh), copyOf(p.t, p.peers[0]); got != want {
		p.t.Errorf("it has the items\n%s\nwant\n%s", got, want)
	}
}
