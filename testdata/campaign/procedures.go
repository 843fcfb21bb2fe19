package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"hexad/engine"
	"hexad/engine/fail"
)

// procedures is tier D: every procedure, ended at each of its steps on each
// peer. A process is ended by a failpoint, right after a durable effect, or by
// kill -9 while a step is on its way. Then it is started again, the procedure
// is done once more from its begin, and must reach its end (I12); nothing that
// was acknowledged before may be missing.
//
// Source: reference/faults.md 2.1 (I12), 2.3 (D), 2.4.
func procedures(ctx context.Context, r *Run) error {
	program, err := r.Hexad(ctx, "failpoints")
	if err != nil {
		return err
	}
	b, err := newSmallBed(ctx, r, program, 3)
	defer func() { b.close(r.Failed()) }()
	if err != nil {
		return err
	}
	d := &drill{bed: b, rand: r.Rand("procedures"), primary: 1, points: map[string]bool{}}
	if err := d.certify(ctx); err != nil {
		return err
	}
	if err := d.zones(ctx); err != nil {
		return err
	}
	d.all(ctx)
	r.Say("cells", d.cells)
	r.Say("ended", d.ended)
	r.Say("points", fmt.Sprintf("%d/%d", d.reached, len(d.points)))
	r.Say("saves", len(d.saves))
	return ctx.Err()
}

// drill is tier D under way.
type drill struct {
	*bed
	rand    *rand.Rand
	primary int // the number of the peer that is the primary
	saves   []save
	cells   int             // procedures carried out with somebody ended
	ended   int             // processes that were
	points  map[string]bool // failpoints that were armed
	reached int             // those that ended a process
}

// roles are whose process is ended, as seen from a procedure.
var roles = []string{"acting", "primary", "other"}

// procedure is one thing that administrators do, as steps that are safe to repeat.
type procedure struct {
	name   string
	points map[string]string // prefixes of the failpoints on its way, and the role that reaches them
	acting func(d *drill) int
	steps  func(d *drill) []func(ctx context.Context) error
	parts  bool // afterwards the cluster is not whole: the next procedure makes it so
}

// cycle is what the drill goes through: it ends with the cluster that it began with.
func cycle() []procedure {
	third := func(*drill) int { return 3 }
	present := func(d *drill) int { return d.primary }
	second := func(d *drill) int { return 3 - d.primary } // of the first two, the one that is not the primary
	acting := func(prefixes ...string) map[string]string {
		out := map[string]string{}
		for _, p := range prefixes {
			out[p] = "acting"
		}
		return out
	}
	return []procedure{
		{name: "change primary", points: acting("primary.", "page."), acting: second, steps: changePrimary},
		{name: "TLS mode", points: acting("tls."), acting: present, steps: changeMode},
		{name: "TLS mode back", points: acting("tls."), acting: present, steps: changeMode},
		{name: "another primary by force", points: acting("refound."), acting: second, steps: refound, parts: true},
		{name: "ForceConfigUpdate", points: acting("force.", "follow."), acting: third, steps: takeOver},
		{name: "remove", points: map[string]string{"remove.": "primary"}, acting: third, steps: remove, parts: true},
		{name: "factory reset", points: acting("reset."), acting: third, steps: factoryReset, parts: true},
		{name: "join", points: map[string]string{"join.": "acting", "admit.": "primary"}, acting: third, steps: join},
	}
}

// all goes round until the budget is used up: with the failpoints first, each
// of them once, and then with kill -9 at moments by chance.
func (d *drill) all(ctx context.Context) {
	for ctx.Err() == nil {
		for _, p := range cycle() {
			if d.run.Left() < 3*time.Second || d.run.Failed() {
				return
			}
			role, point := roles[d.rand.IntN(len(roles))], ""
			if points := d.waiting(p); len(points) > 0 {
				point = points[d.rand.IntN(len(points))]
				role = p.points[point[:strings.Index(point, ".")+1]]
			}
			d.one(ctx, p, role, point)
		}
	}
}

// waiting are the failpoints on the way of p that were not armed yet.
func (d *drill) waiting(p procedure) []string {
	var out []string
	for _, name := range fail.Names {
		if !d.points[name] && p.points[name[:strings.Index(name, ".")+1]] != "" {
			out = append(out, name)
		}
	}
	return out
}

