package appliance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
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

// guide runs procedures on peers; with kills, kill -9 of the subject and of the
// primary in turn as the steps begin.
type guide struct {
	t     *testing.T
	peers []*Peer
	kills bool
}

// run carries a procedure out to its end.
func (g guide) run(p *Peer, args string) {
	g.t.Helper()
	g.ready(p, args)
	g.end(p, g.begin(p, args))
}

// begin starts a procedure; with kills it is repeated while it cannot be recorded
// that the last one has ended, as the answer says.
func (g guide) begin(p *Peer, args string) (id string) {
	g.t.Helper()
	if !g.kills {
		return begin(g.t, p, args)
	}
	p.Await("starts "+args, 30*time.Second, func() string {
		var out struct{ Data engine.Procedure }
		reply, err := p.TryAt(0, "xCommand ProcedureStart "+args)
		switch {
		case err == nil:
			err = json.Unmarshal(reply.Result, &out)
			id = out.Data.ID
		case !strings.Contains(err.Error(), "does not know yet"):
			g.t.Fatalf("%s: %s: %v", p.Name, args, err)
		}
		return why(err)
	})
	return id
}

// ready waits until nothing is in the way here: the last procedure may have run
// on another peer, which saw its result first.
func (g guide) ready(p *Peer, args string) {
	g.t.Helper()
	p.Await("can start "+args, 30*time.Second, func() string {
		var list []engine.Procedure
		reply, err := p.TryAt(0, "xCommand ProcedureList")
		if err == nil {
			err = json.Unmarshal(reply.Result, &struct{ Data any }{&list})
		}
		if i := slices.IndexFunc(list, func(q engine.Procedure) bool { return q.State.Open() }); i >= 0 {
			return list[i].ID + " is open"
		}
		if err == nil {
			_, err = p.TryAt(0, "xCommand ProcedurePlan "+args)
		}
		return why(err)
	})
}

// end waits until a procedure is done.
func (g guide) end(p *Peer, id string) {
	g.t.Helper()
	if !g.kills {
		awaitState(g.t, p, id, engine.ProcedureDone, 2*time.Minute)
		return
	}
	seen := -1
	p.Await("procedure "+id+" is done", 4*time.Minute, func() string {
		now, err := shown(p, id)
		if err != nil {
			return err.Error()
		}
		if now.State == engine.ProcedureHalted {
			g.t.Fatalf("%s halted at step %d: %s", now.Kind, now.Step+1, now.Problem.EN)
		}
		if st := now.Present(); st != nil && now.Step > seen {
			seen = now.Step
			subject := g.at(st.Peer)
			if seen%2 == 1 {
				subject = g.at(p.View().PrimaryAddress)
			}
			// Who resets itself is not of the cluster any more.
			if subject != nil && st.Do != "leave" && !slices.Contains(st.Want, "gone") && !slices.Contains(st.Want, "joined") && g.at(now.Args["Address"]) != subject {
				subject.Kill()
				subject.Up()
			}
		}
		if now.State != engine.ProcedureDone {
			return fmt.Sprintf("%s %s at step %d of %d, waits for %s", now.Kind, now.State, now.Step+1, len(now.Steps), now.Waiting.EN)
		}
		return ""
	})
}

// at is the peer that an entry denotes.
func (g guide) at(entry string) *Peer {
	i := slices.IndexFunc(g.peers, func(p *Peer) bool { return entry != "" && (p.Address == entry || p.FQDN() == entry) })
	if i < 0 {
		return nil
	}
	return g.peers[i]
}

// join runs a procedure in which a new system joins with the code of the primary,
// when the others have waited for it.
func (g guide) join(on, primary, joiner *Peer, args string, waited ...func()) {
	g.t.Helper()
	g.ready(on, args)
	id := g.begin(on, args)
	on.Await("the new address is on every list", 3*time.Minute, func() string {
		now, err := shown(on, id)
		if err != nil || !slices.Contains(now.Steps[min(now.Step, len(now.Steps)-1)].Want, "joined") {
			return fmt.Sprintf("step %d, %v", now.Step+1, err)
		}
		return ""
	})
	for _, wait := range waited {
		wait()
	}
	var code struct{ Code string }
	primary.Await("gives a code", time.Minute, func() string {
		reply, err := primary.TryAt(0, "xCommand ClusterInvite")
		if err == nil {
			err = json.Unmarshal(reply.Result, &struct{ Data any }{&code})
		}
		return why(err)
	})
	joiner.Exec("xCommand ClusterJoin Code: %q", code.Code)
	g.end(on, id)
	awaitState(g.t, primary, id, engine.ProcedureDone, 20*time.Second)
}

// TestGuided walks through the life of a cluster with guided runs, each from
// another peer where that is possible.
func TestGuided(t *testing.T) {
	t.Parallel()
	guidedLife(t, guide{t, Network(t, 130, 4), false})
}

