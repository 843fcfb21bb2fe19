package procedure_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hexad/engine"
	"hexad/engine/procedure"
)

// cases are procedures with what is to be seen at their end.
var cases = []struct {
	kind  string
	args  map[string]string
	on    string
	peers int
	prep  func(*town)
	ends  []string // parts of the pages
	never []string
}{
	{kind: procedure.Create, on: "n1", ends: []string{"n1: [192.0.2.1] primary 1 Permissive, running [192.0.2.1]"}},
	{kind: procedure.Names, on: "n2", peers: 3, ends: []string{"n1: [peer1.example.com peer2.example.com peer3.example.com]", "n3: [peer1.example.com peer2.example.com peer3.example.com]", "running [peer1.example.com peer2.example.com peer3.example.com]"}},
	{kind: procedure.Enforce, on: "n3", peers: 3, ends: []string{"n1: [192.0.2.1 192.0.2.2 192.0.2.3] primary 1 Enforcing, running [192.0.2.1 192.0.2.2 192.0.2.3] Enforcing", "n3: [192.0.2.1 192.0.2.2 192.0.2.3] primary 1 Enforcing, running [192.0.2.1 192.0.2.2 192.0.2.3] Enforcing"}, never: []string{"Permissive"}},
	{kind: procedure.Primary, args: map[string]string{"Address": "192.0.2.3"}, on: "n2", peers: 4, ends: []string{"primary n3", "n1: [192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4] primary 3", "n4: [192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4] primary 3"}},
	{kind: procedure.Primary, args: map[string]string{"Address": "192.0.2.2"}, on: "n2", peers: 3, prep: func(v *town) { v.peers["n1"].gone = true }, ends: []string{"primary n2", "n3: [192.0.2.1 192.0.2.2 192.0.2.3] primary 2"}},
	{kind: procedure.Remove, args: map[string]string{"Address": "192.0.2.2"}, on: "n3", peers: 3, ends: []string{"n1: [192.0.2.1 192.0.2.3]", "n3: [192.0.2.1 192.0.2.3]"}, never: []string{"n2:"}},
	{kind: procedure.RemoveLost, args: map[string]string{"Address": "192.0.2.1"}, on: "n3", peers: 4, prep: func(v *town) {
		v.primary, v.peers["n1"].gone = "n3", true
		for _, r := range v.peers {
			r.page.Primary, r.running.Primary = 3, 3
		}
	}, ends: []string{"n2: [192.0.2.2 192.0.2.3 192.0.2.4] primary 2", "n4: [192.0.2.2 192.0.2.3 192.0.2.4] primary 2"}},
	{kind: procedure.Disband, on: "n1", peers: 3, ends: []string{"n1: [192.0.2.1] primary 1"}, never: []string{"n2:", "n3:"}},
	{kind: procedure.Add, args: map[string]string{"Address": "192.0.2.7"}, on: "n2", peers: 2, ends: []string{"n1: [192.0.2.1 192.0.2.2 192.0.2.7]", "n2: [192.0.2.1 192.0.2.2 192.0.2.7]", "n7: [192.0.2.1 192.0.2.2 192.0.2.7]"}},
	{kind: procedure.Recover, args: map[string]string{"Address": "192.0.2.2"}, on: "n1", peers: 3, prep: func(v *town) { v.peers["n2"].gone = true }, ends: []string{"n1: [192.0.2.1 192.0.2.3 192.0.2.2] primary 1", "n3: [192.0.2.1 192.0.2.3 192.0.2.2]"}},
	{kind: procedure.Replace, args: map[string]string{"Address": "192.0.2.2", "NewAddress": "192.0.2.7"}, on: "n3", peers: 3, ends: []string{"n1: [192.0.2.1 192.0.2.3 192.0.2.7]", "n7: [192.0.2.1 192.0.2.3 192.0.2.7]"}, never: []string{"n2:"}},
	{kind: procedure.ChangeAddress, args: map[string]string{"Address": "192.0.2.3", "NewAddress": "192.0.2.8"}, on: "n1", peers: 3, prep: func(v *town) { v.peers["n3"].gone = true }, ends: []string{"n1: [192.0.2.1 192.0.2.2 192.0.2.8]", "n8: [192.0.2.1 192.0.2.2 192.0.2.8]"}},
	{kind: procedure.Permit, on: "n2", peers: 2, prep: func(v *town) {
		v.mode = engine.Enforcing
		for _, r := range v.peers {
			r.page.TLSMode, r.running.TLSMode = engine.Enforcing, engine.Enforcing
		}
	}, ends: []string{"n2: [192.0.2.1 192.0.2.2] primary 1 Permissive, running [192.0.2.1 192.0.2.2] Permissive"}, never: []string{"Enforcing"}},
	{kind: procedure.Mapping, on: "n2", peers: 2, ends: []string{"primary n1"}},
	{kind: procedure.Restart, on: "n2", peers: 3, ends: []string{"primary n1"}},
	{kind: procedure.Resynchronise, args: map[string]string{"Address": "192.0.2.2"}, on: "n1", peers: 2, ends: []string{"primary n1"}},
}