// victim is the peer of a role.
func (d *drill) victim(p procedure, role string) int {
	acting := p.acting(d)
	switch role {
	case "acting":
		return acting
	case "primary":
		return d.primary
	}
	for n := 3; n >= 1; n-- {
		if n != acting && n != d.primary {
			return n
		}
	}
	return acting
}

// one carries out p while the process of a role is ended: at a failpoint, or
// at a moment by chance when point is "".
func (d *drill) one(ctx context.Context, p procedure, role, point string) {
	n := d.victim(p, role)
	victim := d.peers[n-1]
	what := fmt.Sprintf("%s, %s (peer %d) ended", p.name, role, n)
	if point != "" {
		what += " at " + point
	}
	d.cells++
	d.run.Note("cell %d: %s", d.cells, what)
	if err := d.ending(ctx, p, victim, point); err != nil {
		d.run.Fail("I12: %s: %v", what, err)
		return
	}
	d.verify(ctx, what)
}

// ending does p with the victim ended on the way, starts what is down, and does
// p again until every step goes through.
func (d *drill) ending(ctx context.Context, p procedure, victim *peer, point string) error {
	if point != "" {
		d.points[point] = true
		if err := d.arm(ctx, victim, fail.Env+"="+point+"=kill"); err != nil {
			return err
		}
	}
	d.note(ctx)
	steps := p.steps(d)
	at := d.rand.IntN(max(1, len(steps))) // the step during which it is killed
	for i, step := range steps {
		done := make(chan error, 1)
		go func() { done <- step(ctx) }()
		if point == "" && i == at {
			time.Sleep(time.Duration(d.rand.IntN(150)) * time.Millisecond)
			if victim.signal(syscall.SIGKILL) == nil { // between two children there is none
				d.ended++
			}
		}
		if err := <-done; err != nil {
			d.run.Note("   step %d: %v", i+1, err)
		}
	}
	if point != "" {
		if reached, err := contains(victim.log, []byte("failpoint "+point+": kill")); err != nil {
			return err
		} else if reached {
			d.ended++
			d.reached++
		}
		victim.env = nil // a child that was killed is followed by an unarmed one
	}
	if !victim.runs() && !p.down(victim.n, d) { // a point of the parent
		if err := victim.start(); err != nil {
			return err
		}
	}
	for i, step := range steps {
		if err := waitFor(ctx, 40*time.Second, fmt.Sprintf("step %d goes through", i+1), func() error { return step(ctx) }); err != nil {
			return err
		}
	}
	if p.parts {
		return nil
	}
	return d.whole(ctx)
}

// down reports whether the procedure leaves a peer down on purpose.
func (p procedure) down(n int, d *drill) bool {
	return p.name == "another primary by force" && n != d.primary
}

// arm starts a peer with a failpoint armed. One that is down stays so: what
// brings it back starts it so.
func (d *drill) arm(ctx context.Context, p *peer, env string) error {
	p.env = []string{env}
	if !p.runs() {
		return nil
	}
	if err := p.stop(); err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	if err := p.answers(ctx, 40*time.Second); err != nil || !slices.Contains(d.order, p.n) {
		return err
	}
	return d.whole(ctx)
}

// whole waits until the listed peers are a cluster that takes saves.
func (d *drill) whole(ctx context.Context) error {
	return each(d.peers, func(p *peer) error {
		if !slices.Contains(d.order, p.n) {
			return nil
		}
		a := p.administrator(10 * time.Second)
		defer a.close()
		return waitFor(ctx, 60*time.Second, fmt.Sprintf("peer %d is whole", p.n), func() error {
			v, err := a.view(ctx)
			switch {
			case err != nil:
				return err
			case p.n == d.primary && !v.Writable:
				return fmt.Errorf("not writable: %s", v.ReadOnly)
			}
			return unready(v, len(d.order))
		})
	})
}

// zones is how many items the saves go round.
const zones = 20

func (d *drill) zones(ctx context.Context) error {
	a := d.peers[0].administrator(30 * time.Second)
	defer a.close()
	for zone := 1; zone <= zones; zone++ {
		if _, err := a.run(ctx, `xCommand ZoneAdd ZoneName: "zone%d" Type: Neighbor`, zone); err != nil {
			return err
		}
	}
	return nil
}

