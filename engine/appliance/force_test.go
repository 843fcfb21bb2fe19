package appliance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	commands "hexad/ui/command"
	"hexad/ui/shell"
)

// beside are peers at 127.0.111.from and up, so that these tests run side by side.
func beside(t *testing.T, from, count int) []*appliancetest.Peer {
	t.Helper()
	var out []*appliancetest.Peer
	for n := 1; n <= count; n++ {
		out = append(out, appliancetest.New(t, n, fmt.Sprintf("127.0.111.%d", from+n)))
	}
	return out
}

// forced names a peer the primary by force, as soon as the group is known not
// to be able to commit.
func forced(t *testing.T, p *appliancetest.Peer, index int) {
	t.Helper()
	p.Await("can be named primary by force", 20*time.Second, func() string {
		_, err := p.Try("xCommand ClusterForceShow")
		if err != nil {
			return err.Error()
		}
		return ""
	})
	p.Exec("xCommand ClusterSave Primary: %d Force: On", index)
	if v := p.View(); !v.PrimaryHere || !v.Writable || v.Running.Primary != index {
		t.Errorf("%s after it was named primary by force: %+v", p.Name, v)
	}
}

// answered runs a command and decodes what it answers.
func answered(t *testing.T, p *appliancetest.Peer, name string, args map[string]string, into any) commands.Result {
	t.Helper()
	reply, err := p.Ask(shell.Call{Name: name, Args: args})
	var out struct {
		commands.Result
		Data json.RawMessage `json:"data"`
	}
	if err == nil {
		err = json.Unmarshal(reply.Result, &out)
	}
	if err == nil && len(out.Data) > 0 {
		err = json.Unmarshal(out.Data, into)
	}
	if err != nil {
		t.Fatalf("%s: %s %v: %v", p.Name, name, args, err)
	}
	return out.Result
}

// copies are the copies that were saved aside on a peer, newest first.
func copies(t *testing.T, p *appliancetest.Peer) []engine.SavedCopy {
	t.Helper()
	var out []engine.SavedCopy
	answered(t, p, "ConfigurationCopyList", nil, &out)
	return out
}

func zone1(p *appliancetest.Peer, name string) {
	p.T.Helper()
	p.Exec(`xCommand ZoneAdd ZoneName: "%s" Type: Neighbor`, name)
}

// wantZones reports zones that a peer misses, or has and must not.
func wantZones(t *testing.T, p *appliancetest.Peer, has []string, not []string) {
	t.Helper()
	got := zones(p)
	for _, z := range has {
		if !strings.Contains(got, z) {
			t.Errorf("%s has no zone %q: %s", p.Name, z, strings.ReplaceAll(got, "\n", " "))
		}
	}
	for _, z := range not {
		if strings.Contains(got, z) {
			t.Errorf("%s has the zone %q", p.Name, z)
		}
	}
}

