package appliance_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
)

// crashing runs with points where it is killed.
var crashing = appliancetest.Variant{Tags: "failpoints"}

// restarted waits until the peer's parent has started it again.
func restarted(t *testing.T, p *appliancetest.Peer, child int) {
	t.Helper()
	p.Await("is started again", 20*time.Second, func() string {
		if now := p.Child(); now == 0 || now == child {
			return fmt.Sprintf("child %d", now)
		}
		if p.View().Node == "" {
			return "does not answer"
		}
		return ""
	})
}

// armed starts a stopped peer with one point at which it is killed.
func armed(p *appliancetest.Peer, point string) {
	p.Env = []string{"HEXAD_FAIL=" + point + "=kill"}
	p.Up()
	p.Env = nil
}

// TestForcedPrimaryCrashes: wherever the survivor is killed while it founds the
// new generation, it is afterwards of the old one with the old page, or of the
// new one with the new page; and it can be done.
func TestForcedPrimaryCrashes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	peers := beside(t, 40, 2)
	for _, p := range peers {
		p.Variant = crashing
	}
	appliancetest.Form(t, peers)
	survivor, lost, number := peers[1], peers[0], int64(1)
	for _, step := range []struct {
		point string
		done  bool // the new generation counts
	}{
		{"refound.old-closed", false}, {"refound.file", false}, {"refound.bootstrapped", false}, {"refound.filled", false},
		{"refound.marked", false}, {"refound.committed", true},
	} {
		t.Run(step.point, func(t *testing.T) {
			speakFor(t, peers)
			zone1(lost, "before "+step.point)
			survivor.AwaitRevision(lost.View().Revision)
			survivor.Stop()
			armed(survivor, step.point)
			appliancetest.Meet(t, peers)
			lost.Kill()
			survivor.AwaitAlarm(20016, true, plain)
			index := 2
			if survivor == peers[0] {
				index = 1
			}
			revision, child := survivor.View().Revision, survivor.Child()
			survivor.Await("can be named primary by force", 20*time.Second, func() string {
				_, err := survivor.Try("xCommand ClusterForceShow")
				return whyNot(err)
			})
			if _, err := survivor.Try(fmt.Sprintf("xCommand ClusterSave Primary: %d Force: On", index)); err == nil {
				t.Fatal("it was not killed")
			}
			restarted(t, survivor, child)
			v := survivor.View()
			if done := v.Generation.Number == number+1; done != step.done || (v.Running.Primary == index) != step.done || v.Revision != revision {
				t.Errorf("generation %d, page names %d, revision %d; want the new generation: %v, revision %d",
					v.Generation.Number, v.Running.Primary, v.Revision, step.done, revision)
			}
			wantZones(t, survivor, []string{"before " + step.point}, nil)
			if half, err := filepath.Glob(filepath.Join(survivor.Dir, "cluster", fmt.Sprintf("%d-*", v.Generation.Number+1))); err != nil || len(half) > 0 {
				t.Errorf("at generation %d it still has %v %v", v.Generation.Number, half, err)
			}
			if !step.done {
				forced(t, survivor, index)
			}
			zone1(survivor, "after "+step.point)
			number++
			lost.Up()
			lost.Exec("xCommand ClusterSave Primary: %d", index)
			lost.Await("follows", 20*time.Second, func() string { return unlike(lost, survivor) })
			appliancetest.Ready(t, peers)
			for _, p := range peers {
				wantZones(t, p, []string{"before " + step.point, "after " + step.point}, nil)
			}
		})
		if t.Failed() {
			return
		}
		survivor, lost = lost, survivor
	}
}

// speakFor lets the peers fail the part of the test that runs.
func speakFor(t *testing.T, peers []*appliancetest.Peer) {
	before := peers[0].T
	for _, p := range peers {
		p.T = t
	}
	t.Cleanup(func() {
		for _, p := range peers {
			p.T = before
		}
	})
}

func whyNot(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestForceConfigUpdateCrashes: wherever a peer is killed that takes over the
// primary's copy, it is afterwards fenced with its own copy, or of the
// primary's generation and gets its copy; and it can be done.
func TestForceConfigUpdateCrashes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	peers := beside(t, 50, 2)
	for _, p := range peers {
		p.Variant = crashing
	}
	appliancetest.Form(t, peers)
	old, next, index := peers[0], peers[1], 2
	steps := []struct {
		point string
		done  bool
		same  bool // the generation is the primary's already
	}{
		{"force.aside", false, false}, {"follow.switched", false, false}, {"follow.committed", true, false},
		{"force.held", false, true}, {"follow.emptying", true, true}, {"follow.switched", true, true},
	}
	for at, step := range steps {
		t.Run(fmt.Sprintf("%s, same generation %v", step.point, step.same), func(t *testing.T) {
			speakFor(t, peers)
			if !step.same {
				old.Kill()
				forced(t, next, index)
				zone1(next, "next "+step.point)
				next.Stop()
				old.Up()
				zone1(old, "old "+step.point) // while it cannot know
				next.Up()
				old.AwaitAlarm(20011, true, 10*time.Second)
			}
			own := old.View()
			old.Stop()
			armed(old, step.point)
			old.Await("has its primary in sight", 20*time.Second, func() string {
				_, err := old.Try("xCommand ForceConfigUpdate")
				return whyNot(err)
			})
			kept, child := len(copies(t, old)), old.Child()
			if _, err := old.Try("xCommand ForceConfigUpdate Confirm: On"); err == nil {
				t.Fatal("it was not killed")
			}
			restarted(t, old, child)
			if list := copies(t, old); len(list) != kept+1 && !step.same {
				t.Errorf("%d copies are saved aside after %d", len(list), kept)
			}
			if v := old.View(); !step.done && v.Generation != own.Generation {
				t.Errorf("generation %v, was %v", v.Generation, own.Generation)
			}
			if !step.done && !step.same {
				wantZones(t, old, []string{"old " + step.point}, []string{"next " + step.point})
				old.AwaitAlarm(20011, true, 10*time.Second)
				old.Exec("xCommand ForceConfigUpdate Confirm: On")
			}
			old.Await("has the primary's copy", 20*time.Second, func() string { return unlike(old, next) })
			for _, p := range peers {
				p.Exec("xCommand ClusterSave Primary: %d", index)
			}
			appliancetest.Ready(t, peers)
			if !step.same {
				wantZones(t, old, []string{"next " + step.point}, []string{"old " + step.point})
				var found []engine.Difference
				answered(t, old, "ConfigurationCopyCompare", map[string]string{"Copy": copies(t, old)[0].Name}, &found)
				if !strings.Contains(fmt.Sprint(found), "old "+step.point) {
					t.Errorf("the copy does not have what was lost: %v", found)
				}
			}
		})
		if t.Failed() {
			return
		}
		if at+1 < len(steps) && !steps[at+1].same { // the primary of now is the next to be lost
			old, next, index = next, old, 3-index
		}
	}
}
