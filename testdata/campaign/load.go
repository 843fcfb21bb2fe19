package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"hexad/engine"
	"hexad/ui/shell"
)

// Shares of the load. Each writer of the first kind has an item of its own,
// each of the second two that it always saves together; registers are items
// that several save and read for the check of linearizability.
const (
	soloWriters = 20
	pairWriters = 2
	probeZone   = 90
)

// load are the administrators who save and read all the time.
type load struct {
	bed    *bed
	ledger *ledger
	linear *linear
	pause  atomic.Int64 // ns of a writer between two saves

	gate    sync.RWMutex // held by whoever needs a moment without saves
	primary atomic.Int32 // number of the peer that took the last save

	tried, refused, unknown, stale atomic.Int64
	elsewhere                      atomic.Int64 // saves that a peer refused because it is not the primary, or cannot save now
}

// item is the path of the item that writer n saves.
func item(zone int) string {
	return fmt.Sprintf("Zones Zone %d Neighbor SIP ProxyRequire Strip List", zone)
}

func newLoad(b *bed, dir string) (*load, error) {
	ledger, err := newLedger(dir)
	if err != nil {
		return nil, err
	}
	l := &load{bed: b, ledger: ledger, linear: newLinear()}
	l.primary.Store(1)
	return l, nil
}

// prepare makes the zones that the writers change.
func (l *load) prepare(ctx context.Context) error {
	a := l.bed.peers[0].administrator(30 * time.Second)
	defer a.close()
	var lines []string
	for zone := 1; zone <= probeZone; zone++ {
		lines = append(lines, fmt.Sprintf(`xConfiguration Zones Zone %d Name: "zone%d"`, zone, zone), fmt.Sprintf("xConfiguration Zones Zone %d Type: Neighbor", zone))
	}
	_, err := a.ask(ctx, shell.Request{Lines: lines})
	return err
}

// run saves and reads until ctx ends.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	for n := range soloWriters {
		all.Go(func() { l.solo(ctx, n+1) })
	}
	for n := range pairWriters {
		all.Go(func() { l.pair(ctx, soloWriters+1+2*n) })
	}
	for n := range registers * registerClients {
		all.Go(func() { l.register(ctx, n) })
	}
	all.Go(func() { l.intrude(ctx) })
	all.Wait()
}

// at is the administrator's connection of one client to whoever is the primary.
type at struct {
	*admin
	n int32
}

// here connects to the present primary.
func (l *load) here(c *at) *admin {
	if now := l.primary.Load(); c.admin == nil || c.n != now {
		if c.admin != nil {
			c.close()
		}
		c.admin, c.n = l.bed.peers[now-1].administrator(10*time.Second), now
	}
	return c.admin
}

// set saves items in one request and returns its revision.
//
// Errors: *engine.Error when it was refused; others when the outcome is unknown.
func set(ctx context.Context, a *admin, base int64, saves ...save) (int64, error) {
	var lines []string
	for _, s := range saves {
		lines = append(lines, fmt.Sprintf(`xConfiguration %s: "%s"`, s.Path, s.Value))
	}
	reply, err := a.ask(ctx, shell.Request{Lines: lines, Base: base})
	if err != nil {
		return 0, err
	}
	var answer struct{ Saved *engine.Saved }
	if err := json.Unmarshal(reply.Result, &answer); err != nil || answer.Saved == nil {
		return 0, fmt.Errorf("no answer to a save: %s: %w", reply.Result, errors.Join(err))
	}
	return answer.Saved.Revision, nil
}

// certain reports whether a failed save was surely not made: the peer refused
// it. Unavailable may mean that the outcome is unknown.
func certain(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Code != engine.Unavailable && e.Code != engine.Internal
}

// attempt saves, notes what was acknowledged, and waits a little when it was not.
func (l *load) attempt(ctx context.Context, c *at, saves ...save) (revision int64, err error) {
	l.gate.RLock()
	l.tried.Add(1)
	revision, err = set(ctx, l.here(c), 0, saves...)
	if err == nil {
		for i := range saves {
			saves[i].Revision = revision
		}
		l.ledger.note(saves...)
	}
	l.gate.RUnlock()
	pause := time.Duration(l.pause.Load())
	if err != nil {
		if certain(err) {
			l.refused.Add(1)
		} else {
			l.unknown.Add(1)
		}
		pause = 50 * time.Millisecond
	}
	if pause > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return revision, err
}

