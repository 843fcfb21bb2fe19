package console_test

import (
	"net/http"
	"strings"
	"testing"

	"hexad/engine"
	"hexad/ui/command"
)

// alarming is a subordinate that can be named the primary by force, and is kept
// apart from another generation.
func alarming(a *appliance) {
	a.view.PrimaryHere, a.view.Primary, a.view.PrimaryAddress = false, "n4", "192.0.2.4"
	a.view.Writable, a.view.Forcible = false, true
	a.view.Fenced = &engine.Fenced{Peer: "192.0.2.2", Own: engine.Generation{Number: 1, ID: "one"}, Other: engine.Generation{Number: 2, ID: "two"},
		Superseded: true, Why: "this system has 2 revisions that are not in it"}
	copied := engine.CopyState{Generation: engine.Generation{Number: 1, ID: "one"}, Revision: 42, Saved: noon, Items: 3}
	a.force = &engine.ForcePlan{Copy: copied, Next: 2, Primary: "192.0.2.4",
		Unreached: []engine.ForcePeer{{Address: "192.0.2.4", Primary: true, Voter: true, Since: noon, Revision: 43}, {Address: "192.0.2.5", Since: noon}},
		Reached:   []engine.ForcePeer{{Address: "192.0.2.2", Voter: true, Since: noon, Revision: 44, Ahead: true}}}
	theirs := copied
	theirs.Generation, theirs.Revision = engine.Generation{Number: 2, ID: "two", Parent: "one"}, 45
	a.update = &engine.UpdatePlan{Source: "192.0.2.2", Own: copied, Theirs: theirs, Beyond: 2, Policies: true, Differences: []engine.Difference{
		{Path: "Zones Zone 1 Name", Own: "branch", Other: "lab", OwnSet: true, OtherSet: true},
		{Path: "Zones Zone 7 Name", Own: "<only here>", OwnSet: true}}}
	a.copies = []engine.SavedCopy{{Name: "cluster-g1-r17-20261122T120000Z-follow.sqlite", Taken: noon, Why: "follow", Size: 4096, CopyState: copied}}
}

// forceCommand answers what the pages ask for.
func (a *appliance) forceCommand(call command.Call) (command.Result, bool) {
	switch {
	case call.Name == "ClusterForceShow" && a.force != nil:
		return command.Result{Data: *a.force}, true
	case call.Name == "ForceConfigUpdate" && call.Args["Confirm"] == "On":
		return command.Result{Data: a.copies[0]}, true
	case call.Name == "ForceConfigUpdate" && a.update != nil:
		return command.Result{Data: *a.update, Differs: true}, true
	case call.Name == "ConfigurationCopyList":
		return command.Result{Data: a.copies}, true
	case call.Name == "ConfigurationCopyCompare" && a.update != nil:
		return command.Result{Data: a.update.Differences, Lines: []string{`# now "lab"`, `xConfiguration Zones Zone 1 Name: "branch"`}}, true
	}
	return command.Result{}, false
}

// TestForcePages: each says what happens and what is lost, does nothing before
// that was agreed to, and does then what it said.
func TestForcePages(t *testing.T) {
	t.Parallel()
	a := newAppliance()
	alarming(a)
	c := signedIn(t, start(t, a), "admin")
	_, body := c.get("/clustering")
	for _, want := range []string{`href="/clustering/force"`, `href="/clustering/update"`, "This system is kept apart", "2 revisions that are not in it"} {
		holds(t, body, want)
	}
	_, body = c.get("/clustering/force")
	for _, want := range []string{"192.0.2.1", "2026-11-22 12:00:00", "revision 42 as generation 2", "alarm 20011", "192.0.2.5", "newer copy than here", "A newer copy is on 192.0.2.2"} {
		holds(t, body, want)
	}
	if status, body := c.post("/clustering/force", "base", "42"); status != http.StatusBadRequest || !strings.Contains(body, "Agree to what happens first.") {
		t.Errorf("without agreement: %d\n%s", status, body)
	}
	if call, ran := a.called(t.Context(), "ClusterSave"); ran {
		t.Errorf("it ran %+v", call)
	}
	c.post("/clustering/force", "base", "42", "agreed", "yes")
	if call, ran := a.called(t.Context(), "ClusterSave"); !ran || call.Args["Force"] != "On" || call.Args["Primary"] != "1" || call.Base != 42 || len(call.Args) != 2 {
		t.Errorf("it ran %+v", call)
	}

	_, body = c.get("/clustering/update?copy=" + a.copies[0].Name)
	for _, want := range []string{"revision 45, generation 2", "<td>", "&lt;only here&gt;", "The policies differ too.", "xConfiguration Zones Zone 1 Name", a.copies[0].Name} {
		holds(t, body, want)
	}
	if status, _ := c.post("/clustering/update", "base", "42"); status != http.StatusBadRequest {
		t.Errorf("without agreement: %d", status)
	}
	_, body = c.post("/clustering/update", "base", "42", "agreed", "yes")
	holds(t, body, "saved aside; the primary")
	confirmed := func() (command.Call, bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, call := range a.calls {
			if call.Name == "ForceConfigUpdate" && call.Args["Confirm"] == "On" {
				return call, true
			}
		}
		return command.Call{}, false
	}
	if call, ran := confirmed(); !ran || call.Base != 42 {
		t.Errorf("it ran %+v", call)
	}
	c.post("/language", "language", "ja", "here", "/")
	_, body = c.get("/clustering/force")
	holds(t, body, "世代 2 として単独で続行")
	a.change(func() { a.refuse = engine.Errorf(engine.Conflict, "most of its voters answer") })
	_, body = c.get("/clustering/force")
	holds(t, body, "most of its voters answer")
}
