package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// plan is all that a seed decides beforehand.
type plan struct {
	seed     uint64
	minutes  int
	peers    int           // in the cluster that is formed first
	beat     time.Duration // of the exchange of facts
	distance time.Duration // one way between any two machines
	steps    []step
}

// step is a fault, or two that overlap, and how long each phase lasts.
type step struct {
	faults []fault
	hold   time.Duration // from the last fault on
	calm   time.Duration // after the last is undone
}

// fault is one kind with what chance chose for it: two machines and a number,
// whose meaning depends on the kind.
type fault struct {
	kind   string
	a, b   int
	amount int
}

func (f fault) String() string { return fmt.Sprintf("%s(%d,%d,%d)", f.kind, f.a+1, f.b+1, f.amount) }

func (s step) String() string {
	var text []string
	for _, f := range s.faults {
		text = append(text, f.String())
	}
	return fmt.Sprintf("%s for %s, calm %s", strings.Join(text, " with "), s.hold, s.calm)
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d minutes, %d peers, beat %s, distance %s\n", p.seed, p.minutes, p.peers, p.beat, p.distance)
	for i, s := range p.steps {
		fmt.Fprintf(&b, "  %2d %s\n", i, s)
	}
	return b.String()
}

// The exchange of facts. hexad's own pace is 500 ms; it costs most of a run, so
// that only one seed in fifty has it, for ten minutes and with three peers at most. The others
// exchange more seldom: the limits of the alarms grow by the same time.
const (
	ownBeat  = 500 * time.Millisecond
	slowBeat = 15 * time.Second
	ownEvery = 50
)

// phases around the steps: forming the cluster, and showing that it is whole.
const (
	forming = 60 * time.Second
	healing = 90 * time.Second
)

// newPlan draws the plan of a seed.
func newPlan(seed uint64, minutes int) plan {
	r := rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))
	p := plan{seed: seed, minutes: minutes, peers: 2 + r.IntN(machines-1), beat: slowBeat}
	if seed%ownEvery == 0 {
		p.beat, p.peers, minutes = ownBeat, 2+r.IntN(2), min(minutes, 10)
	}
	if r.IntN(4) == 0 {
		p.distance = time.Duration(1+r.IntN(32)) * time.Millisecond // a quarter more by jitter, both ways: 80 ms, which are supported
	}
	left := time.Duration(minutes)*time.Minute - forming - healing
	settle := p.beat + timeout + 2*time.Second // what the checks of a phase need to say anything
	for left > 0 {
		s := step{faults: []fault{draw(r)}}
		if r.IntN(2) == 0 {
			s.faults = append(s.faults, draw(r))
		}
		s.hold, s.calm = 500*time.Millisecond+time.Duration(r.Int64N(int64(settle))), settle+time.Duration(r.Int64N(int64(2*settle)))
		if r.IntN(2) == 0 {
			s.hold += settle
		}
		s.hold, s.calm = s.hold.Round(time.Millisecond), s.calm.Round(time.Millisecond)
		p.steps = append(p.steps, s)
		left -= s.hold + s.calm + 2*time.Second
	}
	return p
}

// draw chooses a fault by the weights of the kinds.
func draw(r *rand.Rand) fault {
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	n := r.IntN(sum)
	f := fault{a: r.IntN(machines), b: r.IntN(machines), amount: r.IntN(1000)}
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			f.kind = k.name
			break
		}
	}
	return f
}
