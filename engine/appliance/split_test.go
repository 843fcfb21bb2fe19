package appliance_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// envRounds is how often TestSplitHalves splits the cluster; twice without it.
const envRounds = "HEXAD_SPLIT_ROUNDS"

// TestSplitHalves cuts a cluster in two, names another primary in the half that
// has lost its own, edits in both, and mends the network: no edit is lost
// without being saved aside, nothing is merged, and one generation is left.
func TestSplitHalves(t *testing.T) {
	if testing.Short() {
		t.Skip("the network laboratory takes a minute")
	}
	needNetlab(t)
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv(envRounds)); err == nil {
		rounds = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d rounds", seed, rounds)
	s := &split{T: t, rand: rand.New(rand.NewPCG(seed, 0))}
	t.Run("two peers", func(t *testing.T) { s.T = t; s.halves(rounds) })
	t.Run("three of six", func(t *testing.T) { s.T = t; s.threeOfSix() })
}

type split struct {
	*testing.T
	rand *rand.Rand
}

// edits saves n zones on a peer and returns their names.
func (s *split) edits(p *appliancetest.Peer, prefix string, n int) (kept []string) {
	for i := range n {
		name := fmt.Sprintf("%s-%d.", prefix, i)
		zone1(p, name)
		kept = append(kept, name)
	}
	return kept
}

func (s *split) halves(rounds int) {
	t := s.T
	peers := labPeers(t, 2, lab4)
	appliancetest.Form(t, peers)
	old, next, index := peers[0], peers[1], 2
	var common []string
	for round := range rounds {
		common = append(common, s.edits(old, fmt.Sprintf("common%d", round), 1)...)
		next.AwaitRevision(old.View().Revision)
		generation := old.View().Generation
		netlab(t, "partition", "1", "2")
		lost := s.edits(old, fmt.Sprintf("old%d", round), s.rand.IntN(4))
		forced(t, next, index)
		won := s.edits(next, fmt.Sprintf("next%d", round), s.rand.IntN(4))
		lost = append(lost, s.edits(old, fmt.Sprintf("late%d", round), s.rand.IntN(2))...)
		if s.rand.IntN(2) == 0 { // neither is there when the network is back
			stopped := []*appliancetest.Peer{old, next}
			s.rand.Shuffle(2, func(i, j int) { stopped[i], stopped[j] = stopped[j], stopped[i] })
			appliancetest.Each(stopped, func(p *appliancetest.Peer) { p.Kill() })
			netlab(t, "heal")
			stopped[0].Up()
			stopped[1].Up()
		} else {
			netlab(t, "heal")
		}
		old.AwaitAlarm(20011, true, 15*time.Second)
		for _, p := range peers {
			p.AwaitAlarm(20017, true, 10*time.Second)
		}
		wantZones(t, old, slices.Concat(common, lost), won)
		wantZones(t, next, slices.Concat(common, won), lost)
		s.bringBack(old, next, index, generation, lost)
		for _, p := range peers {
			wantZones(t, p, slices.Concat(common, won), lost)
		}
		common = append(common, won...)
		t.Logf("round %d: %d edits here, %d there", round, len(lost), len(won))
		if t.Failed() {
			return
		}
		old, next, index = next, old, 3-index
	}
}

// bringBack makes the old primary a subordinate of the new one: by choosing
// that one on its page, which is enough when it has nothing of its own, and else
// by ForceConfigUpdate.
func (s *split) bringBack(old, next *appliancetest.Peer, index int, generation engine.Generation, lost []string) {
	t := s.T
	kept := len(copies(t, old))
	s.choose(old, index)
	if len(lost) > 0 {
		old.Await("says why it does not follow", 10*time.Second, func() string {
			if f := old.View().Fenced; f == nil || !strings.Contains(f.Why, fmt.Sprintf("%d revisions that are not in it", len(lost))) {
				return fmt.Sprintf("%+v", f)
			}
			return ""
		})
		old.Exec("xCommand ForceConfigUpdate Confirm: On")
	}
	old.Await("follows", 20*time.Second, func() string { return unlike(old, next) })
	s.choose(next, index)
	appliancetest.Ready(t, []*appliancetest.Peer{old, next})
	old.AwaitAlarm(20011, false, 5*time.Second)
	for _, p := range []*appliancetest.Peer{old, next} {
		p.AwaitAlarm(20017, false, 10*time.Second)
	}
	list := copies(t, old)
	if len(list) != kept+1 || list[0].Generation != generation {
		t.Errorf("%s saved aside %+v", old.Name, list)
		return
	}
	var found []engine.Difference
	answered(t, old, "ConfigurationCopyCompare", map[string]string{"Copy": list[0].Name}, &found)
	for _, name := range lost {
		if !slices.ContainsFunc(found, func(d engine.Difference) bool { return d.Own == name }) {
			t.Errorf("the edit %q was lost; the copy that was saved aside differs in %v", name, found)
		}
	}
}