// TestInterrupted ends the process that carries a procedure out after each
// change of its record, and lets another go on: the end is the same, and no
// peer is restarted twice for one step.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for i, c := range cases {
		t.Run(fmt.Sprintf("%d %s", i, c.kind), func(t *testing.T) {
			t.Parallel()
			whole := carried(t, c.kind, c.args, c.on, c.peers, c.prep, 0)
			for _, part := range c.ends {
				if !strings.Contains(whole.pages, part) {
					t.Errorf("at the end\n%s\nwithout %q", whole.pages, part)
				}
			}
			for _, part := range c.never {
				if strings.Contains(whole.pages, part) {
					t.Errorf("at the end\n%s\nwith %q", whole.pages, part)
				}
			}
			for at := 1; at <= whole.changes; at++ {
				cut := carried(t, c.kind, c.args, c.on, c.peers, c.prep, at)
				if cut.pages != whole.pages {
					t.Errorf("ended after change %d:\n%s\nwant\n%s", at, cut.pages, whole.pages)
				}
				if !slices.Equal(disruptive(cut.orders), disruptive(whole.orders)) {
					t.Errorf("ended after change %d: %v, want %v", at, disruptive(cut.orders), disruptive(whole.orders))
				}
			}
		})
	}
}

type course struct {
	pages   string
	orders  []string
	changes int
}

// disruptive are the orders that may be given once only.
func disruptive(orders []string) []string {
	return slices.DeleteFunc(slices.Clone(orders), func(o string) bool {
		return !strings.HasPrefix(o, "restart ") && !strings.HasPrefix(o, "leave ")
	})
}

// carried runs a procedure to its end; with at, its process ends after that
// many changes of the record, and another one goes on a second later.
func carried(t *testing.T, kind string, args map[string]string, on string, peers int, prep func(*town), at int) (out course) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := village(peers)
		if prep != nil {
			prep(v)
		}
		s := &counting{town: v, at: at}
		run := func() (*procedure.Runner, context.Context, func()) {
			ctx, stop := context.WithCancel(t.Context())
			r := v.runner(on)
			ended := make(chan struct{})
			go func() { _ = r.Run(ctx); close(ended) }()
			return r, ctx, func() { stop(); <-ended }
		}
		r, _, end := run()
		id := begin(t, r, kind, args).ID
		for limit := time.Now().Add(20 * time.Minute); ; {
			time.Sleep(50 * time.Millisecond)
			p, err := r.Show(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if st := p.Present(); st != nil && slices.Contains(st.Want, "joined") {
				v.join(st.Peer)
			}
			if s.due(p.Seq) {
				end()
				time.Sleep(time.Second)
				r, _, end = run()
			}
			if p.State == engine.ProcedureDone {
				out = course{v.pages(), v.ordered(), int(p.Seq)}
				break
			}
			if p.State != engine.ProcedureRunning || time.Now().After(limit) {
				t.Errorf("ended after change %d: %s at step %d of %d: %s %s; orders %v\n%s", at, p.State, p.Step+1, len(p.Steps), p.Waiting.EN, p.Problem.EN, v.ordered(), v.pages())
				break
			}
		}
		end()
	})
	return out
}

