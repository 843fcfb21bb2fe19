package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"hexad/engine"
)

// walk goes over the clustering page of one system at random, with restarts
// and kills between the steps, beside a model of the rule (I11): a factory
// reset is carried out exactly when all peer fields were cleared and saved,
// the same addresses were not put back in the same order, and the system was
// then restarted. The node id, which only a reset changes, is the witness.
type walk struct {
	bed  *bed
	rand *rand.Rand
	peer *peer

	node    string   // as it must be; "" right after a reset
	before  string   // what it was before the last reset
	entered []string // as saved
	from    []string // what disarms; nil when nothing is armed

	steps, resets int
}

// The addresses of the walk: its own, and two where nobody is.
var walkAddresses = []string{"127.0.112.9", "127.0.112.201", "127.0.112.202"}

func newWalk(b *bed) (*walk, error) {
	p, err := b.newHome(9, b.peers[0].program, walkAddresses[0])
	if err != nil {
		return nil, err
	}
	p.dir = filepath.Join(filepath.Dir(p.log), "data")
	return &walk{bed: b, rand: b.run.Rand("walk"), peer: p}, nil
}

// run walks until ctx ends. What it meets that the model does not expect is
// something found.
func (w *walk) run(ctx context.Context) {
	defer func() { _ = w.peer.kill() }() // all of it has been looked at
	if err := w.begin(ctx); err != nil {
		if ctx.Err() == nil {
			w.bed.run.Fail("I11: %v", err)
		}
		return
	}
	for ctx.Err() == nil {
		what, err := w.step(ctx)
		if err == nil {
			err = w.compare(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				w.bed.run.Fail("I11: step %d, %s: %v", w.steps, what, err)
			}
			return
		}
		w.steps++
		sleep(ctx, 500*time.Millisecond) // it is not what loads the machine
	}
}

func (w *walk) begin(ctx context.Context) error {
	if err := w.peer.start(); err != nil {
		return err
	}
	if err := w.peer.answers(ctx, 60*time.Second); err != nil {
		return err
	}
	v, err := w.view(ctx)
	w.node = v.Node
	return err
}

func (w *walk) view(ctx context.Context) (engine.ClusterView, error) {
	a := w.peer.administrator(10 * time.Second)
	defer a.close()
	return a.view(ctx)
}

// step does one thing and lets the model follow.
func (w *walk) step(ctx context.Context) (string, error) {
	switch w.rand.IntN(8) {
	case 0, 1:
		return "clear", w.save(ctx, nil)
	case 2:
		return "put back", w.save(ctx, w.from)
	case 3, 4:
		list := slices.Clone(walkAddresses)
		w.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:slices.Index(list, walkAddresses[0])+1] // the own one is always there
		return "save " + strings.Join(list, " "), w.save(ctx, list)
	case 5:
		return "child killed", w.crash(ctx)
	case 6:
		w.restarted()
		return "restart command", w.peer.restart(ctx)
	default:
		w.restarted()
		end := w.peer.stop
		if w.rand.IntN(2) == 0 {
			end = w.peer.kill
		}
		if err := end(); err != nil {
			return "stopped", err
		}
		if err := w.peer.start(); err != nil {
			return "started", err
		}
		return "started", w.peer.answers(ctx, 60*time.Second)
	}
}

// save saves a peer list; an empty one clears all fields.
func (w *walk) save(ctx context.Context, list []string) error {
	a := w.peer.administrator(20 * time.Second)
	defer a.close()
	line := fmt.Sprintf(`xCommand ClusterSave Name: "%s" Primary: 1 IPVersion: IPv4`, clusterName)
	for i := range engine.MaxPeers {
		address := ""
		if i < len(list) {
			address = list[i]
		}
		line += fmt.Sprintf(` Peer%d: "%s"`, i+1, address)
	}
	if _, err := a.run(ctx, "xConfiguration H323 Mode: On"); err != nil && !certain(err) {
		return err
	}
	if _, err := a.run(ctx, "%s", line); err != nil {
		if certain(err) {
			w.bed.run.Note("walk: %v refused: %v", list, err)
			return nil // compare sees whether anything has changed
		}
		return err
	}
	switch {
	case len(list) == 0 && len(w.entered) > 0 && w.from == nil:
		w.from = w.entered
	case w.from != nil && slices.Equal(list, w.from):
		w.from = nil
	}
	w.entered = slices.Clone(list)
	return nil
}

// crash ends the child alone: its parent starts another one, and no reset is
// carried out.
func (w *walk) crash(ctx context.Context) error {
	before := w.peer.child()
	if err := w.peer.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := waitFor(ctx, 30*time.Second, "another child", func() error {
		if now := w.peer.child(); now == 0 || now == before {
			return errors.New("not yet")
		}
		return nil
	}); err != nil {
		return err
	}
	return w.peer.answers(ctx, 60*time.Second)
}

// restarted: an armed reset is carried out.
func (w *walk) restarted() {
	if w.from != nil {
		w.before, w.node, w.entered, w.from = w.node, "", nil, nil
		w.resets++
	}
}

// compare holds the system against the model.
func (w *walk) compare(ctx context.Context) error {
	return waitFor(ctx, 20*time.Second, "the system is as the model says", func() error {
		v, err := w.view(ctx)
		switch {
		case err != nil:
			return err
		case w.node == "" && v.Node == w.before:
			return fmt.Errorf("the node is still %s: an armed reset was not carried out", v.Node)
		case w.node == "":
			w.node = v.Node
		case v.Node != w.node:
			return fmt.Errorf("the node is %s and was %s: it was reset, and nothing was armed", v.Node, w.node)
		}
		if armed := v.Reset != nil; armed != (w.from != nil) {
			return fmt.Errorf("a factory reset is armed: %v; want %v, cancelled by %v; entered is %v", armed, w.from != nil, w.from, v.Entered.Peers)
		}
		if !slices.Equal(v.Entered.Peers, w.entered) {
			return fmt.Errorf("entered is %v, want %v", v.Entered.Peers, w.entered)
		}
		return nil
	})
}
