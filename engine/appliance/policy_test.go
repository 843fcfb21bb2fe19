package appliance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hexad/engine"
	"hexad/engine/appliance/appliancetest"
	"hexad/engine/policy"
)

// command runs a policy command and reads its data.
func command(t *testing.T, p *appliancetest.Peer, name string, body any, args map[string]string, into any) error {
	t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	reply, err := p.Call(name, text, args)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(reply.Result, &struct{ Data any }{into})
}

// activate stores, stages and activates scripts and waits until every peer runs them.
func activate(t *testing.T, peers []*appliancetest.Peer, files ...policy.SourceFile) int64 {
	t.Helper()
	p := peers[0]
	var staged policy.Staged
	if err := command(t, p, "PolicyPut", files, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := command(t, p, "PolicyStage", nil, map[string]string{"Comment": "test"}, &staged); err != nil {
		t.Fatal(err)
	}
	if len(staged.Acks) != len(peers) {
		t.Fatalf("staged with %+v", staged.Acks)
	}
	if err := command(t, p, "PolicyActivate", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	running(t, peers, staged.Revision.Number)
	return staged.Revision.Number
}

// running waits until every peer runs a revision.
func running(t *testing.T, peers []*appliancetest.Peer, revision int64) {
	t.Helper()
	for _, p := range peers {
		p.Await(fmt.Sprintf("runs revision %d", revision), 5*time.Second, func() string {
			if now := here(t, p).Revision; now != revision {
				return fmt.Sprintf("revision %d", now)
			}
			return ""
		})
	}
}

// here is what a peer says of its own policies.
func here(t *testing.T, p *appliancetest.Peer) policy.WatchedPeer {
	t.Helper()
	var w policy.Watched
	if err := command(t, p, "PolicyStatus", nil, nil, &w); err == nil {
		for _, peer := range w.Peers {
			if peer.Here {
				return peer
			}
		}
	}
	return policy.WatchedPeer{}
}

// teller is a script that makes one finding, named by the revision that it is meant for.
func teller(name, id string) policy.SourceFile {
	return policy.SourceFile{Name: name, Source: fmt.Sprintf(`local P = policy {
  name = %q, api = 1, hook = "peer.prerequisites", order = 500, title = { en = "Told", ja = "通知" },
  text = { ["policy.%s.%s"] = { en = "told", ja = "通知" } },
}
function P.evaluate(c) return { { id = "policy.%s.%s", severity = "info" } } end
return P
`, name, name, id, name, id)}
}

var toldBy = regexp.MustCompile(`policy\.(one|two)\.r(\d+)"`)

// Scripts are staged and activated while eight clients ask three peers: no
// decision mixes revisions, and none is lost.
func TestPoliciesChangeWhileTheyAreAsked(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 91, 3)
	pair := func(n int) []policy.SourceFile {
		return []policy.SourceFile{teller("one", fmt.Sprint("r", n)), teller("two", fmt.Sprint("r", n))}
	}
	activate(t, peers, pair(1)...)
	question := map[string]any{"input": json.RawMessage(policy.Fixtures("peer.prerequisites")["pair"])}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var asked atomic.Int64
	for client := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				var d policy.Decision
				p := peers[client%len(peers)]
				if err := command(t, p, "PolicyEval", question, map[string]string{"Hook": "peer.prerequisites"}, &d); err != nil {
					t.Errorf("%s: lost: %v", p.Name, err)
					return
				}
				found := toldBy.FindAllStringSubmatch(string(d.Answer), -1)
				if len(found) != 2 || found[0][2] != found[1][2] || found[0][2] != fmt.Sprint(d.Revision) || d.Degraded {
					t.Errorf("%s: revision %d answered %v", p.Name, d.Revision, found)
					return
				}
				asked.Add(1)
			}
		})
	}
	for n := 2; n <= 5; n++ {
		before := asked.Load()
		activate(t, peers, pair(n)...)
		appliancetest.Await(t, "the clients go on", 5*time.Second, func() string {
			if asked.Load() < before+16 {
				return fmt.Sprint(asked.Load(), " asked")
			}
			return ""
		})
	}
	stop()
	wg.Wait()
	t.Logf("%d decisions", asked.Load())
	peers[1].Restart() // it reads the active revision from its own copy
	running(t, peers[1:2], 5)
}

// A peer whose release does not know the API version of a script stops the
// stage, and is named.
func TestOnePeerThatCannotCompileStopsTheStage(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Network(t, 92, 3)
	peers[2].Variant = appliancetest.Variant{Tags: "hexad_policyapi0"}
	appliancetest.Form(t, peers)
	if err := command(t, peers[0], "PolicyPut", []policy.SourceFile{teller("one", "r1")}, nil, nil); err != nil {
		t.Fatal(err)
	}
	err := command(t, peers[0], "PolicyStage", nil, nil, nil)
	if engine.CodeOf(err) != engine.Invalid || !strings.Contains(err.Error(), peers[2].Address+": one:1: API version 1") {
		t.Fatalf("staged: %v", err)
	}
	if err := command(t, peers[0], "PolicyActivate", nil, map[string]string{"Revision": "1"}, nil); engine.CodeOf(err) != engine.Conflict {
		t.Errorf("activated: %v", err)
	}
	running(t, peers, 0)
	var past []policy.Past
	if err := command(t, peers[1], "PolicyHistory", nil, nil, &past); err != nil || len(past) != 1 || past[0].State != engine.PolicyRefused || len(past[0].Acks) != 3 {
		t.Errorf("history %+v, %v", past, err)
	}
	// What its release knows is remembered when it does not answer, over a restart too.
	peers[2].Stop()
	peers[0].Restart()
	peers[0].Await("the older peer stops the stage from afar", 30*time.Second, func() string {
		err := command(t, peers[0], "PolicyStage", nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), peers[2].Address+" does not answer, and its release knows no API version above 0") {
			return fmt.Sprint(err)
		}
		return ""
	})
}