// TestForcedPrimary: of two, the primary is lost and the other one takes its
// place; the old one returns and is brought back.
func TestForcedPrimary(t *testing.T) {
	t.Parallel()
	peers := beside(t, 10, 2)
	appliancetest.Form(t, peers)
	a, b := peers[0], peers[1]
	zone1(a, "common")
	b.AwaitRevision(a.View().Revision)

	refused(t, b, []refusal{
		{"the group can commit", "xCommand ClusterForceShow", engine.Conflict, "Primary", "without force"},
		{"by force too", "xCommand ClusterSave Primary: 2 Force: On", engine.Conflict, "Primary", "without force"},
	})
	refused(t, a, []refusal{
		{"on the primary", "xCommand ClusterForceShow", engine.Denied, "Primary", "is the configuration primary"},
		{"on the primary", "xCommand ForceConfigUpdate Confirm: On", engine.Denied, "", "is the configuration primary"},
	})
	a.Kill()
	b.AwaitAlarm(20016, true, plain)
	revision := b.View().Revision
	var e *engine.Error
	b.Await("says what force does", 10*time.Second, func() string {
		e = b.Refused("xCommand ClusterSave Primary: 2")
		if !strings.Contains(e.Error(), "ClusterForceShow") {
			return e.Error()
		}
		return ""
	})
	for _, want := range []string{fmt.Sprintf("revision %d", revision), "generation 2", a.Address} {
		if e.Code != engine.Unavailable || !strings.Contains(e.Message, want) {
			t.Errorf("without force it is refused with %s: %q, which does not say %q", e.Code, e.Message, want)
		}
	}
	var plan engine.ForcePlan
	answered(t, b, "ClusterForceShow", nil, &plan)
	if plan.Copy.Revision != revision || plan.Copy.Saved.IsZero() || plan.Next != 2 || plan.Primary != a.Address ||
		len(plan.Unreached) != 1 || plan.Unreached[0].Address != a.Address || !plan.Unreached[0].Primary {
		t.Errorf("the plan is %+v", plan)
	}
	before := b.View().Generation
	forced(t, b, 2)
	if g := b.View().Generation; g.Number != 2 || g.Parent != before.ID {
		t.Errorf("generation %+v after %+v", g, before)
	}
	if _, err := os.Stat(filepath.Join(b.Dir, "cluster", "1-"+before.ID, "raft.db")); err != nil {
		t.Errorf("the old directory: %v", err)
	}
	zone1(b, "of two")
	b.Restart()
	if v := b.View(); !v.PrimaryHere || v.Generation.Number != 2 {
		t.Errorf("after a restart: %+v", v)
	}

	// The old one returns, in both orders, and is kept apart.
	a.Up()
	apart := func() {
		t.Helper()
		a.AwaitAlarm(20011, true, 10*time.Second)
		for _, want := range []string{before.ID, b.View().Generation.ID} {
			if d := a.Detail(20011); !strings.Contains(d, want) {
				t.Errorf("20011 does not name %s: %s", want, d)
			}
		}
		for _, p := range peers { // both take themselves for the primary
			p.AwaitAlarm(20012, true, 10*time.Second)
			p.AwaitAlarm(20017, true, 10*time.Second)
		}
		wantZones(t, a, []string{"common"}, []string{"of two"})
		wantZones(t, b, []string{"common", "of two"}, nil)
	}
	apart()
	refused(t, a, []refusal{{"on the one replaced", `xCommand ZoneAdd ZoneName: "too late" Type: Neighbor`, engine.Denied, "Primary", "ForceConfigUpdate"}})
	a.Stop()
	b.Stop()
	a.Up()
	zone1(a, "of one") // while it cannot know
	b.Up()
	apart()

	// It is asked first, and then the copy is saved aside.
	var update engine.UpdatePlan
	if r := answered(t, a, "ForceConfigUpdate", nil, &update); !r.Differs {
		t.Error("nothing differs")
	}
	if update.Source != b.Address || update.Beyond != 1 || update.Own.Generation != before || len(update.Differences) == 0 {
		t.Errorf("the plan of the update is %+v", update)
	}
	if len(copies(t, a)) != 0 {
		t.Error("asking saved a copy")
	}
	refused(t, b, []refusal{{"on the new primary", "xCommand ForceConfigUpdate Confirm: On", engine.Denied, "", "is the configuration primary"}})
	a.Exec("xCommand ForceConfigUpdate Confirm: On")
	a.Await("follows", 15*time.Second, func() string { return unlike(a, b) })
	wantZones(t, a, []string{"common", "of two"}, []string{"of one"})
	for _, p := range peers {
		p.Exec("xCommand ClusterSave Primary: 2")
	}
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		p.Calm(10 * time.Second)
	}
	list := copies(t, a)
	if len(list) != 1 || list[0].Generation != before || list[0].Revision != update.Own.Revision ||
		!strings.HasPrefix(list[0].Name, fmt.Sprintf("cluster-g1-r%d-", list[0].Revision)) {
		t.Fatalf("saved aside: %+v", list)
	}
	var found []engine.Difference
	if r := answered(t, a, "ConfigurationCopyCompare", map[string]string{"Copy": list[0].Name}, &found); !r.Differs || len(found) == 0 {
		t.Errorf("the copy differs in %v", found)
	}
	lines := a.Exec(`xCommand ConfigurationCopyCompare Copy: "%s" Form: Lines`, list[0].Name)
	if !strings.Contains(lines, `Name: "of one"`) {
		t.Errorf("the lines are\n%s", lines)
	}
	if _, err := b.Call("Import", lines, nil); err != nil {
		t.Errorf("the lines are not taken on the primary: %v\n%s", err, lines)
	}
	wantZones(t, b, []string{"of one"}, nil)
	a.Exec(`xCommand ConfigurationCopyDelete Copy: "%s"`, list[0].Name)
	if list := copies(t, a); len(list) != 0 {
		t.Errorf("after deleting: %v", list)
	}
}