// counting says when the process is to end.
type counting struct {
	*town
	at   int
	done bool
}

func (c *counting) due(seq int64) bool {
	if c.at == 0 || c.done || int(seq) < c.at {
		return false
	}
	c.done = true
	return true
}

// TestOwners: another peer takes over from one that is gone, not from one that
// answers; and what was aborted is not gone on with.
func TestOwners(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := village(3)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		first, second := v.runner("n2"), v.runner("n3")
		firstCtx, endFirst := context.WithCancel(ctx)
		go func() { _ = first.Run(firstCtx) }()
		go func() { _ = second.Run(ctx) }()
		id := begin(t, first, procedure.Restart, nil).ID
		if _, err := second.Start(t.Context(), engine.Actor{User: "other"}, procedure.Restart, nil); engine.CodeOf(err) != engine.Conflict {
			t.Errorf("a second one: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := second.Resume(t.Context(), engine.Actor{User: "other"}, id); engine.CodeOf(err) != engine.Conflict {
			t.Errorf("taken from a peer that answers: %v", err)
		}
		endFirst()
		v.mu.Lock()
		v.peers["n2"].gone = true
		v.mu.Unlock()
		if _, err := second.Resume(t.Context(), engine.Actor{User: "other"}, id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		p, err := second.Show(t.Context(), id)
		if err != nil || p.Owner != "n3" || p.State != engine.ProcedureRunning || !strings.Contains(p.Waiting.EN, "192.0.2.2") {
			t.Errorf("it waits for the peer that is gone: %+v %v", p, err)
		}
		if _, err := second.Abort(t.Context(), engine.Actor{User: "other"}, ""); err != nil {
			t.Fatal(err)
		}
		v.mu.Lock()
		v.peers["n2"].gone = false
		orders := len(v.orders)
		v.mu.Unlock()
		again := v.runner("n2") // it comes back with what it kept
		go func() { _ = again.Run(ctx) }()
		time.Sleep(30 * time.Second)
		if p, _ := again.Show(t.Context(), id); p.State != engine.ProcedureAborted || len(v.ordered()) != orders {
			t.Errorf("after it was aborted: %s, %v", p.State, v.ordered()[orders:])
		}
	})
}

// TestHalts: what is refused halts a procedure with the reason; it goes on when
// it is resumed. What a rule wants later is waited for.
func TestHalts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := village(2)
		r := v.running(t, "n1")
		refused, held := true, time.Now().Add(40*time.Second)
		v.refuse = func(node string, o engine.Order) error {
			if refused && node == "n2" {
				return engine.Errorf(engine.Invalid, "the list has a gap").With("Peers", "close it")
			}
			return nil
		}
		v.gate = func(_, step, peer string) error {
			if step == "restart" && time.Now().Before(held) {
				return engine.Errorf(engine.Unavailable, "not yet")
			}
			return nil
		}
		id := begin(t, r, procedure.Enforce, nil).ID
		time.Sleep(20 * time.Second)
		p, _ := r.Show(t.Context(), id)
		if p.State != engine.ProcedureRunning || !strings.Contains(p.Waiting.EN, "not yet") || slices.Contains(v.ordered(), "restart n1") {
			t.Fatalf("held by a rule: %s %q %v", p.State, p.Waiting.EN, v.ordered())
		}
		time.Sleep(2 * time.Minute)
		p, _ = r.Show(t.Context(), id)
		if p.State != engine.ProcedureHalted || !strings.Contains(p.Problem.EN, "the list has a gap") || !strings.Contains(p.Problem.EN, "close it") {
			t.Fatalf("refused: %s %q", p.State, p.Problem.EN)
		}
		v.change(func() { refused = false })
		if _, err := r.Resume(t.Context(), engine.Actor{User: "admin"}, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if p, _ = r.Show(t.Context(), id); p.State != engine.ProcedureDone {
			t.Errorf("resumed: %s %q %q", p.State, p.Waiting.EN, p.Problem.EN)
		}
	})
}