// TestGuidedKilled is the same while every peer that carries a procedure out is
// killed after each third change of its record, and the subject and the primary
// of each step are killed as it begins. It takes two minutes: make walk.
func TestGuidedKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv(walkAll) == "" {
		t.Skip(walkAll + " is not set")
	}
	peers := Network(t, 136, 4)
	for _, p := range peers {
		p.Variant, p.Env = crashing, []string{"HEXAD_FAIL=procedure.kept=kill@3"}
	}
	guidedLife(t, guide{t, peers, true})
}

func guidedLife(t *testing.T, g guide) {
	peers := g.peers
	Each(peers, func(p *Peer) { p.Up(); p.Prepare() })
	a, b, c, d := peers[0], peers[1], peers[2], peers[3]

	refused(t, a, []refusal{
		{"adding without a cluster", "xCommand ProcedureStart Kind: Add Address: " + b.Address, engine.Denied, "Kind", "in no cluster"},
		{"an argument that it does not take", "xCommand ProcedureStart Kind: Restart Address: " + b.Address, engine.Invalid, "Address", "takes no Address"},
		{"without the address", "xCommand ProcedureStart Kind: Add", engine.Invalid, "Address", "needs Address"},
		{"resuming nothing", "xCommand ProcedureResume", engine.NotFound, "Id", "no such procedure"},
	})
	g.run(a, "Kind: Create Name: guided.example.com")
	if v := a.View(); v.Entered.Name != "guided.example.com" || len(v.Running.Peers) != 1 || len(v.Restart) > 0 {
		t.Fatalf("after the creation: %+v", v)
	}
	refused(t, a, []refusal{
		{"creating it twice", "xCommand ProcedureStart Kind: Create", engine.Denied, "Kind", "already"},
		{"another system's code", `xCommand ClusterJoin Code: "hexad-join-x"`, engine.Invalid, "Code", "no code"},
	})
	g.join(a, a, b, "Kind: Add Address: "+b.Address)
	since := len(a.Log())
	g.join(b, a, c, "Kind: Add Address: "+c.Address, func() { // from a subordinate
		for _, p := range peers[:2] { // they miss the peer that is on the list and not there yet
			p.AwaitAlarm(20004, true, 20*time.Second)
			expected(a, since, p, 20004, "add_peer")
		}
	})
	refused(t, a, []refusal{
		{"removing the primary", "xCommand ProcedureStart Kind: Remove Address: " + a.Address, engine.Denied, "Address", "is the configuration primary"},
		{"removing a live one as lost", "xCommand ProcedureStart Kind: RemoveLost Address: " + b.Address, engine.Denied, "Address", "answers"},
		{"a second time", "xCommand ProcedureStart Kind: Add Address: " + b.Address, engine.Conflict, "Address", "on the list already"},
		{"enforcing without certificates", "xCommand ProcedureStart Kind: Enforce", engine.Denied, "Peers", "is not valid"},
		{"names that nobody knows", "xCommand ProcedureStart Kind: Names Peer1: nowhere.invalid", engine.Invalid, "Peer1", "not resolved"},
	})

	lose := func() { // b, for good: what comes back is a new machine at its address
		t.Helper()
		b.Kill()
		a.Await("the other one is seen to be gone", 20*time.Second, func() string {
			if e := a.Entry(b.Address); e.State != engine.PeerFailed {
				return string(e.State)
			}
			return ""
		})
	}
	renew := func() {
		t.Helper()
		if err := os.RemoveAll(b.Dir); err != nil {
			t.Fatal(err)
		}
		b.Up()
		b.Prepare()
	}
	lose()
	refused(t, a, []refusal{{"restarting with one gone", "xCommand ProcedureStart Kind: Restart", engine.Unavailable, "Peers", "does not answer"}})
	g.run(c, "Kind: RemoveLost Address: "+b.Address)
	renew()
	g.join(a, a, b, "Kind: Add Address: "+b.Address)
	lose()
	renew()
	g.join(a, a, b, "Kind: Recover Address: "+b.Address)
	g.join(a, a, d, "Kind: Replace Address: "+b.Address+" NewAddress: "+d.Address)
	if got := strings.Join(c.View().Running.Peers, " "); got != strings.Join([]string{a.Address, c.Address, d.Address}, " ") {
		t.Errorf("after the replacement: %s", got)
	}
	peers = []*Peer{a, c, d}

	g.run(a, "Kind: Mapping")
	for _, p := range peers {
		p.Await("has the mapping", 10*time.Second, func() string { // it may have been killed a moment ago
			if v := p.View(); !v.MappingMode || len(v.Mappings) != 3 {
				return fmt.Sprintf("mappings %+v", v.Mappings)
			}
			return ""
		})
	}
	g.run(c, "Kind: Names")
	for _, p := range peers {
		if got := strings.Join(p.View().Running.Peers, " "); got != strings.Join([]string{a.FQDN(), c.FQDN(), d.FQDN()}, " ") {
			t.Errorf("%s has the list %s", p.Name, got)
		}
	}
	authority := NewAuthority(t)
	for _, p := range peers { // one after the other: each tells the rest its new key
		authority.Certify(p)
		Meet(t, peers)
	}
	a.Await("the certificates are seen to be valid", 20*time.Second, func() string {
		for _, e := range a.View().Peers {
			if e.Certificate != "Valid" {
				return e.Address + " " + e.Reason
			}
		}
		return ""
	})
	g.run(d, "Kind: Enforce")
	for _, p := range peers {
		if v := p.View(); v.Running.TLSMode != engine.Enforcing {
			t.Errorf("%s runs %s", p.Name, v.Running.TLSMode)
		}
	}
	g.run(a, "Kind: Permit")
	g.run(d, "Kind: Primary Address: "+c.FQDN())
	for _, p := range peers {
		if v := p.View(); v.PrimaryAddress != c.FQDN() || v.Entered.Primary != 2 {
			t.Errorf("%s: primary %s, index %d", p.Name, v.PrimaryAddress, v.Entered.Primary)
		}
	}
	g.run(d, "Kind: Resynchronise Address: "+a.FQDN())
	g.run(d, "Kind: Remove Address: "+a.FQDN())
	if v := c.View(); len(v.Running.Peers) != 2 || v.Entered.Primary != 1 || v.PrimaryAddress != c.FQDN() {
		t.Errorf("after the removal: %+v", v.Entered)
	}
	b.Kill()
	renew()
	c.Exec("xCommand ClusterAddressMappingAdd Fqdn: %q IpAddress: %q", b.FQDN(), b.Address)
	g.join(c, c, b, "Kind: Add Address: "+b.FQDN()) // there is no DNS: the code has the mapping
	if got := strings.Join(b.View().Running.Peers, " "); got != strings.Join([]string{c.FQDN(), d.FQDN(), b.FQDN()}, " ") {
		t.Errorf("joined by name: %s", got)
	}
	g.run(c, "Kind: Disband")
	if v := c.View(); len(v.Peers) != 1 || !v.Writable {
		t.Errorf("after the disbanding: %+v", v)
	}
	var list []engine.Procedure
	answerOf(t, c, "xCommand ProcedureList", &list)
	if len(list) < 14 || slices.ContainsFunc(list, func(p engine.Procedure) bool { return p.State.Open() || len(p.Notes) == 0 }) {
		t.Errorf("the procedures: %d", len(list))
	}
}