// unlike says how two peers differ in what they replicate.
func unlike(p, q *appliancetest.Peer) string {
	v, w := p.View(), q.View()
	switch {
	case v.Node == "" || w.Node == "":
		return "does not answer"
	case v.Generation != w.Generation:
		return fmt.Sprintf("generations %v and %v", v.Generation, w.Generation)
	case v.Revision != w.Revision:
		return fmt.Sprintf("revisions %d and %d", v.Revision, w.Revision)
	case v.Database != "Active":
		return "database " + v.Database
	}
	return ""
}

// TestFollow: who has nothing of its own follows the new primary as soon as the
// administrator has chosen that one there too; its copy is saved aside first.
func TestFollow(t *testing.T) {
	t.Parallel()
	peers := beside(t, 20, 3)
	appliancetest.Form(t, peers)
	a, b, c := peers[0], peers[1], peers[2]
	zone1(a, "common")
	for _, p := range peers {
		p.AwaitRevision(a.View().Revision)
	}
	a.Kill()
	c.Kill()
	forced(t, b, 2)
	zone1(b, "of two")
	c.Up()
	c.AwaitAlarm(20011, true, 10*time.Second)
	c.Await("says why it does not follow", 10*time.Second, func() string {
		if f := c.View().Fenced; f == nil || !strings.Contains(f.Why, "names another primary") {
			return fmt.Sprintf("%+v", f)
		}
		return ""
	})
	c.Exec("xCommand ClusterSave Primary: 2")
	c.Await("follows", 15*time.Second, func() string { return unlike(c, b) })
	a.Up()
	a.Exec("xCommand ClusterSave Primary: 2")
	a.Await("follows", 15*time.Second, func() string { return unlike(a, b) })
	appliancetest.Ready(t, peers)
	for _, p := range peers {
		p.Calm(10 * time.Second)
		wantZones(t, p, []string{"common", "of two"}, nil)
	}
	for _, p := range []*appliancetest.Peer{a, c} {
		if list := copies(t, p); len(list) != 1 || list[0].Why != "follow" {
			t.Errorf("%s saved aside %+v", p.Name, list)
		}
	}
}

// TestUpdateOfASubordinate: a healthy one takes the primary's copy anew; it has
// no vote until it has it.
func TestUpdateOfASubordinate(t *testing.T) {
	t.Parallel()
	peers := beside(t, 30, 3)
	appliancetest.Form(t, peers)
	a, c := peers[0], peers[2]
	zone1(a, "common")
	c.AwaitRevision(a.View().Revision)
	c.Exec("xCommand ForceConfigUpdate Confirm: On")
	c.Await("has a copy again", 15*time.Second, func() string { return unlike(c, a) })
	zone1(a, "later")
	c.AwaitRevision(a.View().Revision)
	wantZones(t, c, []string{"common", "later"}, nil)
	if list := copies(t, c); len(list) != 1 {
		t.Errorf("saved aside: %+v", list)
	}
}
