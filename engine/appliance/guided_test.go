package appliance_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hexad/engine"
	. "hexad/engine/appliance/appliancetest"
)

// begin starts a guided procedure and returns its id.
func begin(t *testing.T, p *Peer, args string) string {
	t.Helper()
	var out engine.Procedure
	answerOf(t, p, "xCommand ProcedureStart "+args, &out)
	if out.ID == "" || len(out.Steps) == 0 {
		t.Fatalf("%s: %+v", args, out)
	}
	return out.ID
}

// answerOf runs a line and reads the data of its answer.
func answerOf(t *testing.T, p *Peer, line string, into any) {
	t.Helper()
	reply, err := p.TryAt(0, line)
	if err != nil {
		t.Fatalf("%s: %s: %v", p.Name, line, err)
	}
	if err := json.Unmarshal(reply.Result, &struct{ Data any }{into}); err != nil {
		t.Fatalf("%s: %v: %s", line, err, reply.Result)
	}
}

// shown is a procedure as a peer knows it.
func shown(p *Peer, id string) (engine.Procedure, error) {
	var out engine.Procedure
	reply, err := p.TryAt(0, "xCommand ProcedureShow Id: "+id)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(reply.Result, &struct{ Data any }{&out})
}

// awaitState waits until a procedure is in that state, as a peer knows it.
func awaitState(t *testing.T, p *Peer, id string, state engine.ProcedureState, within time.Duration) engine.Procedure {
	t.Helper()
	var last engine.Procedure
	p.Await(fmt.Sprintf("procedure %s is %s", id, state), within, func() string {
		now, err := shown(p, id)
		if err != nil {
			return err.Error()
		}
		last = now
		if now.State != state {
			return fmt.Sprintf("%s at step %d of %d, waits for %s %s", now.State, now.Step+1, len(now.Steps), now.Waiting.EN, now.Problem.EN)
		}
		return ""
	})
	return last
}

// guided runs a procedure to its end.
func guided(t *testing.T, p *Peer, args string) engine.Procedure {
	t.Helper()
	p.Await("no other procedure is open", 10*time.Second, func() string { // the last one may have run elsewhere
		var list []engine.Procedure
		answerOf(t, p, "xCommand ProcedureList", &list)
		if i := slices.IndexFunc(list, func(q engine.Procedure) bool { return q.State.Open() }); i >= 0 {
			return list[i].ID
		}
		return ""
	})
	return awaitState(t, p, begin(t, p, args), engine.ProcedureDone, 2*time.Minute)
}

// invite adds a peer with a guided run on one peer and the code of the primary.
func invite(t *testing.T, on, primary, joiner *Peer) string {
	t.Helper()
	id := begin(t, on, "Kind: Add Address: "+joiner.Address)
	on.Await("the new address is on every list", time.Minute, func() string {
		now, err := shown(on, id)
		if err != nil || !slices.Contains(now.Steps[min(now.Step, len(now.Steps)-1)].Want, "joined") {
			return fmt.Sprintf("step %d, %v", now.Step+1, err)
		}
		return ""
	})
	var code struct{ Code string }
	answerOf(t, primary, "xCommand ClusterInvite", &code)
	joiner.Exec("xCommand ClusterJoin Code: %q", code.Code)
	awaitState(t, on, id, engine.ProcedureDone, 2*time.Minute)
	return id
}