// bad is a script that answers well to every fixture, and misbehaves on a real
// peer, or on any when address is "".
func bad(what, address string) policy.SourceFile {
	return policy.SourceFile{Name: "bad", Source: fmt.Sprintf(`local P = policy {
  name = "bad", api = 1, hook = "cluster.validate", order = 500, title = { en = "Bad", ja = "不良" },
}
function P.evaluate(c)
  if c.cluster.name == %q and (%q == "" or c.self.address == %q) then
    %s
  end
  return {}
end
return P
`, appliancetest.ClusterName, address, address, what)}
}

// wall is the limit of a control hook's chain, and what a busy machine adds.
const wall = 2*time.Second + 3*time.Second

// failing makes a peer ask its rules until the breaker has seen enough.
func failing(t *testing.T, p *appliancetest.Peer, all []string) {
	t.Helper()
	p.Await("has pinned the script", 20*time.Second, func() string {
		began := time.Now()
		if _, err := p.Try(appliancetest.Page(all...)); err == nil {
			t.Errorf("%s: a save was not refused while a rule fails", p.Name)
		}
		if took := time.Since(began); took > wall {
			t.Errorf("%s: the answer took %v", p.Name, took)
		}
		if len(here(t, p).Pins) == 0 {
			return "not pinned"
		}
		return ""
	})
}

const (
	alarmFailed = 70001
	alarmPinned = 70002
)

// A script that loops, one that allocates and one that answers nonsense: the
// fail-safe answers in time, the alarm is that of the peer, the script is
// pinned there, and gone after a rollback; where most peers pin it the cluster
// takes it back by itself.
func TestScriptsThatMisbehave(t *testing.T) {
	t.Parallel()
	peers := appliancetest.Cluster(t, 93, 3)
	all := appliancetest.Addresses(peers)
	for name, what := range map[string]string{
		"loops":            "while true do end",
		"allocates":        `local s = "x"; while true do s = s .. s end`,
		"answers nonsense": "return 42",
	} {
		activate(t, peers, bad(what, peers[1].Address))
		failing(t, peers[1], all)
		peers[1].AwaitAlarm(alarmFailed, true, 3*time.Second)
		peers[1].AwaitAlarm(alarmPinned, true, 3*time.Second)
		for _, p := range []*appliancetest.Peer{peers[0], peers[2]} {
			if now := p.Alarms(); slices.Contains(now, alarmFailed) || slices.Contains(now, alarmPinned) {
				t.Errorf("%s: %s has alarms %v", name, p.Name, now)
			}
		}
		var r engine.PolicyRevision
		if err := command(t, peers[0], "PolicyRollback", nil, map[string]string{"Revision": "0"}, &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		running(t, peers, r.Number)
		peers[1].AwaitAlarm(alarmFailed, false, 5*time.Second)
		peers[1].AwaitAlarm(alarmPinned, false, 5*time.Second)
	}
	n := activate(t, peers, bad("error('no')", ""))
	for _, p := range peers[:2] {
		if here(t, p).Revision == n {
			failOrGone(t, p, all, n)
		}
	}
	running(t, peers, n+1)
	for _, p := range peers {
		p.AwaitAlarm(alarmPinned, false, 5*time.Second)
	}
	var past []policy.Past
	if err := command(t, peers[2], "PolicyHistory", nil, nil, &past); err != nil || past[0].Author != "system" || !slices.Equal(past[0].Changed, []string{"-bad"}) {
		t.Errorf("history %+v, %v", past, err)
	}
}

// failOrGone makes a peer fail until it has pinned the script or the cluster has
// taken it back.
func failOrGone(t *testing.T, p *appliancetest.Peer, all []string, n int64) {
	t.Helper()
	p.Await("has pinned the script", 20*time.Second, func() string {
		_, _ = p.Try(appliancetest.Page(all...)) // refused while the rule fails
		if now := here(t, p); len(now.Pins) == 0 && now.Revision == n {
			return "not pinned"
		}
		return ""
	})
}

// A waiver lowers the alarm of its finding at once, and its end raises it again.
func TestWaiverOfAFinding(t *testing.T) {
	t.Parallel()
	p := appliancetest.Cluster(t, 94, 1)[0]
	services := func(holds bool) {
		t.Helper()
		p.Await(fmt.Sprint("the alarm of the base services: ", holds), 5*time.Second, func() string {
			all := p.AllAlarms()
			if slices.ContainsFunc(all, func(a engine.RaisedAlarm) bool { return a.ID == 70017 }) != holds {
				return fmt.Sprint(all)
			}
			return ""
		})
	}
	services(true)
	var ids []string
	for _, finding := range []string{"cluster.base.no_dns_server", "cluster.base.no_ntp_server"} {
		var w engine.PolicyWaiver
		if err := command(t, p, "PolicyWaive", nil, map[string]string{"Finding": finding, "For": "1h", "Reason": "test"}, &w); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, w.ID)
	}
	services(false)
	for _, id := range ids {
		if err := command(t, p, "PolicyUnwaive", nil, map[string]string{"Id": id}, nil); err != nil {
			t.Fatal(err)
		}
	}
	services(true)
}