// choose saves the primary on a peer's page; on a starved host a rule may need
// more than its time, and the save has to be repeated.
func (s *split) choose(p *appliancetest.Peer, index int) {
	p.Await("takes the choice of the primary", 20*time.Second, func() string {
		_, err := p.Try(fmt.Sprintf("xCommand ClusterSave Primary: %d", index))
		return whyNot(err)
	})
}

// threeOfSix: half of six is lost, the primary and two more of the five voters.
// What a majority had confirmed is there; the lost ones come back one by one.
func (s *split) threeOfSix() {
	t := s.T
	peers := labPeers(t, 6, lab4)
	appliancetest.Form(t, peers)
	names := s.edits(peers[0], "six", 5)
	lost, survivors := s.withoutMajority(peers)
	for _, p := range lost { // at once: the last save may be in a log only
		p.Kill()
	}
	for _, p := range survivors {
		p.AwaitAlarm(20016, true, 10*time.Second)
	}
	next := s.best(survivors)
	index := slices.Index(peers, next) + 1
	forced(t, next, index)
	wantZones(t, next, names, nil)
	names = append(names, s.edits(next, "three", 2)...)
	for _, p := range survivors {
		if p != next {
			p.AwaitAlarm(20011, true, 10*time.Second)
			s.choose(p, index)
		}
	}
	for _, p := range survivors {
		p.Await("follows", 20*time.Second, func() string { return unlike(p, next) })
	}
	next.Await("has their votes", 20*time.Second, func() string {
		voters := 0
		for _, p := range next.View().Peers {
			if p.Voter {
				voters++
			}
		}
		if voters != 3 {
			return fmt.Sprintf("%d voters", voters)
		}
		return ""
	})
	names = append(names, s.edits(next, "again", 1)...)
	for _, p := range lost {
		p.Up()
		p.AwaitAlarm(20011, true, 10*time.Second)
		s.choose(p, index)
		p.Await("follows", 20*time.Second, func() string { return unlike(p, next) })
	}
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		wantZones(t, p, names, nil)
		p.AwaitAlarm(20017, false, 10*time.Second)
	}
}

// withoutMajority divides six peers into the first three voters and the rest,
// which cannot commit then. The sixth, who has no vote, may be any but the primary.
func (s *split) withoutMajority(peers []*appliancetest.Peer) (lost, rest []*appliancetest.Peer) {
	peers[0].Await("has five voters", 20*time.Second, func() string {
		lost, rest = nil, nil
		voters := 0
		for _, p := range peers {
			voter := peers[0].Entry(p.Address).Voter
			if voter {
				voters++
			}
			if voter && len(lost) < 3 {
				lost = append(lost, p)
			} else {
				rest = append(rest, p)
			}
		}
		if voters != 5 {
			return fmt.Sprintf("%d voters", voters)
		}
		return ""
	})
	return lost, rest
}

// best is the survivor with the newest copy.
func (s *split) best(survivors []*appliancetest.Peer) *appliancetest.Peer {
	best := survivors[0]
	var newest uint64
	for _, p := range survivors {
		p.Await("can be named primary by force", 20*time.Second, func() string {
			_, err := p.Try("xCommand ClusterForceShow")
			return whyNot(err)
		})
		var plan engine.ForcePlan
		answered(s.T, p, "ClusterForceShow", nil, &plan)
		if plan.Copy.Index > newest {
			best, newest = p, plan.Copy.Index
		}
	}
	return best
}