// TestGuided walks through the life of a cluster with guided runs, each from
// another peer where that is possible.
func TestGuided(t *testing.T) {
	t.Parallel()
	peers := Network(t, 130, 3)
	Each(peers, func(p *Peer) { p.Up(); p.Prepare() })
	a, b, c := peers[0], peers[1], peers[2]

	refused(t, a, []refusal{
		{"adding without a cluster", "xCommand ProcedureStart Kind: Add Address: " + b.Address, engine.Denied, "Kind", "in no cluster"},
		{"an argument that it does not take", "xCommand ProcedureStart Kind: Restart Address: " + b.Address, engine.Invalid, "Address", "takes no Address"},
		{"without the address", "xCommand ProcedureStart Kind: Add", engine.Invalid, "Address", "needs Address"},
		{"resuming nothing", "xCommand ProcedureResume", engine.NotFound, "Id", "no such procedure"},
	})
	guided(t, a, "Kind: Create Name: guided.example.com")
	if v := a.View(); v.Entered.Name != "guided.example.com" || len(v.Running.Peers) != 1 || len(v.Restart) > 0 {
		t.Fatalf("after the creation: %+v", v)
	}
	refused(t, a, []refusal{
		{"creating it twice", "xCommand ProcedureStart Kind: Create", engine.Denied, "Kind", "already"},
		{"another system's code", `xCommand ClusterJoin Code: "hexad-join-x"`, engine.Invalid, "Code", "no code"},
	})
	invite(t, a, a, b)
	awaitState(t, a, invite(t, b, a, c), engine.ProcedureDone, 10*time.Second) // from a subordinate
	refused(t, a, []refusal{
		{"removing the primary", "xCommand ProcedureStart Kind: Remove Address: " + a.Address, engine.Denied, "Address", "is the configuration primary"},
		{"removing a live one as lost", "xCommand ProcedureStart Kind: RemoveLost Address: " + b.Address, engine.Denied, "Address", "answers"},
		{"a second time", "xCommand ProcedureStart Kind: Add Address: " + b.Address, engine.Conflict, "Address", "on the list already"},
		{"enforcing without certificates", "xCommand ProcedureStart Kind: Enforce", engine.Denied, "Peers", "is not valid"},
		{"names that nobody knows", "xCommand ProcedureStart Kind: Names Peer1: nowhere.invalid", engine.Invalid, "Peer1", "not resolved"},
	})

	guided(t, a, "Kind: Mapping")
	for _, p := range peers {
		if v := p.View(); !v.MappingMode || len(v.Mappings) != 3 {
			t.Errorf("%s: mappings %+v", p.Name, v.Mappings)
		}
	}
	guided(t, c, "Kind: Names")
	for _, p := range peers {
		if got := strings.Join(p.View().Running.Peers, " "); got != strings.Join([]string{a.FQDN(), b.FQDN(), c.FQDN()}, " ") {
			t.Errorf("%s has the list %s", p.Name, got)
		}
	}
	authority := NewAuthority(t)
	Each(peers, func(p *Peer) { authority.Certify(p) })
	a.Await("the certificates are seen to be valid", 20*time.Second, func() string {
		for _, e := range a.View().Peers {
			if e.Certificate != "Valid" {
				return e.Address + " " + e.Reason
			}
		}
		return ""
	})
	guided(t, b, "Kind: Enforce")
	for _, p := range peers {
		if v := p.View(); v.Running.TLSMode != engine.Enforcing {
			t.Errorf("%s runs %s", p.Name, v.Running.TLSMode)
		}
	}
	guided(t, a, "Kind: Permit")
	guided(t, b, "Kind: Primary Address: "+c.FQDN())
	for _, p := range peers {
		if v := p.View(); v.PrimaryAddress != c.FQDN() || v.Entered.Primary != 3 {
			t.Errorf("%s: primary %s, index %d", p.Name, v.PrimaryAddress, v.Entered.Primary)
		}
	}
	guided(t, b, "Kind: Resynchronise Address: "+a.FQDN())
	guided(t, b, "Kind: Remove Address: "+a.FQDN())
	if v := c.View(); len(v.Running.Peers) != 2 || v.Entered.Primary != 2 || v.PrimaryAddress != c.FQDN() {
		t.Errorf("after the removal: %+v", v.Entered)
	}
	b.Kill()
	c.Await("the other one is seen to be gone", 20*time.Second, func() string {
		if e := c.Entry(b.FQDN()); e.State != engine.PeerFailed {
			return string(e.State)
		}
		return ""
	})
	refused(t, c, []refusal{{"restarting with one gone", "xCommand ProcedureStart Kind: Restart", engine.Unavailable, "Peers", "does not answer"}})
	guided(t, c, "Kind: RemoveLost Address: "+b.FQDN())
	if v := c.View(); len(v.Peers) != 1 || !v.Writable {
		t.Errorf("after the disbanding: %+v", v)
	}
	var list []engine.Procedure
	answerOf(t, c, "xCommand ProcedureList", &list)
	if len(list) < 9 || slices.ContainsFunc(list, func(p engine.Procedure) bool { return p.State.Open() || len(p.Notes) == 0 }) {
		t.Errorf("the procedures: %d", len(list))
	}
}