// note saves something that must survive whatever comes.
func (d *drill) note(ctx context.Context) {
	a := d.peers[d.primary-1].administrator(10 * time.Second)
	defer a.close()
	s := save{Path: item(len(d.saves)%zones + 1), Value: fmt.Sprintf("before cell %d", d.cells)}
	err := waitFor(ctx, 20*time.Second, "a save", func() (err error) {
		s.Revision, err = set(ctx, a, 0, s)
		return err
	})
	if err != nil {
		d.run.Note("   nothing was saved before it: %v", err)
		return
	}
	d.saves = append(d.saves, s)
}

// verify looks for every save on every peer of the cluster.
func (d *drill) verify(ctx context.Context, what string) {
	last := map[string]string{}
	for _, s := range d.saves {
		last[s.Path] = s.Value
	}
	for _, n := range d.order {
		p := d.peers[n-1]
		if !p.runs() {
			continue
		}
		a := p.administrator(10 * time.Second)
		err := waitFor(ctx, 20*time.Second, fmt.Sprintf("peer %d has what was saved", n), func() error {
			for path, want := range last {
				if got, err := read(ctx, a, path); err != nil || got != want {
					return errors.Join(err, fmt.Errorf("%s is %q, acknowledged was %q", path, got, want))
				}
			}
			return nil
		})
		a.close()
		if err != nil {
			d.run.Fail("I1: after %s: %v", what, err)
		}
	}
}

