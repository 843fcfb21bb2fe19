package appliance_test

import (
	"fmt"
	"testing"
	"time"

	"hexad/engine"
	. "hexad/engine/appliance/appliancetest"
)

// TestGuidedCrashes: a guided run reaches its end although the peer that
// carries it out is killed after every third change of its record, and although
// it, the primary and the subject are killed with kill -9 as the steps begin.
func TestGuidedCrashes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes many times")
	}
	peers := Network(t, 135, 3)
	a, b, c := peers[0], peers[1], peers[2]
	b.Variant = crashing
	Form(t, peers)

	b.Stop()
	b.Env = []string{"HEXAD_FAIL=procedure.kept=kill@3"}
	b.Up()
	b.Env = nil
	Ready(t, peers)
	child := b.Child()
	id := begin(t, b, "Kind: Restart")
	awaitState(t, a, id, engine.ProcedureDone, 3*time.Minute)
	if b.Child() == child {
		t.Error("the peer that carried it out was not killed")
	}
	b.Stop()
	b.Up() // unarmed
	Ready(t, peers)

	// Another primary, from the present one: whoever is killed, the run goes on.
	for round, kind := range []string{"Kind: Primary Address: " + c.Address, "Kind: Restart"} {
		var id string
		a.Await("no procedure is open", 20*time.Second, func() string {
			reply, err := a.Try("xCommand ProcedurePlan " + kind)
			if err != nil {
				return fmt.Sprint(reply, err)
			}
			return ""
		})
		id = begin(t, a, kind)
		killed := -1
		b.Await("the procedure is done", 4*time.Minute, func() string {
			now, err := shown(b, id)
			if err != nil {
				return err.Error()
			}
			if now.State == engine.ProcedureHalted {
				t.Fatalf("halted at step %d: %s", now.Step+1, now.Problem.EN)
			}
			if now.State == engine.ProcedureDone {
				return ""
			}
			if now.Step > killed && now.Step < 6 {
				killed = now.Step
				victim := peers[(killed+round)%len(peers)]
				victim.Kill()
				victim.Up()
			}
			return fmt.Sprintf("%s at step %d of %d, waits for %s", now.State, now.Step+1, len(now.Steps), now.Waiting.EN)
		})
		if killed < 1 {
			t.Errorf("%s: nobody was killed after step %d", kind, killed+1)
		}
	}
	Ready(t, peers)
	for _, p := range peers {
		if v := p.View(); v.PrimaryAddress != c.Address || v.Entered.Primary != 3 {
			t.Errorf("%s: primary %s, index %d", p.Name, v.PrimaryAddress, v.Entered.Primary)
		}
		p.Calm(30 * time.Second)
	}
}