// await looks at a procedure until ok, for ten minutes of the bubble's clock at most.
func await(t *testing.T, r *procedure.Runner, id string, ok func(engine.Procedure) bool) engine.Procedure {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Minute); ; <-tick.C {
		p, err := r.Show(t.Context(), id)
		if err == nil && ok(p) {
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s at step %d, %s %v", p.State, p.Step+1, p.Waiting.EN, err)
		}
	}
}

// TestLeavesWithoutAnAnswer: a peer that ends in the middle of its order to
// reset itself has left, when it said before that the reset was armed.
func TestLeavesWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, armed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			v := village(3)
			r := v.running(t, "n1")
			v.refuse = func(node string, o engine.Order) error {
				if o.Do != engine.OrderLeave {
					return nil
				}
				v.peers[node].armed, v.peers[node].gone = armed, true
				return engine.Errorf(engine.Unavailable, "the connection was closed")
			}
			id := begin(t, r, procedure.Remove, map[string]string{"Address": "192.0.2.2"}).ID
			want := engine.ProcedureHalted // it may be anything: an administrator looks
			if armed {
				want = engine.ProcedureDone
			}
			p := await(t, r, id, func(p engine.Procedure) bool { return p.State == want })
			if says := "Kind: RemoveLost Address: 192.0.2.2"; strings.Contains(p.Problem.EN, says) == armed {
				t.Errorf("armed %v: the problem is %q", armed, p.Problem.EN)
			}
		})
	}
}

// TestAlone: where the group cannot commit, the procedure that mends that goes
// on from this peer's own record, and is published afterwards.
func TestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := village(3)
		v.peers["n1"].gone, v.deaf = true, true
		r := v.running(t, "n2")
		if _, err := r.Start(t.Context(), engine.Actor{User: "admin"}, procedure.RemoveLost, map[string]string{"Address": "192.0.2.3"}); err == nil {
			t.Error("another one begins although it cannot be recorded")
		}
		id := begin(t, r, procedure.Primary, map[string]string{"Address": "192.0.2.2"}).ID
		time.Sleep(time.Minute)
		v.change(func() { v.deaf = false })
		time.Sleep(time.Minute)
		var primary string
		v.change(func() { primary = v.primary })
		if p := v.row(id); p.State != engine.ProcedureDone || primary != "n2" {
			t.Errorf("%s, primary %s", p.State, primary)
		}
	})
}

// TestEndNotKnownYet: a procedure whose end could not be recorded is in the way of
// the next one until it is, and says so; then the next one begins at once.
func TestEndNotKnownYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := village(3)
		r := v.running(t, "n1")
		id := begin(t, r, procedure.Restart, nil).ID
		await(t, r, id, func(p engine.Procedure) bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.deaf = v.deaf || p.Step > 0
			return p.State == engine.ProcedureDone
		})
		if q := v.row(id); !q.State.Open() {
			t.Fatalf("the end is known: %s", q.State)
		}
		if _, err := r.Start(t.Context(), engine.Actor{User: "admin"}, procedure.Restart, nil); engine.CodeOf(err) != engine.Unavailable || !strings.Contains(err.Error(), "does not know yet") {
			t.Errorf("another one: %v", err)
		}
		v.change(func() { v.deaf = false })
		begin(t, r, procedure.Restart, nil)
	})
}