// certify gives every peer a certificate that Enforcing accepts.
func (d *drill) certify(ctx context.Context) error {
	for _, p := range d.peers {
		if err := d.certified(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (d *drill) certified(ctx context.Context, p *peer) error {
	text, err := d.authority.issue(p.fqdn(), time.Now().Add(12*time.Hour))
	if err != nil {
		return err
	}
	a := p.administrator(30 * time.Second)
	defer a.close()
	if _, err := a.call(ctx, "TrustListSet", d.authority.root(), nil); err != nil {
		return err
	}
	return waitFor(ctx, 20*time.Second, fmt.Sprintf("peer %d takes a certificate", p.n), func() error {
		_, err := a.call(ctx, "ServerCertificateSet", text, nil)
		return err
	})
}

// saved saves the page on one peer; one that says that it is so already is done.
func (d *drill) saved(n int) func(context.Context) error {
	return func(ctx context.Context) error { return d.save(ctx, d.peers[n-1], d.page(d.primary), false) }
}

func (d *drill) restarted(n int) func(context.Context) error {
	return func(ctx context.Context) error { return d.peers[n-1].restart(ctx) }
}

// changePrimary nominates the acting peer, then on the other pages.
func changePrimary(d *drill) []func(context.Context) error {
	old, next := d.primary, 3-d.primary
	var steps []func(context.Context) error
	for _, n := range append([]int{next, old}, 3) {
		steps = append(steps, func(ctx context.Context) error {
			err := d.save(ctx, d.peers[n-1], d.page(next), false)
			if n == 3 && err == nil {
				d.primary = next
			}
			return err
		})
	}
	return steps
}

// changeMode switches the TLS mode, then restarts the primary first.
func changeMode(d *drill) []func(context.Context) error {
	to := !d.enforcing
	steps := []func(context.Context) error{func(ctx context.Context) error {
		before := d.enforcing
		d.enforcing = to
		err := d.save(ctx, d.peers[d.primary-1], d.page(d.primary), false)
		if err != nil {
			d.enforcing = before
		}
		return err
	}}
	for _, n := range append([]int{d.primary}, slices.DeleteFunc([]int{1, 2, 3}, func(n int) bool { return n == d.primary })...) {
		steps = append(steps, d.restarted(n))
	}
	return steps
}

// refound: the primary and the third are lost; the acting peer takes over by force.
func refound(d *drill) []func(context.Context) error {
	old, next := d.primary, 3-d.primary
	return []func(context.Context) error{
		func(ctx context.Context) error {
			if d.peers[old-1].runs() { // what only the lost have would be lost
				if err := d.alike(ctx, 20*time.Second); err != nil {
					return err
				}
			}
			return errors.Join(d.peers[old-1].kill(), d.peers[2].kill())
		},
		func(ctx context.Context) error {
			a := d.peers[next-1].administrator(30 * time.Second)
			defer a.close()
			if v, err := a.view(ctx); err == nil && v.PrimaryHere && v.Writable {
				d.primary = next
				return nil
			}
			if err := waitFor(ctx, 20*time.Second, "force is offered", func() error {
				_, err := a.run(ctx, "xCommand ClusterForceShow")
				return err
			}); err != nil {
				return err
			}
			if _, err := a.run(ctx, "xCommand ClusterSave Primary: %d Force: On", next); err != nil {
				return err
			}
			d.primary = next
			return nil
		},
	}
}

// takeOver brings the peers of the older generation back.
func takeOver(d *drill) []func(context.Context) error {
	var steps []func(context.Context) error
	for _, n := range []int{3, 3 - d.primary} {
		steps = append(steps, func(ctx context.Context) error {
			p := d.peers[n-1]
			if !p.runs() {
				if err := p.start(); err != nil {
					return err
				}
			}
			if err := p.answers(ctx, 40*time.Second); err != nil {
				return err
			}
			a := p.administrator(30 * time.Second)
			defer a.close()
			return waitFor(ctx, 20*time.Second, fmt.Sprintf("peer %d takes the primary's copy", n), func() error {
				theirs, err := d.generation(ctx, d.primary)
				if err != nil {
					return err
				}
				if own, err := d.generation(ctx, n); err == nil && own.ID == theirs.ID {
					return nil
				}
				_, err = a.run(ctx, "xCommand ForceConfigUpdate Confirm: On")
				return err
			})
		}, d.saved(n))
	}
	return steps
}

func (d *drill) generation(ctx context.Context, n int) (engine.Generation, error) {
	a := d.peers[n-1].administrator(10 * time.Second)
	defer a.close()
	v, err := a.view(ctx)
	return v.Generation, err
}

// remove takes the third peer off the lists of the others.
func remove(d *drill) []func(context.Context) error {
	d.order = []int{1, 2}
	return []func(context.Context) error{d.saved(d.primary), d.saved(3 - d.primary)}
}

// factoryReset clears the whole page of the third peer and restarts it.
func factoryReset(d *drill) []func(context.Context) error {
	p := d.peers[2]
	node := ""
	return []func(context.Context) error{
		func(ctx context.Context) error {
			a := p.administrator(30 * time.Second)
			defer a.close()
			v, err := a.view(ctx)
			if err != nil {
				return err
			}
			if node = firstOf(node, v.Node); len(v.Entered.Peers) == 0 {
				return nil // cleared, or reset
			}
			_, err = a.run(ctx, `xCommand ClusterSave Primary: 1 Peer1: "" Peer2: "" Peer3: "" Peer4: "" Peer5: "" Peer6: ""`)
			return err
		},
		func(ctx context.Context) error {
			a := p.administrator(30 * time.Second)
			defer a.close()
			v, err := a.view(ctx)
			if err != nil {
				return err
			}
			if v.Reset != nil {
				if err := p.restart(ctx); err != nil {
					return err
				}
			}
			if v, err = a.view(ctx); err != nil || len(v.Entered.Peers) > 0 || v.Reset != nil {
				return errors.Join(err, fmt.Errorf("it has not been reset: lists %v", v.Entered.Peers))
			}
			return nil
		},
	}
}

// join brings the third peer into the cluster.
func join(d *drill) []func(context.Context) error {
	d.order = []int{1, 2, 3}
	p := d.peers[2]
	return []func(context.Context) error{
		func(ctx context.Context) error {
			a := p.administrator(30 * time.Second)
			defer a.close()
			for _, line := range d.lines(p) {
				if v, err := a.view(ctx); err == nil && len(v.Running.Peers) == 3 {
					return nil // joined already: such items are edited on the primary
				}
				if _, err := a.run(ctx, "%s", line); err != nil {
					return err
				}
			}
			return d.certified(ctx, p)
		},
		d.saved(d.primary), d.saved(3 - d.primary), d.saved(3),
		func(ctx context.Context) error {
			if v, err := d.viewOf(ctx, 3); err == nil && len(v.Running.Peers) == 3 {
				return nil
			}
			return p.restart(ctx)
		},
	}
}

func (d *drill) viewOf(ctx context.Context, n int) (engine.ClusterView, error) {
	a := d.peers[n-1].administrator(10 * time.Second)
	defer a.close()
	return a.view(ctx)
}