// expected waits until the primary has marked an alarm of a peer as caused by a procedure.
func expected(primary *Peer, since int, p *Peer, id int, procedure string) {
	primary.T.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`Event="Alarm Expected" Id="%d".* Peer="%s" .*Reason="procedure_%s"`, id, regexp.QuoteMeta(p.Address), procedure))
	primary.Await(fmt.Sprintf("alarm %d of %s is marked as expected", id, p.Name), 20*time.Second, func() string {
		if !line.MatchString(primary.Log()[since:]) {
			return "it is not"
		}
		return ""
	})
}

// TestGuidedByForce: where the group cannot commit any more, a guided run makes
// the survivor the primary, and another one gives the lost peer's place to a
// system at another address.
func TestGuidedByForce(t *testing.T) {
	t.Parallel()
	peers := Network(t, 140, 3)
	a, b, c := peers[0], peers[1], peers[2]
	g := guide{t, peers, false}
	Form(t, peers[:2])
	a.Kill()
	b.Await("the primary is seen to be gone", 20*time.Second, func() string {
		if v := b.View(); !v.Forcible || b.Entry(a.Address).State != engine.PeerFailed {
			return fmt.Sprintf("forcible %v, %s", v.Forcible, b.Entry(a.Address).State)
		}
		return ""
	})
	refused(t, b, []refusal{{"without force", "xCommand ProcedureStart Kind: Primary Address: " + b.Address, engine.Unavailable, "Force", "cannot commit"}})
	g.run(b, "Kind: Primary Address: "+b.Address+" Force: On")
	if v := b.View(); !v.PrimaryHere || v.Generation.Number != 2 || !v.Writable {
		t.Fatalf("after it: %+v", v)
	}
	c.Up()
	c.Prepare()
	g.join(b, b, c, "Kind: ChangeAddress Address: "+a.Address+" NewAddress: "+c.Address)
	for _, p := range []*Peer{b, c} {
		if got := strings.Join(p.View().Running.Peers, " "); got != b.Address+" "+c.Address && got != c.Address+" "+b.Address {
			t.Errorf("%s has the list %s", p.Name, got)
		}
	}
}
