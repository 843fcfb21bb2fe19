package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is one kind of fault. inject puts it in and tells the scene how to
// undo it and what the peers must say of it.
type kind struct {
	name   string
	least  time.Duration // how long it is held at least and at most
	most   time.Duration
	inject func(s *scene) error
	needs  func(b *bed) bool // nil: always
	long   bool              // takes more time than the cut has
	every  int               // dealt each so many rounds only, since it takes long; 0: each
}

// Limits of alarms and of recovery. Source: reference/faults.md 2.1, I6 to I8.
const (
	raisedByReset   = time.Second     // the other side's kernel says that the peer is gone
	raisedBySilence = 3 * time.Second // packets vanish
	loweredWithin   = 3 * time.Second
	equalWithin     = 5 * time.Second // the worst; 2 s at the 99th percentile
	equalUsually    = 2 * time.Second
)

// Alarms that tell of a peer that cannot be reached.
const (
	alarmCommunication = 20004 // the peer link
	alarmDatabase      = 20006 // the database link
	alarmPorts         = 20021 // a port of a peer that is listed and answers otherwise
)

var linkAlarms = []int{alarmCommunication, alarmDatabase, alarmPorts}

// scene is one fault under way.
type scene struct {
	ctx  context.Context
	bed  *bed
	load *load
	look *watch
	rand *rand.Rand

	kind     kind
	what     string // "isolate 3"
	heals    []func() error
	raised   map[int][]int // alarms that must come up, by the peer that must say so
	apart    map[int][]int // whom a peer does not reach
	within   time.Duration // in which they must
	clean    bool          // one fault is one raise: nothing about it is chance
	untimely bool          // it has no place in the statistics of recovery
	gone     time.Duration // how much longer than a heal its undoing takes by design
}

// heal adds a step of the undoing; the last one added is done first.
func (s *scene) heal(do func() error) { s.heals = append(s.heals, do) }

// undo heals everything that was put in.
func (s *scene) undo() error {
	var problems []error
	for _, do := range slices.Backward(s.heals) {
		problems = append(problems, do())
	}
	s.heals = nil
	return errors.Join(problems...)
}

// lab breaks the network, which is healed whole.
func (s *scene) lab(args ...string) error {
	if len(s.heals) == 0 {
		s.heal(func() error { return s.bed.lab.do(context.WithoutCancel(s.ctx), "heal") })
	}
	return s.bed.lab.do(s.ctx, args...)
}

// aim says what is hit.
func (s *scene) aim(format string, args ...any) {
	s.what = s.kind.name + " " + fmt.Sprintf(format, args...)
}

// parted: the peers of the one group and of the other do not reach each other,
// and must say so with these alarms.
func (s *scene) parted(within time.Duration, a, b []int, alarms ...int) {
	s.clean, s.within = true, within
	for _, group := range [][2][]int{{a, b}, {b, a}} {
		if len(group[1]) == 0 {
			continue
		}
		for _, n := range group[0] {
			s.apart[n] = append(s.apart[n], group[1]...)
			for _, id := range alarms {
				if !slices.Contains(s.raised[n], id) {
					s.raised[n] = append(s.raised[n], id)
				}
			}
		}
	}
}

// some are count peers by chance; the primary is among them half of the time.
func (s *scene) some(count int) []int {
	out := s.rand.Perm(peerCount)
	for i := range out {
		out[i]++
	}
	if p := s.look.primary(); p != 0 && s.rand.IntN(2) == 0 {
		i := slices.Index(out, p)
		out[0], out[i] = out[i], out[0]
	}
	out = out[:count]
	slices.Sort(out)
	return out
}

func (s *scene) one() int { return s.some(1)[0] }

// others are the peers that are not in the list.
func others(list []int) []int {
	var out []int
	for n := 1; n <= peerCount; n++ {
		if !slices.Contains(list, n) {
			out = append(out, n)
		}
	}
	return out
}

// commas writes a list as netlab.sh takes it.
func commas(list []int) string {
	var out string
	for i, n := range list {
		if i > 0 {
			out += ","
		}
		out += fmt.Sprint(n)
	}
	return out
}

func (s *scene) peer(n int) *peer { return s.bed.peers[n-1] }

// between is a time by chance.
func (s *scene) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rand.Int64N(int64(most-least)+1))
}

// hold is how long a fault is held: short three times of four, so that there
// are many, and else long enough for every alarm to come up.
func (s *scene) hold() time.Duration {
	most := s.kind.most
	if s.rand.IntN(4) > 0 {
		most = s.kind.least + (most-s.kind.least)/3
	}
	return s.between(s.kind.least, most)
}

// deck deals every kind once, in an order by chance, before any comes again.
type deck struct {
	kinds []kind
	rand  *rand.Rand
	left  []kind
	round int
}

func (d *deck) next() kind {
	if len(d.left) == 0 {
		d.left = slices.DeleteFunc(slices.Clone(d.kinds), func(k kind) bool { return k.every > 0 && len(d.kinds) > k.every && d.round%k.every != 0 })
		d.round++
		d.rand.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	f := d.left[0]
	d.left = d.left[1:]
	return f
}