// TestEndNotShownYet: where this peer's copy does not show yet that the last one
// has ended, it is over all the same: another one begins, and it is not carried
// out once more.
func TestEndNotShownYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := village(3)
		r := v.running(t, "n1")
		id := begin(t, r, procedure.Restart, nil).ID
		await(t, r, id, func(p engine.Procedure) bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.stale == nil && p.Step > 0 {
				v.stale = []engine.Procedure{v.rows[id]}
			}
			return p.State == engine.ProcedureDone
		})
		orders := len(v.ordered())
		r.Changed() // it looks at its copy again
		synctest.Wait()
		if p, err := r.Show(t.Context(), ""); err != nil || p.ID != id || p.State != engine.ProcedureDone {
			t.Errorf("shown: %s %s, %v", p.ID, p.State, err)
		}
		if now := v.ordered(); len(now) > orders {
			t.Errorf("carried out again: %v", now[orders:])
		}
		begin(t, r, procedure.Restart, nil)
	})
}

// TestPlanOnly: a plan says what would be done; it is no procedure that one could ask for.
func TestPlanOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := village(3).runner("n1")
		p, err := r.Plan(t.Context(), engine.Actor{User: "admin"}, procedure.Restart, nil)
		if err != nil || p.ID != "" || p.State != engine.ProcedurePlanned || p.State.Open() || len(p.Steps) == 0 {
			t.Errorf("%+v, %v", p, err)
		}
		if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("listed: %v, %v", list, err)
		}
	})
}

// TestRefusedPlans: a procedure in a wrong situation is not begun, and says what to do first.
func TestRefusedPlans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name, kind string
			args       map[string]string
			on         string
			prep       func(*town)
			code       engine.Code
			says       string
		}{
			{"no such kind", "Dance", nil, "n1", nil, engine.Invalid, "no procedure"},
			{"in a cluster already", procedure.Create, nil, "n1", nil, engine.Denied, "already"},
			{"one does not answer", procedure.Restart, nil, "n1", func(v *town) { v.peers["n2"].gone = true }, engine.Unavailable, "192.0.2.2 does not answer"},
			{"the lists differ", procedure.Restart, nil, "n1", func(v *town) { v.peers["n2"].page.Peers = []string{"192.0.2.2", "192.0.2.1", "192.0.2.3"} }, engine.Conflict, "another one"},
			{"a reset is armed", procedure.Restart, nil, "n1", func(v *town) { v.peers["n2"].armed = true }, engine.Denied, "factory reset is armed"},
			{"the primary", procedure.Remove, map[string]string{"Address": "192.0.2.1"}, "n2", nil, engine.Denied, "is the configuration primary"},
			{"oneself", procedure.Remove, map[string]string{"Address": "192.0.2.2"}, "n2", nil, engine.Denied, "this system"},
			{"a stranger", procedure.Remove, map[string]string{"Address": "192.0.2.9"}, "n2", nil, engine.NotFound, "not a member"},
			{"who answers is not lost", procedure.RemoveLost, map[string]string{"Address": "192.0.2.2"}, "n1", nil, engine.Denied, "answers"},
			{"on a subordinate", procedure.Disband, nil, "n2", nil, engine.Denied, "the primary is left"},
			{"twice on the list", procedure.Add, map[string]string{"Address": "peer2.example.com"}, "n1", nil, engine.Conflict, "already"},
			{"the primary's own copy", procedure.Resynchronise, nil, "n1", nil, engine.Denied, "would be lost"},
			{"permissive already", procedure.Permit, nil, "n1", nil, engine.Conflict, "already"},
			{"the primary already", procedure.Primary, map[string]string{"Address": "192.0.2.1"}, "n2", nil, engine.Conflict, "already"},
		} {
			v := village(3)
			if c.prep != nil {
				c.prep(v)
			}
			_, err := v.runner(c.on).Plan(t.Context(), engine.Actor{}, c.kind, c.args)
			if engine.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v (%s), want %s with %q", c.name, err, engine.CodeOf(err), c.code, c.says)
			}
		}
	})
}