// solo saves one item over and over and now and then reads it back: what the
// primary acknowledged it must show at once.
func (l *load) solo(ctx context.Context, zone int) {
	c := &at{}
	path, sure, last := item(zone), false, int64(0)
	for seq := 1; ctx.Err() == nil; seq++ {
		value := fmt.Sprintf("solo%02d-%08d-%s", zone, seq, padding)
		revision, err := l.attempt(ctx, c, save{Path: path, Value: value})
		if sure = err == nil; !sure {
			continue
		}
		if revision <= last {
			l.bed.run.Fail("I3: %s got revision %d after %d", path, revision, last)
		}
		last = revision
		if seq%4 != 0 {
			continue
		}
		peer := c.n
		got, err := read(ctx, l.here(c), path)
		if err == nil && c.n == peer && got != value {
			l.stale.Add(1)
			l.bed.run.Fail("I3: %s was acknowledged as %q at revision %d; read on the primary right after: %q", path, value, revision, got)
		}
	}
}

// padding makes a value as long as an ordinary one.
const padding = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"

// pair saves two items in one revision: on no peer may one be without the other.
func (l *load) pair(ctx context.Context, zone int) {
	c := &at{}
	for seq := 1; ctx.Err() == nil; seq++ {
		value := fmt.Sprintf("pair%02d-%08d", zone, seq)
		_, _ = l.attempt(ctx, c, save{Path: item(zone), Value: value}, save{Path: item(zone + 1), Value: value}) // counted there
	}
}

var shown = regexp.MustCompile(`: "?([^"]*)"?$`)

// read is the value of an item as the peer shows it.
func read(ctx context.Context, a *admin, path string) (string, error) {
	lines, err := a.run(ctx, "xConfiguration %s", path)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if m := shown.FindStringSubmatch(line); m != nil {
			return m[1], nil
		}
	}
	return "", fmt.Errorf("xConfiguration %s shows %q", path, lines)
}

// readPrimary is read on a peer that takes saves. A peer that was started again
// shows its own copy at once, and takes saves when that has caught up: until
// then what it shows may be older than what others acknowledged.
func readPrimary(ctx context.Context, a *admin, path string) (string, error) {
	v, err := a.view(ctx)
	if err == nil && !v.Writable {
		err = errors.New("it takes no saves now")
	}
	if err != nil {
		return "", err
	}
	return read(ctx, a, path)
}

// intrude saves where it is refused: on peers that are not the primary. An
// answer of "saved" from there is counted like any other; what is refused must
// not appear later (see audit).
func (l *load) intrude(ctx context.Context) {
	r := l.bed.run.Rand("intruder")
	var connections [peerCount]*admin
	for seq := 1; ctx.Err() == nil; seq++ {
		n := r.IntN(peerCount)
		if connections[n] == nil {
			connections[n] = l.bed.peers[n].administrator(5 * time.Second)
		}
		l.gate.RLock()
		s := save{Path: item(probeZone - 1), Value: fmt.Sprintf("intruder%d-%06d", n+1, seq)}
		revision, err := set(ctx, connections[n], 0, s)
		switch {
		case err == nil:
			s.Revision = revision
			l.ledger.note(s)
		case certain(err):
			l.elsewhere.Add(1)
			l.linear.refuse(s.Value)
		}
		l.gate.RUnlock()
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// register is client n of the registers: it saves and reads by turns of chance,
// and every operation is recorded.
func (l *load) register(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(l.bed.run.Seed, uint64(n)))
	c := &at{}
	for seq := 1; ctx.Err() == nil; seq++ {
		h := l.linear.at(n % registers)
		path := item(h.zone())
		if r.IntN(3) > 0 { // reads are cheap
			l.linear.read(n, h, func() (string, error) { return readPrimary(ctx, l.here(c), path) })
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		value := fmt.Sprintf("reg%02d-%02d-%08d", h, n, seq)
		l.linear.write(n, h, value, func() error {
			_, err := l.attempt(ctx, c, save{Path: path, Value: value})
			return err
		})
	}
}
